"""What layers that normalise share: axes in Keras's counting, scale and shift, and the steps of a plan."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastnn import constraints, initializers, regularizers
from fastnn.engine import masks
from fastnn.engine.arena import Parameter
from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward
from fastnn.ops._norm_geometry import ADDED, KINDS, Geometry, geometry, row_tile

from ._strided import inverse, permute
from .base import Layer, Shape, described, regularizer, size


def one_axis(where: str, axis: Any, shape: Shape) -> int:
    """An axis as Keras counts them, with the batch as 0, as an axis of one sample.

    Raises:
        ValueError: there is no such axis, or it is that of the batch.
    """
    try:
        index = operator.index(axis)
    except TypeError:
        index = 0
    ndim = len(shape) + 1
    if isinstance(axis, bool) or not -ndim < index < ndim or index == 0:
        raise ValueError(
            f"{where}: axis must be from 1 to {ndim - 1} or from {1 - ndim} to -1; 0 is the batch. Received: {axis!r}"
        )
    return index % ndim - 1


def axes(where: str, axis: Any, shape: Shape) -> tuple[int, ...]:
    """One axis or several as axes of one sample, in their order.

    Raises:
        ValueError: there is no such axis, or one is named twice.
    """
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    found = sorted(one_axis(where, a, shape) for a in given)
    if not found or len(set(found)) < len(found):
        raise ValueError(f"{where}: axis must name one or more axes, each once. Received: {axis!r}")
    return tuple(found)


def listed(axis: Any) -> Any:
    """An axis as JSON has it."""
    return list(axis) if isinstance(axis, (tuple, list)) else int(axis)


def channel_view(plan: Plan, shape: Shape, axis: int, *, whole_batch: bool, groups: int | None = None) -> Geometry:
    """A batch of samples, statistics for each channel of the axis: of the whole batch, or of each sample."""
    before, channels, after = size(shape[:axis]), shape[axis], size(shape[axis + 1 :])
    if whole_batch:
        return geometry(1, plan.batch * before, channels, after, groups)
    return geometry(plan.batch, before, channels, after, groups)


class Affine(NamedTuple):
    """The learned scale and shift, where there are any."""

    gamma: Parameter | None = None
    beta: Parameter | None = None

    def buffers(self, plan: Plan) -> tuple[int, int]:
        gamma, beta = (ABSENT if p is None else plan.parameter(p) for p in self)
        return gamma, beta

    def gradients(self, plan: Plan) -> tuple[int, int]:
        gamma, beta = (ABSENT if p is None else plan.gradient(p) for p in self)
        return gamma, beta


class ScaledLayer(Layer):
    """A layer that normalises, then scales by gamma and shifts by beta (Keras's arguments for both)."""

    def __init__(
        self,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = margin(type(self).__name__, epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer, self.gamma_regularizer = regularizer(beta_regularizer), regularizer(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.affine = Affine()

    def add_affine(self, shape: Shape, gamma: bool, beta: bool) -> None:
        """The weights gamma and beta, where they are wanted."""
        scale = shift = None
        if gamma:
            scale = self.add_weight(
                "gamma", shape, self.gamma_initializer,
                regularizer=self.gamma_regularizer, constraint=self.gamma_constraint,
            )  # fmt: skip
        if beta:
            shift = self.add_weight(
                "beta", shape, self.beta_initializer,
                regularizer=self.beta_regularizer, constraint=self.beta_constraint,
            )  # fmt: skip
        self.affine = Affine(scale, shift)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
        }
        for module, kind in ((regularizers, "regularizer"), (constraints, "constraint")):
            for name in (f"beta_{kind}", f"gamma_{kind}"):
                if getattr(self, name) is not None:
                    config[name] = described(module, getattr(self, name), self.name)
        return config


def margin(where: str, epsilon: Any) -> float:
    """epsilon: a number, not negative.

    Raises:
        ValueError: anything else.
    """
    return numbers_from(where, {"epsilon": epsilon}, 0.0, float("inf"))[0]


def numbers_from(where: str, values: Mapping[str, Any], least: float, most: float) -> list[float]:
    """Finite numbers between two bounds.

    Raises:
        ValueError: anything else; the message names the argument.
    """
    found = []
    for name, value in values.items():
        try:
            number = float("nan") if isinstance(value, (bool, str)) else float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not least <= number <= most or number == float("inf"):
            raise ValueError(f"{where}: {name} must be a number from {least} to {most}. Received: {value!r}")
        found.append(number)
    return found


# ---------------------------------------------------------------------------------------------------------------- steps


def emit_measured(
    plan: Plan, x: int, view: Geometry, affine: Affine, eps: float, moving: tuple[int, int] = (ABSENT, ABSENT),
    momentum: float = 0.0, mask: int = ABSENT,
) -> tuple[int, Backward]:  # fmt: skip
    """Steps that normalise by the statistics of x; moving statistics take them in.

    A mask, one entry for one or more rows of a view with the channels last, says which rows count.
    """
    ints, per_sample = view.ints, plan.buffers[x].size // plan.batch
    gamma, beta = affine.buffers(plan)
    # with a mask the statistics are those of one tile
    measured = view if mask == ABSENT else view._replace(row_tile=view.outer)
    each = 0 if mask == ABSENT else view.outer // plan.buffers[mask].size
    partial, stats = plan.numbers(measured.partial), plan.numbers(2 * view.statistics)
    coefficients, y = plan.fixed(3 * view.cells), plan.buffer(per_sample)
    if mask == ABSENT:
        plan.step("norm_moments", (x, partial), ints=ints)
    else:
        plan.step("norm_masked_moments", (x, mask, partial), ints=(view.outer, view.channels, each))
    buffers = (partial, gamma, beta, *moving, stats, coefficients)
    plan.step("norm_statistics", buffers, ints=(*measured.ints, ADDED), reals=(eps, momentum))
    plan.step("norm_apply", (x, coefficients, y), ints=ints)

    def backward(dy: int, need_dx: bool) -> int:
        dgamma, dbeta = affine.gradients(plan)
        if not need_dx and dgamma == dbeta == ABSENT:
            return ABSENT
        sums, slopes = plan.numbers(view.partial), plan.fixed(4 * view.cells)
        seen = x if mask == ABSENT else masks.without_idle_rows(plan, x, dy, view.outer, x)
        plan.step("norm_sums", (dy, seen, coefficients, sums), ints=ints)
        plan.step("norm_gradients", (sums, gamma, stats, dgamma, dbeta, slopes), ints=ints)
        if not need_dx:
            return ABSENT
        dx = plan.buffer(per_sample)
        if mask == ABSENT:
            plan.step("norm_backward", (dy, x, slopes, dx), ints=ints)
        else:
            plan.step("norm_masked_backward", (dy, x, slopes, mask, dx), ints=(*ints, each))
        return dx

    return y, backward


def emit_given(
    plan: Plan, x: int, view: Geometry, affine: Affine, eps: float, mean: int, variance: int, rule: int = ADDED
) -> tuple[int, Backward]:
    """Steps that normalise by statistics in buffers; as they do not depend on x, backward is a factor."""
    ints, per_sample = view.ints, plan.buffers[x].size // plan.batch
    gamma, beta = affine.buffers(plan)
    learns = any(parameter is not None and plan.wants_gradient(parameter) for parameter in affine)
    stats = plan.numbers(2 * view.statistics) if learns else ABSENT

    def apply(source: int, centre: int, shift: int, kept: int) -> tuple[int, int]:
        coefficients, target = plan.fixed(3 * view.cells), plan.buffer(per_sample)
        buffers = (ABSENT, gamma, shift, centre, variance, kept, coefficients)
        plan.step("norm_statistics", buffers, ints=(*ints, rule), reals=(eps, 0.0))
        plan.step("norm_apply", (source, coefficients, target), ints=ints)
        return target, coefficients

    y, applied = apply(x, mean, beta, stats)

    def backward(dy: int, need_dx: bool) -> int:
        dgamma, dbeta = affine.gradients(plan)
        if not dgamma == dbeta == ABSENT:
            sums, slopes = plan.numbers(view.partial), plan.fixed(4 * view.cells)
            seen = masks.without_idle_rows(plan, x, dy, view.outer, x)
            plan.step("norm_sums", (dy, seen, applied, sums), ints=ints)
            plan.step("norm_gradients", (sums, gamma, stats, dgamma, dbeta, slopes), ints=ints)
        return apply(dy, ABSENT, ABSENT, ABSENT)[0] if need_dx else ABSENT

    return y, backward


def emit_scaled(plan: Plan, x: int, view: Geometry, forward: int, back: int) -> tuple[int, Backward]:
    """Steps that apply coefficients which stand in buffers already."""

    def apply(source: int, coefficients: int) -> int:
        target = plan.buffer(plan.buffers[x].size // plan.batch)
        plan.step("norm_apply", (source, coefficients, target), ints=view.ints)
        return target

    return apply(x, forward), lambda dy, need_dx: apply(dy, back) if need_dx else ABSENT


def emit_rows(plan: Plan, x: int, kind: str, cols: int, affine: Affine, eps: float) -> tuple[int, Backward]:
    """Steps that normalise rows of `cols` elements."""
    number, elements = KINDS.index(kind), plan.buffers[x].size
    rows, per_sample = elements // cols, elements // plan.batch
    gamma, beta = affine.buffers(plan)
    stats, y = plan.numbers(2 * rows), plan.buffer(per_sample)
    plan.step("norm_rows", (x, gamma, beta, y, stats), ints=(rows, cols, number), reals=(eps,))

    def backward(dy: int, need_dx: bool) -> int:
        dgamma, dbeta = affine.gradients(plan)
        learning = not dgamma == dbeta == ABSENT
        if not need_dx and not learning:
            return ABSENT
        tile = row_tile(cols)
        tiles = -(-rows // tile)
        dx = plan.buffer(per_sample) if need_dx else ABSENT
        sums = plan.numbers(2 * tiles * cols) if learning else ABSENT
        ints = (tiles, tile * cols, number, rows, cols, tile)
        plan.step("norm_rows_backward", (dy, x, gamma, stats, dx, sums), ints=ints, reals=(eps,))
        if learning:
            plan.step("norm_rows_gradients", (sums, dgamma, dbeta), ints=(tiles, cols))
        return dx

    return y, backward


def emit_along(
    plan: Plan, layer: Layer, x: int, kind: str, axis: Any, affine: Affine, eps: float
) -> tuple[int, Backward]:
    """Steps that normalise along some of a layer's axes: those that are not the last ones are moved there and back."""
    assert layer.shape_in
    found = axes(layer.name, axis, layer.shape_in)
    shape = (plan.batch, *layer.shape_in)
    along = [a + 1 for a in found]
    order = [*(a for a in range(len(shape)) if a not in along), *along]
    moved = tuple(shape[a] for a in order)
    y, backward = emit_rows(plan, permute(plan, x, shape, order), kind, size(moved[-len(found) :]), affine, eps)

    def moved_backward(dy: int, need_dx: bool) -> int:
        dx = backward(permute(plan, dy, shape, order), need_dx)
        return permute(plan, dx, moved, inverse(order)) if need_dx else ABSENT

    return permute(plan, y, moved, inverse(order)), moved_backward
