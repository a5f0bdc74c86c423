"""Steps of a plan (fastnn.engine.plan) that draw noise beside dropout; formulas stand in `noise`."""

from __future__ import annotations

from typing import Any

from . import noise, random
from .steps import operation


@operation
def alpha_dropout(program: Any, step: Any, x: Any, y: Any, mask: Any) -> None:
    rate, *numbers = step.reals
    mask[...] = noise.dropout_mask(mask.size, rate, program.seed, step.ints[1], program.step)
    y[...] = noise.alpha_dropout(x, mask, *numbers)


@operation
def dropout_mask(program: Any, step: Any, mask: Any) -> None:
    mask[...] = noise.dropout_mask(mask.size, step.reals[0], program.seed, step.ints[1], program.step)


@operation
def masked_channels(program: Any, step: Any, x: Any, mask: Any, y: Any) -> None:
    images, elements, channels = step.ints
    shape = images, elements // channels, channels
    y[...] = random.masked_scale(x.reshape(shape), mask.reshape(images, 1, channels), step.reals[0]).reshape(-1)


@operation
def gaussian_noise(program: Any, step: Any, y: Any) -> None:
    mean, deviation = step.reals
    y[...] = noise.gaussian_noise(y.size, mean, deviation, program.seed, step.ints[1], program.step)


@operation
def bernoulli(program: Any, step: Any, p: Any, y: Any) -> None:
    y[...] = noise.bernoulli(p, program.seed, step.ints[1], program.step)


@operation
def salt_and_pepper(program: Any, step: Any, x: Any, y: Any, mask: Any) -> None:
    rate, low, high = step.reals
    y[...], mask[...] = noise.salt_and_pepper(x, rate, low, high, program.seed, step.ints[1], program.step)
