"""Layers that bring data into a range: Normalization, by the statistics of a data set, and Rescaling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops._norm_geometry import FLOORED, INVERTED, Geometry, geometry

from ._normalizing import Affine, emit_given, emit_scaled, one_axis
from .base import Layer, Shape, size

Doubles = npt.NDArray[np.float64]
EPSILON = 1e-7  # keras.config.epsilon()


def _real(where: str, name: str, value: Any) -> Doubles:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if not np.isfinite(array).all():
        raise ValueError(f"{where}: {name} must be a finite number or an array of them. Received: {value!r}")
    return array


class Normalization(Layer):
    """Shift and scale data to mean 0 and deviation 1, by statistics that are given or that `adapt` takes from data.

    ``y = (x - mean) / max(sqrt(variance), 1e-7)``; with invert ``y = mean + x * max(sqrt(variance), 1e-7)``

    Parameters:
        axis: one or several, counted with the batch as 0: each of their elements has statistics of its own; None or ()
        for
            one mean and variance of all.
        mean, variance: both, of the shape of the axes or broadcast against it from the right, or neither.
        invert: whether to undo the normalization.

    Weights, unless mean and variance are given: mean, variance, count (unused, as in Keras), none of them trained.

    Raises:
        ValueError: only one of mean and variance is given, they do not fit, or there is no such axis.
    """

    supports_masking = True

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        given = () if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
        self.axis = tuple(int(a) for a in given)
        if (mean is None) != (variance is None):
            raise ValueError(
                f"Normalization: mean and variance must both be given, or neither. "
                f"Received: mean {mean!r}, variance {variance!r}"
            )
        self.mean = None if mean is None else _real("Normalization", "mean", mean)
        self.variance = None if variance is None else _real("Normalization", "variance", variance)
        if self.mean is not None and self.variance is not None:
            if self.mean.shape != self.variance.shape or self.mean.ndim > len(self.axis):
                raise ValueError(
                    f"Normalization: mean and variance must have one shape, with at most one axis for each of `axis`. "
                    f"Received: shapes {self.mean.shape} and {self.variance.shape}, axis {self.axis}"
                )
            if (self.variance < 0).any():
                raise ValueError(f"Normalization: variance must not be negative. Received: {variance!r}")
        self.invert = bool(invert)

    def _kept(self, shape: Shape) -> list[int]:
        kept = sorted(one_axis(self.name, a, shape) for a in self.axis)
        if len(set(kept)) < len(kept):
            raise ValueError(f"{self.name}: axis must name each axis once. Received: {self.axis}")
        return kept

    def make_weights(self, input_shape: Shape) -> None:
        shape = tuple(input_shape[a] for a in self._kept(input_shape))
        if self.mean is None:
            self.adapted_mean = self.add_weight("mean", shape, "zeros", trainable=False)
            self.adapted_variance = self.add_weight("variance", shape, "ones", trainable=False)
            self.add_weight("count", (), "zeros", trainable=False)
        else:
            try:
                np.broadcast_to(self.mean, shape)
            except ValueError:
                raise ValueError(
                    f"{self.name}: mean and variance must fit the shape {shape} of the axes {self.axis}. "
                    f"Received: shape {self.mean.shape}"
                ) from None

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data, and forget earlier ones.

        Parameters:
            data: an array of samples, or an iterable of batches of them; of a tuple, the first entry counts.

        Raises:
            ValueError: mean and variance were given, there is no data, or it has another shape than the layer.
            TypeError: data is neither.
        """
        if self.mean is not None:
            raise ValueError(f"{self.name}: adapt is for layers without given statistics. Received: mean {self.mean}")
        mean = squares = None
        count = 0
        for batch in _batches(self.name, data):
            self.build_once(batch.shape[1:])
            kept = self._kept(batch.shape[1:])
            others = tuple(a for a in range(batch.ndim) if a - 1 not in kept)
            more = int(np.prod([batch.shape[a] for a in others], dtype=np.int64))
            if not more:
                continue
            new = batch.mean(axis=others, dtype=np.float64)
            spread = np.square(batch - np.expand_dims(new, others), dtype=np.float64).sum(axis=others)
            if mean is None:
                mean, squares, count = new, spread, more
                continue
            delta, total = new - mean, count + more
            mean = mean + delta * (more / total)
            squares = squares + spread + delta * delta * (count * more / total)
            count = total
        if mean is None or squares is None:
            raise ValueError(f"{self.name}: adapt needs data. Received: no samples")
        self.adapted_mean.assign(mean)
        self.adapted_variance.assign(squares / count)

    def _view(self, plan: Plan, shape: Shape) -> tuple[Geometry, np.ndarray | None]:
        """Statistics along the axes, and, where they are not neighbours, which elements of a sample share each."""
        kept = self._kept(shape)
        if not kept:
            return geometry(1, plan.batch * size(shape), 1), None
        first, last = kept[0], kept[-1]
        if last - first + 1 == len(kept):
            channels = size(shape[first : last + 1])
            return geometry(1, plan.batch * size(shape[:first]), channels, size(shape[last + 1 :])), None
        numbers = np.arange(size(tuple(shape[a] for a in kept))).reshape(
            [n if a in kept else 1 for a, n in enumerate(shape)]
        )
        owner = np.broadcast_to(numbers, shape).reshape(-1)
        members = np.argsort(owner, kind="stable").astype(np.int32)
        return geometry(1, plan.batch, size(shape)), members

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        view, members = self._view(plan, self.shape_in)
        if self.mean is None or self.variance is None:
            buffers = [plan.parameter(self.adapted_mean), plan.parameter(self.adapted_variance)]
        else:
            shape = tuple(self.shape_in[a] for a in self._kept(self.shape_in))
            values = (np.ascontiguousarray(np.broadcast_to(a, shape), plan.dtype) for a in (self.mean, self.variance))
            buffers = [plan.constant(value.reshape(-1)) for value in values]
        if members is not None:
            owners = plan.constant(members)
            for i, values_of in enumerate(buffers):
                buffers[i] = plan.fixed(view.channels)
                count = plan.buffers[values_of].size
                plan.step("expand", (values_of, owners, buffers[i]), ints=(count, view.channels // count, 0))
        rule = INVERTED if self.invert else FLOORED
        return emit_given(plan, x, view, Affine(), EPSILON, buffers[0], buffers[1], rule)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": list(self.axis),
            "mean": None if self.mean is None else self.mean.tolist(),
            "variance": None if self.variance is None else self.variance.tolist(),
            "invert": self.invert,
        }


def _batches(where: str, data: Any) -> Iterator[np.ndarray]:
    if hasattr(data, "__array__"):
        data = (data,)
    elif not isinstance(data, Iterable):
        raise TypeError(f"{where}: adapt takes an array or an iterable of batches. Received: {data!r}")
    for batch in data:
        array = np.asarray(batch[0] if isinstance(batch, (tuple, list)) and batch else batch)
        if array.dtype.kind not in "biuf" or not array.ndim:
            raise TypeError(f"{where}: adapt takes arrays of real numbers, samples first. Received: {array!r:.80}")
        yield array


class Rescaling(Layer):
    """``y = x * scale + offset``, in training and at inference.

    Parameters:
        scale, offset: numbers, or arrays that broadcast against a sample from the right.

    Raises:
        ValueError: they are not finite numbers, or do not fit the samples.
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = _real("Rescaling", "scale", scale), _real("Rescaling", "offset", offset)

    def make_weights(self, input_shape: Shape) -> None:
        axes = max(self.scale.ndim, self.offset.ndim)
        try:
            if axes > len(input_shape):
                raise ValueError
            for value in (self.scale, self.offset):  # where the length is not known, the value must not need it
                np.broadcast_to(value, [n or 1 for n in input_shape[len(input_shape) - axes :]])
        except ValueError:
            raise ValueError(
                f"{self.name}: scale and offset must broadcast against samples of shape {input_shape}. "
                f"Received: shapes {self.scale.shape} and {self.offset.shape}"
            ) from None

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        assert self.shape_in is not None
        axes = max(self.scale.ndim, self.offset.ndim)
        shape = self.shape_in[len(self.shape_in) - axes :] if axes else ()
        view = geometry(1, plan.batch * size(self.shape_in) // size(shape), size(shape))

        def coefficients(offset: Any) -> int:
            parts = [np.broadcast_to(value, shape).reshape(-1) for value in (0.0, self.scale, offset)]
            return plan.constant(np.concatenate(parts).astype(plan.dtype))

        back = coefficients(0.0) if plan.learning else ABSENT
        return emit_scaled(plan, x, view, coefficients(self.offset), back)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale.tolist(), "offset": self.offset.tolist()}
