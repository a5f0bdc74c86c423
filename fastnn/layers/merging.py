"""Layers that make one tensor out of several: sums, products, extremes, concatenation, dot products.

They are called with a list of tensors.  As in Keras, those that work element by element take tensors whose shapes
broadcast, the axes behind the batch aligned at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from fastnn import config
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from . import _strided
from ._normalizing import Affine, emit_rows
from ._strided import Way
from .base import Layer, Shape, size

Shapes = tuple[Shape, ...]


def spread(plan: Plan, x: int, shape: Shape, output: Shape) -> tuple[int, Backward]:
    """x with its axes repeated to a larger shape, aligned at the end; back, the repetitions are summed."""
    full = (1,) * (len(output) - len(shape)) + shape
    ways = [Way(plan.batch, size(shape), size(output))]
    for n, given, of_x, of_y in zip(output, full, _strided.steps(full), _strided.steps(output)):
        ways.append(Way(n, of_x if given == n else 0, of_y))
    y = plan.buffer(size(output))
    _strided.copy(plan, x, y, ways)

    def backward(dy: int, need: bool) -> int:
        if not need or dy == ABSENT:
            return ABSENT
        dx = plan.buffer(size(shape))
        _strided.zero(plan, dx)
        _strided.add(plan, dy, dx, [Way(way.size, way.y, way.x) for way in ways])
        return dx

    return y, backward


def scaled(plan: Plan, x: int, factor: float) -> int:
    """A buffer with factor times x; x itself for 1."""
    if factor == 1:
        return x
    length = plan.buffers[x].size
    y = plan.fixed(length)
    plan.step("combine", (x, y, ABSENT), ints=(length, -1, -1, 0), reals=(factor, 0.0))
    return y


class Merge(Layer):
    """What these layers share: several tensors in, one out."""

    least: ClassVar[int] = 1  # tensors
    most: ClassVar[int | None] = None
    merges_masks: ClassVar[bool] = True

    def check(self, input_shape: Any) -> Shapes:
        """The shapes of the tensors.

        Raises:
            ValueError: a single tensor, too few, or too many.
        """
        if not input_shape or not isinstance(input_shape[0], tuple):
            raise ValueError(f"{self.name}: expected a list of tensors. Received: one of shape {input_shape}")
        if not self.least <= len(input_shape) <= (self.most or len(input_shape)):
            raise ValueError(f"{self.name}: expected {self.least} tensors. Received: {len(input_shape)}")
        return tuple(input_shape)


class _Elementwise(Merge):
    """Element by element; subclasses say how."""

    def make_weights(self, input_shape: Any) -> None:
        self.shape_behind(input_shape)

    def infer_shape(self, input_shape: Any) -> Shape:
        shapes = self.check(input_shape)
        try:
            return tuple(np.broadcast_shapes(*shapes))
        except ValueError:
            raise ValueError(f"{self.name}: expected shapes that broadcast. Received: {list(shapes)}") from None

    def emit(self, plan: Plan, x: Any) -> tuple[int, Backward]:
        assert self.shape_in is not None and self.shape_out is not None
        shapes: Shapes = self.shape_in  # type: ignore[assignment]
        output, given, backs = self.shape_out, [], []
        for tensor, shape in zip(x, shapes):
            back: Backward | None = None
            if size(shape) < size(output):
                tensor, back = spread(plan, tensor, shape, output)
            given.append(tensor)
            backs.append(back)
        y, merged = self.merge(plan, given)

        def backward(dy: int, need: tuple[bool, ...]) -> tuple[int, ...]:
            parts = merged(dy, need)
            return tuple(part if back is None else back(part, needed) for part, back, needed in zip(parts, backs, need))

        return y, backward

    def merge(self, plan: Plan, x: Sequence[int]) -> tuple[int, Backward]:
        """The steps for tensors of one shape."""
        raise NotImplementedError


class _Linear(_Elementwise):
    """A weighted sum."""

    def factors(self, count: int) -> list[float]:
        raise NotImplementedError

    def merge(self, plan: Plan, x: Sequence[int]) -> tuple[int, Backward]:
        factors = self.factors(len(x))
        if len(x) == 1:
            return x[0], lambda dy, need: (dy,)
        length = plan.buffers[x[0]].size
        y = plan.fixed(length)
        plan.step("blend", (x[0], x[1], y), ints=(length,), reals=(factors[0], factors[1]))
        for tensor, factor in zip(x[2:], factors[2:]):
            plan.step("combine", (tensor, y, ABSENT), ints=(length, -1, -1, 0), reals=(factor, 1.0))

        def backward(dy: int, need: tuple[bool, ...]) -> tuple[int, ...]:
            made: dict[float, int] = {}
            for factor, needed in zip(factors, need):
                if needed and factor not in made:
                    made[factor] = scaled(plan, dy, factor)
            return tuple(made[factor] if needed else ABSENT for factor, needed in zip(factors, need))

        return y, backward


class Add(_Linear):
    """The sum of the tensors.

    Examples:
        >>> x = Input((8,))
        >>> y = Add()([x, Dense(8)(x)])  # or x + Dense(8)(x): a skip connection
    """

    def factors(self, count: int) -> list[float]:
        return [1.0] * count


class Subtract(_Linear):
    """The first of two tensors minus the second."""

    least = most = 2

    def factors(self, count: int) -> list[float]:
        return [1.0, -1.0]


class Average(_Linear):
    """The mean of the tensors."""

    def factors(self, count: int) -> list[float]:
        return [1.0 / count] * count


class _Folded(_Elementwise):
    """Two tensors at a time, from the first on."""

    def pair(self, plan: Plan, a: int, b: int, y: int) -> None:
        """y of a and b."""
        raise NotImplementedError

    def split(self, plan: Plan, dy: int, a: int, b: int, need: tuple[bool, bool]) -> tuple[int, int]:
        """The gradients for a and b."""
        raise NotImplementedError

    def merge(self, plan: Plan, x: Sequence[int]) -> tuple[int, Backward]:
        results = [x[0]]
        for tensor in x[1:]:
            results.append(plan.fixed(plan.buffers[tensor].size))
            self.pair(plan, results[-2], tensor, results[-1])

        def backward(dy: int, need: tuple[bool, ...]) -> tuple[int, ...]:
            parts = [ABSENT] * len(x)
            for i in range(len(x) - 1, 0, -1):
                dy, parts[i] = self.split(plan, dy, results[i - 1], x[i], (any(need[:i]), need[i]))
                if dy == ABSENT:
                    return tuple(parts)
            parts[0] = dy
            return tuple(parts)

        return results[-1], backward


class Multiply(_Folded):
    """The product of the tensors, element by element."""

    def pair(self, plan: Plan, a: int, b: int, y: int) -> None:
        plan.step("multiply", (a, b, y), ints=(plan.buffers[a].size,))

    def split(self, plan: Plan, dy: int, a: int, b: int, need: tuple[bool, bool]) -> tuple[int, int]:
        parts = []
        for needed, other in zip(need, (b, a)):
            parts.append(plan.fixed(plan.buffers[dy].size) if needed else ABSENT)
            if needed:
                plan.step("multiply", (dy, other, parts[-1]), ints=(plan.buffers[dy].size,))
        return parts[0], parts[1]


class Maximum(_Folded):
    """The largest of the tensors, element by element; where two are equal, each gets half of the gradient.

    So do Keras on PyTorch and JAX; TensorFlow gives it all to the first.
    """

    sign: ClassVar[float] = 1.0

    def pair(self, plan: Plan, a: int, b: int, y: int) -> None:
        plan.step("choose", (a, b, y), ints=(plan.buffers[a].size,), reals=(self.sign,))

    def split(self, plan: Plan, dy: int, a: int, b: int, need: tuple[bool, bool]) -> tuple[int, int]:
        length = plan.buffers[dy].size
        da, db = plan.fixed(length), plan.fixed(length)
        plan.step("choose_backward", (dy, a, b, da, db), ints=(length,), reals=(self.sign,))
        return da if need[0] else ABSENT, db if need[1] else ABSENT


class Minimum(Maximum):
    """The smallest of the tensors, element by element; see `Maximum`."""

    sign = -1.0


class Concatenate(Merge):
    """The tensors one behind the other.

    Parameters:
        axis: along which; counted with the batch, so from 1 on, or from the end as -1.  The other axes are equal.

    Raises:
        ValueError: another axis; shapes that do not fit.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)) or axis == 0:
            raise ValueError(f"Concatenate: axis must be a whole number, and not 0, the batch. Received: {axis!r}")
        self.axis = int(axis)

    @property
    def merges_masks(self) -> bool:  # type: ignore[override]
        """Not where time steps stand one behind the other."""
        return self.shape_in is not None and self._place(self.shape_in) > 0  # type: ignore[arg-type]

    def make_weights(self, input_shape: Any) -> None:
        self.shape_behind(input_shape)

    def _place(self, shapes: Shapes) -> int:
        """The axis, counted without the batch."""
        rank = len(shapes[0])
        place = self.axis - 1 if self.axis > 0 else rank + self.axis
        if not 0 <= place < rank or any(len(shape) != rank for shape in shapes):
            raise ValueError(f"{self.name}: expected tensors that all have axis {self.axis}. Received: {list(shapes)}")
        return place

    def infer_shape(self, input_shape: Any) -> Shape:
        shapes = self.check(input_shape)
        at = self._place(shapes)
        if len({(*shape[:at], *shape[at + 1 :]) for shape in shapes}) > 1:
            raise ValueError(
                f"{self.name}: expected shapes that are equal but along axis {self.axis}. Received: {list(shapes)}"
            )
        return (*shapes[0][:at], sum(shape[at] for shape in shapes), *shapes[0][at + 1 :])

    def emit(self, plan: Plan, x: Any) -> tuple[int, Backward]:
        assert self.shape_in is not None and self.shape_out is not None
        shapes: Shapes = self.shape_in  # type: ignore[assignment]
        at = self._place(shapes)
        rows, total = plan.batch * size(shapes[0][:at]), size(self.shape_out[at:])
        widths = [size(shape[at:]) for shape in shapes]
        firsts = [sum(widths[:i]) for i in range(len(widths))]
        y = plan.buffer(size(self.shape_out))
        for tensor, width, first in zip(x, widths, firsts):
            _strided.copy(plan, tensor, y, [Way(rows, width, total), Way(width, 1, 1)], (0, first))

        def backward(dy: int, need: tuple[bool, ...]) -> tuple[int, ...]:
            parts = []
            for shape, width, first, needed in zip(shapes, widths, firsts, need):
                parts.append(plan.buffer(size(shape)) if needed else ABSENT)
                if needed:
                    _strided.copy(plan, dy, parts[-1], [Way(rows, total, width), Way(width, 1, 1)], (first, 0))
            return tuple(parts)

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class Dot(Merge):
    """Dot products of two tensors, sample by sample: sums over one axis of each.

    The output has the other axes of the first tensor, then those of the second; (1,) if there are none.

    Parameters:
        axes: which axis of each, a pair or one number for both; counted with the batch, so from 1 on, or from the end.
        normalize: whether to divide by the Euclidean norms first, which gives cosines; norms below
            fastnn.config.epsilon() count as that.

    Raises:
        TypeError, ValueError: other axes, or axes of different lengths.
    """

    least = 2

    uses_mask = True  # there is none on its output, as in Keras

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pair = [axes, axes] if isinstance(axes, int) else axes
        if not isinstance(pair, (list, tuple)):
            raise TypeError(f"Dot: axes must be a whole number or a pair of them. Received: {axes!r}")
        if len(pair) != 2 or any(isinstance(a, bool) or not isinstance(a, int) or a == 0 for a in pair):
            raise ValueError(f"Dot: axes must be two whole numbers, and not 0, the batch. Received: {axes!r}")
        self.axes: int | list[int] = axes if isinstance(axes, int) else list(axes)
        self._pair = list(pair)
        self.normalize = bool(normalize)

    def make_weights(self, input_shape: Any) -> None:
        self.shape_behind(input_shape)

    def _places(self, input_shape: Any) -> tuple[Shapes, list[int]]:
        shapes = self.check(input_shape)
        if len(shapes) != 2:
            raise ValueError(f"{self.name}: expected 2 tensors. Received: {len(shapes)}")
        places = [a - 1 if a > 0 else len(shape) + a for a, shape in zip(self._pair, shapes)]
        fits = all(0 <= place < len(shape) for place, shape in zip(places, shapes))
        if not fits or shapes[0][places[0]] != shapes[1][places[1]]:
            raise ValueError(
                f"{self.name}: expected tensors whose axes {self.axes} are equally long. Received: {list(shapes)}"
            )
        return shapes, places

    def infer_shape(self, input_shape: Any) -> Shape:
        shapes, places = self._places(input_shape)
        rest = [n for shape, place in zip(shapes, places) for i, n in enumerate(shape) if i != place]
        return tuple(rest) or (1,)

    def emit(self, plan: Plan, x: Any) -> tuple[int, Backward]:
        shapes, places = self._places(self.shape_in)
        k = shapes[0][places[0]]
        rows, undo = [], []
        for tensor, shape, place in zip(x, shapes, places):
            row, back = self._rows(plan, tensor, shape, place)
            rows.append(row)
            undo.append(back)
        a, b = rows
        m, n = (size(shape) // k for shape in shapes)
        y = plan.buffer(m * n)
        work = m * n * k
        plan.step("products", (a, b, y), ints=(plan.batch, work, 0, 1, m, n, k))

        def backward(dy: int, need: tuple[bool, ...]) -> tuple[int, ...]:
            da = db = ABSENT
            if need[0]:
                da = plan.buffer(m * k)
                plan.step("products", (dy, b, da), ints=(plan.batch, work, 0, 0, m, k, n))
            if need[1]:
                db = plan.buffer(n * k)
                plan.step("products", (dy, a, db), ints=(plan.batch, work, 1, 0, n, k, m))
            return undo[0](da, need[0]), undo[1](db, need[1])

        return y, backward

    def _rows(self, plan: Plan, x: int, shape: Shape, place: int) -> tuple[int, Backward]:
        """The tensor as rows along the axis, of length 1 if they are normalized."""
        order = [0, *(i + 1 for i in range(len(shape)) if i != place), place + 1]
        whole = (plan.batch, *shape)
        y = _strided.permute(plan, x, whole, order)
        normalized: Backward | None = None
        if self.normalize:
            y, normalized = emit_rows(plan, y, "unit", shape[place], Affine(), config.epsilon())

        def backward(dy: int, need: bool) -> int:
            if not need:
                return ABSENT
            if normalized is not None:
                dy = normalized(dy, True)
            return _strided.permute(plan, dy, tuple(whole[i] for i in order), _strided.inverse(order))

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


# ------------------------------------------------------------------------------------------------------------ functions


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Add()(inputs)`."""
    return Add(**kwargs)(list(inputs))


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Subtract()(inputs)`."""
    return Subtract(**kwargs)(list(inputs))


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Multiply()(inputs)`."""
    return Multiply(**kwargs)(list(inputs))


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Average()(inputs)`."""
    return Average(**kwargs)(list(inputs))


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Maximum()(inputs)`."""
    return Maximum(**kwargs)(list(inputs))


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Minimum()(inputs)`."""
    return Minimum(**kwargs)(list(inputs))


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis)(inputs)`."""
    return Concatenate(axis=axis, **kwargs)(list(inputs))


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """`Dot(axes)(inputs)`."""
    return Dot(axes=axes, **kwargs)(list(inputs))
