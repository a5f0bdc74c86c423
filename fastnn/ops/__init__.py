"""Array functions: activations, softmax, dense and recurrent layers, convolution, pooling, losses, optimizer steps.

    from fastnn import ops

    y = ops.relu(x, out=x)                          forward, into the input's own memory
    dx = ops.relu_backward(dy, y)                   gradient from what the function keeps: its output or its input
    loss, probs = ops.softmax_cross_entropy(logits, labels)
    ops.adam_(W, dW, m, v, t=1)                     a name that ends in _ works in place and returns None

Common to all: float32 and float64 in any memory layout (contiguous is the fast one), other real dtypes converted; the
dtype of a result is NumPy's for the arrays, at least float32, and scalars never widen it; no warnings; deterministic
for any number of threads.  `registry` lists all of them with what tests, benchmarks and documentation need to know.
"""

from __future__ import annotations

from typing import Any

from fastnn import _keras
from fastnn.ops import activations as _activations
from fastnn.ops import gates as _gates
from fastnn.ops import learned as _learned
from fastnn.ops import losses as _losses
from fastnn.ops import optimizers as _optimizers
from fastnn.ops import registry as registry
from fastnn.ops import row_losses as _row_losses
from fastnn.ops.attention import attention, attention_backward
from fastnn.ops.classification import (
    cross_entropy,
    cross_entropy_backward,
    cross_entropy_with_grad,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_with_grad,
)
from fastnn.ops.clipping import clip_by_global_norm_, clip_by_norm_, clip_by_value_, sumsq
from fastnn.ops.convolution import conv2d, conv2d_backward, conv2d_transpose, conv2d_transpose_backward
from fastnn.ops.convolution1d import conv1d, conv1d_backward
from fastnn.ops.ctc import ctc_loss, ctc_loss_backward, ctc_loss_with_grad
from fastnn.ops.dense import affine, affine_backward, bias_add, column_sums, matmul
from fastnn.ops.embedding import embedding, embedding_backward
from fastnn.ops.gates import maxout, maxout_backward
from fastnn.ops.gru import gru_backward, gru_cell, gru_cell_backward, gru_forward
from fastnn.ops.initializers import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    orthogonal,
    truncated_normal,
    variance_scaling,
)
from fastnn.ops.lstm import lstm_backward, lstm_cell, lstm_cell_backward, lstm_forward
from fastnn.ops.noise import dropout, dropout_backward, random_bits
from fastnn.ops.normalization import (
    batchnorm,
    batchnorm_backward,
    groupnorm,
    groupnorm_backward,
    instancenorm,
    instancenorm_backward,
)
from fastnn.ops.patches import col2im, im2col
from fastnn.ops.pooling import avgpool2d, avgpool2d_backward, maxpool2d, maxpool2d_backward
from fastnn.ops.random_relu import rrelu, rrelu_backward
from fastnn.ops.recurrent import rnn_backward, rnn_cell, rnn_cell_backward, rnn_forward
from fastnn.ops.row_normalization import (
    layernorm,
    layernorm_backward,
    lrn,
    lrn_backward,
    rmsnorm,
    rmsnorm_backward,
    unit_normalize,
    unit_normalize_backward,
)
from fastnn.ops.rowwise import log_softmax, log_softmax_backward, logsumexp, softmax, softmax_backward
from fastnn.ops.simplex import (
    gumbel_softmax,
    gumbel_softmax_backward,
    softmin,
    softmin_backward,
    sparsemax,
    sparsemax_backward,
)
from fastnn.ops.tensor_optimizers import adafactor_, lamb_, lars_, muon_

_generated = _activations.functions | _learned.functions | _gates.functions
_generated |= _losses.functions | _row_losses.functions | _optimizers.functions
globals().update(_generated)

__all__ = [
    "adafactor_",
    "affine",
    "affine_backward",
    "attention",
    "attention_backward",
    "avgpool2d",
    "avgpool2d_backward",
    "batchnorm",
    "batchnorm_backward",
    "bias_add",
    "clip_by_global_norm_",
    "clip_by_norm_",
    "clip_by_value_",
    "col2im",
    "column_sums",
    "conv1d",
    "conv1d_backward",
    "conv2d",
    "conv2d_backward",
    "conv2d_transpose",
    "conv2d_transpose_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "cross_entropy_with_grad",
    "ctc_loss",
    "ctc_loss_backward",
    "ctc_loss_with_grad",
    "dropout",
    "dropout_backward",
    "embedding",
    "embedding_backward",
    "glorot_normal",
    "glorot_uniform",
    "groupnorm",
    "groupnorm_backward",
    "gru_backward",
    "gru_cell",
    "gru_cell_backward",
    "gru_forward",
    "gumbel_softmax",
    "gumbel_softmax_backward",
    "he_normal",
    "he_uniform",
    "im2col",
    "instancenorm",
    "instancenorm_backward",
    "lamb_",
    "lars_",
    "layernorm",
    "layernorm_backward",
    "lecun_normal",
    "lecun_uniform",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "lrn",
    "lrn_backward",
    "lstm_backward",
    "lstm_cell",
    "lstm_cell_backward",
    "lstm_forward",
    "matmul",
    "maxout",
    "maxout_backward",
    "maxpool2d",
    "maxpool2d_backward",
    "muon_",
    "orthogonal",
    "random_bits",
    "registry",
    "rmsnorm",
    "rmsnorm_backward",
    "rnn_backward",
    "rnn_cell",
    "rnn_cell_backward",
    "rnn_forward",
    "rrelu",
    "rrelu_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_with_grad",
    "softmin",
    "softmin_backward",
    "sparsemax",
    "sparsemax_backward",
    "sumsq",
    "truncated_normal",
    "unit_normalize",
    "unit_normalize_backward",
    "variance_scaling",
]
__all__ += [*_generated]


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        from fastnn.ops import _numpy  # what keras.ops has beside these

        found = _numpy.find(name)
        if found is not None:
            return found
        raise _keras.absent("ops", name, [*__all__, *_numpy.names()])
    raise _keras.absent("ops", name, __all__)
