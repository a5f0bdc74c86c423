"""Every activation function and its derivative.

Claims of the notes: the sigmoid's derivative is at most 1/4, that of tanh at most 1, that of ReLU is 0 or 1.

Done here: all functions of fastnn.ops.activations on [-5, 5] with their default parameters, and those whose parameters
are learnt or drawn with fixed ones (RReLU with the mean of its slopes, maxout of two lines, softmax over the logits x,
0 and 1); the derivative that training uses is laid beside the slope of the curve itself (central differences in
float64), away from kinks and jumps, where there is no slope.  The table tells the range, the largest slope
and where it is.

Where the notes err: the rows of their table for RReLU, bent identity and SoftExponential are damaged; what is drawn are
the usual definitions.  Their step function is 1 at 0 in one place and 1/2 in another: here binary_step is the one and
heaviside the other, and training gets the slope 0 from both.

Source: the table of activation functions in the notes (after Wikipedia's).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import ops
from fastnn.lab import drawing
from fastnn.lab.frame import Array, Finding, Result, Settings, Table
from fastnn.ops.activations import ROWS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Function = Callable[[Any], Any]
LIMIT, POINTS, STEP = 5.0, 401, 1e-6
COLUMNS = 6  # of small pictures


def run(settings: Settings) -> Result:
    x = np.linspace(-LIMIT, LIMIT, POINTS)
    curves: dict[str, Any] = {}
    rows, worst, compared = [], 0.0, 0
    for name, (function, derivative) in functions().items():
        y, slope = function(x), derivative(x)
        error, smooth = _disagreement(function, x, slope)
        worst, compared = max(worst, error), compared + smooth
        steepest = int(np.argmax(np.abs(slope)))
        rows.append([name, y.min(), y.max(), slope.min(), slope.max(), x[steepest]])
        curves[name] = {"y": y, "slope": slope}
    columns = ["function", "least", "largest", "least slope", "largest slope", "steepest at"]
    table = Table(f"Activation functions on [{-LIMIT:g}, {LIMIT:g}], parameters by default or as given", columns, rows)
    sigmoid, tanh = (float(np.max(curves[name]["slope"])) for name in ("sigmoid", "tanh"))
    steps = sorted(set(curves["relu"]["slope"].tolist()))
    return Result(
        tables=[table],
        sentence=(
            f"{len(curves)} functions. The steepest sigmoid has slope {sigmoid:.4g}, tanh {tanh:.4g}; the slopes of "
            f"ReLU are {' and '.join(f'{s:g}' for s in steps)}. Derivatives and curves differ by {worst:.1g} at most."
        ),
        findings=[
            Finding("The derivative of the sigmoid is at most 1/4", "confirmed", f"largest {sigmoid:.6g}, at x = 0",
                    sigmoid == 0.25),
            Finding("The derivative of tanh is at most 1", "confirmed", f"largest {tanh:.6g}, at x = 0", tanh == 1.0),
            Finding("The derivative of ReLU is 0 or 1", "confirmed", f"values {steps}", steps == [0.0, 1.0]),
            Finding("Backpropagation uses the slopes of the curves", "confirmed",
                    f"largest difference {worst:.1g} at {compared:,} points", worst < 1e-6),
        ],
        values={"x": x, "curves": curves},
    )  # fmt: skip


def functions() -> dict[str, tuple[Function, Function]]:
    """Every function and its derivative, both of an array; in brackets the parameters that were chosen."""
    found: dict[str, tuple[Function, Function]] = {
        name: (getattr(ops, name), getattr(ops, f"{name}_grad")) for name in ROWS
    }
    bends = -1.0, 0.2, 1.0, 0.5  # of SReLU: where the left part ends and its slope, and of the right part
    hinges = np.array([0.2, -0.3]), np.array([1.0, -2.0])  # of APL: slopes, and where they bend
    lines = np.array([-0.5, 1.0]), np.array([0.0, -1.0])  # of maxout: slopes and values at 0
    return found | {
        "leaky_relu (0.2)": (lambda x: ops.leaky_relu(x, 0.2), lambda x: ops.leaky_relu_grad(x, 0.2)),
        "prelu (0.25)": (lambda x: ops.prelu(x, 0.25), lambda x: ops.prelu_backward(np.ones_like(x), x, 0.25)[0]),
        "rrelu (mean slope)": (lambda x: ops.rrelu(x, training=False)[0], lambda x: ops.rrelu(x, training=False)[1]),
        "srelu (-1, 0.2, 1, 0.5)": (
            lambda x: ops.srelu(x, *bends),
            lambda x: ops.srelu_backward(np.ones_like(x), x, *bends)[0],
        ),
        "apl (2 hinges)": (
            lambda x: ops.apl(x, *hinges),
            lambda x: ops.apl_backward(np.ones_like(x), x, *hinges)[0],
        ),
        "maxout (-x / 2, x - 1)": (
            lambda x: ops.maxout(_lines(x, *lines))[:, 0],
            lambda x: ops.maxout_backward(np.ones((len(x), 1)), _lines(x, *lines)) @ lines[0],
        ),
        "softmax (x, 0, 1)": (lambda x: _softmax(x)[:, 0], _softmax_slope),
    }


def _lines(x: Array, slopes: Array, starts: Array) -> Array:
    return x[:, None] * slopes + starts


def _softmax(x: Array) -> Array:
    """Of the logits x, 0 and 1."""
    logits: Array = ops.softmax(np.stack([x, np.zeros_like(x), np.ones_like(x)], axis=-1))
    return logits


def _softmax_slope(x: Array) -> Array:
    """How the first probability changes with the first logit."""
    slopes: Array = ops.softmax_backward(np.tile([1.0, 0.0, 0.0], (len(x), 1)), _softmax(x))
    return slopes[:, 0]


def _disagreement(function: Any, x: Any, slope: Any) -> tuple[float, int]:
    """The largest difference between `slope` and central differences, and at how many points there is a slope."""
    left, right = (function(x) - function(x - STEP)) / STEP, (function(x + STEP) - function(x)) / STEP
    smooth = np.abs(right - left) < 1e-3 * (1 + np.abs(right))  # else a kink
    smooth &= np.abs(right) < 0.1 / STEP  # else the middle of a jump
    error = np.abs((left + right) / 2 - slope) / (1 + np.abs(slope))
    return float(error[smooth].max()), int(smooth.sum())


def draw(result: Result) -> dict[str, Figure]:
    x, curves = result.values["x"], result.values["curves"]
    count = -(-len(curves) // COLUMNS)
    figure, axes = drawing.figure(count, COLUMNS, width=12, height=1.7 * count, sharex=True)
    for one, (name, curve) in zip(axes.flat, curves.items()):
        one.plot(x, curve["y"], color=drawing.color(0), label="function")
        one.plot(x, curve["slope"], color=drawing.color(1), linewidth=1, label="derivative")
        one.set_title(name, fontsize=9)
        one.set_ylim(-2.2, 3.2)
    for one in axes.flat[len(curves) :]:
        one.set_axis_off()
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return {"activations": figure}
