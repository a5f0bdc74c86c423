"""SGD without and with momentum, in a ravine and in a network.

Claims of the notes: where the curvature differs by direction SGD oscillates across the ravine and moves slowly along
it; momentum damps the oscillation and gets ahead.

Done here: three paths on f = x^2 / 20 + y^2.  Then f = (a x^2 + b y^2) / 2 for several conditions k = b / a, with the
best rates that theory knows: without momentum rate 2 / (a + b), each step leaving at worst (k - 1) / (k + 1) of the
distance; with momentum rate 4 / (sqrt a + sqrt b)^2 and momentum ((sqrt k - 1) / (sqrt k + 1))^2, leaving
(sqrt k - 1) / (sqrt k + 1) in the long run.  Counted are the steps until f has fallen to a millionth.  Then a network
with four hidden layers of 100 ReLU units: rate 0.01 with momentum 0, 0.5, 0.9, 0.99, and, since v sums up to
rate / (1 - momentum) times the gradient, without momentum at ten times the rate.

Where the notes err: one prints the velocity with the wrong sign, see optimizer-paths.

Source: Orr, lecture notes "Momentum and learning rate adaptation" (figures 2a and 2b); Polyak, "Some methods of
speeding up the convergence of iteration methods" (1964); Sutskever et al., ICML 2013.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import optimizers
from fastnn.lab import drawing
from fastnn.lab.classifiers import endless, perceptron
from fastnn.lab.experiments._ravine import START, draw_path, height, turns, walk
from fastnn.lab.frame import Finding, Result, Settings, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOOR = 1e-6  # share of f's first value at which a walk ends
MOST = 20_000  # steps of a walk
HIDDEN, RATE, PIECES = [100] * 4, 0.01, 20
MOMENTA = (0.0, 0.5, 0.9, 0.99)


def best(a: float, b: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Rate and momentum that converge fastest on (a x^2 + b y^2) / 2: without momentum, and with it."""
    root = np.sqrt(b / a)
    plain = 2 / (a + b), 0.0
    heavy = 4 / (np.sqrt(a) + np.sqrt(b)) ** 2, ((root - 1) / (root + 1)) ** 2
    return plain, (float(heavy[0]), float(heavy[1]))


def run(settings: Settings) -> Result:
    ravines, gains = _ravines(settings.choose(quick=(20, 100, 400), digits=(20, 100, 1000), mnist=(20, 100, 1000)))
    shown = {
        "rate 0.95": walk(optimizers.SGD(0.95), 30),
        "rate 0.1": walk(optimizers.SGD(0.1), 30),
        "rate 0.1, momentum 0.9": walk(optimizers.SGD(0.1, momentum=0.9), 30),
    }
    networks, curves, accuracies = _networks(settings)
    crossings = {name: turns(path) for name, path in shown.items()}
    last = {name: float(np.median(curve[-PIECES // 4 :])) for name, curve in curves.items()}
    none, classic, faster = (last[name] for name in ("momentum 0", "momentum 0.9", "rate 0.1, momentum 0"))
    closed = float((np.log(none) - np.log(faster)) / (np.log(none) - np.log(classic)))
    ends = {name: path[-1] for name, path in shown.items()}
    fast, slow, heavy = ends
    ratios = [f"{without / with_:.3g} at condition {k}" for k, (without, with_) in gains.items()]
    return Result(
        tables=[ravines, networks],
        sentence=(
            f"In the ravine momentum needed fewer steps by a factor of {', '.join(ratios)}. In the network it took the "
            f"training loss (median of the last quarter) to {classic:.2g} instead of {none:.2g}; ten times the rate "
            f"without momentum took it to {faster:.2g}."
        ),
        findings=[
            Finding.asserted(
                "SGD oscillates across a ravine or creeps along it; momentum gets ahead",
                crossings[fast] == 30 and abs(ends[slow][0]) > 4 > 2 * abs(ends[heavy][0]) and crossings[heavy] < 10,
                f"after 30 steps from x = {START[0]:g}: at rate 0.95 {crossings[fast]} crossings; at rate 0.1 "
                f"{crossings[slow]}, but x is still {ends[slow][0]:.3g}; with momentum 0.9 {crossings[heavy]} "
                f"crossings and x is {ends[heavy][0]:.3g}",
            ),
            Finding.asserted(
                "With momentum SGD gets down a ravine faster, the more so the narrower it is",
                all(without / with_ > np.sqrt(k) / 4 for k, (without, with_) in gains.items())
                and list(np.argsort([without / with_ for without, with_ in gains.values()])) == [0, 1, 2],
                f"{', '.join(ratios)}; theory: the square root of the condition, in the long run",
            ),
            Finding.asserted(
                "With momentum a network learns faster at the same rate",
                classic < 0.7 * none,
                "training loss (median of the last quarter): "
                + ", ".join(f"{name} {value:.3g}" for name, value in last.items()),
            ),
            Finding(
                "The gain in a network comes from damped oscillations",
                "depends",
                f"it is mostly the rate: 0.1 without momentum, which moves as far as 0.01 with momentum 0.9, makes "
                f"{100 * closed:.0f} % of the gain in the logarithm of the loss; asserted is more than half of it",
                closed > 0.5,
            ),
        ],
        values={
            "paths": shown,
            "step": network_steps(settings),
            "loss": curves,
            "accuracy": accuracies,
            "condition": list(gains),
            "steps": list(gains.values()),
        },
    )


def _ravines(conditions: tuple[int, ...]) -> tuple[Table, dict[int, tuple[int, int]]]:
    rows: list[list[Any]] = []
    gains = {}
    for k in conditions:
        curvatures = (1.0 / k, 1.0)
        start = (START[0], START[1])
        until = FLOOR * float(height(start, curvatures))
        counts = []
        for rate, momentum in best(*curvatures):
            path = walk(optimizers.SGD(rate, momentum), MOST, start=start, curvatures=curvatures, until=until)
            counts.append(len(path) - 1)
        gains[k] = counts[0], counts[1]
        root = np.sqrt(k)
        factors = (k - 1) / (k + 1), (root - 1) / (root + 1)
        rows.append([k, *counts, counts[0] / counts[1], root, *factors])
    columns = ["condition", "steps without", "steps with", "ratio", "square root", "factor without", "factor with"]
    return Table("Steps in the ravine until f is a millionth, at the best rates", columns, rows), gains


def network_steps(settings: Settings) -> list[int]:
    """The steps at which the curves of the networks have their points."""
    piece = settings.choose(quick=15, digits=100, mnist=100)
    return [piece * (i + 1) for i in range(PIECES)]


def _networks(settings: Settings) -> tuple[Table, dict[str, list[float]], dict[str, float]]:
    images = settings.images()
    piece = network_steps(settings)[0]
    curves: dict[str, list[float]] = {}
    accuracies: dict[str, float] = {}
    rows: list[list[Any]] = []
    for rate, momentum in (*((RATE, momentum) for momentum in MOMENTA), (10 * RATE, 0.0)):
        name = f"momentum {momentum:g}" if rate == RATE else f"rate {rate:g}, momentum {momentum:g}"
        model = perceptron(images.x_train.shape[1], HIDDEN, settings.seed)
        model.compile(optimizers.SGD(rate, momentum), "sparse_categorical_crossentropy", metrics=["accuracy"])
        batches = endless(images.x_train, images.y_train, settings.rng())
        curves[name] = model.fit(batches, epochs=PIECES, steps_per_epoch=piece, verbose=0).history["loss"]
        accuracies[name] = float(model.evaluate(images.x_test, images.y_test, batch_size=1024, verbose=0)[1])
        middle = PIECES // 4 - 1, PIECES // 2 - 1, PIECES - 1
        rows.append([rate, momentum, *(curves[name][i] for i in middle), 100 * accuracies[name]])
    heads = [f"loss, step {piece * n}" for n in (PIECES // 4, PIECES // 2, PIECES)]
    title = f"Training loss of 4 x 100 ReLU units on {settings.data}"
    return Table(title, ["rate", "momentum", *heads, "test accuracy, %"], rows), curves, accuracies


def draw(result: Result) -> dict[str, Figure]:
    figure, axes = drawing.figure(2, 2, width=11, height=7)
    for place, (name, path) in enumerate(result.values["paths"].items()):
        draw_path(axes.flat[place], path, name, drawing.color(place))
    drawing.curves(
        axes[1, 1], result.values["step"], result.values["loss"],
        yscale="log", xlabel="step", ylabel="training loss", title="network",
    )  # fmt: skip
    return {"momentum": figure}
