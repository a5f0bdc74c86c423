"""The numbers of a step in their formulas.

What stands behind the last "=" of a line is the engine's number wherever the engine has it: outputs, gradients, new
weights.  It fuses some things (x W + b with the activation, for example), so z, dz and the derivatives of activations
are computed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn import losses, ops
from fastnn.activations import LINEAR, ActivationSpec
from fastnn.layers import Dense
from fastnn.models.compiling import Goals
from fastnn.ops.activations import ROWS
from fastnn.ops.registry import parameters

from .text import Explanation, Numbers, Section
from .tracing import Call, Trace

if TYPE_CHECKING:
    from fastnn.models.model import Model

Array = npt.NDArray[Any]

# f(z) and f'(z), as in books; others stand by their names
FORMULAS = {
    "sigmoid": ("1 / (1 + exp(-z))", "y (1 - y)"),
    "tanh": ("(exp(z) - exp(-z)) / (exp(z) + exp(-z))", "1 - y^2"),
    "relu": ("max(0, z)", "1 where z > 0, else 0"),
    "leaky_relu": ("z where z > 0, else slope z", "1 where z > 0, else slope"),
    "elu": ("z where z > 0, else alpha (exp(z) - 1)", "1 where z > 0, else y + alpha"),
    "softplus": ("log(1 + exp(z))", "1 / (1 + exp(-z))"),
    "softsign": ("z / (1 + |z|)", "1 / (1 + |z|)^2"),
    "silu": ("z / (1 + exp(-z))", "s (1 + z (1 - s)) with s = 1 / (1 + exp(-z))"),
}


def write(model: Model, trace: Trace, goals: Goals, digits: int) -> Explanation:
    """The whole explanation."""
    number = Numbers(digits)
    working = [call for call in trace.calls if isinstance(call.layer, Dense) or _activation(call).name != "identity"]
    sections = [Section("Forward", [], [])]
    sections += [_forward(call, number) for call in working]
    sections.append(_loss(trace, goals, number))
    sections.append(Section("Backward", ["each layer gets dL/dy from above and gives dL/dx to the layer below"], []))
    sections += [_backward(call, number, first=call is working[0]) for call in reversed(working) if call.dy is not None]
    sections += _update(model.optimizer, trace, working, number)
    n = len(trace.calls[0].x)
    title = f"One training step of {model.name!r}: {n} sample{'s' if n > 1 else ''}, {goals.parts[0].loss.name}, " \
        f"{type(model.optimizer).__name__}"  # fmt: skip
    return Explanation(title, tuple(sections), _values(trace))


def _values(trace: Trace) -> dict[str, dict[str, Array]]:
    found: dict[str, dict[str, Array]] = {"": {"loss": np.asarray(trace.loss), "target": trace.target}}
    for call in trace.calls:
        named = found[call.layer.name] = {"x": call.x, "y": call.y}
        if call.dy is not None:
            named["dy"] = call.dy
        for weight, value in call.weights.items():
            named[weight], named[f"{weight}.after"] = value, call.after[weight]
            if weight in call.gradients:
                named[f"{weight}.gradient"] = call.gradients[weight]
        for (weight, slot), (before, after) in call.slots.items():
            named[f"{weight}.{slot}"], named[f"{weight}.{slot}.after"] = before, after
    return found


def _activation(call: Call) -> ActivationSpec:
    """What the layer itself computes."""
    return LINEAR if call.bare else getattr(call.layer, "activation", LINEAR)


def _at(name: str, sample: int, samples: int, *index: int) -> str:
    """z[1], or z[0,1] where there are several samples."""
    places = (sample, *index) if samples > 1 else index
    return f"{name}[{','.join(map(str, places))}]"


# ------------------------------------------------------------------------------------------------------------ forward


def _pre_activation(call: Call) -> Array:
    x = call.x.reshape(len(call.x), -1).astype(np.float64)
    if not isinstance(call.layer, Dense):
        return x
    z = x @ call.weights["kernel"].astype(np.float64)
    return z + call.weights["bias"] if "bias" in call.weights else z


def _named(spec: ActivationSpec) -> str:
    name = FORMULAS.get(spec.name, (f"{spec.name}(z)", ""))[0]
    return f"y = {spec.name}(z) = {name}" if spec.name in FORMULAS else f"y = {name}"


def _forward(call: Call, number: Numbers) -> Section:
    spec, dense, n = _activation(call), isinstance(call.layer, Dense), len(call.x)
    bias = call.weights.get("bias")
    formulas, lines = [], []
    if dense:
        formulas.append("z = x W + b" if bias is not None else "z = x W")
        lines += number.matrix("W", call.weights["kernel"])
        lines += number.matrix("b", bias) if bias is not None else []
    formulas.append("y = z" if spec.row == "identity" else _named(spec))
    x, z, y = call.x.reshape(n, -1), _pre_activation(call), call.y.reshape(n, -1)
    for i in range(n):
        lines.append(f"{_at('x', i, n) if n > 1 else 'x'} = [{', '.join(map(number, x[i]))}]")
        for j in range(z.shape[1]):
            if dense:
                result = y[i, j] if spec.row == "identity" else z[i, j]
                sum_ = number.products(x[i], call.weights["kernel"][:, j])
                sum_ += f" + {number.inside(bias[j])}" if bias is not None else ""
                lines.append(f"{_at('z', i, n, j)} = {sum_} = {number(result)}")
            if spec.row != "identity":
                lines.append(f"{_at('y', i, n, j)} = {spec.name}({number(z[i, j])}) = {number(y[i, j])}")
    return Section(f"{call.layer.name}", formulas, lines)


# --------------------------------------------------------------------------------------------------------------- loss


def _loss(trace: Trace, goals: Goals, number: Numbers) -> Section:
    goal, last = goals.parts[0], trace.calls[-1]
    n = len(last.y)
    y = last.y.reshape(n, -1).astype(np.float64)
    dy = last.dy.reshape(n, -1) if last.dy is not None else np.zeros_like(y)
    loss = goal.loss
    if isinstance(loss, (losses.MeanSquaredError, losses.MeanAbsoluteError)):
        return _regression(loss, y, trace, dy, number)
    formulas, lines = [], []
    units = y.shape[1]
    if isinstance(loss, losses.BinaryCrossentropy):
        p, t = ops.sigmoid(y), trace.target.reshape(n, -1)
        formulas += ["p = sigmoid(z) = 1 / (1 + exp(-z))", "L = -mean(t log p + (1 - t) log(1 - p))"]
        formulas += [f"dL/dz = (p - t) / {n * units}" if n * units > 1 else "dL/dz = p - t"]
        divisor = n * units
    else:
        p = ops.softmax(y)
        labels = trace.target.reshape(-1) if trace.target.size == n else None
        t = np.eye(units)[labels.astype(int)] if labels is not None else trace.target.reshape(n, -1)
        formulas += ["p[j] = softmax(z)[j] = exp(z[j]) / sum of all exp(z[k])", "L = -mean over samples of sum t log p"]
        formulas += [f"dL/dz = (p - t) / {n}" if n > 1 else "dL/dz = p - t"]
        divisor = n
    terms = []
    for i in range(n):
        for j in range(units):
            z = number.inside(y[i, j])
            if isinstance(loss, losses.BinaryCrossentropy):
                lines.append(f"{_at('p', i, n, j)} = sigmoid({number(y[i, j])}) = {number(p[i, j])}")
                terms.append(
                    f"{number(t[i, j])}·log {number(p[i, j])} + {number(1 - t[i, j])}·log {number(1 - p[i, j])}"
                )
            else:
                total = " + ".join(f"exp({number(v)})" for v in y[i])
                lines.append(
                    f"{_at('p', i, n, j)} = exp{z if z[0] == '(' else f'({z})'} / ({total}) = {number(p[i, j])}"
                )
                if t[i, j]:
                    share = "" if t[i, j] == 1 else f"{number(t[i, j])}·"
                    terms.append(f"{share}log {number(p[i, j])}")
        lines.append(f"{_at('t', i, n) if n > 1 else 't'} = [{', '.join(map(number, t[i]))}]")
    body = " + ".join(terms)
    lines.append(f"L = -({body}){f' / {divisor}' if divisor > 1 else ''} = {number(trace.loss)}")
    for i in range(n):
        for j in range(units):
            by = f" / {divisor}" if divisor > 1 else ""
            difference = f"{number(p[i, j])} - {number.inside(t[i, j])}"
            lines.append(f"{_at('dL/dz', i, n, j)} = ({difference}){by} = {number(dy[i, j])}")
    return Section(f"Loss: {loss.name}, computed from z, what comes before the activation", formulas, lines)


def _regression(loss: Any, y: Array, trace: Trace, dy: Array, number: Numbers) -> Section:
    n, units = y.shape
    t, square = trace.target.reshape(n, -1), isinstance(loss, losses.MeanSquaredError)
    formulas = [
        "L = mean of (y - t)^2" if square else "L = mean of |y - t|",
        f"dL/dy = {'2 (y - t)' if square else 'sign(y - t)'}" + (f" / {n * units}" if n * units > 1 else ""),
    ]
    terms = [
        f"({number(y[i, j])} - {number.inside(t[i, j])})^2"
        if square
        else f"|{number(y[i, j])} - {number.inside(t[i, j])}|"
        for i in range(n)
        for j in range(units)
    ]
    body, by = " + ".join(terms), f" / {n * units}" if n * units > 1 else ""
    lines = [f"{_at('t', i, n) if n > 1 else 't'} = [{', '.join(map(number, t[i]))}]" for i in range(n)]
    lines.append(f"L = ({body}){by} = {number(trace.loss)}" if by else f"L = {body} = {number(trace.loss)}")
    for i in range(n):
        for j in range(units):
            difference = f"({number(y[i, j])} - {number.inside(t[i, j])})"
            left = f"2·{difference}" if square else f"sign{difference}"
            lines.append(f"{_at('dL/dy', i, n, j)} = {left}{by} = {number(dy[i, j])}")
    return Section(f"Loss: {loss.name}", formulas, lines)


# ----------------------------------------------------------------------------------------------------------- backward


def _slope(spec: ActivationSpec, z: Array, y: Array) -> Array:
    """f'(z)."""
    row = ROWS[spec.row]
    values = dict(zip(row.params, spec.params))
    taken = {name: values[name] for name in parameters(row.backward) if name in values}
    slope: Array = row.backward(np.ones_like(z), z if spec.keeps == "x" else y.astype(z.dtype), **taken)
    return slope


def _backward(call: Call, number: Numbers, first: bool) -> Section:
    assert call.dy is not None
    spec, dense, n = _activation(call), isinstance(call.layer, Dense), len(call.x)
    z, y = _pre_activation(call), call.y.reshape(n, -1)
    x, dy = call.x.reshape(n, -1), call.dy.reshape(n, -1).astype(np.float64)
    formulas, lines = [], []
    dz = dy
    if spec.row != "identity":
        slope = _slope(spec, z, y)
        dz = dy * slope
        rule = FORMULAS.get(spec.name, ("", ""))[1]
        formulas.append(f"dz = dy {spec.name}'(z)" + (f", {spec.name}'(z) = {rule}" if rule else ""))
        for i in range(n):
            for j in range(z.shape[1]):
                product = f"{number.inside(dy[i, j])}·{number.inside(slope[i, j])}"
                lines.append(f"{_at('dz', i, n, j)} = {product} = {number(dz[i, j])}")
    elif dense:
        formulas.append("dz = dy")
    if dense:
        lines += _of_weights(call, x, dz, formulas, number)
    if not first:
        lines += _of_inputs(call, dz, formulas, number) if dense else []
        if not dense:
            formulas.append("dx = dz")
    return Section(f"{call.layer.name}, backward", formulas, lines)


def _of_weights(call: Call, x: Array, dz: Array, formulas: list[str], number: Numbers) -> list[str]:
    lines = []
    if "kernel" in call.gradients:
        formulas.append("dW = x^T dz")
        gradient = call.gradients["kernel"]
        for k, j in np.ndindex(gradient.shape):
            lines.append(f"dW[{k},{j}] = {number.products(x[:, k], dz[:, j])} = {number(gradient[k, j])}")
    if "bias" in call.gradients:
        formulas.append("db = sum of dz over the samples")
        for j, value in enumerate(call.gradients["bias"]):
            sum_ = "dz[" + str(j) + "]" if len(dz) == 1 else " + ".join(number.inside(v) for v in dz[:, j])
            lines.append(f"db[{j}] = {sum_} = {number(value)}")
    if not call.gradients:
        formulas.append("the weights are not trained")
    return lines


def _of_inputs(call: Call, dz: Array, formulas: list[str], number: Numbers) -> list[str]:
    formulas.append("dx = dz W^T")
    kernel, n = call.weights["kernel"], len(dz)
    dx = dz @ kernel.T.astype(np.float64)
    return [
        f"{_at('dx', i, n, k)} = {number.products(dz[i], kernel[k])} = {number(dx[i, k])}"
        for i in range(n)
        for k in range(kernel.shape[0])
    ]


# ------------------------------------------------------------------------------------------------------------- update


def _update(optimizer: Any, trace: Trace, calls: list[Call], number: Numbers) -> list[Section]:
    sections = [Section(f"Update: {type(optimizer).__name__}", _rule(optimizer, trace, number), [])]
    for call in calls:
        lines = []
        for weight, gradient in call.gradients.items():
            letter = {"kernel": "W", "bias": "b"}.get(weight, weight)
            for at in np.ndindex(gradient.shape):
                lines += _element(optimizer, call, weight, letter, at, trace, number)
        if lines:
            sections.append(Section(f"{call.layer.name}, update", [], lines))
    return sections


def _rule(optimizer: Any, trace: Trace, number: Numbers) -> list[str]:
    rate, t = number(trace.rate), trace.step
    if optimizer.row == "sgd":
        return [f"w = w - lr dw, lr = {rate}"]
    if optimizer.row == "adam":
        first, second = _course(optimizer, "beta_1"), optimizer.beta_2
        return [
            f"m = {number(first)} m + {number(1 - first)} dw",
            f"v = {number(second)} v + {number(1 - second)} dw^2",
            f"a = lr sqrt(1 - {number(second)}^{t}) / (1 - {number(first)}^{t}) = "
            f"{number(_corrected(optimizer, trace))} with lr = {rate} in step {t}",
            f"w = w - a m / (sqrt(v) + {number(optimizer.epsilon)})",
        ]
    rolls = f"v = momentum v - lr dw, lr = {rate}, momentum = {number(_course(optimizer, 'momentum'))}"
    return [rolls, "w = w + v" if optimizer.row == "momentum" else "w = w + momentum v - lr dw"]


def _course(optimizer: Any, name: str) -> float:
    """A hyper-parameter in this step: it may be a schedule."""
    value = getattr(optimizer, name)
    return float(value(optimizer.steps) if callable(value) else value)


def _corrected(optimizer: Any, trace: Trace) -> float:
    """The learning rate with both corrections for the bias of Adam's means."""
    first, second = _course(optimizer, "beta_1"), optimizer.beta_2
    return float(trace.rate * np.sqrt(1 - second**trace.step) / (1 - first**trace.step))


def _element(
    optimizer: Any, call: Call, weight: str, letter: str, at: tuple[int, ...], trace: Trace, number: Numbers
) -> list[str]:
    """The lines of one weight."""
    old, new, g = call.weights[weight][at], call.after[weight][at], call.gradients[weight][at]
    name, rate, show = f"{letter}[{','.join(map(str, at))}]", number(trace.rate), number.inside
    if optimizer.row == "sgd":
        return [f"{name} = {number(old)} - {rate}·{show(g)} = {number(new)}"]
    slots = {slot: (before[at], after[at]) for (w, slot), (before, after) in call.slots.items() if w == weight}
    if optimizer.row == "adam":
        first, second = _course(optimizer, "beta_1"), optimizer.beta_2
        (m, m_new), (v, v_new) = slots["m"], slots["v"]
        return [
            f"{name}: m = {number(first)}·{show(m)} + {number(1 - first)}·{show(g)} = {number(m_new)}, "
            f"v = {number(second)}·{show(v)} + {number(1 - second)}·{show(g)}^2 = {number(v_new)}",
            f"{name} = {number(old)} - {number(_corrected(optimizer, trace))}·{show(m_new)} / (sqrt({number(v_new)}) + "
            f"{number(optimizer.epsilon)}) = {number(new)}",
        ]
    v, v_new = slots["v"]
    mu = number(_course(optimizer, "momentum"))
    lines = [f"{name}: v = {mu}·{show(v)} - {rate}·{show(g)} = {number(v_new)}"]
    if optimizer.row == "momentum":
        return [*lines, f"{name} = {number(old)} + {show(v_new)} = {number(new)}"]
    return [*lines, f"{name} = {number(old)} + {mu}·{show(v_new)} - {rate}·{show(g)} = {number(new)}"]
