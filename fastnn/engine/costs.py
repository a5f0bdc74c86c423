"""What a plan costs: floating-point operations, counted from its steps, and bytes, as its program allocates them.

A product of matrices, a convolution and a recurrence count two operations for each multiplication with its addition, as
is usual; padding counts like data.  Other steps count the operations of their formula for each element, in which a
function such as exp or tanh is one.  Steps that only move data count nothing, nor do those of the optimizer and of
clipping, which see parameters and no samples.  Steps in Python say what they count; of a layer that a user has written
that is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .arena import Parameter
from .graph import Flow, Graph, Node
from .plan import ABSENT, Plan, Step
from .states import states_aside


class LayerCost(NamedTuple):
    """A layer's part of a plan.

    flops: of the forward steps for one sample; None: not known.  memory: bytes of the buffers that they add for the
    whole batch, before buffers share memory.
    """

    flops: float | None
    memory: int


class Costs(NamedTuple):
    """Of a graph, by id of the layer, and as a whole.

    forward, training: operations for one sample, in inference and in a step of training (forward and backward, without
    loss and optimizer); None: not known.  inference_memory, training_memory: bytes of the workspace for a whole batch.
    """

    layers: dict[int, LayerCost]
    forward: float | None
    training: float | None
    inference_memory: int
    training_memory: int


def costs(graph: Graph, dtype: npt.DTypeLike, batch: int) -> Costs:
    """What one batch of samples costs; nothing is allocated."""
    with states_aside(graph):
        return _costs(graph, dtype, batch)


def _costs(graph: Graph, dtype: npt.DTypeLike, batch: int) -> Costs:
    inference = _Watched(Plan(dtype, batch), graph)
    gradients = {id(p): _nothing(p) for p in graph.weights if p.trainable}
    training = _Watched(Plan(dtype, batch, True, gradients), graph)
    plan = training.plan
    arrived = [(tensor, plan.buffer(math.prod(s))) for tensor, s in zip(graph.outputs, graph.output_shapes)]
    for _, buffer in arrived:  # the gradients come from a loss
        plan.step("fill", (buffer,), ints=(plan.buffers[buffer].size,))
    if gradients:
        training.backward(arrived)
    layers: dict[int, LayerCost] = {}
    for node, steps, memory in inference.parts:
        known = layers.get(id(node.layer), LayerCost(0.0, 0))
        flops = _sum([known.flops, flops_of(plan=inference.plan, steps=steps)])
        layers[id(node.layer)] = LayerCost(flops, known.memory + memory)
    return Costs(
        {key: LayerCost(None if c.flops is None else c.flops / batch, c.memory) for key, c in layers.items()},
        _per_sample(inference.plan), _per_sample(plan), inference.plan.memory()[0], plan.memory()[0],
    )  # fmt: skip


class _Watched(Flow):
    """A flow over inputs of its own that knows which steps and how much memory each node has added."""

    def __init__(self, plan: Plan, graph: Graph) -> None:
        self.parts: list[tuple[Node, Sequence[Step], int]] = []
        super().__init__(plan, graph, [plan.input(math.prod(shape)) for shape in graph.input_shapes])
        if not plan.training:
            for y, shape in zip(self.outputs, graph.output_shapes):
                if plan.buffers[y].kind == "work":
                    plan.output(y, math.prod(shape))

    def _forward(self, number: int, node: Node, bare: bool) -> None:
        steps, buffers = len(self.plan.steps), len(self.plan.buffers)
        super()._forward(number, node, bare)
        added = (b for b in self.plan.buffers[buffers:] if b.kind == "work")
        self.parts.append((node, self.plan.steps[steps:], sum(b.size * b.dtype.itemsize for b in added)))


def _nothing(parameter: Parameter) -> npt.NDArray[Any]:
    """An array with the size of the parameter that takes no memory."""
    return np.broadcast_to(np.zeros((), parameter.dtype), parameter.shape)


def _per_sample(plan: Plan) -> float | None:
    total = flops_of(plan, plan.steps)
    return None if total is None else total / plan.batch


def flops_of(plan: Plan, steps: Iterable[Step]) -> float | None:
    """The operations of these steps of a plan; None if one of them, in Python, does not say what it counts."""
    return _sum(COUNTS[step.op](step) for step in steps)


def _sum(parts: Iterable[float | None]) -> float | None:
    total = 0.0
    for part in parts:
        if part is None:
            return None
        total += part
    return total


# -------------------------------------------------------------------------------------------------------------- counts

Count = Callable[[Step], float | None]


def _elements(axes: Collection[int], factor: float = 1.0) -> Callable[[Step], float]:
    """`factor` times the product of some of the step's numbers."""
    return lambda step: factor * math.prod(step.ints[axis] for axis in axes)


def _given(step: Step, place: int) -> bool:
    """Whether the step has that buffer."""
    return len(step.buffers) > place and step.buffers[place] != ABSENT


def _active(step: Step) -> bool:
    """Whether the step applies an activation."""
    return step.row not in ("", "identity")


def _affine(step: Step) -> float:
    rows, inputs, units = step.ints[:3]
    return rows * units * (2.0 * inputs + _given(step, 2) + _active(step))


def _gemm(step: Step) -> float:
    m, n, k = step.ints[2:5]
    return 2.0 * m * n * k


def _activation(step: Step) -> float:
    return float(step.ints[0] * _active(step))


def _bias_backward(step: Step) -> float:
    rows, cols = step.ints[:2]
    return float(rows * cols * (2 * _active(step) + _given(step, 3)))


def _combine(step: Step) -> float:
    a, b = step.reals[:2]
    factors = (a not in (0.0, 1.0)) + (b not in (0.0, 1.0)) + _given(step, 2)
    return float(step.ints[0] * ((0.0 not in (a, b)) + factors))


def _conv(step: Step) -> float:
    images, _, _, channels, down, across, filters, high, wide, *_ = step.ints
    return 2.0 * images * down * across * filters * high * wide * (channels / step.ints[15])


def _conv_forward(step: Step) -> float:
    images, *_ = step.ints
    outside = step.ints[4:7] if step.op == "conv2d" else step.ints[1:4]
    after = images * math.prod(outside) * (_given(step, 2) + _active(step))
    return _conv(step) + after


def _pool(step: Step) -> float:
    return float(step.ints[0] * math.prod(step.ints[4:9]))


def _norm(factor: float) -> Count:
    """For each element of (images, outer, channels, inner)."""
    return _elements(range(2, 6), factor)


def _norm_rows(step: Step) -> float:
    rows, cols, kind = step.ints[:3]
    return rows * cols * ((6.0 if kind == 0 else 3.0) + _given(step, 1) + _given(step, 2))


def _local_response(factor: float) -> Count:
    return lambda step: factor * step.ints[0] * step.ints[1] * (step.ints[2] + 4)


# of the kinds of cells (layers/_recurrence.py): gates; operations of a unit that belong to no gate
_CELLS = ((1, 0.0), (4, 5.0), (3, 5.0), (3, 8.0))


def _recurrent(times: float) -> Count:
    """The product with the recurrent kernel; sum, bias and activation of each gate, and what joins the gates."""

    def count(step: Step) -> float:
        batch, _, _, kind, steps, units = step.ints[:6]
        gates, joining = _CELLS[kind]
        return batch * steps * units * (2.0 * gates * units + times * (3 * gates + joining))

    return count


def _loss(step: Step) -> float:
    """Value, and gradient where one is wanted."""
    return step.ints[0] * step.ints[1] * (4.0 + 2.0 * _given(step, 3))


def _group_loss(step: Step) -> float:
    """Products of all pairs of rows."""
    rows, cols = step.ints[:2]
    return 2.0 * rows * rows * cols * (1 + _given(step, 3))


def _in_python(step: Step) -> float | None:
    return float(step.ints[0]) if step.ints else None


def _free(step: Step) -> float:
    return 0.0


_MOVES = (
    "gather expand strided_copy fill swap_time recurrent_pack embedding to_indices mask_rows keep_rows "
    "mask_weights conv2d_prepare conv2d_input_prepare conv2d_weights_prepare conv2d_weights_finish maxout_backward "
    "dropout_mask score inverse_norm statistics tally bernoulli"
)
_OF_PARAMETERS = "update segment_squares clip_norm clip_global_norm trust_ratio adafactor norm_rows_gradients"
_ROWS_AND_COLUMNS = {
    "softmax": 4, "log_softmax": 4, "softmin": 4, "sparsemax": 4, "softmax_backward": 4, "log_softmax_backward": 4,
    "softmin_backward": 4, "sparsemax_backward": 4, "gated": 2, "gated_backward": 5, "fold": 1, "label_hits": 1,
    "argmax_hits": 1, "threshold_hits": 1, "column_sums": 1, "embedding_backward": 1, "masked_channels": 2,
    "strided_add": 2, "attention_weights": 5, "attention_weights_backward": 4, "norm_masked_moments": 4,
}  # fmt: skip
_FIRST = {
    "activation_backward": 2, "rrelu": 1, "multiply": 1, "blend": 3, "choose": 1, "choose_backward": 2, "dropout": 1,
    "masked_scale": 1, "alpha_dropout": 2, "gaussian_noise": 2, "weigh": 1, "clip_values": 1, "penalty": 4,
    "sum_of_squares": 2, "salt_and_pepper": 1,
}  # fmt: skip
COUNTS: dict[str, Count] = {
    **dict.fromkeys([*_MOVES.split(), *_OF_PARAMETERS.split()], _free),
    **{op: _elements((0, 1), factor) for op, factor in _ROWS_AND_COLUMNS.items()},
    **{op: _elements((0,), factor) for op, factor in _FIRST.items()},
    "affine": _affine, "gemm": _gemm, "products": _elements((0, 1), 2.0),
    "activation": _activation, "bias_backward": _bias_backward, "combine": _combine,
    "learned": _elements((0, 1, 2), 2.0), "learned_backward": _elements((0, 1, 2), 4.0),
    "maxout": lambda step: float(step.ints[0] * step.ints[1] * (step.ints[2] - 1)),
    "conv2d": _conv_forward, "conv2d_input": _conv_forward, "conv2d_weights": _conv,
    "max_pool": _pool, "average_pool": _pool, "average_pool_backward": _pool,
    "max_pool_backward": lambda step: float(step.ints[0] * math.prod(step.ints[4:7])),
    "norm_moments": _norm(4.0), "norm_apply": _norm(3.0), "norm_sums": _norm(4.0), "norm_backward": _norm(5.0),
    "norm_masked_backward": _norm(5.0),
    "norm_statistics": _elements((2, 4), 4.0), "norm_gradients": _elements((2, 4), 4.0),
    "norm_rows": _norm_rows, "norm_rows_backward": _elements((3, 4), 8.0),
    "local_response": _local_response(1.0), "local_response_backward": _local_response(2.0),
    "recurrent": _recurrent(1.0), "recurrent_backward": _recurrent(2.0),
    "repeat_multiply": _elements((0, 3)),
    "additive_scores": _elements((0, 3, 4, 5), 4.0), "additive_scores_backward": _elements((0, 3, 4, 5), 9.0),
    "call": _in_python, "elementwise_loss": _loss, "row_loss": _loss, "group_loss": _group_loss,
}  # fmt: skip
