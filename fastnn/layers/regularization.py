"""Layers that disturb in training what passes them, or charge for it; at inference they are the identity.

Everything random is a function of (seed of the model, seed and place of the layer, step, element), as in `Dropout`: the
same for any number of threads, and in a training that is continued.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastnn import regularizers, seeds
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.reference.noise import alpha_dropout_numbers

from .base import Layer, Shape, size
from .core import random_stream


def _unchanged(dy: int, need_dx: bool) -> int:
    return dy


class _Noise(Layer):
    """A number from 0 to 1 that says how much, and a seed."""

    argument: ClassVar[str] = "rate"
    includes_one: ClassVar[bool] = False

    def __init__(self, amount: float, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        real = isinstance(amount, (int, float, np.integer, np.floating)) and not isinstance(amount, bool)
        if not real or not 0 <= amount <= 1 or (amount == 1 and not self.includes_one):
            interval = "[0, 1]" if self.includes_one else "[0, 1)"
            raise ValueError(f"{type(self).__name__}: {self.argument} must be in {interval}. Received: {amount!r}")
        self.amount = float(amount)
        setattr(self, self.argument, self.amount)
        # as in Keras, a layer that changes nothing takes no seed away from the layers behind it
        self.seed = seeds.make_seed() if seed is None and amount else seeds.check_seed(seed or 0)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        if not plan.training or self.amount == 0:
            return x, _unchanged
        return self._emit(plan, x, plan.batch * size(self._shape()), random_stream(plan, self.seed))

    def _emit(self, plan: Plan, x: int, n: int, stream: int) -> tuple[int, Backward]:
        raise NotImplementedError

    def _shape(self) -> Shape:
        assert self.shape_in is not None
        return self.shape_in

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), self.argument: self.amount, "seed": self.seed}


class _SpatialDropout(_Noise):
    """Dropout of whole channels."""

    rank: ClassVar[int]
    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)
        if data_format not in (None, "channels_last", "channels_first") or (data_format and self.rank == 1):
            raise ValueError(
                f"{type(self).__name__}: data_format must be 'channels_last' or 'channels_first'. "
                f"Received: {data_format!r}"
            )
        self.data_format = data_format or "channels_last"

    def make_weights(self, input_shape: Shape) -> None:
        if len(input_shape) != self.rank + 1:
            raise ValueError(f"{self.name}: expected samples with {self.rank + 1} axes. Received: {input_shape}")

    def _emit(self, plan: Plan, x: int, n: int, stream: int) -> tuple[int, Backward]:
        shape, per_sample = self._shape(), size(self._shape())
        first = self.data_format == "channels_first"
        count = shape[0 if first else -1]
        # channels first: every channel is an image of one channel
        ints = (plan.batch * count, per_sample // count, 1) if first else (plan.batch, per_sample, count)
        mask, scale = plan.buffer(count, np.uint8), (1 / (1 - self.amount),)
        plan.step("dropout_mask", (mask,), ints=(plan.batch * count, stream), reals=(self.amount,))

        def masked(source: int) -> int:
            target = plan.buffer(per_sample)
            plan.step("masked_channels", (source, mask, target), ints=ints, reals=scale)
            return target

        return masked(x), lambda dy, need_dx: masked(dy) if need_dx else ABSENT

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config if self.rank == 1 else {**config, "data_format": self.data_format}


class SpatialDropout1D(_SpatialDropout):
    """In training each channel of a sequence is zero with probability `rate`, the others are divided by 1 - rate.

    Parameters:
        rate: from 0 up to, not including, 1.
        seed: from 0 to 2**32 - 1; by default drawn when the layer is made.

    Raises:
        ValueError: the rate is out of range, or samples are not (steps, channels).

    References:
        Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.
    """

    rank = 1

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)


class SpatialDropout2D(_SpatialDropout):
    """In training each channel of an image is zero with probability `rate`, the others are divided by 1 - rate.

    Parameters:
        rate: from 0 up to, not including, 1.
        data_format: "channels_last" (the default) or "channels_first".
        seed: from 0 to 2**32 - 1; by default drawn when the layer is made.

    Raises:
        ValueError: the rate is out of range, or samples are not images.

    References:
        Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.
    """

    rank = 2

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, data_format, **kwargs)


class SpatialDropout3D(_SpatialDropout):
    """In training each channel of a volume is zero with probability `rate`, the others are divided by 1 - rate.

    Parameters:
        rate: from 0 up to, not including, 1.
        data_format: "channels_last" (the default) or "channels_first".
        seed: from 0 to 2**32 - 1; by default drawn when the layer is made.

    Raises:
        ValueError: the rate is out of range, or samples are not volumes.

    References:
        Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.
    """

    rank = 3

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, data_format, **kwargs)


class AlphaDropout(_Noise):
    """Dropout for SELU: elements drop to SELU's limit at minus infinity, and mean 0 and variance 1 stay what they are.

    ``y = a * x + b`` for elements kept, ``a * low + b`` for others, with ``low = -1.7580993408473766``,
    ``a = ((1 - rate) * (1 + rate * low ** 2)) ** -1/2`` and ``b = -a * rate * low``

    Parameters:
        rate: from 0 up to, not including, 1.
        noise_shape: not served: only None.
        seed: from 0 to 2**32 - 1; by default drawn when the layer is made.

    Raises:
        ValueError: the rate is out of range.

    References:
        Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NIPS 2017.
    """

    supports_masking = True
    neutral_options: ClassVar[Mapping[str, tuple[Any, ...]]] = {**Layer.neutral_options, "noise_shape": (None,)}

    def __init__(self, rate: float, noise_shape: None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, noise_shape=noise_shape, **kwargs)

    def _emit(self, plan: Plan, x: int, n: int, stream: int) -> tuple[int, Backward]:
        per_sample, numbers = n // plan.batch, alpha_dropout_numbers(self.amount)
        y, mask = plan.buffer(per_sample), plan.buffer(per_sample, np.uint8)
        plan.step("alpha_dropout", (x, y, mask), ints=(n, stream), reals=(self.amount, *numbers))

        def backward(dy: int, need_dx: bool) -> int:
            if not need_dx:
                return ABSENT
            dx = plan.buffer(per_sample)
            plan.step("masked_scale", (dy, mask, dx), ints=(n,), reals=numbers[:1])
            return dx

        return y, backward


class GaussianDropout(_Noise):
    """In training each element is multiplied by a normal number of mean 1 and deviation ``sqrt(rate / (1 - rate))``.

    Parameters:
        rate: from 0 up to, not including, 1.
        seed: from 0 to 2**32 - 1; by default drawn when the layer is made.

    Raises:
        ValueError: the rate is out of range.

    References:
        Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.
    """

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)

    def _emit(self, plan: Plan, x: int, n: int, stream: int) -> tuple[int, Backward]:
        per_sample, deviation = n // plan.batch, math.sqrt(self.amount / (1 - self.amount))
        factors = plan.buffer(per_sample)
        plan.step("gaussian_noise", (factors,), ints=(n, stream), reals=(1.0, deviation))

        def multiplied(source: int) -> int:
            target = plan.buffer(per_sample)
            plan.step("multiply", (source, factors, target), ints=(n,))
            return target

        return multiplied(x), lambda dy, need_dx: multiplied(dy) if need_dx else ABSENT


class GaussianNoise(_Noise):
    """In training a normal number of mean 0 is added to each element.

    Parameters:
        stddev: its deviation, from 0 to 1.
        seed: from 0 to 2**32 - 1; by default drawn when the layer is made.

    Raises:
        ValueError: stddev is out of range.
    """

    argument = "stddev"
    includes_one = True
    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(stddev, seed, **kwargs)

    def _emit(self, plan: Plan, x: int, n: int, stream: int) -> tuple[int, Backward]:
        y = plan.buffer(n // plan.batch)
        plan.step("gaussian_noise", (y,), ints=(n, stream), reals=(0.0, self.amount))
        plan.step("combine", (x, y, ABSENT), ints=(n, -1, -1, 0), reals=(1.0, 1.0))
        return y, _unchanged


class ActivityRegularization(Layer):
    """Adds ``(l1 * sum(|x|) + l2 * sum(x ** 2)) / samples`` to the loss, and lets its input pass.

    Parameters:
        l1, l2: factors, not negative.

    Raises:
        ValueError: a factor is negative, or no number.
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = float(l1), float(l2)

    def emit(self, plan: Plan, x: int) -> tuple[int, Backward]:
        return x, _unchanged

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "l1": self.l1, "l2": self.l2}
        del config["activity_regularizer"]
        return config
