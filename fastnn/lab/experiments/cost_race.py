"""The quadratic cost against cross-entropy.

Claims of the notes: with sigmoid outputs, the quadratic cost C = 1/(2n) sum (a - y)^2 learns slowly where the output is
badly wrong, since its gradient has the sigmoid's derivative as a factor; cross-entropy does not have that factor, and
learns fastest where the error is largest.

Done here: (1) Nielsen's neuron: one input 1, answer 0 wanted, sigmoid, 300 steps, from (w, b) = (0.6, 0.9) and (2, 2);
rate 0.15 for the quadratic cost and, as in the book, 0.005 for cross-entropy, and 0.15 for both besides, since rates of
two costs do not compare.  (2) Nielsen's net with 30 hidden units, sigmoid everywhere, batches of 10, over a grid of
rates: the best of each cost compete, from standard normal weights as in the book's first programs, and from Xavier's.

Where the notes are at odds with the libraries: their quadratic cost has a factor 1/2, so its gradient and the rate that
suits are half and twice those of Keras's mean_squared_error (here it is half_mean_squared_error); their NLL,
C = -sum_i log a_(i,y), is a sum over the samples where the other costs are means, so that the rate that suits depends
on the size of the batch; Keras and PyTorch take the mean, and so do these races.

What the notes leave out: weights that do not saturate take most of the quadratic cost's disadvantage away; and it is
the right one for real numbers with a linear output, where there is no such factor.

Source: M. Nielsen: Neural Networks and Deep Learning, chapter 3. 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import Sequential, initializers, optimizers
from fastnn.callbacks import LambdaCallback
from fastnn.lab import drawing
from fastnn.lab.frame import Finding, Images, Result, Settings, Table
from fastnn.lab.nets import MakeInitializer, dense_stack
from fastnn.layers import Dense, Input

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STARTS = ((0.6, 0.9), (2.0, 2.0))
NEURONS = {
    "quadratic, rate 0.15": ("half_mean_squared_error", 0.15),
    "cross-entropy, rate 0.005": ("binary_crossentropy", 0.005),
    "cross-entropy, rate 0.15": ("binary_crossentropy", 0.15),
}
STEPS = 300
COSTS = {"quadratic": "half_sum_squared_error", "cross-entropy": "binary_crossentropy"}
RATES = (1.0, 3.0, 10.0, 30.0)  # of the mean over ten outputs in the case of cross-entropy, of their sum otherwise
WEIGHTS: dict[str, MakeInitializer] = {
    "normal": lambda seed: initializers.RandomNormal(stddev=1.0, seed=seed),
    "Xavier": lambda seed: initializers.GlorotNormal(seed=seed),
}
GOOD = 0.9


def run(settings: Settings) -> Result:
    outputs = {f"{cost} from ({w:g}, {b:g})": neuron(w, b, *NEURONS[cost]) for w, b in STARTS for cost in NEURONS}
    neurons = Table(
        "Nielsen's neuron: the answer should be 0",
        ["cost and start", "at first", "after 50 steps", "after 150", f"after {STEPS}"],
        [[name, path[0], path[50], path[150], path[STEPS]] for name, path in outputs.items()],
    )
    images = settings.images()
    epochs = settings.choose(quick=6, digits=30, mnist=10)
    rows: list[list[Any]] = []
    winners: dict[str, list[float]] = {}
    mean: dict[tuple[str, str], float] = {}
    for start in WEIGHTS:
        for cost in COSTS:
            found = {rate: _train(cost, start, rate, images, epochs, settings) for rate in RATES}
            rate = max(found, key=lambda each: np.mean(found[each]))
            curve = winners[f"{cost}, {start} weights"] = found[rate]
            mean[start, cost] = float(np.mean(curve))
            rows.append([start, cost, rate, f"{curve[0]:.1%}", f"{curve[-1]:.1%}", f"{mean[start, cost]:.1%}",
                         _reached(curve)])  # fmt: skip
    gain = {start: mean[start, "cross-entropy"] - mean[start, "quadratic"] for start in WEIGHTS}
    nets = Table(
        f"{images.x_train.shape[1]}-30-10, sigmoid, batches of 10, {epochs} epochs, best of the rates {RATES}",
        ["weights", "cost", "rate", "test accuracy, epoch 1", "at the end", "mean", f"epochs to {GOOD:.0%}"],
        rows,
    )
    quadratic, slow, fast = (outputs[f"{cost} from (2, 2)"] for cost in NEURONS)
    easy = outputs["quadratic, rate 0.15 from (0.6, 0.9)"]
    first = {cost: path[0] - path[1] for cost, path in zip(NEURONS, (quadratic, slow, fast))}
    ratio = first["cross-entropy, rate 0.15"] / first["quadratic, rate 0.15"]
    return Result(
        tables=[neurons, nets],
        sentence=(
            f"From (2, 2) the neuron is at {quadratic[150]:.2f} after 150 steps with the quadratic cost and at "
            f"{fast[150]:.2f} with cross-entropy of the same rate, whose first step is {ratio:.0f} times longer. Over "
            f"{epochs} epochs the nets' mean test accuracy is {mean['normal', 'quadratic']:.1%} (quadratic) and "
            f"{mean['normal', 'cross-entropy']:.1%} (cross-entropy) from standard normal weights, "
            f"{mean['Xavier', 'quadratic']:.1%} and {mean['Xavier', 'cross-entropy']:.1%} from Xavier's."
        ),
        findings=[
            Finding("With the quadratic cost a badly wrong neuron learns slowly", "confirmed",
                    f"from (2, 2) it falls by {quadratic[0] - quadratic[50]:.3f} in 50 steps, from (0.6, 0.9) by "
                    f"{easy[0] - easy[50]:.3f}", quadratic[0] - quadratic[50] < 0.25 * (easy[0] - easy[50])),
            Finding("Cross-entropy learns faster the larger the error is", "confirmed",
                    f"first step from (2, 2): {ratio:.1f} times that of the quadratic cost at one rate; its gradient "
                    "by z is the error itself",
                    ratio > 20 and fast[150] < quadratic[150]),
            Finding("Cross-entropy trains a net of sigmoids faster",
                    "confirmed" if gain["normal"] > 0.01 and gain["Xavier"] > 0.01 else "depends",
                    f"mean test accuracy over {epochs} epochs, best rate of each: {100 * gain['normal']:+.1f} points "
                    f"from standard normal weights, which saturate, {100 * gain['Xavier']:+.1f} from Xavier's; checked "
                    "is that it learns, and is no worse by more than a point",
                    min(gain.values()) > -0.01 and mean["normal", "cross-entropy"] > 0.7),
        ],
        values={"neurons": outputs, "winners": winners},
    )  # fmt: skip


def neuron(w: float, b: float, loss: str, rate: float) -> list[float]:
    """The output of the neuron before every step, and after the last."""
    weight, bias = initializers.Constant(w), initializers.Constant(b)
    layer = Dense(1, "sigmoid", kernel_initializer=weight, bias_initializer=bias, dtype="float64")
    model = Sequential([Input((1,), dtype="float64"), layer])
    model.compile(optimizers.SGD(rate), loss)
    x, y = np.ones((1, 1)), np.zeros((1, 1))
    outputs = [float(model.predict_on_batch(x)[0, 0])]
    after = LambdaCallback(on_epoch_end=lambda epoch, logs: outputs.append(float(model.predict_on_batch(x)[0, 0])))
    model.fit(x, y, epochs=STEPS, verbose=0, callbacks=[after])
    return outputs


def _train(cost: str, start: str, rate: float, images: Images, epochs: int, settings: Settings) -> list[float]:
    """The test accuracy after every epoch."""
    model = dense_stack(
        images.x_train.shape[1], (30,), 10, "sigmoid", WEIGHTS[start], output_activation="sigmoid", seed=settings.seed
    )
    model.compile(optimizers.SGD(rate), COSTS[cost], metrics=["categorical_accuracy"])
    y_train, y_test = (np.eye(10, dtype=np.float32)[y] for y in (images.y_train, images.y_test))
    history = model.fit(images.x_train, y_train, batch_size=10, epochs=epochs, verbose=0,
                        validation_data=(images.x_test, y_test)).history  # fmt: skip
    return [float(accuracy) for accuracy in history["val_categorical_accuracy"]]


def _reached(curve: list[float]) -> int | None:
    """The first epoch with a GOOD accuracy."""
    good = [epoch for epoch, accuracy in enumerate(curve, 1) if accuracy >= GOOD]
    return good[0] if good else None


def draw(result: Result) -> dict[str, Figure]:
    values = result.values
    figure, axes = drawing.figure(1, 3, width=12, height=4)
    for one, (w, b) in zip(axes[0], STARTS):
        start = f"({w:g}, {b:g})"
        paths = {cost: values["neurons"][f"{cost} from {start}"] for cost in NEURONS}
        drawing.curves(one, range(STEPS + 1), paths, title=f"A neuron from {start}", xlabel="step", ylabel="output")
        one.set_ylim(0, 1)
    axes[0, 1].get_legend().remove()  # that of the first holds
    drawing.curves(
        axes[0, 2], None, values["winners"], title="Nets, best rate of each", xlabel="epoch", ylabel="test accuracy"
    )
    return {"cost-race": figure}
