"""Short cuts for small calls: one native call looks at its arguments, allocates the result and computes it.

They keep fastnn.ops at a fraction of a microsecond on a few dozen elements; see _fast_maps.pyx.
"""

from ._fast_dense import affine, affine_backward, bias_add, column_sums, matmul
from ._fast_losses import (
    cross_entropy,
    cross_entropy_backward,
    cross_entropy_with_grad,
    loss,
    loss_backward,
    loss_with_grad,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_with_grad,
    total,
)
from ._fast_maps import (
    backward,
    derivative,
    dropout,
    forward,
    log_softmax,
    log_softmax_backward,
    logsumexp,
    masked_scale,
    readable,
    softmax,
    softmax_backward,
)
from ._fast_updates import clip, clip_by_norm, sum_of_squares, update, update_many

__all__ = [
    "affine",
    "affine_backward",
    "backward",
    "bias_add",
    "clip",
    "clip_by_norm",
    "column_sums",
    "cross_entropy",
    "cross_entropy_backward",
    "cross_entropy_with_grad",
    "derivative",
    "dropout",
    "forward",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "loss",
    "loss_backward",
    "loss_with_grad",
    "masked_scale",
    "matmul",
    "readable",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_with_grad",
    "sum_of_squares",
    "total",
    "update",
    "update_many",
]
