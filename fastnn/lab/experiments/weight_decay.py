"""Weight decay against overfitting.

Claims of the notes: a network that has learnt a few samples by heart has large weights; a penalty on the squares of the
weights keeps them small and lets the gap between training and test accuracy shrink.

Done here: the book's experiment - 300 images, six hidden layers of 100 ReLU units, SGD at 0.01, penalty
lambda / 2 * sum of squares with lambda 0 and 0.1 - and a grid of penalties for two hidden layers at rate 0.1, with
right labels and with a fifth of the training labels drawn at random, so that there is something that had better not be
learnt.  The labels for testing are always right.

Where the notes err: a smaller gap is not yet a better network; the table tells both.

Source: Krogh, Hertz, "A simple weight decay can improve generalization" (NIPS 1991); Saito, Deep Learning from Scratch
(2016), chapter 6.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import optimizers
from fastnn.lab import drawing
from fastnn.lab.classifiers import perceptron, train
from fastnn.lab.experiments._few_samples import SAMPLES, few
from fastnn.lab.frame import Finding, Result, Settings, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH, WRONG = 100, 0.2
BOOK_HIDDEN, BOOK_RATE, BOOK_PENALTY = [100] * 6, 0.01, 0.1
HIDDEN, RATE = [100] * 2, 0.1
LEAST = 0.01  # gain in test accuracy that counts


def run(settings: Settings) -> Result:
    epochs = settings.choose(quick=150, digits=200, mnist=200)
    penalties = settings.choose(
        quick=(0.0, 0.01, 0.03, 0.1), digits=(0.0, 0.003, 0.01, 0.03, 0.1), mnist=(0.0, 0.003, 0.01, 0.03, 0.1)
    )
    curves: dict[str, Any] = {}
    book = {}
    for penalty in (0.0, BOOK_PENALTY):
        watched = f"lambda {penalty:g}"
        book[penalty], curves[watched] = _learn(settings, BOOK_HIDDEN, BOOK_RATE, penalty, 0.0, epochs)
    grids = {
        wrong: {p: _learn(settings, HIDDEN, RATE, p, wrong, epochs)[0] for p in penalties} for wrong in (0.0, WRONG)
    }
    columns = ["lambda", "training accuracy, %", "test accuracy, %", "gap", "norm of the weights"]
    titles = [f"The book's experiment: {SAMPLES} images of {settings.data}, rate {BOOK_RATE:g}, {epochs} epochs",
              f"2 x 100 units, rate {RATE:g}",
              f"2 x 100 units, rate {RATE:g}, {100 * WRONG:g} % of the training labels drawn at random"]  # fmt: skip
    tables = [
        Table(title, columns, [[p, 100 * a, 100 * b, 100 * (a - b), norm] for p, (a, b, norm) in found.items()])
        for title, found in zip(titles, (book, *grids.values()))
    ]
    (train_0, test_0, norm_0), (train_1, test_1, norm_1) = book.values()
    right, wrong = ({p: test for p, (_, test, _) in grid.items()} for grid in grids.values())
    best = {name: max(found, key=lambda p: found[p]) for name, found in (("right", right), ("wrong", wrong))}
    gains = {"right": right[best["right"]] - right[0.0], "wrong": wrong[best["wrong"]] - wrong[0.0]}
    norms = [norm for _, _, norm in grids[0.0].values()]
    return Result(
        tables=tables,
        sentence=(
            f"With lambda 0.1 the gap shrank from {100 * (train_0 - test_0):.1f} to {100 * (train_1 - test_1):.1f} "
            f"points, while the test accuracy went from {100 * test_0:.1f} to {100 * test_1:.1f} %. With wrong labels "
            f"among those for training, lambda {best['wrong']:g} took it from {100 * wrong[0.0]:.1f} to "
            f"{100 * wrong[best['wrong']]:.1f} %."
        ),
        findings=[
            Finding.asserted(
                "Weight decay keeps the weights small",
                norm_1 < norm_0 and bool(np.all(np.diff(norms) < 0)),
                f"norm {norm_1:.3g} with lambda 0.1, {norm_0:.3g} without; in the grid "
                + ", ".join(f"{norm:.3g}" for norm in norms),
            ),
            Finding.asserted(
                "Weight decay lets the gap between training and test accuracy shrink, and 100 % is not reached",
                train_1 - test_1 < train_0 - test_0 and train_1 < train_0,
                f"gap {100 * (train_1 - test_1):.1f} points with lambda 0.1, {100 * (train_0 - test_0):.1f} without; "
                f"training accuracy {100 * train_1:.1f} and {100 * train_0:.1f} %",
            ),
            Finding(
                "Weight decay improves the test accuracy",
                "confirmed" if min(gains.values()) > LEAST else "depends",
                f"best of the grid with right labels: {100 * gains['right']:+.1f} points (lambda {best['right']:g}); "
                f"with {100 * WRONG:g} % drawn at random: {100 * gains['wrong']:+.1f} (lambda {best['wrong']:g}), "
                f"which is asserted to be more than {100 * LEAST:g}",
                gains["wrong"] > LEAST,
            ),
            Finding.asserted(
                "Too much weight decay prevents learning",
                right[0.1] < right[best["right"]] - 0.02,
                f"with lambda 0.1 at rate {RATE:g} {100 * right[0.1]:.1f} % of the test images are right",
            ),
        ],
        values={"curves": curves, "right": list(right.items()), "wrong": list(wrong.items())},
    )


def _learn(
    settings: Settings, hidden: list[int], rate: float, penalty: float, wrong: float, epochs: int
) -> tuple[tuple[float, float, float], dict[str, list[float]]]:
    """Accuracy in training and testing and the norm of the weights; and the history."""
    data = few(settings, wrong=wrong)
    model = perceptron(data.x.shape[1], hidden, settings.seed, weight_decay=penalty)
    validation = (data.x_test[:1000], data.y_test[:1000]) if hidden == BOOK_HIDDEN else None
    history = train(model, optimizers.SGD(rate), data.x, data.y, epochs=epochs, batch_size=BATCH, validation=validation)
    accuracies = [
        float(model.evaluate(x, y, batch_size=1024, verbose=0)[1])
        for x, y in ((data.x, data.y), (data.x_test, data.y_test))
    ]
    norm = float(np.sqrt(sum(np.sum(w**2) for w in model.get_weights() if w.ndim == 2)))
    return (accuracies[0], accuracies[1], norm), history


def draw(result: Result) -> dict[str, Figure]:
    values = result.values
    figure, axes = drawing.figure(1, 2, width=12, height=4.5)
    for place, (name, history) in enumerate(values["curves"].items()):
        epochs = range(1, len(history["accuracy"]) + 1)
        axes[0, 0].plot(epochs, history["accuracy"], color=drawing.color(place), label=f"{name}, training")
        axes[0, 0].plot(epochs, history["val_accuracy"], "--", color=drawing.color(place), label=f"{name}, test")
    axes[0, 0].set(xlabel="epoch", ylabel="accuracy", title="300 training images")
    axes[0, 0].legend(frameon=False)
    for place, (key, label) in enumerate((("right", "right labels"), ("wrong", "a fifth drawn at random"))):
        penalties, accuracies = zip(*values[key])
        axes[0, 1].plot(accuracies, "o-", color=drawing.color(place), label=label)
        axes[0, 1].set_xticks(range(len(penalties)), [f"{p:g}" for p in penalties])
    axes[0, 1].set(xlabel="lambda", ylabel="test accuracy")
    axes[0, 1].legend(frameon=False)
    return {"weight-decay": figure}
