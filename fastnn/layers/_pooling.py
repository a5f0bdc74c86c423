"""The steps of pooling channels-last sequences, images and volumes, one or two axes at a time."""

from __future__ import annotations

import math

import numpy as np

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._windows import Axis, window


def pool(plan: Plan, x: int, images: int, axes: tuple[Axis, ...], channels: int, average: bool) -> tuple[int, Backward]:
    """Max or average pooling of so many sequences, images or volumes; returns y and what adds the backward steps.

    Volumes are pooled slice by slice, and then across the slices: the average of averages is the average, because in
    every slice of a window as many elements count, and the first of several equal maxima stays the first.
    """
    if len(axes) == 3:
        depth, *image = axes
        between, inner = pool(plan, x, images * depth.size, tuple(image), channels, average)
        pixels = math.prod(a.output for a in image)
        y, outer = pool(plan, between, images, (depth, Axis(pixels, 1, 1, 1, 0, pixels)), channels, average)
        return y, lambda dy, need_dx: inner(outer(dy, True), True) if need_dx else ABSENT
    ints = window(images, axes, channels, channels, channels)
    count = images * math.prod(a.output for a in axes) * channels
    y, argmax = plan.fixed(count), ABSENT
    if average:
        plan.step("average_pool", (x, y), ints=ints, reals=(0.0,))
    else:
        if plan.learning:
            argmax = plan.fixed(count, np.int32)
        plan.step("max_pool", (x, y, argmax), ints=ints)

    def backward(dy: int, need_dx: bool) -> int:
        if not need_dx:
            return ABSENT
        dx = plan.fixed(images * math.prod(a.size for a in axes) * channels)
        if average:
            plan.step("average_pool_backward", (dy, dx), ints=ints, reals=(0.0,))
        else:
            plan.step("max_pool_backward", (dy, argmax, dx), ints=ints)
        return dx

    return y, backward
