"""Recurrent cells that users write in Python: one time step forward and back on NumPy arrays; `RNN` does the rest.

A cell is a layer with `state_size`, the size of its state or a list of sizes, and these methods, which take by name
what they need (fastnn.layers.custom):

    forward(self, x, states)    returns (y, states after the step); may also take `training` and `kept`, a dict that is
                                empty before every time step.  Keras's name for it, `call(self, inputs, states)`, does
    backward(self, dy, dstates) returns (dx, gradients of the states before the step), or with weights (dx, dstates,
                                gradient of the first weight, ...); may also take `x`, `states`, `y`, `training`, `kept`

x has the shape (batch, features), a state (batch, size).  `states` and `dstates` are lists; a cell with one state may
return it as an array.  `output_size` is the size of y: that of the first state unless the cell says otherwise.  A cell
may start from other states than zeros: `get_initial_state(batch_size)`.

Masked time steps keep their states, repeat the output (zeros before the first), and their x is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.engine.plan import ABSENT, Plan

from ._recurrence import Run, Starts, Where
from .custom import Array, _put, _seen, _wanted

OF_FORWARD = ("states", "training", "kept")
OF_BACKWARD = ("dstates", "x", "states", "y", "training", "kept")


def is_cell(thing: Any) -> bool:
    """Whether it is a layer of the user's that can be a cell."""
    from .base import Layer

    return isinstance(thing, Layer) and hasattr(thing, "state_size") and _method(thing) is not None


def _method(cell: Any) -> Any:
    return getattr(cell, "forward", None) or getattr(cell, "call", None)


def sizes_of(cell: Any) -> list[int]:
    """The size of each state.

    Raises:
        ValueError: state_size is neither a positive whole number nor a list of them.
    """
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n > 0 for n in sizes)
    if not sizes or not whole:
        raise ValueError(
            f"{type(cell).__name__}: state_size must be a positive whole number or a list of them. "
            f"Received: {cell.state_size!r}"
        )
    return [int(n) for n in sizes]


def units_of(cell: Any) -> int:
    """The size of the output."""
    size = getattr(cell, "output_size", None)
    return sizes_of(cell)[0] if size is None else int(size)


def emit_run(
    cell: Any, plan: Plan, x: Where, steps: int, features: int, starts: Starts, mask: int, reverse: bool
) -> Run:
    """Steps of a cell over a time-major sequence; see fastnn.layers._recurrence.emit_cell."""
    batch, sizes, units = plan.batch, sizes_of(cell), units_of(cell)
    starts = _given_starts(cell, plan, starts)
    forward = _Forward(cell, plan, x.rows, steps, features, reverse)
    y = plan.fixed((steps + 1) * batch * units)
    states = [plan.fixed((steps + 1) * batch * n) for n in sizes]
    plan.step("call", (x.buffer, mask, *starts, y, *states), call=forward)

    def backward(dy: int, dy_last: int, dstates: Starts, need_dx: bool) -> tuple[int, list[int]]:
        if not hasattr(cell, "backward"):
            kind = type(cell).__name__
            raise NotImplementedError(f"{kind} must define backward(dy, dstates) to be trained. Received: no backward")
        dx = plan.buffer(steps * features) if need_dx else ABSENT
        dinitial = [plan.buffer(n) for n in sizes]
        gradients = [plan.gradient(parameter) for parameter in cell.weights]
        buffers = (x.buffer, mask, y, *states, dy, dy_last, *dstates, dx, *dinitial, *gradients)
        plan.step("call", buffers, call=_Backward(forward))
        return dx, dinitial

    return Run(y, units, list(zip(states, sizes)), backward)


def _given_starts(cell: Any, plan: Plan, starts: Starts) -> Starts:
    """The initial states, where nobody gives any the cell's own."""
    if not hasattr(cell, "get_initial_state") or any(start != ABSENT for start in starts):
        return starts
    where = f"{type(cell).__name__}.get_initial_state"
    own = _as_list(cell.get_initial_state(batch_size=plan.batch))
    _check_count(where, own, len(starts))
    arrays = [np.zeros((plan.batch, n), plan.dtype) for n in sizes_of(cell)]
    for value, array in zip(own, arrays):
        _put(where, "a state", value, array)
    return [plan.constant(array) for array in arrays]


def _as_list(states: Any) -> list[Any]:
    return list(states) if isinstance(states, (list, tuple)) else [states]


def _check_count(where: str, states: Sequence[Any], count: int) -> None:
    if len(states) != count:
        raise ValueError(f"{where} must return {count} states. Received: {len(states)}")


class _Sequence:
    """What both directions know: the cell, the shapes of the time-major arrays, which samples take part in a step."""

    def __init__(self, cell: Any, plan: Plan, ahead: int, steps: int, features: int, reverse: bool) -> None:
        self.cell, self.batch, self.training, self.dtype = cell, plan.batch, plan.training, plan.dtype
        self.ahead, self.steps, self.features, self.reverse = ahead * features, steps, features, reverse
        self.sizes, self.units = sizes_of(cell), units_of(cell)
        self.kept: list[dict[str, Any]] = []

    def inputs(self, x: Array) -> Array:
        size = self.steps * self.batch * self.features
        return x[self.ahead : self.ahead + size].reshape(self.steps, self.batch, self.features)

    def column(self, mask: Array | None, t: int) -> Any:
        """The samples that take part in step t, as a column."""
        if mask is None:
            return np.True_
        return (mask.reshape(self.batch, self.steps)[:, self.steps - 1 - t if self.reverse else t] != 0)[:, np.newaxis]

    def over_time(self, array: Array, size: int) -> Array:
        return array.reshape(-1, self.batch, size)


class _Forward(_Sequence):
    """The step forward: calls the cell for every time step, and has `kept` for the way back."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.method = _method(self.cell)
        self.where = f"{type(self.cell).__name__}.{self.method.__name__}"
        self.wanted = _wanted(self.where, self.method, "x", OF_FORWARD)

    def __call__(self, step: int, x: Array, mask: Array | None, *buffers: Array | None) -> None:
        count = len(self.sizes)
        ys = self.over_time(buffers[count], self.units)  # type: ignore[arg-type]
        states = [self.over_time(b, n) for b, n in zip(buffers[count + 1 :], self.sizes)]  # type: ignore[arg-type]
        for state, start, size in zip(states, buffers, self.sizes):
            state[0] = 0 if start is None else start.reshape(self.batch, size)
        ys[0] = 0
        self.kept = []
        for t, row in enumerate(self.inputs(x)):
            takes_part = self.column(mask, t)
            kept: dict[str, Any] = {}
            before = [_seen(state[t], state[t].shape) for state in states]
            offered = {"states": before, "training": self.training, "kept": kept}
            returned = self.method(_seen(row, row.shape), **{name: offered[name] for name in self.wanted})
            if not isinstance(returned, (tuple, list)) or len(returned) != 2:
                raise ValueError(f"{self.where} must return (y, states). Received: {type(returned).__name__}")
            after = _as_list(returned[1])
            _check_count(self.where, after, count)
            for what, value, array in zip(("y", *("a state" for _ in after)), (returned[0], *after), (ys, *states)):
                _put(self.where, what, value, array[t + 1])
                array[t + 1] = np.where(takes_part, array[t + 1], array[t])
            self.kept.append(kept)


class _Backward:
    """The step back: calls the cell's `backward` from the last time step to the first, and adds its gradients up."""

    def __init__(self, forward: _Forward) -> None:
        self.forward, self.cell = forward, forward.cell
        self.where = f"{type(self.cell).__name__}.backward"
        self.wanted = _wanted(self.where, self.cell.backward, "dy", OF_BACKWARD)

    def __call__(self, step: int, x: Array, mask: Array | None, y: Array, *buffers: Array | None) -> None:
        f, count = self.forward, len(self.forward.sizes)
        groups = iter(buffers)
        states = [f.over_time(next(groups), n) for n in f.sizes]  # type: ignore[arg-type]
        dys, dy_last = (_or_zeros(next(groups), (-1, f.batch, f.units), f) for _ in range(2))
        dstates = [_or_zeros(next(groups), (-1, f.batch, n), f)[-1] for n in f.sizes]
        dx = next(groups)
        starts = [next(groups) for _ in f.sizes]
        gradients = list(groups)
        xs, ys = f.inputs(x), f.over_time(y, f.units)
        dxs = np.empty_like(xs) if dx is None else dx.reshape(xs.shape)
        totals = [np.zeros(weight.shape, f.dtype) for weight in self.cell.weights]
        through = dy_last[-1]  # of the output that masked steps repeat
        for t in reversed(range(f.steps)):
            takes_part = f.column(mask, t)
            whole = through + dys[min(t, len(dys) - 1)]
            through = np.where(takes_part, 0, whole)
            given = [np.where(takes_part, d, 0) for d in dstates]
            offered = {
                "dstates": given,
                "x": _seen(xs[t], xs[t].shape),
                "states": [_seen(state[t], state[t].shape) for state in states],
                "y": _seen(ys[t + 1], ys[t + 1].shape),
                "training": f.training,
                "kept": f.kept[t],
            }
            dy = np.where(takes_part, whole, 0)
            returned = self.cell.backward(dy, **{name: offered[name] for name in self.wanted})
            of_x, of_states, of_weights = self._values(returned, count)
            _put(self.where, "dx", of_x, dxs[t])
            dxs[t] = np.where(takes_part, dxs[t], 0)
            for i, value in enumerate(of_states):
                before = np.empty_like(dstates[i])
                _put(self.where, "the gradient of a state", value, before)
                dstates[i] = np.where(takes_part, before, dstates[i])
            for weight, value, total in zip(self.cell.weights, of_weights, totals):
                if value is not None:
                    part = np.empty_like(total)
                    _put(self.where, f"the gradient of {weight.name}", value, part)
                    total += part
        for start, value in zip(starts, dstates):
            if start is not None:
                start[...] = value.reshape(-1)
        for gradient, total in zip(gradients, totals):
            if gradient is not None:
                gradient[...] = total.reshape(-1)

    def _values(self, returned: Any, count: int) -> tuple[Any, list[Any], list[Any]]:
        """What `backward` returned: dx, the gradients of the states before the step and of the weights."""
        weights = self.cell.weights
        if not isinstance(returned, (tuple, list)) or len(returned) != 2 + len(weights):
            names = "".join(f", gradient of {weight.name}" for weight in weights)
            found = f"{len(returned)} things" if isinstance(returned, (tuple, list)) else type(returned).__name__
            raise ValueError(f"{self.where} must return (dx, dstates{names}). Received: {found}")
        dx, dstates, *gradients = returned
        _check_count(self.where, _as_list(dstates), count)
        return dx, _as_list(dstates), gradients


def _or_zeros(buffer: Array | None, shape: tuple[int, ...], f: _Forward) -> Array:
    """A buffer in its shape; one step of zeros where there is none."""
    return np.zeros((1, *shape[1:]), f.dtype) if buffer is None else buffer.reshape(shape)
