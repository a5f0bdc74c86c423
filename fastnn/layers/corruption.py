"""Layers that corrupt data in training, for denoising autoencoders; at inference they are the identity.

Gaussian noise is in `regularization`.  Random as everything there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from .regularization import _Noise


class MaskingNoise(_Noise):
    """In training each element is 0 with probability `rate`, and stays what it is otherwise.

    Parameters:
        rate: from 0 up to, not including, 1.
        seed: from 0 to 2**32 - 1; by default drawn when the layer is made.

    Raises:
        ValueError: the rate is out of range.

    Notes:
        `Dropout` with the same rate also divides what stays by 1 - rate; here what stays can be recognised.

    References:
        Vincent, Larochelle, Bengio and Manzagol, "Extracting and composing robust features with denoising
        autoencoders", ICML 2008.
    """

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)

    def _emit(self, plan: Plan, x: int, n: int, stream: int) -> tuple[int, Backward]:
        mask = plan.buffer(n // plan.batch, np.uint8)
        plan.step("dropout_mask", (mask,), ints=(n, stream), reals=(self.amount,))
        return _masked(plan, x, mask, n), lambda dy, need_dx: _masked(plan, dy, mask, n) if need_dx else ABSENT


class SaltAndPepperNoise(_Noise):
    """In training each element becomes `low` or `high` with probability rate / 2 each, and stays what it is otherwise.

    Parameters:
        rate: from 0 up to, not including, 1.
        low, high: the ends of the range of the data.
        seed: from 0 to 2**32 - 1; by default drawn when the layer is made.

    Raises:
        ValueError: the rate is out of range.

    References:
        Vincent, Larochelle, Lajoie, Bengio and Manzagol, "Stacked denoising autoencoders", JMLR 11, 2010.
    """

    supports_masking = True

    def __init__(
        self, rate: float, low: float = 0.0, high: float = 1.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        self.low, self.high = float(low), float(high)

    def _emit(self, plan: Plan, x: int, n: int, stream: int) -> tuple[int, Backward]:
        per_sample = n // plan.batch
        y, mask = plan.buffer(per_sample), plan.buffer(per_sample, np.uint8)
        plan.step("salt_and_pepper", (x, y, mask), ints=(n, stream), reals=(self.amount, self.low, self.high))
        return y, lambda dy, need_dx: _masked(plan, dy, mask, n) if need_dx else ABSENT

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "low": self.low, "high": self.high}


def _masked(plan: Plan, x: int, mask: int, n: int) -> int:
    y = plan.buffer(n // plan.batch)
    plan.step("masked_scale", (x, mask, y), ints=(n,), reals=(1.0,))
    return y
