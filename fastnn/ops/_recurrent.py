"""What the recurrent functions share: checking arguments, running a cell over a sequence, and the way back.

Kernels work time-major; sequences come and go batch-major, (samples, steps, features).
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._errors import unknown
from fastnn.backend import current
from fastnn.ops._check import as_array, common_dtype, fits_blas, flag, received, well_formed
from fastnn.ops.activations import ROWS
from fastnn.ops.registry import Arguments, Sample

Array = NDArray[Any]

# what a gate may be called, in the order of the kernels
_GRU = ("zu", "r", "hn")
LETTERS = {"simple_rnn": ("h",), "lstm": ("i", "f", "gc", "o"), "gru": _GRU, "gru_reset_after": _GRU}


class RecurrentCache(NamedTuple):
    """What the way back needs; arrays time-major, states with the initial one first, as the kernels had them."""

    kind: str
    order: tuple[int, ...]
    activation: str
    recurrent_activation: str
    x: Array
    wx: Array
    wh: Array
    with_bias: bool
    z: Array
    hs: Array
    cs: Array | None
    pre: Array | None
    mask: Array | None
    reverse: bool
    single: bool

    @property
    def h(self) -> Array:
        """The last state of every sample, shape (samples, units)."""
        return self.hs[-1]

    @property
    def c(self) -> Array:
        """The last memory of an LSTM, shape (samples, units)."""
        if self.kind != "lstm" or self.cs is None:
            raise AttributeError(f"only an LSTM has a memory. Received: a cache of {self.kind}")
        return self.cs[-1]

    @property
    def cell(self) -> tuple[Any, ...]:
        """What the kernels want to know of the cell."""
        first, second = ROWS[self.activation].defaults, ROWS[self.recurrent_activation].defaults
        return self.kind, self.order, self.activation, first, self.recurrent_activation, second


def order_of(op: str, kind: str, gates: object) -> tuple[int, ...]:
    """Where the columns of each gate stand, in the order of the kernels."""
    letters = LETTERS[kind]
    if isinstance(gates, str) and len(gates) == len(letters):
        places = tuple(next((i for i, c in enumerate(gates) if c in names), -1) for names in letters)
        if sorted(places) == list(range(len(letters))):
            return places
    alike = ", ".join("/".join(names) for names in letters)
    raise ValueError(f"{op}: gates must name each of {alike} once. {received(gates=gates)}")


def checked_row(op: str, name: str, activation: object) -> str:
    if activation is None:
        return "identity"
    if activation not in ROWS:
        raise unknown(f"{name} of {op}", activation, ROWS)
    return str(activation)


def forward(
    op: str,
    kind: str,
    x: ArrayLike,
    states: dict[str, ArrayLike | None],
    Wx: ArrayLike,
    Wh: ArrayLike,
    b: ArrayLike | None,
    gates: str,
    activation: str | None,
    recurrent_activation: str | None,
    reverse: bool = False,
    mask: ArrayLike | None = None,
    single: bool = False,
) -> tuple[Array, RecurrentCache]:
    """Outputs (samples, steps, units) and the cache; `single`: x is one time step."""
    order = order_of(op, kind, gates)
    act, gate = checked_row(op, "activation", activation), checked_row(op, "recurrent_activation", recurrent_activation)
    backwards = flag(op, "reverse", reverse)
    arrays = {"x": as_array(op, "x", x), "Wx": as_array(op, "Wx", Wx), "Wh": as_array(op, "Wh", Wh)}
    given = {name: as_array(op, name, value) for name, value in states.items() if value is not None}
    bias = None if b is None else as_array(op, "b", b)
    sequence, wx, wh = arrays.values()
    if sequence.ndim != (2 if single else 3) or sequence.size == 0:
        wanted = "(samples, features)" if single else "(samples, steps, features)"
        raise ValueError(f"{op}: x must have the shape {wanted}, none of them 0. {received(x=sequence)}")
    if single:
        sequence = sequence[:, np.newaxis]
    samples, steps, features = sequence.shape
    if wh.ndim != 2 or wh.shape[0] < 1 or wh.shape[1] != len(order) * wh.shape[0]:
        raise ValueError(f"{op}: Wh must have the shape (units, {len(order)} * units). {received(Wh=wh)}")
    units, width = wh.shape
    biases = (2, width) if kind == "gru_reset_after" else (width,)
    wanted_shapes = {"Wx": (wx, (features, width)), "b": (bias, biases)}
    wanted_shapes |= {name: (array, (samples, units)) for name, array in given.items()}
    for name, (array, shape) in wanted_shapes.items():
        if array is not None and array.shape != shape:
            raise ValueError(f"{op}: {name} must have the shape {shape}. {received(**{**arrays, name: array})}")
    fits_blas(op, **arrays)
    dtype = common_dtype(*arrays.values(), *given.values(), *(() if bias is None else (bias,)))
    kept = checked_mask(op, mask, (samples, steps), backwards)

    if backwards:
        sequence = sequence[:, ::-1]
    xt = well_formed(sequence.swapaxes(0, 1), dtype)
    wx, wh = well_formed(wx, dtype), well_formed(wh, dtype)
    initial = [well_formed(given[name], dtype) if name in given else None for name in states]
    offsets = np.zeros(biases, dtype) if bias is None else well_formed(bias, dtype)
    z = np.empty((steps, samples, width), dtype)
    backend = current()
    backend.gemm(xt.reshape(-1, features), wx, z.reshape(-1, width), False, False, 1.0, 0.0)
    h = np.empty((steps + 1, samples, units), dtype)
    c = None if kind == "simple_rnn" else np.empty((steps + (kind == "lstm"), samples, units), dtype)
    plain = kind == "simple_rnn" or (act == "tanh" and gate == "sigmoid")
    pre = None if plain else np.empty_like(z)
    cache = RecurrentCache(kind, order, act, gate, xt, wx, wh, bias is not None, z, h, c, pre, kept, backwards, single)
    backend.recurrent_forward(
        cache.cell, wh, offsets, initial[0], initial[1] if kind == "lstm" else None, z, h, c, pre, kept
    )
    return batch_major(h[1:], backwards), cache


def checked_mask(op: str, mask: ArrayLike | None, shape: tuple[int, int], reverse: bool) -> Array | None:
    """uint8, in the order in which the steps are done."""
    if mask is None:
        return None
    kept = np.asarray(mask)
    if kept.dtype.kind not in "biu" or kept.shape != shape:
        raise ValueError(f"{op}: mask must be bools of shape {shape}. {received(mask=kept)}")
    return np.ascontiguousarray((kept != 0)[:, :: -1 if reverse else 1]).view(np.uint8)


def batch_major(array: Array, reverse: bool) -> Array:
    """(samples, steps, features) in the order of the input, with memory of its own."""
    return np.array(array.swapaxes(0, 1)[:, :: -1 if reverse else 1], order="C")


def backward(
    op: str, kinds: tuple[str, ...], dhs: ArrayLike | None, cache: RecurrentCache, last: dict[str, ArrayLike | None]
) -> tuple[Any, ...]:
    """(dx, initial states ..., dWx, dWh, db)"""
    if not isinstance(cache, RecurrentCache) or cache.kind not in kinds:
        raise TypeError(f"{op}: expected the cache of {kinds[0]}. {received(cache=cache)}")
    steps, samples, width = cache.z.shape
    units, features = cache.h.shape[1], cache.x.shape[2]
    shapes = {"dhs": (samples, steps, units)} | dict.fromkeys(last, (samples, units))
    given = {name: as_array(op, name, v) for name, v in {"dhs": dhs, **last}.items() if v is not None}
    for name, array in given.items():
        if array.shape != shapes[name]:
            raise ValueError(f"{op}: {name} must have the shape {shapes[name]}. {received(**{name: array})}")
    if not given:
        raise TypeError(f"{op}: expected at least one gradient. Received: None")
    dtype = common_dtype(cache.z, *given.values())
    dy = given.get("dhs")
    if dy is not None:
        dy = well_formed((dy[:, ::-1] if cache.reverse else dy).swapaxes(0, 1), dtype)
    ends = [well_formed(given[name], dtype) if name in given else None for name in last]

    lstm, backend = cache.kind == "lstm", current()
    z = np.array(cache.z, dtype)
    h, wx, wh, x = (well_formed(array, dtype) for array in (cache.hs, cache.wx, cache.wh, cache.x))
    c = None if cache.cs is None else np.array(cache.cs, dtype)
    pre = None if cache.pre is None else well_formed(cache.pre, dtype)
    dh = np.empty((samples, units), dtype)
    dc = np.empty((samples, units), dtype) if lstm else None
    backend.recurrent_backward(
        cache.cell, wh, z, h, c, pre, cache.mask, dy, ends[0], ends[1] if lstm else None, dh, dc
    )  # fmt: skip
    rows = z.reshape(-1, width)
    dwx, dwh, dx = np.empty_like(wx), np.empty_like(wh), np.empty_like(x)
    backend.gemm(x.reshape(-1, features), rows, dwx, True, False, 1.0, 0.0)
    backend.gemm(rows, wx, dx.reshape(-1, features), False, True, 1.0, 0.0)
    recurrent_gradient(backend, cache, h[:-1].reshape(-1, units), c, rows, dwh)
    db = bias_gradient(backend, cache, c, rows) if cache.with_bias else None
    initial = (dh, dc) if lstm else (dh,)
    outer = dx[0] if cache.single else batch_major(dx, cache.reverse)
    return (outer, *initial, dwx, dwh, db)


def candidate(cache: RecurrentCache, units: int) -> slice:
    """The columns of a GRU's candidate."""
    return slice(cache.order[2] * units, (cache.order[2] + 1) * units)


def recurrent_gradient(backend: Any, cache: RecurrentCache, left: Array, c: Any, rows: Array, dwh: Array) -> None:
    """h^T z over all steps; a GRU's candidate has seen r h, or passed its gradient through r."""
    backend.gemm(left, rows, dwh, True, False, 1.0, 0.0)
    if cache.kind not in ("gru", "gru_reset_after"):
        return
    units = left.shape[1]
    columns, part = candidate(cache, units), np.empty((units, units), dwh.dtype)
    inner = c.reshape(-1, units)
    if cache.kind == "gru":
        backend.gemm(inner, np.ascontiguousarray(rows[:, columns]), part, True, False, 1.0, 0.0)
    else:
        backend.gemm(left, inner, part, True, False, 1.0, 0.0)
    dwh[:, columns] = part


def bias_gradient(backend: Any, cache: RecurrentCache, c: Any, rows: Array) -> Array:
    width = rows.shape[1]
    sums = np.empty(width, rows.dtype)
    backend.column_sums(rows, sums)
    if cache.kind != "gru_reset_after":
        return sums
    units = c.shape[2]
    both, of_inner = np.stack([sums, sums]), np.empty(units, rows.dtype)
    backend.column_sums(c.reshape(-1, units), of_inner)
    both[1, candidate(cache, units)] = of_inner
    return both


# ------------------------------------------------------------------------------------------- arguments for the registry


def sample_of(name: str, single: bool, backward: bool = False) -> Sample:
    """A maker of sample arguments: `name` is rnn, lstm or gru."""
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[name]
    options: dict[str, Any] = {"rnn": {}, "lstm": {"gates": "ogif"}, "gru": {"gates": "rzh"}}[name]

    def sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
        samples, features, units = min(shape[0], 40), shape[-1], 6
        shapes: list[tuple[int, ...]] = [(samples, features) if single else (samples, 4, features)]
        shapes += [(samples, units)] * (2 if name == "lstm" else 1)
        shapes += [(features, gates * units), (units, gates * units), (gates * units,)]
        scale = 0.5 / max(features, units) ** 0.5
        arrays = tuple((rng.normal(size=s) * scale).astype(dtype) for s in shapes)
        if not backward:
            return Arguments(arrays, dict(options))
        function = getattr(sys.modules["fastnn.ops"], f"{name}_{'cell' if single else 'forward'}")
        *outputs, cache = function(*arrays, **options)
        return Arguments((*(rng.normal(size=y.shape).astype(dtype) for y in outputs), cache), {})

    return sample
