"""What a sigmoid gate does at -10, 0 and 10.

Claim of the notes: far from 0 the sigmoid is flat, so at x = -10 and x = 10 it kills the gradient that comes from
above; at 0 it lets a quarter through.

Done here: function and derivative of four activations at the three places, and a single sigmoid neuron with one input
x = 1 that starts at z = -10, -5 and 0, should answer 1, and is trained with the quadratic cost: where it starts decides
whether it learns at all.

Source: F.-F. Li, J. Johnson, S. Yeung: CS231n, lecture 6 (2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import Sequential, ops, optimizers
from fastnn.callbacks import LambdaCallback
from fastnn.initializers import Constant
from fastnn.lab import drawing
from fastnn.lab.frame import Finding, Result, Settings, Table
from fastnn.layers import Dense, Input

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACES = (-10.0, 0.0, 10.0)
FUNCTIONS = ("sigmoid", "tanh", "relu", "leaky_relu")
STARTS = (-10.0, -5.0, 0.0)
RATE, STEPS = 1.0, 300


def run(settings: Settings) -> Result:
    at = np.array(PLACES)
    rows: list[list[Any]] = []
    slopes: dict[str, list[float]] = {}
    for name in FUNCTIONS:
        y, slope = getattr(ops, name)(at), getattr(ops, f"{name}_grad")(at)
        slopes[name] = slope.tolist()
        rows.extend([name, x, a, s] for x, a, s in zip(PLACES, y, slope))
    gates = Table("Gates: a gradient of 1 comes from above", ["function", "x", "output", "passes on"], rows)

    paths = {f"{start:g}": _learn(start) for start in STARTS}
    ends = [path[-1] for path in paths.values()]
    neurons = Table(
        f"A sigmoid neuron that should answer 1: quadratic cost, {STEPS} steps of rate {RATE:g}",
        ["starts at z", "output before", "output after", "error left"],
        [[f"{z:g}", path[0], path[-1], 1 - path[-1]] for z, path in zip(STARTS, paths.values())],
    )
    left, middle, right = slopes["sigmoid"]
    edge = np.linspace(-10, 10, 201)
    return Result(
        tables=[gates, neurons],
        sentence=(
            f"At x = 0 the sigmoid passes {middle:g} of a gradient on, at 10 and -10 only {max(left, right):.2g}: "
            f"{middle / max(left, right):,.0f} times less. After {STEPS} steps the neuron that started at z = 0 "
            f"answers {ends[2]:.3f}, the one from z = -5 {ends[1]:.3f}, the one from z = -10 still {ends[0]:.5f}."
        ),
        findings=[
            Finding("The sigmoid kills gradients at -10 and 10", "confirmed",
                    f"slopes {left:.3g} and {right:.3g} against {middle:g} at 0",
                    middle == 0.25 and max(left, right) < 5e-5),
            Finding("tanh saturates as well", "confirmed", f"slope {slopes['tanh'][2]:.3g} at 10, 1 at 0",
                    slopes["tanh"][2] < 1e-7 and slopes["tanh"][1] == 1),
            Finding("ReLU does not saturate for positive inputs", "confirmed",
                    f"slope {slopes['relu'][2]:g} at 10; it is {slopes['relu'][0]:g} at -10, where leaky ReLU has "
                    f"{slopes['leaky_relu'][0]:g}",
                    slopes["relu"][::2] == [0, 1] and slopes["leaky_relu"][0] > 0),
            Finding("A saturated neuron does not learn", "confirmed",
                    f"from z = -10 its output rose to {ends[0]:.2g}, from z = 0 to {ends[2]:.3f}",
                    ends[0] < 0.01 and ends[2] > 0.9),
        ],
        values={"x": edge, "sigmoid": ops.sigmoid(edge), "slope": ops.sigmoid_grad(edge), "paths": paths},
    )  # fmt: skip


def _learn(start: float) -> list[float]:
    """The neuron's output before every step, and after the last."""
    neuron = Sequential(
        [Input((1,), dtype="float64"), Dense(1, "sigmoid", kernel_initializer=Constant(start), dtype="float64")]
    )
    neuron.compile(optimizers.SGD(RATE), "half_mean_squared_error")
    x, y = np.ones((1, 1)), np.ones((1, 1))
    outputs = [float(neuron.predict_on_batch(x)[0, 0])]
    after = LambdaCallback(on_epoch_end=lambda epoch, logs: outputs.append(float(neuron.predict_on_batch(x)[0, 0])))
    neuron.fit(x, y, epochs=STEPS, verbose=0, callbacks=[after])
    return outputs


def draw(result: Result) -> dict[str, Figure]:
    values = result.values
    figure, axes = drawing.figure(1, 2, width=10, height=4)
    left, right = axes[0]
    drawing.curves(left, values["x"], {"sigmoid": values["sigmoid"], "derivative": values["slope"]}, xlabel="x")
    for x in PLACES:
        left.axvline(x, color="grey", linestyle=":")
    paths = {f"from z = {start}": path for start, path in values["paths"].items()}
    steps = list(range(STEPS + 1))
    drawing.curves(right, steps, paths, xlabel="step", ylabel="output", title="A neuron that should answer 1")
    return {"saturation": figure}
