"""What happens between the gradients of a step and the parameters, as steps of a plan.

In Keras's order: gradients lose the scale of the loss, are accumulated, then clipped; the optimizer's rule is applied,
with its weight decay; then come the moving average of the weights, and the constraints.  The optimizer says which of
these it wants and adds the steps of its own rule (`Optimizer.emit`); what varies from step to step are columns of
`Optimizer.scalars`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.optimizers.options import MOVING_AVERAGE

from .arena import Arena, Parameter, Range
from .plan import ABSENT, ALWAYS, BLOCK, SEGMENT_BLOCK, Plan

Array = npt.NDArray[Any]


class Update:
    """The optimizer's part of training plans of one model.

    Parameters:
        optimizer: see fastnn.optimizers.
        arena: where the parameters lie.
        gradients: of the arena's layout.
        slot: name -> array of the arena's layout, the optimizer's state.
        slot_views: name -> the part of every parameter in it, also where that has another size than the parameter.

    Attributes:
        segments: the ranges of parameters that the optimizer treats as one, in the order of its groups.
        parameters: for each of them the parameter, where the optimizer looks at whole tensors.
    """

    def __init__(
        self,
        optimizer: Any,
        arena: Arena,
        gradients: Array,
        slot: Callable[[str], Array],
        slot_views: Callable[[str], list[Array]],
    ) -> None:
        self.optimizer, self.arena, self.gradients, self.slot = optimizer, arena, gradients, slot
        self.slot_views = slot_views
        # what the rule sees is `gradient` divided by `divisor`
        self.divisor: float = optimizer.gradient_divisor
        self.gradient = slot("gradient_accumulator") if optimizer.gradient_accumulation_steps else gradients
        self.columns: dict[str, int] = optimizer.columns
        self.when = self.columns.get("update", ALWAYS)
        self.scales = ABSENT
        self.parameters: list[Parameter] = []
        self.segments = arena.trainable_ranges(optimizer.decays)
        if optimizer.looks_at_tensors:
            pairs = sorted(arena.trainable_parameters(), key=lambda pair: optimizer.group(pair[0]))
            self.parameters = [parameter for parameter, _ in pairs]
            self.segments = [part._replace(kind=optimizer.decays(parameter)) for parameter, part in pairs]

    def rows(self) -> list[tuple[Any, ...]]:
        """The segments as programs take them: (p, g, slots, l2, decay)."""
        names, rows = self.optimizer.slots(), []
        for part in self.segments:
            slots = [part.of(self._flat(name)) for name in names]
            rows.append((part.values, part.of(self.gradient), slots, 0.0, float(bool(part.kind))))
        return rows

    # ------------------------------------------------------------------------------------- what optimizers can ask for

    def group(self, number: int) -> tuple[int, int]:
        """The segments of a group: the first, and the end."""
        groups = [self.optimizer.group(parameter) for parameter in self.parameters]
        return sum(group < number for group in groups), sum(group <= number for group in groups)

    def step(self, op: str, buffers: tuple[int, ...], **arguments: Any) -> None:
        """A step of the rule: left out while gradients are only accumulated."""
        self.plan.step(op, buffers, when=self.when, **arguments)

    def apply(
        self, row: str, column: int = 0, part: tuple[int, int] | None = None, *, scaled: bool = True,
        ratios: int = ABSENT,
    ) -> None:  # fmt: skip
        """The row of the table of optimizers, its scalars from `column` on, for all segments or some."""
        first, end = part or (0, len(self.segments))
        ints = (self.optimizer.first_column + column, first, end)
        self.step("update", (self.scales if scaled else ABSENT, ratios), row=row, ints=ints)

    def squares(self, of_parameters: bool) -> int:
        """Sums of squares of all gradients or parameters; returns their buffer."""
        blocks = sum(-(-part.size // SEGMENT_BLOCK) for part in self.segments)
        partial = self.plan.numbers(max(1, blocks))
        self.step("segment_squares", (partial,), ints=(int(of_parameters), 0, len(self.segments)))
        return partial

    def ratios(
        self, p: int, g: int, part: tuple[int, int], *, coefficient: float = 1.0, decay: float = 0.0, eps: float = 0.0,
        scaled: bool = True,
    ) -> int:  # fmt: skip
        """|p| / |g| for some of the segments, 1 for the others; returns the buffer."""
        ratios = self.plan.numbers(max(1, len(self.segments)))
        factor = 1 / self.divisor if scaled else 1.0
        reals = (coefficient, decay, eps, factor)
        self.step("trust_ratio", (p, g, self.scales if scaled else ABSENT, ratios), ints=part, reals=reals)
        return ratios

    def inverse_norm(self, x: int, eps: float) -> int:
        """1 / (norm of a buffer + eps), in a buffer."""
        size = self.plan.buffers[x].size
        count = -(-size // BLOCK)
        partial, factor = self.plan.numbers(count), self.plan.numbers(1)
        self.step("sum_of_squares", (x, partial), ints=(size,))
        self.step("inverse_norm", (partial, factor), ints=(count,), reals=(eps,))
        return factor

    def combine(
        self, a: float, x: int, b: float, y: int, *, a_column: int | None = None, factor: int = ABSENT, place: int = 0
    ) -> None:
        """y = a x + b y; a also times a column of the optimizer's scalars, and times a number in `factor`."""
        column = -1 if a_column is None else self.optimizer.first_column + a_column
        ints = (self.plan.buffers[x].size, column, -1, place)
        self.step("combine", (x, y, factor), ints=ints, reals=(a, b))

    def product(
        self, a: int, b: int, c: int, sizes: tuple[int, int, int], *, transposed: tuple[bool, bool] = (False, False),
        alpha: float = 1.0, beta: float = 0.0,
    ) -> None:  # fmt: skip
        """c = alpha op(a) op(b) + beta c; sizes: rows of c, columns of c, and what is summed over."""
        self.step("gemm", (a, b, c), ints=(*map(int, transposed), *sizes), reals=(alpha, beta))

    def buffers(self, place: int, *names: str) -> tuple[int, ...]:
        """The buffers of one parameter, without its padding: "value", "gradient" or the name of a slot."""
        parameter, part = self.parameters[place], self.segments[place]
        number = next(i for i, other in enumerate(self.arena.parameters) if other is parameter)
        found = []
        for name in names:
            if name in self.optimizer.compact_slots():
                found.append(self.plan.array(self.slot_views(name)[number]))
                continue
            flat = part.values if name == "value" else part.of(self._flat(name))
            found.append(self.plan.array(flat[: parameter.size]))
        return tuple(found)

    def _flat(self, name: str) -> Array:
        return self.gradient if name == "gradient" else self.slot(name)

    # -------------------------------------------------------------------------------------------------- the whole order

    def emit(self, plan: Plan) -> None:
        """Add everything to a plan, behind the backward steps."""
        self.plan = plan
        ranges = self.arena.trainable_ranges()
        if self.gradient is not self.gradients:
            unscaled = 1 / self.optimizer.loss_scale
            self._everywhere(ranges, self.gradients, self.gradient, a=unscaled, b="keep")
        self.scales = ABSENT
        self._clip(ranges)
        self.optimizer.emit(self)
        if self.optimizer.use_ema:
            average = self.slot(MOVING_AVERAGE)
            self._everywhere(ranges, None, average, a="ema_new", b="ema_kept")
            if self.optimizer.ema_overwrite_frequency:
                self._everywhere(ranges, average, None, a=1.0, b=0.0, when=self.columns["overwrite"])
        self._constrain()

    def _everywhere(
        self, ranges: list[Range], source: Array | None, target: Array | None, a: str | float, b: str | float,
        when: int = ALWAYS,
    ) -> None:  # fmt: skip
        """target = a source + b target in all ranges; None means the parameters, a and b are columns or numbers."""
        for part in ranges:
            x, y = (self.plan.array(part.values if flat is None else part.of(flat)) for flat in (source, target))
            columns = [self.columns[name] if isinstance(name, str) else -1 for name in (a, b)]
            reals = tuple(1.0 if isinstance(number, str) else number for number in (a, b))
            self.plan.step("combine", (x, y, ABSENT), ints=(part.size, *columns, 0), reals=reals, when=when)

    def _clip(self, ranges: list[Range]) -> None:
        optimizer = self.optimizer
        if optimizer.clipvalue:
            for part in ranges:
                g = self.plan.array(part.of(self.gradient))
                self.step("clip_values", (g,), ints=(part.size,), reals=(optimizer.clipvalue * self.divisor,))
        limit, op = optimizer.clipnorm, "clip_norm"
        if optimizer.global_clipnorm:
            limit, op = optimizer.global_clipnorm, "clip_global_norm"
        if limit and self.segments:
            partial = self.squares(of_parameters=False)
            self.scales = self.plan.numbers(len(self.segments))
            self.step(op, (partial, self.scales), reals=(limit, 1 / self.divisor))

    def _constrain(self) -> None:
        for parameter, _ in self.arena.trainable_parameters():
            if parameter.constraint is None:
                continue
            p = self.plan.parameter(parameter)
            if getattr(parameter.constraint, "row", None):
                self.plan.step("activation", (p, p), row=parameter.constraint.row, ints=(parameter.size,), reals=(0.0,))
            else:
                self.plan.step("call", (p,), call=_constraint(parameter))


def _constraint(parameter: Parameter) -> Callable[..., None]:
    constraint, shape = parameter.constraint, parameter.shape

    def constrain(step: int, p: np.ndarray) -> None:
        weight = p.reshape(shape)
        new = np.asarray(constraint(weight))
        if new.shape != shape:
            raise ValueError(f"{parameter.name}: the constraint must keep the shape {shape}. Received: {new.shape}")
        weight[...] = new

    return constrain
