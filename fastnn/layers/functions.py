"""The functions of fastnn.ops for symbolic tensors: a table of Keras's names, and the layers that each becomes.

A function is called with at least one symbolic tensor, or with a weight while `call` of a layer is traced; arrays and
numbers beside it become constants.  Axes are counted as in Keras, with the batch as axis 0, which stays in front and
whole.  All tensors have the model's floating type: what is an integer or a truth value in Keras is a number here.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops import _numpy

from . import arithmetic, drawing, einsum, elementwise, fixed, merging, products, reductions, tensors
from .base import Layer, size
from .core import Activation
from .normalization import UnitNormalization
from .padding import Pad
from .reshaping import Identity, Permute, Reshape

Tensor = tensors.Tensor
made = arithmetic.made


def call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What the function of that name gives.

    Raises:
        TypeError: it has no gradient here, and no layer.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        given = next(x for x in _every([*args, *kwargs.values()]) if isinstance(x, (Tensor, Parameter)))
        raise _numpy.symbolic(name, given)
    return function(*args, **kwargs)


def _every(things: Sequence[Any]) -> list[Any]:
    return [x for thing in things for x in (_every(thing) if isinstance(thing, (list, tuple)) else [thing])]


def _tensors(*xs: Any) -> list[Tensor]:
    """Tensors of weights, arrays and numbers as well, in the type of the first tensor or weight."""
    dtype = next(np.dtype(x.dtype).name for x in xs if isinstance(x, (Tensor, Parameter)))
    known = (x if isinstance(x, (Tensor, Parameter)) else np.asarray(x) for x in xs)
    return [fixed.symbol(x, dtype) for x in known]


def _tensor(x: Any) -> Tensor:
    return _tensors(x)[0]


def _axis(what: str, axis: Any, x: Tensor, new: int = 0) -> int:
    """An axis from 0 on, that is not the batch.

    Raises:
        ValueError: there is no such axis, or it is the batch's.
    """
    rank, at = x.ndim + new, operator.index(axis)
    if not -rank <= at < rank or (at % rank == 0 and not x.fixed):
        raise ValueError(
            f"{what}: expected an axis from {0 if x.fixed else 1} to {rank - 1}; the batch stays in front, and whole. "
            f"Received: axis={axis} of {x!r}"
        )
    return at % rank


def _inner(axis: int, x: Tensor) -> int:
    """An axis counted without the batch."""
    return axis if x.fixed else axis - 1


# ------------------------------------------------------------------------------------------------------------- elements


def _map(name: str) -> Callable[[Any], Any]:
    return lambda x: made(elementwise.Elementwise, _tensor(x), name)


def _pairwise(name: str) -> Callable[[Any, Any], Any]:
    def function(x1: Any, x2: Any) -> Any:
        return made(elementwise.Pairwise, arithmetic.together(name, _tensors(x1, x2)), name)

    return function


def _operator(sign: str) -> Callable[[Any, Any], Any]:
    return lambda x1, x2: arithmetic.operate(sign, x1, x2)


def _extreme(kind: type[Layer]) -> Callable[[Any, Any], Any]:
    return lambda x1, x2: arithmetic.merged(kind, _tensors(x1, x2))


def _activation(name: str) -> Callable[[Any], Any]:
    return lambda x: made(Activation, _tensor(x), name)


def _power(x1: Any, x2: Any) -> Any:
    number = not isinstance(x2, (Tensor, Parameter)) and np.ndim(x2) == 0
    return arithmetic.operate("**", x1, x2) if number else _pairwise("power")(x1, x2)


def _clip(x: Any, x_min: Any, x_max: Any) -> Any:
    if all(bound is None or (not isinstance(bound, Tensor) and np.ndim(bound) == 0) for bound in (x_min, x_max)):
        return made(elementwise.Clip, _tensor(x), x_min, x_max)
    return _extreme(merging.Minimum)(_extreme(merging.Maximum)(x, x_min), x_max)


def _where(condition: Any, x1: Any, x2: Any) -> Any:
    return arithmetic.merged(elementwise.Where, _tensors(condition, x1, x2))


def _cast(x: Any, dtype: Any) -> Any:
    kind, tensor = np.dtype("float32" if dtype == "bfloat16" else dtype).kind, _tensor(x)
    if kind == "b":
        return _pairwise("not_equal")(tensor, 0)
    return tensor if kind == "f" else made(elementwise.Elementwise, tensor, "trunc")


def _convert(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    return _tensor(x) if dtype is None else _cast(x, dtype)


def _logical_not(x: Any) -> Any:
    return made(elementwise.Elementwise, _tensor(x), "logical_not")


def _one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    if axis != -1:
        raise ValueError(f"one_hot of a symbolic tensor puts the classes along the last axis. Received: axis={axis}")
    return _pairwise("equal")(_expand_dims(x, -1), np.arange(num_classes))


class StopGradient(Identity):
    """y = x, and no gradient for x: what `ops.stop_gradient` becomes."""

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        return x, lambda dy, need_dx: ABSENT


# ----------------------------------------------------------------------------------------------------------- along axes


def _axes(what: str, x: Tensor, axis: Any) -> list[int]:
    """From 0 on, the batch's among them."""
    given = range(x.ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else [axis]
    if any(not -x.ndim <= operator.index(a) < x.ndim for a in given):
        raise ValueError(f"{what}: expected axes below {x.ndim}. Received: axis={axis} of {x!r}")
    return [operator.index(a) % x.ndim for a in given]


def _reduction(name: str) -> Callable[..., Any]:
    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        tensor = _tensor(x)
        axes = [a + 1 if tensor.fixed else a for a in _axes(name, tensor, axis)]
        return made(reductions.Reduce, tensor, name, axes, keepdims) if axes else tensor

    return function


def _var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    tensor, mean = _tensor(x), _reduction("mean")
    return mean((tensor - mean(tensor, axis, True)) ** 2, axis, keepdims)


def _std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return _map("sqrt")(_var(x, axis, keepdims))


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (None, 2, "euclidean"):
        raise ValueError(f"norm of a symbolic tensor is the Euclidean one. Received: ord={ord!r}")
    return _map("sqrt")(_reduction("sum")(_tensor(x) ** 2, axis, keepdims))


def _normalize(x: Any, axis: int = -1, order: Any = 2, epsilon: Any = None) -> Any:
    tensor = _tensor(x)
    if order != 2 or epsilon is not None:
        raise ValueError(f"normalize of a symbolic tensor has order 2. Received: order={order}, epsilon={epsilon}")
    return made(UnitNormalization, tensor, _inner(_axis("normalize", axis, tensor), tensor) + 1)


def activated(x: Tensor, name: str, params: tuple[float, ...], axis: Any) -> Any:
    """An activation, that may work along any axis but the batch's."""
    if axis == -1 or axis == x.ndim - 1:
        return arithmetic.activated(x, name, params)
    return _swapaxes(arithmetic.activated(_swapaxes(x, axis, -1), name, params), axis, -1)


# --------------------------------------------------------------------------------------------------------------- shapes


def _shaped(x: Tensor, shape: Sequence[Any]) -> Any:
    return made(Reshape, x, tuple(-1 if n is None else n for n in shape))


def _reshape(x: Any, newshape: Any) -> Any:
    tensor = _tensor(x)
    target = list(newshape) if isinstance(newshape, (tuple, list)) else [newshape]
    if tensor.fixed:
        return _shaped(tensor, target)
    rest, total = target[1:], size(tensor.sample_shape)
    whole = bool(target) and (target[0] is None or (target[0] == -1 and -1 not in rest and size(tuple(rest)) == total))
    if not whole or None in rest:
        raise ValueError(
            f"reshape: the axis of the batch stays in front, and whole: expected None, what ops.shape(x)[0] gives, or "
            f"-1, and then a shape for samples of {total} elements. Received: {newshape!r}"
        )
    return _shaped(tensor, rest)


def _transpose(x: Any, axes: Any = None) -> Any:
    tensor = _tensor(x)
    order = list(range(tensor.ndim))[::-1] if axes is None else [operator.index(a) % tensor.ndim for a in axes]
    if sorted(order) != list(range(tensor.ndim)) or (order[:1] != [0] and not tensor.fixed):
        raise ValueError(
            f"transpose: expected each axis once, the batch, 0, in front. Received: axes={axes} of {tensor!r}"
        )
    return made(Permute, tensor, tuple(a + 1 for a in order) if tensor.fixed else tuple(order[1:]))


def _swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    tensor = _tensor(x)
    order = list(range(tensor.ndim))
    a, b = _axis("swapaxes", axis1, tensor), _axis("swapaxes", axis2, tensor)
    order[a], order[b] = order[b], order[a]
    return _transpose(tensor, order)


def _moveaxis(x: Any, source: Any, destination: Any) -> Any:
    tensor = _tensor(x)
    lengths = np.empty(tuple(range(1, tensor.ndim + 1)), bool)  # an axis is known by its length
    return _transpose(tensor, [n - 1 for n in np.moveaxis(lengths, source, destination).shape])


def _expand_dims(x: Any, axis: Any) -> Any:
    tensor = _tensor(x)
    given = axis if isinstance(axis, (tuple, list)) else [axis]
    new = sorted(_axis("expand_dims", a, tensor, len(given)) for a in given)
    shape = list(tensor.shape)
    for at in new:
        shape.insert(at, 1)
    return _shaped(tensor, shape if tensor.fixed else shape[1:])


def _squeeze(x: Any, axis: Any = None) -> Any:
    tensor = _tensor(x)
    shape = tensor.shape
    gone = [i for i, n in enumerate(shape) if n == 1] if axis is None else _axes("squeeze", tensor, axis)
    if any(shape[i] != 1 for i in gone):
        raise ValueError(f"squeeze: expected axes of length 1. Received: axis={axis} of {tensor!r}")
    kept = [n for i, n in enumerate(shape) if i not in gone]
    return _shaped(tensor, kept if tensor.fixed else kept[1:])


def _ravel(x: Any) -> Any:
    return _reshape(x, (-1,))


def _concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    given = _tensors(*xs)
    if not all(tensor.fixed for tensor in given):
        given = [fixed.spread(tensor) if tensor.fixed else tensor for tensor in given]
    return made(merging.Concatenate, given, _inner(_axis("concatenate", axis, given[0]), given[0]) + 1)


def _stack(x: Sequence[Any], axis: int = 0) -> Any:
    given = _tensors(*x)
    if not all(tensor.fixed for tensor in given):
        given = [fixed.spread(tensor) if tensor.fixed else tensor for tensor in given]
    at = _axis("stack", axis, given[0], 1)
    return _concatenate([_expand_dims(tensor, at) for tensor in given], at)


def _split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    tensor = _tensor(x)
    at = _axis("split", axis, tensor)
    length = tensor.shape[at]
    assert length is not None
    if isinstance(indices_or_sections, (int, np.integer)):
        if length % indices_or_sections:
            raise ValueError(f"split: expected equal parts of {length}. Received: {indices_or_sections}")
        ends = list(range(0, length + 1, length // int(indices_or_sections)))
    else:
        ends = [0, *(int(i) for i in indices_or_sections), length]
    whole = (slice(None),) * at
    return [arithmetic.part(tensor, (*whole, slice(a, b))) for a, b in itertools.pairwise(ends)]


def _unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    tensor = _tensor(x)
    at = _axis("unstack", axis, tensor)
    whole = (slice(None),) * at
    return [arithmetic.part(tensor, (*whole, i)) for i in range(tensor.shape[at] or 0)]


def _flip(x: Any, axis: Any = None) -> Any:
    tensor = _tensor(x)
    axes = [_axis("flip", a, tensor) for a in _axes("flip", tensor, axis)]
    return arithmetic.part(tensor, tuple(slice(None, None, -1 if i in axes else None) for i in range(tensor.ndim)))


def _pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    tensor = _tensor(x)
    if mode != "constant":
        raise ValueError(f"pad of a symbolic tensor is with constants. Received: mode={mode!r}")
    widths = np.broadcast_to(np.asarray(pad_width, int), (tensor.ndim, 2)).tolist()
    if not tensor.fixed and widths.pop(0) != [0, 0]:
        raise ValueError(f"pad: the batch is as long as it is; expected (0, 0) for it. Received: {pad_width!r}")
    return made(Pad, tensor, widths, 0.0 if constant_values is None else float(constant_values))


def _broadcast_to(x: Any, shape: Any) -> Any:
    (tensor,), target = _tensors(x), tuple(shape)
    if tensor.fixed and target[0] is None:
        rest = target[1:]
        given = tensor if tensor.ndim < len(target) else _squeeze(tensor, 0)
        return fixed.spread(given, rest)
    if (target[0] is None) == tensor.fixed:
        raise ValueError(f"broadcast_to: expected None, the batch, in front. Received: {shape!r} for {tensor!r}")
    return made(fixed.Repeat, tensor, target if tensor.fixed else target[1:])


def _tile(x: Any, repeats: Any) -> Any:
    tensor = _tensor(x)
    times = list(repeats) if isinstance(repeats, (tuple, list, np.ndarray)) else [repeats]
    rank = max(len(times), tensor.ndim)
    times = [1] * (rank - len(times)) + times
    if tensor.fixed:
        tensor = _shaped(tensor, [1] * (rank - tensor.ndim) + list(tensor.sample_shape))
        if times[0] is None:  # for each sample of the batch
            tensor, times[0] = fixed.spread(tensor), 1
    if not tensor.fixed:
        if times[0] != 1 or rank > tensor.ndim:
            raise ValueError(f"tile: the batch is as long as it is; expected 1 for it. Received: {repeats!r}")
        times = times[1:]
    shape = tensor.sample_shape
    apart = _shaped(tensor, [n for length in shape for n in (1, length)])
    wide = made(fixed.Repeat, apart, [n for pair in zip(times, shape) for n in pair])
    return _shaped(wide, [time * length for time, length in zip(times, shape)])


def _repeat(x: Any, repeats: Any, axis: Any = None) -> Any:
    tensor = _tensor(x) if axis is not None else _ravel(x)
    if axis in (0, -tensor.ndim) and tensor.fixed and repeats is None:
        return fixed.spread(tensor)
    at = _inner(_axis("repeat", -1 if axis is None else axis, tensor), tensor)
    shape, times = list(tensor.sample_shape), operator.index(repeats)
    apart = _shaped(tensor, [*shape[: at + 1], 1, *shape[at + 1 :]])
    wide = made(fixed.Repeat, apart, [*shape[: at + 1], times, *shape[at + 1 :]])
    return _shaped(wide, [*shape[:at], shape[at] * times, *shape[at + 1 :]])


def _full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    tensor = _tensor(x)
    value = fixed.constant(np.full(tensor.sample_shape, fill_value, float), tensor.dtype)
    return value if tensor.fixed else fixed.spread(value, tensor.sample_shape)


def _get_item(x: Any, key: Any) -> Any:
    return arithmetic.part(_tensor(x), key)


def _einsum(subscripts: str, *operands: Any, **options: Any) -> Any:
    if len(operands) != 2:
        raise ValueError(f"einsum of symbolic tensors takes two of them. Received: {len(operands)}")
    return einsum.einsum(subscripts, *_tensors(*operands))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _map(name) for name in elementwise.MAPS},
    **{name: _pairwise(name) for name in elementwise.PAIRS},
    **{name: _reduction(name) for name in reductions.RULES},
    "amax": _reduction("max"), "amin": _reduction("min"), "var": _var, "std": _std,
    "add": _operator("+"), "subtract": _operator("-"), "multiply": _operator("*"), "divide": _operator("/"),
    "true_divide": _operator("/"), "power": _power,
    "maximum": _extreme(merging.Maximum), "minimum": _extreme(merging.Minimum),
    "negative": lambda x: -_tensor(x), "square": lambda x: _tensor(x) ** 2, "exp": _activation("exponential"),
    "abs": lambda x: abs(_tensor(x)), "absolute": lambda x: abs(_tensor(x)),
    "clip": _clip, "where": _where, "cast": _cast, "convert_to_tensor": _convert, "logical_not": _logical_not,
    "one_hot": _one_hot, "stop_gradient": lambda variable: made(StopGradient, _tensor(variable)),
    "norm": _norm, "normalize": _normalize,
    "random.dropout": drawing.dropout, "einsum": _einsum,
    "matmul": lambda x1, x2: products.matmul(*_tensors(x1, x2)),
    "reshape": _reshape, "transpose": _transpose, "swapaxes": _swapaxes, "moveaxis": _moveaxis, "ravel": _ravel,
    "expand_dims": _expand_dims, "squeeze": _squeeze, "concatenate": _concatenate, "stack": _stack, "split": _split,
    "unstack": _unstack, "flip": _flip, "pad": _pad, "broadcast_to": _broadcast_to, "tile": _tile, "repeat": _repeat,
    "zeros_like": lambda x, dtype=None: _full_like(x, 0), "ones_like": lambda x, dtype=None: _full_like(x, 1),
    "full_like": _full_like, "get_item": _get_item, "copy": lambda x: made(Identity, _tensor(x)),
    "shape": lambda x: tuple(_tensor(x).shape), "ndim": lambda x: _tensor(x).ndim,
    "size": lambda x: None if not _tensor(x).fixed else size(_tensor(x).sample_shape),
    "dtype": lambda x: str(_tensor(x).dtype), "is_tensor": lambda x: True,
}  # fmt: skip
