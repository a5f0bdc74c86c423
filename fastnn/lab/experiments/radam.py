"""RAdam, Adam and SGD over learning rates.

Claims of the notes: RAdam rectifies the variance of Adam's first steps; it is less sensitive to the learning rate, and
as good as SGD at the end (their figure: CIFAR-10, 5 rates, with the epochs along the axis).

Done here: a network with four hidden layers of 100 ReLU units and all three optimizers over a logarithmic grid of
rates, each from the same start.  The table has the final accuracy on the test images; a rate "works" if it comes within
five points of the best that any of the three has reached.  And the sizes of Adam's and RAdam's first steps, from the
same start and with the same batches.

Where the notes err: nothing is wrong; but the figure shows few rates, close together.

Source: Liu et al., "On the variance of the adaptive learning rate and beyond" (ICLR 2020), figure 6.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import optimizers
from fastnn.lab import drawing
from fastnn.lab.classifiers import endless, perceptron, train
from fastnn.lab.frame import Array, Finding, Result, Settings, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fastnn.models import Sequential

OPTIMIZERS: dict[str, Any] = {"SGD": optimizers.SGD, "Adam": optimizers.Adam, "RAdam": optimizers.RAdam}
HIDDEN, BATCH = [100] * 4, 128
POINTS = 0.05  # a rate works if its accuracy is at most so far from the best
DECADES = (-4, 1)
LOOKED, FIRST_RATE = (1, 2, 5, 6, 7, 10, 30, 100), 0.001  # steps in the table of first steps


def run(settings: Settings) -> Result:
    images = settings.images()
    per_decade, epochs = settings.choose(quick=(2, 15), digits=(4, 40), mnist=(2, 3))
    sizes = {name: _first_steps(name, settings) for name in ("Adam", "RAdam")}
    part = [radam / adam for adam, radam in zip(*sizes.values())]
    grid = np.logspace(*DECADES, per_decade * (DECADES[1] - DECADES[0]) + 1)
    found: dict[str, list[float]] = {}
    for name, optimizer in OPTIMIZERS.items():
        found[name] = []
        for rate in grid:
            model = perceptron(images.x_train.shape[1], HIDDEN, settings.seed)
            train(model, optimizer(float(rate)), images.x_train, images.y_train, epochs=epochs, batch_size=BATCH)
            accuracy = model.evaluate(images.x_test, images.y_test, batch_size=1024, verbose=0)[1]
            found[name].append(float(accuracy))
    best = {name: max(values) for name, values in found.items()}
    at = {name: float(grid[int(np.argmax(values))]) for name, values in found.items()}
    goal = max(best.values()) - POINTS
    works = {
        name: [float(rate) for rate, value in zip(grid, values) if value >= goal] for name, values in found.items()
    }
    widths = {name: len(rates) for name, rates in works.items()}
    span = {name: f"{min(rates):.2g} to {max(rates):.2g}" if rates else "none" for name, rates in works.items()}
    rows = [[rate, *(100 * found[name][i] for name in OPTIMIZERS)] for i, rate in enumerate(grid)]
    title = f"Test accuracy in %, 4 x 100 ReLU units on {settings.data}, {epochs} epochs"
    works_table = Table(
        f"Rates that come within {100 * POINTS:g} points of {100 * max(best.values()):.1f} %",
        ["optimizer", "best, %", "best rate", "rates that work", "how many"],
        [[name, 100 * best[name], at[name], span[name], widths[name]] for name in OPTIMIZERS],
    )
    lowest = grid <= 0.001
    lows = {name: float(np.mean(np.array(values)[lowest])) for name, values in found.items()}
    tops = {name: max(rates, default=0.0) for name, rates in works.items()}
    wider = widths["RAdam"] > widths["Adam"]
    return Result(
        tables=[
            Table(title, ["rate", *OPTIMIZERS], rows),
            works_table,
            Table(
                "Size of a step (root mean square), in units of the rate",
                ["step", *sizes, "RAdam / Adam"],
                [[i, *(values[i - 1] for values in sizes.values()), part[i - 1]] for i in LOOKED],
            ),
        ],
        sentence=(
            f"Of {len(grid)} rates {widths['SGD']} work for SGD, {widths['Adam']} for Adam and {widths['RAdam']} for "
            f"RAdam; the best accuracies are {100 * best['SGD']:.1f}, {100 * best['Adam']:.1f} and "
            f"{100 * best['RAdam']:.1f} %."
        ),
        findings=[
            Finding.asserted(
                "RAdam rectifies the variance of Adam's first steps",
                part[0] < 0.5 and part[5] < 0.1 and part[5] < part[-1],
                "where Adam divides by a variance that it has hardly seen, RAdam takes a step of momentum (steps 1 to "
                "5), then one shortened the more the less is known: its size, in times of Adam's, is "
                + ", ".join(f"{part[i - 1]:.2g} in step {i}" for i in LOOKED)
                + "; asserted is less than 0.5 in step 1 and 0.1 in step 6, and that it grows from there",
            ),
            Finding(
                "RAdam is less sensitive to the learning rate than Adam",
                "confirmed" if wider else "depends",
                f"rates that work: Adam {widths['Adam']}, RAdam {widths['RAdam']}. Asserted is a shift: the highest of "
                f"them is {tops['RAdam']:.2g} for RAdam and {tops['Adam']:.2g} for Adam, and up to 0.001 RAdam has "
                f"{100 * lows['RAdam']:.0f} % on average and Adam {100 * lows['Adam']:.0f} %",
                tops["RAdam"] >= tops["Adam"] and lows["Adam"] > lows["RAdam"],
            ),
            Finding.asserted(
                "At its best rate RAdam is as good as Adam and SGD",
                best["RAdam"] > max(best.values()) - 0.04,
                ", ".join(f"{name} {100 * best[name]:.1f} % at {at[name]:.2g}" for name in OPTIMIZERS),
            ),
            Finding.asserted(
                "SGD needs a higher rate than Adam",
                at["SGD"] > 3 * at["Adam"],
                f"best at {at['SGD']:.2g} against {at['Adam']:.2g}",
            ),
        ],
        values={"rate": grid, "accuracy": found},
    )


def _first_steps(name: str, settings: Settings) -> list[float]:
    """The root mean square of the change of all weights in each of the first steps, by the rate."""
    images = settings.images()
    model = perceptron(images.x_train.shape[1], HIDDEN, settings.seed)
    model.compile(OPTIMIZERS[name](FIRST_RATE), "sparse_categorical_crossentropy")
    batches = endless(images.x_train, images.y_train, settings.rng(), BATCH)
    sizes, before = [], _flat(model)
    for x, y in itertools.islice(batches, LOOKED[-1]):
        model.train_on_batch(x, y)
        after = _flat(model)
        sizes.append(float(np.sqrt(np.mean((after - before) ** 2))) / FIRST_RATE)
        before = after
    return sizes


def _flat(model: Sequential) -> Array:
    return np.concatenate([weights.ravel() for weights in model.get_weights()]).astype(float)


def draw(result: Result) -> dict[str, Figure]:
    figure, axes = drawing.figure(width=8, height=4.5)
    drawing.curves(
        axes[0, 0], result.values["rate"], result.values["accuracy"],
        xscale="log", xlabel="learning rate", ylabel="test accuracy",
    )  # fmt: skip
    return {"radam": figure}
