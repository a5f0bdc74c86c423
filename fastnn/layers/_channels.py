"""What all layers over sequences, images and volumes share: where the channels stand.

Kernels know channels last.  With data_format="channels_first", a layer transposes its input on the way in and its
output on the way out; shapes are those that the user sees, and weights the same in both formats.
"""

from __future__ import annotations

from typing import Any, ClassVar

from fastnn.engine.plan import ABSENT, Plan
from fastnn.engine.step import Backward

from ._strided import channels_last, inverse, permute
from ._windows import check_rank, data_format_name
from .base import Layer, Shape


class ChannelsLayer(Layer):
    """Subclasses say the number of axes between batch and channels, and work on channels-last samples only."""

    rank: ClassVar[int]

    def __init__(self, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_name(type(self).__name__, data_format)

    # what subclasses define, for channels-last samples

    def build_last(self, shape: Shape) -> None:
        """Add the parameters."""

    def output_last(self, shape: Shape) -> Shape:
        """The shape of what comes out."""
        raise NotImplementedError

    def emit_last(self, plan: Plan, x: int, shape: Shape, **options: Any) -> tuple[int, Backward]:
        """Add the forward steps; return the output buffer and what adds the backward steps."""
        raise NotImplementedError

    # what they get for it

    @property
    def is_first(self) -> bool:
        return self.data_format == "channels_first"

    def _last(self, shape: Shape) -> Shape:
        check_rank(self.name, shape, self.rank, self.data_format)
        return (*shape[1:], shape[0]) if self.is_first else shape

    def _own(self, shape: Shape) -> Shape:
        return (shape[-1], *shape[:-1]) if self.is_first else shape

    def make_weights(self, input_shape: Shape) -> None:
        self.shape_behind(input_shape)  # refuses what does not fit
        self.build_last(self._last(input_shape))

    def infer_shape(self, input_shape: Shape) -> Shape:
        return self._own(self.output_last(self._last(input_shape)))

    def emit(self, plan: Plan, x: int, **options: Any) -> tuple[int, Backward]:
        """`options` go to `emit_last`."""
        assert self.shape_in is not None
        shape = self._last(self.shape_in)
        if not self.is_first:
            return self.emit_last(plan, x, shape, **options)
        order, first = channels_last(self.rank), (plan.batch, *self.shape_in)
        out = (plan.batch, *self.output_last(shape))
        # a global pooling may leave channels only, which stay as they are
        out_order = channels_last(self.rank) if len(out) == len(first) else list(range(len(out)))
        own = (out[0], *self._own(out[1:]))
        y, inner = self.emit_last(plan, permute(plan, x, first, order), shape, **options)

        def backward(dy: int, need_dx: bool) -> int:
            dx = inner(permute(plan, dy, own, out_order), need_dx)
            return permute(plan, dx, (plan.batch, *shape), inverse(order)) if need_dx else ABSENT

        return permute(plan, y, out, inverse(out_order)), backward

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}
