"""Recurrent cells over whole sequences, step by step.

One step of a cell is a function of the input's part ``x = x_t Wx`` (the product only), the state before it and the
recurrent weights; its gradient runs the other way.  All gates of a step stand side by side in the columns; ``order``
says which part belongs to which gate.  With ``a`` an activation (tanh) and ``s`` a recurrent one (sigmoid):

    simple_rnn         h' = a(x + h Wh + b)
    lstm               i, f, o = s(x + h Wh + b), g = a(x + h Wh + b), c' = f c + i g, h' = o a(c')
    gru                z, r = s(x + h Wh + b), g = a(x + (r h) Wh + b), h' = z h + (1 - z) g
    gru_reset_after    z, r = s(x + b + h Wh + c), g = a(x + b + r (h Wh + c)), h' = z h + (1 - z) g

Arrays are time-major: z (steps, batch, gates * units), h and c (steps + 1, batch, units), the initial state first.  On
the way forward z turns from x Wx into the gates, on the way back into the gradients of what goes into the gates.  Where
the mask (batch, steps) is 0, the state stays as it is.  `drop` (gates, batch, units) are factors of h in the product of
each gate, `dropped` (gates, steps, batch, units) is what they made of h.

References: Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; Gers, Schmidhuber and
Cummins, "Learning to forget", Neural Computation 12, 2000; Cho et al., "Learning phrase representations using RNN
encoder-decoder", EMNLP 2014.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastnn.reference.arrays import Array


class Function(NamedTuple):
    """An activation with its parameters."""

    output: Callable[[Array], Array]
    gradient: Callable[[Array, Array, Array], Array]  # of dy, input, output


def function(row: str, params: tuple[float, ...]) -> Function:
    """The activation of that row."""
    from fastnn.reference.kernels import _activation

    act = _activation(row)

    def gradient(dy: Array, x: Array, y: Array) -> Array:
        return act.backward(dy, x if act.keeps == "x" else y, *params[:count])

    count = len(inspect.signature(act.backward).parameters) - 2
    return Function(lambda x: act.output(x, params), gradient)


class Cell(NamedTuple):
    """What a sequence needs to know of its cell."""

    kind: str
    order: tuple[int, ...]
    activation: Function
    gate: Function

    @classmethod
    def of(cls, cell: tuple[Any, ...]) -> Cell:
        kind, order, activation, params, gate, gate_params = cell
        return cls(kind, tuple(order), function(activation, params), function(gate, gate_params))

    def parts(self, array: Array) -> list[Array]:
        """The columns of every gate, in the order in which the formulas name them (views)."""
        units = array.shape[-1] // len(self.order)
        return [array[..., place * units : (place + 1) * units] for place in self.order]


class Step(NamedTuple):
    """One time step: what goes in, and what is kept."""

    x: Array  # gates: x Wx, then the gates, then gradients
    pre: Array  # before the activations
    h: Array  # before the step
    left: Array  # (gates, batch, units): h as the product of each gate sees it (dropout)
    factors: Array  # what h was multiplied with for that
    c: Array | None  # LSTM: c before; GRU: what the candidate's product makes or gets


def products(cell: Cell, s: Step, wh: Array) -> list[Array]:
    """h Wh of every gate."""
    return [left @ w for left, w in zip(s.left, cell.parts(wh))]


def back(cell: Cell, s: Step, wh: Array, gradients: list[Array]) -> Array:
    """The gradient of h from those of the products of the first gates."""
    parts = zip(gradients, cell.parts(wh), s.factors)
    total: Array = sum((d @ w.T * factor for d, w, factor in parts), np.zeros_like(s.h))
    return total


def simple_rnn(cell: Cell, s: Step, wh: Array, bias: Array) -> tuple[Array, Array | None]:
    s.pre[...] = s.x + products(cell, s, wh)[0] + bias
    s.x[...] = s.pre
    return cell.activation.output(s.pre), None


def simple_rnn_backward(cell: Cell, s: Step, wh: Array, after: Array, dh: Array, dc: Any) -> tuple[Array, Array, Any]:
    s.x[...] = cell.activation.gradient(dh, s.x, after)
    return np.zeros_like(dh), back(cell, s, wh, [s.x]), None


def lstm(cell: Cell, s: Step, wh: Array, bias: Array) -> tuple[Array, Array | None]:
    assert s.c is not None
    gates = cell.parts(s.x)
    given = zip(gates, cell.parts(s.pre), products(cell, s, wh), cell.parts(bias))
    for number, (gate, pre, product, b) in enumerate(given):
        pre[...] = gate + product + b
        gate[...] = (cell.activation if number == 2 else cell.gate).output(pre)
    i, f, g, o = gates
    c = f * s.c + i * g
    return o * cell.activation.output(c), c


def lstm_backward(cell: Cell, s: Step, wh: Array, after: Array, dh: Array, dc: Array) -> tuple[Array, Array, Array]:
    assert s.c is not None
    i, f, g, o = (gate.copy() for gate in cell.parts(s.x))
    c = f * s.c + i * g
    t = cell.activation.output(c)
    dc = dc + cell.activation.gradient(dh * o, c, t)
    of_gates = (dc * g, dc * s.c, dc * i, dh * t)
    for number, (d, gate, pre) in enumerate(zip(of_gates, cell.parts(s.x), cell.parts(s.pre))):
        gate[...] = (cell.activation if number == 2 else cell.gate).gradient(d, pre, gate)
    return np.zeros_like(dh), back(cell, s, wh, cell.parts(s.x)), dc * f


def gru(cell: Cell, s: Step, wh: Array, bias: Array) -> tuple[Array, Array | None]:
    assert s.c is not None
    (xz, xr, xh), (wz, wr, wg), (bz, br, bg) = cell.parts(s.x), cell.parts(wh), cell.parts(bias.reshape(-1))
    z_in, r_in, h_in = cell.parts(s.pre)
    z_in[...] = xz + s.left[0] @ wz + bz
    r_in[...] = xr + s.left[1] @ wr + br
    xz[...], xr[...] = cell.gate.output(z_in), cell.gate.output(r_in)
    s.c[...] = xr * s.left[2]
    h_in[...] = xh + s.c @ wg + bg
    xh[...] = cell.activation.output(h_in)
    return xz * s.h + (1 - xz) * xh, None


def gru_backward(cell: Cell, s: Step, wh: Array, after: Array, dh: Array, dc: Any) -> tuple[Array, Array, Any]:
    (z, r, g), wg, (z_in, r_in, h_in) = cell.parts(s.x), cell.parts(wh)[2], cell.parts(s.pre)
    through_blend = dh * z
    dz = dh * (s.h - g)
    g[...] = cell.activation.gradient(dh * (1 - z), h_in, g)
    of_product = g @ wg.T  # the gradient of r h
    dr, through = of_product * s.left[2], of_product * r * s.factors[2]
    z[...] = cell.gate.gradient(dz, z_in, z)
    r[...] = cell.gate.gradient(dr, r_in, r)
    return through_blend, through + back(cell, s, wh, [z, r]), None


def gru_reset_after(cell: Cell, s: Step, wh: Array, bias: Array) -> tuple[Array, Array | None]:
    assert s.c is not None
    xz, xr, xh = cell.parts(s.x)
    (bz, br, bg), (cz, cr, cg) = cell.parts(bias[0]), cell.parts(bias[1])
    sz, sr, sg = products(cell, s, wh)
    z_in, r_in, h_in = cell.parts(s.pre)
    z_in[...] = xz + bz + sz + cz
    r_in[...] = xr + br + sr + cr
    xz[...], xr[...] = cell.gate.output(z_in), cell.gate.output(r_in)
    s.c[...] = sg + cg
    h_in[...] = xh + bg + xr * s.c
    xh[...] = cell.activation.output(h_in)
    return xz * s.h + (1 - xz) * xh, None


def gru_reset_after_backward(cell: Cell, s: Step, wh: Array, after: Array, dh: Array, dc: Any) -> tuple[Any, Any, Any]:
    assert s.c is not None
    (z, r, g), (z_in, r_in, h_in) = cell.parts(s.x), cell.parts(s.pre)
    through_blend = dh * z
    dz = dh * (s.h - g)
    g[...] = cell.activation.gradient(dh * (1 - z), h_in, g)
    dr = g * s.c
    s.c[...] = g * r  # the gradient of h Wh + c
    z[...] = cell.gate.gradient(dz, z_in, z)
    r[...] = cell.gate.gradient(dr, r_in, r)
    return through_blend, back(cell, s, wh, [z, r, s.c]), None


FORWARD: dict[str, Callable[..., Any]] = {
    "simple_rnn": simple_rnn, "lstm": lstm, "gru": gru, "gru_reset_after": gru_reset_after,
}  # fmt: skip
BACKWARD: dict[str, Callable[..., Any]] = {
    "simple_rnn": simple_rnn_backward, "lstm": lstm_backward, "gru": gru_backward,
    "gru_reset_after": gru_reset_after_backward,
}  # fmt: skip


def steps_of(cell: Cell, t: int, z: Array, h: Array, c: Any, pre: Any, drop: Any, dropped: Any) -> Step:
    kept = np.empty_like(z[t]) if pre is None else pre[t]
    every = (len(cell.order), *h[t].shape)
    left = np.broadcast_to(h[t], every) if dropped is None else dropped[:, t]
    factors = np.broadcast_to(np.ones((), h.dtype), every) if drop is None else drop
    return Step(z[t], kept, h[t], left, factors, None if c is None else c[t])


def kept_rows(mask: Array | None, t: int, reverse: bool) -> Any:
    """Which samples take part in step t, as a column."""
    if mask is None:
        return np.True_
    return (mask[:, mask.shape[1] - 1 - t if reverse else t] != 0)[:, np.newaxis]


def recurrent_forward(
    cell: tuple[Any, ...], wh: Array, bias: Array, h0: Any, c0: Any, z: Array, h: Array, c: Any, pre: Any, mask: Any,
    *, reverse: bool = False, drop: Any = None, dropped: Any = None,
) -> None:  # fmt: skip
    """All steps of a sequence; see the module."""
    spec = Cell.of(cell)
    h[0] = 0 if h0 is None else h0
    if spec.kind == "lstm":
        c[0] = 0 if c0 is None else c0
    for t in range(len(z)):
        if drop is not None:
            dropped[:, t] = h[t] * drop
        takes_part = kept_rows(mask, t, reverse)
        with np.errstate(all="ignore"):
            state, memory = FORWARD[spec.kind](spec, steps_of(spec, t, z, h, c, pre, drop, dropped), wh, bias)
        h[t + 1] = np.where(takes_part, state, h[t])
        if memory is not None:
            c[t + 1] = np.where(takes_part, memory, c[t])


def recurrent_backward(
    cell: tuple[Any, ...], wh: Array, z: Array, h: Array, c: Any, pre: Any, mask: Any, dy: Any, dh_last: Any,
    dc_last: Any, dh: Array, dc: Any, *, reverse: bool = False, drop: Any = None, dropped: Any = None,
) -> None:  # fmt: skip
    """The way back: z becomes the gradients of what went into the gates, dh and dc those of the initial state."""
    spec = Cell.of(cell)
    gradient: Array = np.zeros_like(dh) if dh_last is None else dh_last
    memory: Any = np.zeros_like(dh) if dc_last is None else dc_last
    for t in reversed(range(len(z))):
        takes_part = kept_rows(mask, t, reverse)
        whole = gradient if dy is None else gradient + dy[t]
        step = steps_of(spec, t, z, h, c, pre, drop, dropped)
        with np.errstate(all="ignore"):
            past, through, before = BACKWARD[spec.kind](spec, step, wh, h[t + 1], whole, memory)
        z[t] = np.where(takes_part, z[t], 0)
        if spec.kind == "gru_reset_after":
            c[t] = np.where(takes_part, c[t], 0)
        gradient = np.where(takes_part, past + through, whole)
        if before is not None:
            memory = np.where(takes_part, before, memory)
    dh[...] = gradient
    if dc is not None:
        dc[...] = memory


def embedding(w: Array, index: Any, out: Array) -> None:
    """out = the rows of w that index names."""
    out[...] = w[index]


def embedding_backward(dy: Array, index: Any, out: Array) -> None:
    """out[index[i]] += dy[i], in the order of i."""
    np.add.at(out, index, dy)
