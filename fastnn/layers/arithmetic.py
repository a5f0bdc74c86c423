"""What operators between symbolic tensors and constants become: layers for quotients, powers and slices.

Sums, differences and products of tensors are the merging layers; those of a tensor and a constant are `Rescaling`, or
where the constant enlarges a sample, the merging layers of a tensor and a `Constant`.  As in Keras, what an operator
gives has no mask.  Refused by name: constants that are no finite numbers, and everything along the axis of the batch.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import activations
from fastnn.engine import lengths
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops._check import number

from . import _strided, fixed, merging, tensors
from ._strided import Way
from .base import Layer, Shape, size
from .core import Activation
from .elementwise import Pairwise
from .preprocessing import Rescaling
from .reshaping import Identity

Array = np.ndarray


class Divide(merging._Folded):
    """The first of two tensors divided by the second, element by element, as NumPy does it: x / 0 is infinite or NaN.

    What ``t / u`` makes of two symbolic tensors; Keras has the operator, and no such layer.
    """

    least = most = 2

    def pair(self, plan: Plan, a: int, b: int, y: int) -> None:
        def divide(step: int, a: Array, b: Array, y: Array) -> None:
            with np.errstate(all="ignore"):
                np.divide(a, b, out=y)

        plan.step("call", (a, b, y), call=divide)

    def split(self, plan: Plan, dy: int, a: int, b: int, need: tuple[bool, bool]) -> tuple[int, int]:
        parts = [plan.fixed(plan.buffers[dy].size) for _ in range(2)]

        def divide(step: int, dy: Array, a: Array, b: Array, da: Array, db: Array) -> None:
            with np.errstate(all="ignore"):
                np.divide(dy, b, out=da)
                np.multiply(-da, a / b, out=db)

        plan.step("call", (dy, a, b, *parts), call=divide)
        return parts[0] if need[0] else ABSENT, parts[1] if need[1] else ABSENT


class Power(Layer):
    """``y = x ** exponent``, element by element; what ``t ** 2`` makes of a symbolic tensor.

    Parameters:
        exponent: a finite number.

    Raises:
        TypeError, ValueError: it is none.

    Notes:
        Keras has the operator, and no such layer.  As there, a negative number to a broken power is NaN, and the
        derivative of x ** 0 is 0 everywhere.
    """

    supports_masking = True

    def __init__(self, exponent: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exponent = number(self.name, "exponent", exponent)
        if not np.isfinite(self.exponent):
            raise ValueError(f"{self.name}: exponent must be a finite number. Received: {exponent!r}")

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        exponent, length = self.exponent, plan.buffers[x].size
        y = plan.fixed(length)

        def power(step: int, x: Array, y: Array) -> None:
            with np.errstate(all="ignore"):
                np.power(x, exponent, out=y)

        def slope(step: int, dy: Array, x: Array, dx: Array) -> None:
            with np.errstate(all="ignore"):
                np.multiply(dy, exponent * np.power(x, exponent - 1), out=dx)

        if exponent == 2:
            plan.step("multiply", (x, x, y), ints=(length,))
        else:
            plan.step("call", (x, y), call=power)

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.fixed(length)
            if exponent == 0:
                _strided.zero(plan, dx)
            elif exponent == 2:
                plan.step("multiply", (dy, merging.scaled(plan, x, 2.0), dx), ints=(length,))
            else:
                plan.step("call", (dy, x, dx), call=slope)
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "exponent": self.exponent}


class Slicing(Layer):
    """A part of every sample; what ``t[:, -1, 1:3]`` makes of a symbolic tensor.

    Parameters:
        index: an entry for every axis of a sample, in order, the batch not counted; axes behind the last entry stay
            whole.  A whole number takes one element, and the axis away; [start, stop, step] is a Python slice, each of
            them None or a whole number; "new" puts in an axis of length 1.

    Raises:
        TypeError, ValueError: an entry is something else.
        IndexError: on building: samples have fewer axes, or elements, than that.

    Notes:
        Keras has the operator, and no such layer.
    """

    def __init__(self, index: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.index = [self._entry(entry) for entry in index]

    def _entry(self, entry: Any) -> Any:
        if isinstance(entry, str) and entry == "new":
            return entry
        try:
            if isinstance(entry, (list, tuple)) and len(entry) == 3 and entry[2] != 0:
                return [None if part is None else operator.index(part) for part in entry]
            if not isinstance(entry, (bool, np.bool_)):
                return operator.index(entry)
        except TypeError:
            pass
        raise TypeError(
            f"{self.name}: an index has whole numbers, [start, stop, step] with a step other than 0, and 'new'. "
            f"Received: {entry!r}"
        )

    def _way(self, shape: Shape) -> tuple[Shape, list[tuple[int, int]], int]:
        """The shape of a part; of each of its axes the length and the step in the sample; where the part begins."""
        x_steps, axes, first, at = _strided.steps(shape), [], 0, 0
        for entry in [*self.index, *[[None, None, None]] * len(shape)]:
            if entry == "new":
                axes.append((1, 0))
                continue
            if at == len(shape):
                break
            n, step = shape[at], x_steps[at]
            at += 1
            if isinstance(entry, int):
                if not -n <= entry < n:
                    raise IndexError(f"{self.name}: expected an index from {-n} to {n - 1}. Received: {entry}")
                first += entry % n * step
                continue
            taken = range(*slice(*entry).indices(n))
            if not taken:
                raise ValueError(f"{self.name}: expected at least one of {n} elements. Received: {slice(*entry)}")
            first += taken.start * step
            axes.append((len(taken), taken.step * step))
        if sum(entry != "new" for entry in self.index) > len(shape):
            raise IndexError(
                f"{self.name}: expected at most an index for each axis of samples {shape}. Received: {self.index}"
            )
        return tuple(n for n, _ in axes), axes, first

    def infer_shape(self, input_shape: Shape) -> Shape:
        return self._way(input_shape)[0]

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        shape, axes, first = self._way(self.shape_in)
        whole, part = size(self.shape_in), size(shape)
        ways = [Way(plan.batch, whole, part)]
        ways += [Way(n, step, of_y) for (n, step), of_y in zip(axes, _strided.steps(shape))]
        y = plan.buffer(part)
        _strided.copy(plan, x, y, ways, (first, 0))

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.buffer(whole)
            _strided.zero(plan, dx)
            _strided.copy(plan, dy, dx, [Way(way.size, way.y, way.x) for way in ways], (0, first))
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "index": self.index}


# ------------------------------------------------------------------------------------------------------------ operators


MERGED: dict[str, type[Layer]] = {
    "+": merging.Add, "-": merging.Subtract, "*": merging.Multiply, "/": Divide
}  # fmt: skip


def operate(sign: str, a: Any, b: Any) -> Any:
    """a + b, a - b, a * b, a / b or a ** b, where at least one of them is a symbolic tensor.

    Raises:
        TypeError: the other is no number, no array and no such tensor.
        ValueError: a constant does not fit the samples, or is not finite.
    """
    a, b = (fixed.symbol(x) if isinstance(x, Parameter) else x for x in (a, b))
    left, right = isinstance(a, tensors.Tensor), isinstance(b, tensors.Tensor)
    if left and right:
        if sign == "**":
            return made(Pairwise, together(sign, [a, b]), "power")
        return merged(MERGED[sign], [a, b])
    tensor, other = (a, b) if left else (b, a)
    constant = _constant(sign, other, tensor)
    if sign == "**" and left and constant.ndim:
        return operate(sign, a, fixed.constant(other, tensor.dtype))
    if sign != "**" and _enlarges(constant, tensor):
        other = fixed.constant(other, tensor.dtype)
        return merged(MERGED[sign], [a, other] if left else [other, b])
    if sign == "**":
        return made(Power, tensor, float(constant)) if left else _exponential(tensor, constant)
    if sign == "+":
        return made(Rescaling, tensor, 1.0, constant)
    if sign == "-":
        return made(Rescaling, tensor, 1.0, -constant) if left else made(Rescaling, tensor, -1.0, constant)
    if sign == "/" and left:
        with np.errstate(all="ignore"):
            constant = 1 / constant
        if not np.isfinite(constant).all():
            raise ValueError(f"/: expected constants that can be divided by. Received: {other!r}")
    elif sign == "/":
        tensor = made(Power, tensor, -1.0)
    return made(Rescaling, tensor, constant)


def made(kind: type[Layer], x: Any, *args: Any, **options: Any) -> Any:
    """What a new layer gives, without a mask; fixed tensors are one sample each."""
    tensor = x[0] if isinstance(x, list) else x
    return tensors.call(kind(*args, dtype=tensor.dtype, **options), x, unmasked=True, whole=True)


def merged(kind: type[Layer], given: list[tensors.Tensor]) -> Any:
    """What a new merging layer gives for tensors that broadcast as NumPy says.

    Raises:
        ValueError: they do not broadcast, or to more axes than the batch has.
    """
    return made(kind, together(kind.__name__, given))


def together(what: str, given: list[tensors.Tensor]) -> list[tensors.Tensor]:
    """Tensors of which all or none are fixed: where there is a batch, fixed ones are repeated for every sample.

    Raises:
        ValueError: they do not broadcast, or to more axes than the batch has.
    """
    if all(tensor.fixed for tensor in given) or not any(tensor.fixed for tensor in given):
        return given
    rank = max(tensor.ndim for tensor in given if not tensor.fixed)
    samples = []
    for tensor in given:
        shape = tensor.sample_shape
        if tensor.fixed and len(shape) >= rank:
            if len(shape) > rank or shape[0] != 1:
                raise ValueError(
                    f"{what}: expected constants and weights that broadcast against tensors of {rank} axes, the first "
                    f"of them the batch. Received: shape {shape}"
                )
            shape = shape[1:]
        samples.append(shape)
    try:
        output = lengths.infer(lambda shapes: np.broadcast_shapes(*shapes), tuple(samples))
    except ValueError:
        shapes = [tensor.shape for tensor in given]
        raise ValueError(f"{what}: expected shapes that broadcast. Received: {shapes}") from None
    made = []
    for tensor, shape in zip(given, samples):
        if tensor.fixed:  # an axis whose length is not known yet stays as it is: 1
            own = (1,) * (len(output) - len(shape)) + shape
            tensor = fixed.spread(tensor, tuple(m if n is None else n for n, m in zip(output, own)))
        made.append(tensor)
    return made


def _enlarges(constant: Array, tensor: tensors.Tensor) -> bool:
    """Whether what comes out has another shape than the tensor."""
    try:
        shape = tensor.sample_shape
        return bool(lengths.infer(lambda known: np.broadcast_shapes(constant.shape, known), shape) != shape)
    except ValueError:
        return True


def _constant(sign: str, value: Any, tensor: tensors.Tensor) -> Array:
    """A number, or an array for every sample, in float64; an axis of length 1 stands for the batch."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{sign}: expected a number, an array of numbers or a symbolic tensor beside {tensor!r}. "
            f"Received: {value!r}"
        )
    if not tensor.fixed and array.ndim == tensor.ndim and array.shape[0] == 1:
        array = array[0]
    return array.astype(np.float64)


def _exponential(tensor: tensors.Tensor, base: Array) -> Any:
    """base ** tensor, as exp(log(base) * tensor)."""
    if base.ndim or not base > 0:
        raise ValueError(f"**: expected a positive number below a symbolic tensor. Received: {base!r}")
    return made(Activation, made(Rescaling, tensor, np.log(base)), "exponential")


def absolute(tensor: tensors.Tensor) -> Any:
    """The larger of tensor and -tensor."""
    return made(merging.Maximum, [tensor, made(Rescaling, tensor, -1.0)])


def activated(tensor: tensors.Tensor, name: str, params: tuple[float, ...]) -> Any:
    """The tensor behind an activation, with the parameters of its row if it has one."""
    activation = activations.get(name)
    return made(Activation, tensor, activation._replace(params=params) if activation.row else activation)


def part(tensor: tensors.Tensor, key: Any) -> Any:
    """``tensor[key]``.

    Raises:
        TypeError: not whole numbers, slices, None and `...`.
        IndexError: too many of them, or the batch is not left as it is.
    """
    entries = list(key) if isinstance(key, tuple) else [key]
    places = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    if len(places) > 1:
        raise IndexError(f"an index has at most one '...'. Received: {key!r}")
    at = places[0] if places else len(entries)
    free = tensor.ndim - sum(entry is not None and entry is not Ellipsis for entry in entries)
    if free < 0:
        raise IndexError(f"expected at most {tensor.ndim} indices for {tensor!r}. Received: {key!r}")
    entries[at : at + 1] = [slice(None)] * free
    first = slice(None) if tensor.fixed else entries.pop(0)
    if not isinstance(first, slice) or (first.start or 0, first.stop, first.step or 1) != (0, None, 1):
        raise IndexError(f"the axis of the batch stays whole, as in x[:, 0]. Received: x[{key!r}]")
    index: list[Any] = []
    for entry in entries:
        whole = isinstance(entry, slice)
        index.append("new" if entry is None else [entry.start, entry.stop, entry.step] if whole else entry)
    if all(entry == [None, None, None] for entry in index):
        return made(Identity, tensor)
    return made(Slicing, tensor, index)
