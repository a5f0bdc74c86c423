"""Paths of optimizers on f = x^2 / 20 + y^2, thirty steps from (-7, 2).

Claims of the notes: gradient descent (rate 0.95) zigzags across the ravine, since the gradient does not point at the
minimum; momentum (rate 0.1) rolls as a ball does and zigzags less; AdaGrad (1.5) goes to the minimum efficiently; Adam
(0.3) rolls too, and sways less than momentum.

Done here: these four and the library's further optimizers walk; the table tells where they are after thirty steps, how
often y changed its sign, and how much longer the path is than the way from its start to its end.  All steps are made by
the library's optimizers, on a neuron whose loss is f.

Where the notes err: one of them prints momentum as v = gamma v - rate * gradient, theta = theta - v.  That climbs, as
is shown.  They also put AdaGrad's epsilon in three places (nowhere, under the root, beside it); here this changes
nothing that could be seen.

Source: Saito, Deep Learning from Scratch (2016), chapter 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import optimizers
from fastnn.lab import drawing
from fastnn.lab.experiments._ravine import CURVATURES, START, draw_path, height, turns, walk
from fastnn.lab.frame import Finding, Result, Settings, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 30


def paths() -> dict[str, Any]:
    """The optimizers, the book's four first."""
    return {
        "SGD": optimizers.SGD(0.95),
        "Momentum": optimizers.SGD(0.1, momentum=0.9),
        "AdaGrad": optimizers.Adagrad(1.5, flavor="book"),
        "Adam": optimizers.Adam(0.3, flavor="book"),
        "Nesterov": optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        "RMSprop": optimizers.RMSprop(0.3),
        "AdaDelta": optimizers.Adadelta(1.0, flavor="paper"),
        "RAdam": optimizers.RAdam(0.3),
        "Nadam": optimizers.Nadam(0.3),
        "Lion": optimizers.Lion(0.3),
        "Rprop": optimizers.Rprop(0.3),
    }


def uphill(steps: int, rate: float = 0.1, gamma: float = 0.9) -> list[list[float]]:
    """Momentum with the sign that one of the notes prints."""
    theta, v = np.array(START), np.zeros(2)
    points = [theta]
    for _ in range(steps):
        v = gamma * v - rate * theta * np.array(CURVATURES)
        theta = theta - v
        points.append(theta)
    return [[float(value) for value in point] for point in points]


def run(settings: Settings) -> Result:
    walked = {name: walk(optimizer, STEPS) for name, optimizer in paths().items()}
    rows, crossings, detours, sways = [], {}, {}, {}
    for name, path in walked.items():
        way = np.diff(path, axis=0)
        crossings[name] = turns(path)
        detours[name] = float(np.linalg.norm(way, axis=1).sum() / np.linalg.norm(path[-1] - path[0]))
        sways[name] = float(np.abs(way[:, 1]).sum())
        rate = paths()[name].learning_rate
        rows.append([name, rate, *path[-1], height(path[-1]), crossings[name], sways[name], detours[name]])
    columns = ["optimizer", "rate", "x", "y", "f", "sign changes of y", "way in y", "path / distance"]
    table = Table(f"f = x^2/20 + y^2 from {START}: after {STEPS} steps", columns, rows)
    book = list(walked)[:4]
    shortest = min(book, key=lambda name: detours[name])
    wrong = uphill(STEPS)
    forms = _adagrad_forms()
    factors = 1 - 0.95 * np.array(CURVATURES)
    error = float(np.abs(walked["SGD"][-1] - np.array(START) * factors**STEPS).max())
    lowest = min(walked, key=lambda name: float(height(walked[name][-1])))
    return Result(
        tables=[table],
        sentence=(
            f"SGD crossed the floor of the ravine at {crossings['SGD']} of {STEPS} steps, momentum at "
            f"{crossings['Momentum']}, AdaGrad at {crossings['AdaGrad']}, Adam at {crossings['Adam']}. The shortest "
            f"path of the four was that of {shortest}, {detours[shortest]:.3g} times the distance; the lowest point "
            f"of all was reached by {lowest}."
        ),
        findings=[
            Finding.asserted(
                "Gradient descent zigzags across the ravine",
                crossings["SGD"] == STEPS and error < 1e-5,
                f"y changed its sign {crossings['SGD']} times in {STEPS} steps; each step multiplies x by "
                f"{factors[0]:.3g} and y by {factors[1]:.3g} (largest difference {error:.1g})",
            ),
            Finding.asserted(
                "Momentum zigzags less",
                crossings["Momentum"] < crossings["SGD"] / 2 and sways["Momentum"] < sways["SGD"],
                f"{crossings['Momentum']} sign changes of y against {crossings['SGD']}, way in y "
                f"{sways['Momentum']:.3g} against {sways['SGD']:.3g}",
            ),
            Finding.asserted(
                "AdaGrad goes to the minimum efficiently",
                shortest == "AdaGrad",
                f"path / distance {detours['AdaGrad']:.3g}; SGD {detours['SGD']:.3g}, momentum "
                f"{detours['Momentum']:.3g}, Adam {detours['Adam']:.3g}",
            ),
            Finding.asserted(
                "Adam sways less than momentum",
                sways["Adam"] < sways["Momentum"],
                f"way in y {sways['Adam']:.3g} against {sways['Momentum']:.3g}",
            ),
            Finding(
                "Momentum is v = gamma v - rate * gradient, theta = theta - v",
                "not confirmed",
                f"as printed in one of the notes it climbs: f is {height(wrong[-1]):.3g} after {STEPS} steps from "
                f"{height(START):.3g}; with theta + v it is {height(walked['Momentum'][-1]):.3g}",
                bool(height(wrong[-1]) > 100 * height(START)),
            ),
            Finding(
                "AdaGrad has its epsilon nowhere, under the root, or beside it",
                "depends",
                f"all three are in use; the paths differ by {forms:.1g} at most",
                forms < 1e-3,
            ),
        ],
        values={"paths": walked, "uphill": wrong},
    )


def _adagrad_forms() -> float:
    """The largest distance between the paths of AdaGrad with its epsilon in three places."""
    forms = [
        optimizers.Adagrad(1.5, flavor="paper"),
        optimizers.Adagrad(1.5, initial_accumulator_value=0.0, epsilon=1e-7, epsilon_inside=True),
        optimizers.Adagrad(1.5, flavor="book"),
    ]
    walked = [walk(form, STEPS) for form in forms]
    return max(float(np.abs(path - walked[0]).max()) for path in walked)


def draw(result: Result) -> dict[str, Figure]:
    found = result.values["paths"]
    columns, rows = 4, -(-(len(found) + 1) // 4)
    figure, axes = drawing.figure(rows, columns, width=13, height=2.7 * rows, sharex=True, sharey=True)
    for place, (name, path) in enumerate(found.items()):
        draw_path(axes.flat[place], path, name, drawing.color(place % 4))
    draw_path(axes.flat[len(found)], result.values["uphill"], "momentum with the wrong sign", drawing.color(1))
    for one in axes.flat[len(found) + 1 :]:
        one.set_axis_off()
    for one in axes.flat:
        one.label_outer()
    return {"optimizer-paths": figure}
