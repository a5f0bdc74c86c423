"""Activations as layers of their own, without weights: ReLU, LeakyReLU, ELU, Softmax, RReLU, GLU, MaxoutActivation; and
Maxout, a dense layer of several linear pieces.

Axes are counted as in Keras, where axis 0 is the batch.  Work along the last axis is done by kernels; along another
axis a step in Python does it, which is slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn import activations, ops, seeds
from fastnn._errors import unknown
from fastnn.activations import LINEAR, ActivationSpec
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops.activations import ROWS
from fastnn.ops.gates import GATES

from . import _strided, _weights
from ._strided import Way
from ._weights import Arguments
from .base import Layer, Shape, size
from .core import Activation, emit_activation, emit_affine, emit_gate, random_stream


def _number(where: str, name: str, value: Any, least: float | None = 0.0) -> float:
    """A real number, not below `least`."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not np.isfinite(value) or (least is not None and value < least):
        bound = "" if least is None else f" and at least {least:g}"
        raise ValueError(f"{where}: {name} must be a finite number{bound}. Received: {value!r}")
    return float(value)


def _count(where: str, name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{where}: {name} must be a positive whole number. Received: {value!r}")
    return int(value)


# -------------------------------------------------------------------------------------------------------- element-wise


class _Elementwise(Activation):
    """A row of the activation table with parameters that the layer's arguments state."""

    def get_config(self) -> dict[str, Any]:
        return Layer.get_config(self)


class ReLU(_Elementwise):
    """y = max_value where x >= max_value, x where threshold < x < max_value, negative_slope (x - threshold) elsewhere.

    Parameters:
        max_value: at least 0; None for no limit.
        negative_slope: at least 0.
        threshold: at least 0.
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        self.max_value = None if max_value is None else _number("ReLU", "max_value", max_value)
        self.negative_slope = _number("ReLU", "negative_slope", negative_slope)
        self.threshold = _number("ReLU", "threshold", threshold)
        super().__init__(self._spec(), **kwargs)

    def _spec(self) -> ActivationSpec:
        if self.max_value is None and not self.threshold:
            if not self.negative_slope:
                return activations.get("relu")
            return ActivationSpec("leaky_relu", "leaky_relu", "x", (self.negative_slope,))
        if "rectifier" not in ROWS:
            raise ValueError(
                "ReLU: max_value and threshold are not served; expected None and 0. "
                f"Received: {self.max_value}, {self.threshold}"
            )
        limit = np.inf if self.max_value is None else self.max_value
        params = {"negative_slope": self.negative_slope, "max_value": limit, "threshold": self.threshold}
        row = ROWS["rectifier"]
        return ActivationSpec(row.name, row.name, row.keeps, tuple(params[name] for name in row.params))

    def get_config(self) -> dict[str, Any]:
        own = {"max_value": self.max_value, "negative_slope": self.negative_slope, "threshold": self.threshold}
        return {**super().get_config(), **own}


class LeakyReLU(_Elementwise):
    """y = x where x > 0, negative_slope x elsewhere.

    Parameters:
        negative_slope: at least 0; 0.3 as in Keras.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        self.negative_slope = _number("LeakyReLU", "negative_slope", negative_slope)
        super().__init__(ActivationSpec("leaky_relu", "leaky_relu", "x", (self.negative_slope,)), **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(_Elementwise):
    """y = x where x > 0, alpha (exp(x) - 1) elsewhere.

    Parameters:
        alpha: at least 0.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        self.alpha = _number("ELU", "alpha", alpha)
        super().__init__(ActivationSpec("elu", "elu", "y", (self.alpha,)), **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


class RReLU(Layer):
    """y = x where x > 0, slope x elsewhere; in training every element draws its slope anew, else it is the mean.

    The slopes are a function of (seed of the model, seed and place of the layer, step, element), like Dropout's masks.

    Parameters:
        lower, upper: the interval that slopes are drawn from.
        seed: from 0 to 2**32 - 1; by default drawn when the layer is made.

    References:
        Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015, arXiv:1505.00853.
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lower, self.upper = _number("RReLU", "lower", lower), _number("RReLU", "upper", upper)
        if self.lower > self.upper:
            raise ValueError(f"RReLU: lower must not be above upper. Received: {lower!r}, {upper!r}")
        self.seed = seeds.make_seed() if seed is None else seeds.check_seed(seed)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        per_sample = size(self.shape_in)
        n = plan.batch * per_sample
        if not plan.training:
            mean = activations.get("leaky_relu")._replace(params=((self.lower + self.upper) / 2,))
            return emit_activation(plan, mean, x, self.shape_in)
        y = plan.buffer(per_sample)
        slopes = plan.buffer(per_sample)
        ints = (n, random_stream(plan, self.seed))
        plan.step("rrelu", (x, y, slopes), ints=ints, reals=(self.lower, self.upper))

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.buffer(per_sample)
            plan.step("multiply", (dy, slopes, dx), ints=(n,))
            return dx

        return y, backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "lower": self.lower, "upper": self.upper, "seed": self.seed}


# -------------------------------------------------------------------------------------------------------- along an axis


class _AlongAxis(Layer):
    """A function of fastnn.ops along one axis of a sample."""

    def __init__(self, axis: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(axis, (list, tuple)) and len(axis) == 1:
            axis = axis[0]
        self.axis = self._one_axis(axis)

    def _one_axis(self, axis: Any) -> int:
        if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)) or axis == 0:
            raise ValueError(
                f"{type(self).__name__}: axis must be one whole number, not 0, the batch. Received: {axis!r}"
            )
        return int(axis)

    def place(self, shape: Shape, axis: int | None = None) -> int:
        """The axis, by default that of the layer, counted in samples of this shape.

        Raises:
            ValueError: it is not there.
        """
        axis = self.axis if axis is None else axis
        place = axis + len(shape) if axis < 0 else axis - 1
        if not 0 <= place < len(shape):
            raise ValueError(f"{self.name}: axis {axis} is not one of a sample's. Received: shape {shape}")
        return place

    def make_weights(self, input_shape: Shape) -> None:
        self.shape_behind(input_shape)

    def is_last(self) -> bool:
        assert self.shape_in is not None
        return self.place(self.shape_in) == len(self.shape_in) - 1

    def in_python(
        self,
        plan: Plan,
        x: int,
        forward: Callable[..., Any],
        backward: Callable[..., Any],
        keeps: str,
        operations: tuple[int, int],
    ) -> tuple[int, Backward]:
        """Steps that call forward(x, axis=, out=) and backward(dy, kept, axis=, out=).

        operations: that both count for each element of the output.
        """
        assert self.shape_in is not None and self.shape_out is not None
        axis = self.place(self.shape_in) + 1
        wide, narrow = (plan.batch, *self.shape_in), (plan.batch, *self.shape_out)
        y = plan.buffer(size(self.shape_out))

        def run(step: int, x: Any, y: Any) -> None:
            forward(x.reshape(wide), axis=axis, out=y.reshape(narrow))

        def run_back(step: int, dy: Any, kept: Any, dx: Any) -> None:
            kept = kept.reshape(wide if keeps == "x" else narrow)
            backward(dy.reshape(narrow), kept, axis=axis, out=dx.reshape(wide))

        count = math.prod(narrow)
        plan.step("call", (x, y), ints=(operations[0] * count,), call=run)

        def emit_backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.buffer(size(wide[1:]))
            buffers = (dy, x if keeps == "x" else y, dx)
            plan.step("call", buffers, ints=(operations[1] * count,), call=run_back)
            return dx

        return y, emit_backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": list(self.axis) if isinstance(self.axis, tuple) else self.axis}


class Softmax(_AlongAxis):
    """Probabilities proportional to exp(x), along one axis or several.

    Parameters:
        axis: the axis along which they sum to 1; -1, the last, by default; a tuple of axes over which they sum to 1
            together.

    Raises:
        ValueError: not such axes.
    """

    axis: int | tuple[int, ...]  # type: ignore[assignment]

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        several = isinstance(axis, (list, tuple)) and len(axis) > 1
        super().__init__(axis[0] if several else axis, **kwargs)  # type: ignore[index, arg-type]
        if several:
            self.axis = tuple(self._one_axis(one) for one in axis)  # type: ignore[union-attr]

    def _places(self, shape: Shape) -> list[int]:
        """The axes, counted in samples of this shape.

        Raises:
            ValueError: one is not there, or is named twice.
        """
        named = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        places = [self.place(shape, axis) for axis in named]
        if len(set(places)) < len(places):
            raise ValueError(f"{self.name}: expected each axis once. Received: {self.axis} for samples {shape}")
        return sorted(places)

    def infer_shape(self, input_shape: Shape) -> Shape:
        self._places(input_shape)
        return input_shape

    def is_last(self) -> bool:
        return not isinstance(self.axis, tuple) and super().is_last()

    @property
    def activation(self) -> ActivationSpec | None:
        """What losses look at: those that are computed from logits leave the last softmax out."""
        return activations.get("softmax") if self.built and self.is_last() else None

    def emit(self, plan: Plan, x: int, bare: bool = False) -> tuple[int, Backward]:
        assert self.shape_in is not None
        if isinstance(self.axis, tuple):
            return emit_softmax_over(plan, x, self.shape_in, self._places(self.shape_in))
        if not self.is_last():
            return self.in_python(plan, x, ops.softmax, ops.softmax_backward, "y", (4, 4))
        return emit_activation(plan, LINEAR if bare else activations.get("softmax"), x, self.shape_in)


def emit_softmax_over(plan: Plan, x: int, shape: Shape, places: Sequence[int]) -> tuple[int, Backward]:
    """Steps of a softmax over several axes of a sample: they are moved to the end, which is a row."""
    order = [i for i in range(len(shape)) if i not in places] + list(places)
    cols = math.prod(shape[i] for i in places)
    ints = (plan.batch * size(shape) // cols, cols)
    moved = tuple(shape[i] for i in order)
    steps, ends = _strided.steps(shape), _strided.steps(moved)
    ways = [Way(plan.batch, size(shape), size(shape)), *(Way(shape[i], steps[i], end) for i, end in zip(order, ends))]

    def there(source: int, back: bool = False) -> int:
        if moved == shape and order == sorted(order):
            return source
        target = plan.buffer(size(shape))
        _strided.copy(plan, source, target, [Way(way.size, way.y, way.x) for way in ways] if back else ways)
        return target

    given, y = there(x), plan.buffer(size(shape))
    plan.step("softmax", (given, y), ints=ints)

    def backward(dy: int, need_dx: bool) -> int:
        if not need_dx:
            return ABSENT
        dx = plan.buffer(size(shape))
        plan.step("softmax_backward", (there(dy), y, dx), ints=ints)
        return there(dx, back=True)

    return there(y, back=True), backward


class GLU(_AlongAxis):
    """A gated linear unit: the first half of an axis times an activation of the second half.

    Parameters:
        variant: "glu" (sigmoid), "bilinear" (no activation), "reglu" (ReLU), "geglu" (GELU) or "swiglu" (SiLU).
        axis: the axis that is cut in halves.

    Raises:
        ValueError: an unknown variant, or an axis with an odd number of elements.

    References:
        Dauphin et al., "Language modeling with gated convolutional networks", ICML 2017.
        Shazeer, "GLU variants improve transformer", 2020, arXiv:2002.05202.
    """

    def __init__(self, variant: str = "glu", axis: int = -1, **kwargs: Any) -> None:
        super().__init__(axis, **kwargs)
        if variant not in GATES:
            raise unknown("variant of GLU", variant, GATES)
        self.variant = variant

    def infer_shape(self, input_shape: Shape) -> Shape:
        return cut(self, input_shape, self.place(input_shape), 2)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        if self.is_last():
            return emit_gate(plan, self.variant, x, self.shape_in)
        gated, backward = getattr(ops, self.variant), getattr(ops, f"{self.variant}_backward")
        return self.in_python(plan, x, gated, backward, "x", (2, 5))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "variant": self.variant}


def cut(layer: Layer, shape: Shape, place: int, parts: int) -> Shape:
    """The shape with one axis divided.

    Raises:
        ValueError: it cannot be divided.
    """
    if shape[place] % parts:
        raise ValueError(
            f"{layer.name}: the axis must have a multiple of {parts} elements. Received: {shape[place]} of {shape}"
        )
    return (*shape[:place], shape[place] // parts, *shape[place + 1 :])


# --------------------------------------------------------------------------------------------------------------- maxout


def emit_maxout(plan: Plan, x: int, rows: int, units: int, pieces: int) -> tuple[int, Backward]:
    """Steps of maxout over groups of the last axis."""
    y = plan.buffer(rows * units // plan.batch)
    plan.step("maxout", (x, y), ints=(rows, units, pieces))

    def backward(dy: int, need_dx: bool) -> int:
        if not need_dx:
            return ABSENT
        dx = plan.buffer(rows * units * pieces // plan.batch)
        plan.step("maxout_backward", (dy, x, dx), ints=(rows, units, pieces))
        return dx

    return y, backward


class MaxoutActivation(_AlongAxis):
    """The largest of `pieces` neighbours along an axis, which becomes shorter by that factor.

    Parameters:
        pieces: how many neighbours make a group.
        axis: the axis that is cut into groups.
    """

    def __init__(self, pieces: int = 2, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(axis, **kwargs)
        self.pieces = _count("MaxoutActivation", "pieces", pieces)

    def infer_shape(self, input_shape: Shape) -> Shape:
        return cut(self, input_shape, self.place(input_shape), self.pieces)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None and self.shape_out is not None
        if self.is_last():
            units = self.shape_out[-1]
            return emit_maxout(plan, x, plan.batch * size(self.shape_out) // units, units, self.pieces)

        def forward(x: Any, axis: int, out: Any) -> Any:
            return ops.maxout(x, self.pieces, axis, out=out)

        def backward(dy: Any, x: Any, axis: int, out: Any) -> Any:
            return ops.maxout_backward(dy, x, self.pieces, axis, out=out)

        return self.in_python(plan, x, forward, backward, "x", (self.pieces - 1, 0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pieces": self.pieces}


class Maxout(Layer):
    """A dense layer that learns its activation: each unit is the largest of several linear functions of the input.

    Parameters:
        units: size of the output's last axis.
        pieces: linear functions for each unit.
        use_bias: whether they have a constant part.
        kernel_initializer, bias_initializer: how the kernel, shape (inputs, units * pieces) with the pieces of a unit
            side by side, and the bias, shape (units * pieces,), start.
        kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: as in `Dense`.

    References:
        Goodfellow et al., "Maxout networks", ICML 2013.
    """

    def __init__(
        self,
        units: int,
        pieces: int = 2,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units, self.pieces = _count("Maxout", "units", units), _count("Maxout", "pieces", pieces)
        self.use_bias = bool(use_bias)
        kernel = Arguments(kernel_initializer, kernel_regularizer, kernel_constraint)
        _weights.take(self, {"kernel": kernel, "bias": Arguments(bias_initializer, bias_regularizer, bias_constraint)})

    def make_weights(self, input_shape: Shape) -> None:
        if not input_shape:
            raise ValueError(f"{self.name}: expected inputs with an axis after the batch. Received: {input_shape}")
        columns = self.units * self.pieces
        self.kernel = _weights.add(self, "kernel", (input_shape[-1], columns))
        self.bias = _weights.add(self, "bias", (columns,)) if self.use_bias else None

    def infer_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        rows = plan.batch * size(self.shape_in[:-1])
        z, linear = emit_affine(plan, LINEAR, x, self.kernel, self.bias, rows)
        y, largest = emit_maxout(plan, z, rows, self.units, self.pieces)
        return y, lambda dy, need_dx: linear(largest(dy, True), need_dx)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "use_bias": self.use_bias,
            **_weights.config(self, ("kernel", "bias")),
        }
