"""All-positive inputs make the weights of a neuron rise or fall together.

Claim of the notes: where all inputs of a neuron are positive (as outputs of sigmoids are), the gradients by its weights
all have one sign, so a step can only go into quadrants 1 and 3, and the way to a goal in quadrant 2 or 4 is a zig-zag;
inputs around zero mend this.

Done here: a linear neuron of two inputs learns a known line, from inputs in (0, 1) and from the same inputs minus 1/2,
with a goal in quadrant 4.  Counted are the quadrants of the gradients of single samples and of mini-batches; raced are
the two with the best learning rate of a grid each.

What the notes leave out: the sum over a mini-batch adds samples whose errors have different signs, and may point
anywhere.  Averaging hides the signs; what stays, and costs time, is that the inputs are correlated: the curvature
E[x x'] of the positive ones has eigenvalues 7/12 and 1/12, that of the centred ones 1/12 twice.

Source: F.-F. Li, J. Johnson, S. Yeung: CS231n, lecture 6 (2017); Y. LeCun et al.: Efficient BackProp. 1998.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import Sequential, optimizers
from fastnn.lab import drawing
from fastnn.lab.frame import Finding, Result, Settings, Table
from fastnn.layers import Dense, Input

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GOAL, START = np.array([1.0, -1.0]), np.array([0.0, 0.3])
SAMPLES, BATCH, STEPS = 300, 30, 100
RATES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
REACHED = 0.1  # of the first distance


def run(settings: Settings) -> Result:
    positive = settings.rng().uniform(0, 1, size=(SAMPLES, 2))
    inputs = {"positive": positive, "centred": positive - 0.5}
    rows: list[list[Any]] = []
    race: list[list[Any]] = []
    single: dict[str, float] = {}
    batches: dict[str, float] = {}
    paths: dict[str, Any] = {}
    needed: dict[str, int] = {}
    for name, x in inputs.items():
        y = x @ GOAL[:, None]
        gradients = _gradients(x, y, 1), _gradients(x, y, BATCH)
        single[name], batches[name] = (float(np.mean(np.prod(g, axis=1) > 0)) for g in gradients)
        rows.append([name, f"{single[name]:.1%}", f"{batches[name]:.1%}"])
        rate, path = min(((rate, _path(x, y, rate)) for rate in RATES), key=lambda found: _steps(found[1]))
        paths[name], needed[name] = path, _steps(path)
        way = np.linalg.norm(np.diff(path[: needed[name] + 1], axis=0), axis=1).sum()
        race.append([name, rate, needed[name], float(way / np.linalg.norm(START - GOAL))])
    signs = Table(
        "Gradients in quadrants 1 and 3 (both components of one sign)",
        ["inputs", "single samples", f"mini-batches of {BATCH}"], rows,
    )  # fmt: skip
    steps = Table(
        f"Steps of single samples until a tenth of the distance is left, with the best of {len(RATES)} rates",
        ["inputs", "rate", "steps", "way / distance"], race,
    )  # fmt: skip
    detour = {row[0]: row[3] for row in race}
    return Result(
        tables=[signs, steps],
        sentence=(
            f"With positive inputs {single['positive']:.0%} of the gradients of single samples lie in quadrants 1 and "
            f"3, with centred ones {single['centred']:.0%}. The neuron with positive inputs needs {needed['positive']} "
            f"steps and a way {detour['positive']:.1f} times the distance, the other {needed['centred']} steps and "
            f"{detour['centred']:.1f} times."
        ),
        findings=[
            Finding("All-positive inputs give gradients of one sign", "confirmed",
                    f"{single['positive']:.1%} of the single samples, {single['centred']:.1%} for centred inputs",
                    single["positive"] == 1.0 and 0.3 < single["centred"] < 0.7),
            Finding("So every step goes into quadrant 1 or 3", "depends",
                    f"true for single samples; {1 - batches['positive']:.0%} of the mini-batches of {BATCH} have a "
                    "gradient outside", batches["positive"] < 1.0),
            Finding("Learning goes zig-zag and takes longer", "confirmed",
                    f"{needed['positive']} steps against {needed['centred']}, way {detour['positive']:.1f} against "
                    f"{detour['centred']:.1f} times the distance",
                    needed["positive"] > needed["centred"] and detour["positive"] > detour["centred"]),
        ],
        values={"paths": paths, "goal": GOAL},
    )  # fmt: skip


def _neuron(rate: float) -> Sequential:
    neuron = Sequential([Input((2,), dtype="float64"), Dense(1, use_bias=False, dtype="float64")])
    neuron.set_weights([START[:, None]])
    neuron.compile(optimizers.SGD(rate), "half_mean_squared_error")
    return neuron


def _gradients(x: Any, y: Any, batch: int) -> Any:
    """The gradients (batches, 2) at the start, of many random mini-batches for those of more than one sample."""
    neuron = _neuron(0.1)
    places = [slice(i, i + batch) for i in range(0, len(x) - batch + 1, batch if batch == 1 else 5)]
    return np.array([neuron.gradients(x[at], y[at])[0][:, 0] for at in places])


def _path(x: Any, y: Any, rate: float) -> Any:
    """The weights before each step of one sample, and after the last."""
    neuron = _neuron(rate)
    path = [START.copy()]
    for i in range(STEPS):
        neuron.train_on_batch(x[i : i + 1], y[i : i + 1])
        path.append(neuron.get_weights()[0][:, 0])
    return np.array(path)


def _steps(path: Any) -> int:
    """How many steps until the distance stays within REACHED of the first one."""
    distance = np.linalg.norm(path - GOAL, axis=1)
    outside = np.flatnonzero(~(distance <= REACHED * distance[0]))
    return int(outside[-1]) + 1


def draw(result: Result) -> dict[str, Figure]:
    goal = result.values["goal"]
    figure, axes = drawing.figure(1, 2, width=10, height=4.6, sharex=True, sharey=True)
    for place, (one, (name, path)) in enumerate(zip(axes[0], result.values["paths"].items())):
        x, y = np.array(path).T
        one.plot(x, y, marker="o", markersize=3, color=drawing.color(place))
        one.plot(*goal, marker="*", markersize=14, color="black")
        one.set(title=f"{name} inputs", xlabel="weight 1", ylabel="weight 2", aspect="equal")
    return {"zig-zag": figure}
