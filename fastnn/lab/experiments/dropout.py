"""Dropout: training and test error with and without it.

Claims of the notes: dropout lowers the test error on MNIST for several architectures; where weight decay does not
suffice against overfitting, dropout helps: the gap between training and test accuracy shrinks, and 100 % in training is
not reached.

Done here: several architectures with and without dropout on all training images; then 300 images, learnt by heart: the
book's experiment (six hidden layers of 100 units, SGD at 0.01, rate 0.2) and two hidden layers of 256 units with Adam,
with right labels and with a fifth of the training labels drawn at random.  The labels for testing are always right.
The curves in training are of the network with units dropped, the tables of the whole one.

Where the notes err: they drop "every epoch"; it is for every batch, and for each sample on its own.

Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (JMLR 2014), figure 4;
Saito, Deep Learning from Scratch (2016), chapter 6.4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import optimizers
from fastnn.lab import drawing
from fastnn.lab.classifiers import perceptron, train
from fastnn.lab.experiments._few_samples import SAMPLES, few
from fastnn.lab.frame import Finding, Result, Settings, Table, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fastnn.models import Sequential

BOOK_HIDDEN, BOOK_DROPOUT = [100] * 6, 0.2
WIDE, DROPOUT, WRONG = [256] * 2, 0.5, 0.2


def run(settings: Settings) -> Result:
    architectures, rate, epochs = settings.choose(
        quick=(([128] * 2, [256] * 2, [128] * 3), 0.25, 20),
        digits=(([128] * 2, [256] * 2, [256] * 3, [512] * 2), 0.25, 80),
        mnist=(([256] * 2, [512] * 2, [256] * 4, [512] * 3), 0.5, 10),
    )
    compared, curves = _architectures(settings, architectures, rate, epochs)
    heart, book = _by_heart(settings)
    errors = {name: (plain[1], dropped[1]) for name, (plain, dropped) in compared.items()}
    better = sum(dropped < plain for plain, dropped in errors.values())
    means = [float(np.mean(column)) for column in zip(*errors.values())]
    more_left = all(dropped[2] > plain[2] for plain, dropped in compared.values())
    right, wrong, by_the_book = heart["right"], heart["wrong"], (book["plain"], book["dropout"])
    rows = [
        [name, *(100 * value for value in (plain[0], dropped[0], plain[1], dropped[1]))]
        for name, (plain, dropped) in compared.items()
    ]
    heads = ["training error, %", "with dropout", "test error, %", "with dropout"]
    few_rows = [
        [label, *(100 * (1 - value) for value in (plain[0], dropped[0], plain[1], dropped[1]))]
        for label, (plain, dropped) in {
            "6 x 100, SGD, rate 0.2": by_the_book,
            "2 x 256, Adam, rate 0.5": right,
            f"2 x 256, Adam, rate 0.5, {100 * WRONG:g} % of labels at random": wrong,
        }.items()
    ]
    gain = wrong[1][1] - wrong[0][1]
    pairs = {"with wrong labels": wrong, "in the book's experiment": by_the_book}
    gaps = {name: [at_heart - elsewhere for at_heart, elsewhere in pair] for name, pair in pairs.items()}
    ends = {name: [at_heart for at_heart, _ in pair] for name, pair in pairs.items()}
    smaller = {name: gaps[name][1] < gaps[name][0] and ends[name][1] < ends[name][0] for name in pairs}
    return Result(
        tables=[
            Table(f"All training images of {settings.data}, {epochs} epochs of Adam, dropout {rate:g}",
                  ["hidden layers", *heads], rows),
            Table(f"{SAMPLES} training images of {settings.data}", ["training", *heads], few_rows),
        ],
        sentence=(
            f"With dropout the test error was lower for {better} of {len(errors)} architectures, {100 * means[1]:.2f} "
            f"% on average instead of {100 * means[0]:.2f} %. With wrong labels among {SAMPLES} images it fell from "
            f"{100 * (1 - wrong[0][1]):.1f} to {100 * (1 - wrong[1][1]):.1f} %."
        ),
        findings=[
            Finding(
                "Dropout lowers the test error for several architectures",
                verdict(dropped < plain for plain, dropped in errors.values()),
                f"lower for {better} of {len(errors)}, on average {100 * means[1]:.2f} % with and "
                f"{100 * means[0]:.2f} % without; asserted is that the loss in training is higher for all of them, and "
                "the average test error at most 2 points higher",
                more_left and means[1] < means[0] + 0.02,
            ),
            Finding(
                "With dropout the gap between training and test accuracy shrinks, and 100 % is not reached",
                verdict(smaller.values()),
                "; ".join(
                    f"{name}: the gap is {100 * gaps[name][1]:.1f} points instead of {100 * gaps[name][0]:.1f}, and "
                    f"training ends at {100 * ends[name][1]:.1f} % instead of {100 * ends[name][0]:.1f}"
                    for name in gaps
                )
                + "; asserted is both for one of the two",
                any(smaller.values()),
            ),
            Finding(
                "Dropout helps against overfitting",
                verdict(dropped[1] > plain[1] for plain, dropped in (wrong, right, by_the_book)),
                f"test error of {SAMPLES} images learnt by heart, with dropout and without: with {100 * WRONG:g} % of "
                f"the labels drawn at random {_errors(wrong)}, which is asserted to be lower; with right labels "
                f"{_errors(right)}; in the book's experiment, whose network learns less with units dropped, "
                f"{_errors(by_the_book)}",
                gain > 0,
            ),
        ],
        values={"curves": curves, "book": book["curves"]},
    )  # fmt: skip


def _errors(pair: Any) -> str:
    (_, plain), (_, dropped) = pair
    return f"{100 * (1 - dropped):.1f} and {100 * (1 - plain):.1f} %"


def _architectures(
    settings: Settings, architectures: Any, rate: float, epochs: int
) -> tuple[dict[str, tuple[Any, Any]], dict[str, Any]]:
    """For each architecture, without and with dropout: training error, test error, loss in training; and the curves."""
    images = settings.images()
    found, curves = {}, {}
    for hidden in architectures:
        name = f"{len(hidden)} x {hidden[0]}"
        pair = []
        for dropped in (0.0, rate):
            model = perceptron(images.x_train.shape[1], hidden, settings.seed, dropout=dropped)
            history = train(
                model, "adam", images.x_train, images.y_train, epochs=epochs,
                validation=(images.x_test, images.y_test),
            )  # fmt: skip
            right, _ = _accuracies(model, images.x_train, images.y_train, images.x_test[:1], images.y_test[:1])
            test = [1 - accuracy for accuracy in history["val_accuracy"]]
            pair.append((1 - right, test[-1], history["loss"][-1]))
            curves[f"{name}{', dropout' if dropped else ''}"] = test
        found[name] = pair[0], pair[1]
    return found, curves


def _by_heart(settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """Accuracies in training and testing, without and with dropout, of networks that see few samples."""
    epochs, book_epochs = settings.choose(quick=(80, 150), digits=(150, 301), mnist=(150, 301))
    heart: dict[str, Any] = {}
    for label, share in (("right", 0.0), ("wrong", WRONG)):
        data = few(settings, wrong=share)
        pair = []
        for rate in (0.0, DROPOUT):
            model = perceptron(data.x.shape[1], WIDE, settings.seed, dropout=rate)
            train(model, "adam", data.x, data.y, epochs=epochs, batch_size=100)
            pair.append(_accuracies(model, *data))
        heart[label] = pair[0], pair[1]
    data = few(settings)
    book: dict[str, Any] = {"curves": {}}
    for label, rate in (("plain", 0.0), ("dropout", BOOK_DROPOUT)):
        model = perceptron(data.x.shape[1], BOOK_HIDDEN, settings.seed, dropout=rate)
        seen = data.x_test[:1000], data.y_test[:1000]
        history = train(
            model, optimizers.SGD(0.01), data.x, data.y, epochs=book_epochs, batch_size=100, validation=seen
        )
        book[label] = _accuracies(model, *data)
        book["curves"][label] = {"training": history["accuracy"], "test": history["val_accuracy"]}
    return heart, book


def _accuracies(model: Sequential, x: Any, y: Any, x_test: Any, y_test: Any) -> tuple[float, float]:
    pairs = ((x, y), (x_test, y_test))
    train_accuracy, test_accuracy = (float(model.evaluate(a, b, batch_size=1024, verbose=0)[1]) for a, b in pairs)
    return train_accuracy, test_accuracy


def draw(result: Result) -> dict[str, Figure]:
    figure, axes = drawing.figure(1, 2, width=13, height=4.5)
    for place, (name, errors) in enumerate(result.values["curves"].items()):
        line = "--" if "dropout" in name else "-"
        axes[0, 0].plot(range(1, len(errors) + 1), errors, line, color=drawing.color(place // 2), label=name)
    axes[0, 0].set(xlabel="epoch", ylabel="test error", yscale="log", title="all training images")
    axes[0, 0].legend(frameon=False, fontsize=8)
    for place, (name, curves) in enumerate(result.values["book"].items()):
        for part, line in (("training", "-"), ("test", "--")):
            accuracies = curves[part]
            label = f"{'with' if name == 'dropout' else 'without'} dropout, {part}"
            axes[0, 1].plot(range(1, len(accuracies) + 1), accuracies, line, color=drawing.color(place), label=label)
    axes[0, 1].set(xlabel="epoch", ylabel="accuracy", title="the book's experiment: 300 images")
    axes[0, 1].legend(frameon=False)
    return {"dropout": figure}
