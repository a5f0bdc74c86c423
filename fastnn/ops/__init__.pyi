"""Made by tools/make_stubs.py."""

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastnn.ops import registry
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
from fastnn.ops.optimizers import look_ahead_, look_ahead_many
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

__all__ = [
    "adadelta_",
    "adadelta_many",
    "adafactor_",
    "adagrad_",
    "adagrad_many",
    "adam_",
    "adam_many",
    "adam_raw_",
    "adam_raw_many",
    "adamax_",
    "adamax_many",
    "adamw_",
    "adamw_many",
    "affine",
    "affine_backward",
    "amsgrad_",
    "amsgrad_many",
    "apl",
    "apl_backward",
    "arctan",
    "arctan_backward",
    "arctan_grad",
    "asgd_",
    "asgd_many",
    "attention",
    "attention_backward",
    "avgpool2d",
    "avgpool2d_backward",
    "balanced_binary_cross_entropy",
    "balanced_binary_cross_entropy_backward",
    "balanced_binary_cross_entropy_with_grad",
    "balanced_binary_cross_entropy_with_logits",
    "balanced_binary_cross_entropy_with_logits_backward",
    "balanced_binary_cross_entropy_with_logits_with_grad",
    "batchnorm",
    "batchnorm_backward",
    "bent_identity",
    "bent_identity_backward",
    "bent_identity_grad",
    "bias_add",
    "bilinear",
    "bilinear_backward",
    "binary_cross_entropy",
    "binary_cross_entropy_backward",
    "binary_cross_entropy_with_grad",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_backward",
    "binary_cross_entropy_with_logits_with_grad",
    "binary_focal",
    "binary_focal_backward",
    "binary_focal_with_grad",
    "binary_focal_with_logits",
    "binary_focal_with_logits_backward",
    "binary_focal_with_logits_with_grad",
    "binary_step",
    "binary_step_backward",
    "binary_step_grad",
    "categorical_focal",
    "categorical_focal_backward",
    "categorical_focal_with_grad",
    "categorical_focal_with_logits",
    "categorical_focal_with_logits_backward",
    "categorical_focal_with_logits_with_grad",
    "categorical_hinge",
    "categorical_hinge_backward",
    "categorical_hinge_with_grad",
    "celu",
    "celu_backward",
    "celu_grad",
    "circle",
    "circle_backward",
    "circle_with_grad",
    "clip_by_global_norm_",
    "clip_by_norm_",
    "clip_by_value_",
    "clipped_linear",
    "clipped_linear_backward",
    "clipped_linear_grad",
    "col2im",
    "column_sums",
    "conv1d",
    "conv1d_backward",
    "conv2d",
    "conv2d_backward",
    "conv2d_transpose",
    "conv2d_transpose_backward",
    "cosine_embedding",
    "cosine_embedding_backward",
    "cosine_embedding_with_grad",
    "cosine_similarity",
    "cosine_similarity_backward",
    "cosine_similarity_with_grad",
    "cross_entropy",
    "cross_entropy_backward",
    "cross_entropy_with_grad",
    "ctc_loss",
    "ctc_loss_backward",
    "ctc_loss_with_grad",
    "cut_binary_cross_entropy",
    "cut_binary_cross_entropy_backward",
    "cut_binary_cross_entropy_with_grad",
    "dice",
    "dice_backward",
    "dice_with_grad",
    "dish",
    "dish_backward",
    "dish_grad",
    "dropout",
    "dropout_backward",
    "elu",
    "elu_backward",
    "elu_grad",
    "embedding",
    "embedding_backward",
    "exponential",
    "exponential_backward",
    "exponential_grad",
    "ftrl_",
    "ftrl_many",
    "ftrl_power_",
    "ftrl_power_many",
    "gaussian",
    "gaussian_backward",
    "gaussian_grad",
    "gaussian_nll",
    "gaussian_nll_backward",
    "gaussian_nll_with_grad",
    "geglu",
    "geglu_backward",
    "gelu",
    "gelu_backward",
    "gelu_grad",
    "gelu_tanh",
    "gelu_tanh_backward",
    "gelu_tanh_grad",
    "generalized_cross_entropy",
    "generalized_cross_entropy_backward",
    "generalized_cross_entropy_with_grad",
    "glorot_normal",
    "glorot_uniform",
    "glu",
    "glu_backward",
    "groupnorm",
    "groupnorm_backward",
    "gru_backward",
    "gru_cell",
    "gru_cell_backward",
    "gru_forward",
    "gumbel_softmax",
    "gumbel_softmax_backward",
    "half_mse",
    "half_mse_backward",
    "half_mse_with_grad",
    "half_sse",
    "half_sse_backward",
    "half_sse_with_grad",
    "hard_shrink",
    "hard_shrink_backward",
    "hard_shrink_grad",
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "hard_sigmoid_grad",
    "hard_silu",
    "hard_silu_backward",
    "hard_silu_grad",
    "hard_tanh",
    "hard_tanh_backward",
    "hard_tanh_grad",
    "he_normal",
    "he_uniform",
    "heaviside",
    "heaviside_backward",
    "heaviside_grad",
    "hinge",
    "hinge_backward",
    "hinge_with_grad",
    "huber",
    "huber_backward",
    "huber_with_grad",
    "identity",
    "identity_backward",
    "identity_grad",
    "im2col",
    "instancenorm",
    "instancenorm_backward",
    "isrlu",
    "isrlu_backward",
    "isrlu_grad",
    "isru",
    "isru_backward",
    "isru_grad",
    "kl_divergence",
    "kl_divergence_backward",
    "kl_divergence_with_grad",
    "lamb_",
    "lamb_direction_",
    "lamb_direction_many",
    "lars_",
    "layernorm",
    "layernorm_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "leaky_relu_grad",
    "learned_soft_exponential",
    "learned_soft_exponential_backward",
    "learned_swish",
    "learned_swish_backward",
    "lecun_normal",
    "lecun_tanh",
    "lecun_tanh_backward",
    "lecun_tanh_grad",
    "lecun_uniform",
    "lion_",
    "lion_many",
    "log_cosh",
    "log_cosh_backward",
    "log_cosh_with_grad",
    "log_sigmoid",
    "log_sigmoid_backward",
    "log_sigmoid_grad",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "look_ahead_",
    "look_ahead_many",
    "lrn",
    "lrn_backward",
    "lstm_backward",
    "lstm_cell",
    "lstm_cell_backward",
    "lstm_forward",
    "mae",
    "mae_backward",
    "mae_with_grad",
    "mape",
    "mape_backward",
    "mape_with_grad",
    "margin_ranking",
    "margin_ranking_backward",
    "margin_ranking_with_grad",
    "matmul",
    "maxout",
    "maxout_backward",
    "maxpool2d",
    "maxpool2d_backward",
    "mish",
    "mish_backward",
    "mish_grad",
    "momentum_",
    "momentum_many",
    "mse",
    "mse_backward",
    "mse_with_grad",
    "msle",
    "msle_backward",
    "msle_with_grad",
    "multi_margin",
    "multi_margin_backward",
    "multi_margin_with_grad",
    "multilabel_margin",
    "multilabel_margin_backward",
    "multilabel_margin_with_grad",
    "multilabel_soft_margin",
    "multilabel_soft_margin_backward",
    "multilabel_soft_margin_with_grad",
    "muon_",
    "nadam_",
    "nadam_many",
    "nesterov_",
    "nesterov_many",
    "nll",
    "nll_backward",
    "nll_with_grad",
    "orthogonal",
    "piecewise_linear",
    "piecewise_linear_backward",
    "piecewise_linear_grad",
    "poisson",
    "poisson_backward",
    "poisson_nll",
    "poisson_nll_backward",
    "poisson_nll_with_grad",
    "poisson_with_grad",
    "prelu",
    "prelu_backward",
    "quick_gelu",
    "quick_gelu_backward",
    "quick_gelu_grad",
    "radam_",
    "radam_many",
    "random_bits",
    "rectifier",
    "rectifier_backward",
    "rectifier_grad",
    "registry",
    "reglu",
    "reglu_backward",
    "relu",
    "relu6",
    "relu6_backward",
    "relu6_grad",
    "relu_backward",
    "relu_grad",
    "rmsnorm",
    "rmsnorm_backward",
    "rmsprop_",
    "rmsprop_centered_",
    "rmsprop_centered_many",
    "rmsprop_centered_momentum_",
    "rmsprop_centered_momentum_many",
    "rmsprop_many",
    "rmsprop_momentum_",
    "rmsprop_momentum_many",
    "rnn_backward",
    "rnn_cell",
    "rnn_cell_backward",
    "rnn_forward",
    "rprop_",
    "rprop_many",
    "rrelu",
    "rrelu_backward",
    "schedule_free_adamw_",
    "schedule_free_adamw_many",
    "selu",
    "selu_backward",
    "selu_grad",
    "sgd_",
    "sgd_many",
    "sigmoid",
    "sigmoid_backward",
    "sigmoid_grad",
    "sign",
    "sign_backward",
    "sign_grad",
    "silu",
    "silu_backward",
    "silu_grad",
    "sinc",
    "sinc_backward",
    "sinc_grad",
    "sinusoid",
    "sinusoid_backward",
    "sinusoid_grad",
    "smooth_l1",
    "smooth_l1_backward",
    "smooth_l1_with_grad",
    "soft_clipping",
    "soft_clipping_backward",
    "soft_clipping_grad",
    "soft_exponential",
    "soft_exponential_backward",
    "soft_exponential_grad",
    "soft_margin",
    "soft_margin_backward",
    "soft_margin_with_grad",
    "soft_shrink",
    "soft_shrink_backward",
    "soft_shrink_grad",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_with_grad",
    "softmin",
    "softmin_backward",
    "softplus",
    "softplus_backward",
    "softplus_grad",
    "softsign",
    "softsign_backward",
    "softsign_grad",
    "sparse_plus",
    "sparse_plus_backward",
    "sparse_plus_grad",
    "sparse_sigmoid",
    "sparse_sigmoid_backward",
    "sparse_sigmoid_grad",
    "sparsemax",
    "sparsemax_backward",
    "squared_hinge",
    "squared_hinge_backward",
    "squared_hinge_with_grad",
    "squareplus",
    "squareplus_backward",
    "squareplus_grad",
    "srelu",
    "srelu_backward",
    "sumsq",
    "swiglu",
    "swiglu_backward",
    "tanh",
    "tanh_backward",
    "tanh_grad",
    "tanh_shrink",
    "tanh_shrink_backward",
    "tanh_shrink_grad",
    "threshold",
    "threshold_backward",
    "threshold_grad",
    "triplet_margin",
    "triplet_margin_backward",
    "triplet_margin_with_grad",
    "truncated_normal",
    "tversky",
    "tversky_backward",
    "tversky_with_grad",
    "unit_normalize",
    "unit_normalize_backward",
    "variance_scaling",
    "weighted_binary_cross_entropy",
    "weighted_binary_cross_entropy_backward",
    "weighted_binary_cross_entropy_with_grad",
    "weighted_binary_cross_entropy_with_logits",
    "weighted_binary_cross_entropy_with_logits_backward",
    "weighted_binary_cross_entropy_with_logits_with_grad",
]

def identity(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Linear activation: the input itself."""

def identity_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `identity`: the incoming gradient itself."""

def identity_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `identity` at x."""

def relu(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Rectified linear unit: negative inputs become zero."""

def relu_backward(dy: ArrayLike, y: ArrayLike, zero_grad: float = 0.0, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `relu`, from its output."""

def relu_grad(x: ArrayLike, zero_grad: float = 0.0, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `relu` at x."""

def leaky_relu(x: ArrayLike, alpha: float = 0.01, out: NDArray[Any] | None = None) -> Any:
    """Rectified linear unit with a small slope for negative inputs, so that no unit stops learning."""

def leaky_relu_backward(dy: ArrayLike, x: ArrayLike, alpha: float = 0.01, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `leaky_relu`, from its input."""

def leaky_relu_grad(x: ArrayLike, alpha: float = 0.01, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `leaky_relu` at x."""

def elu(x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Exponential linear unit: negative inputs saturate smoothly at -alpha."""

def elu_backward(dy: ArrayLike, y: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `elu`, from its output."""

def elu_grad(x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `elu` at x."""

def sigmoid(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Logistic function, which maps the real line to (0, 1)."""

def sigmoid_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `sigmoid`, from its output."""

def sigmoid_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `sigmoid` at x."""

def tanh(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Hyperbolic tangent, which maps the real line to (-1, 1)."""

def tanh_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `tanh`, from its output."""

def tanh_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `tanh` at x."""

def softplus(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Smooth version of the rectified linear unit."""

def softplus_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `softplus`, from its input."""

def softplus_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `softplus` at x."""

def silu(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Sigmoid-weighted linear unit, also called swish."""

def silu_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `silu`, from its input."""

def silu_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `silu` at x."""

def gelu(x: ArrayLike, approximate: bool = False, out: NDArray[Any] | None = None) -> Any:
    """Gaussian error linear unit, exact form: the input times the normal distribution function."""

def gelu_backward(dy: ArrayLike, x: ArrayLike, approximate: bool = False, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `gelu`, from its input."""

def gelu_grad(x: ArrayLike, approximate: bool = False, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `gelu` at x."""

def gelu_tanh(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gaussian error linear unit, the approximation by a hyperbolic tangent."""

def gelu_tanh_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `gelu_tanh`, from its input."""

def gelu_tanh_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `gelu_tanh` at x."""

def binary_step(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Binary step: off below zero, on from zero upwards."""

def binary_step_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `binary_step`, from its output."""

def binary_step_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `binary_step` at x."""

def heaviside(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Unit step with 1/2 at zero."""

def heaviside_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `heaviside`, from its output."""

def heaviside_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `heaviside` at x."""

def sign(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Sign of the input."""

def sign_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `sign`, from its output."""

def sign_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `sign` at x."""

def rectifier(
    x: ArrayLike,
    negative_slope: float = 0.0,
    max_value: float = float("inf"),
    threshold: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Rectified linear unit with a slope, a threshold and a largest value: Keras's general ``relu``."""

def rectifier_backward(
    dy: ArrayLike,
    x: ArrayLike,
    negative_slope: float = 0.0,
    max_value: float = float("inf"),
    threshold: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Gradient of `rectifier`, from its input."""

def rectifier_grad(
    x: ArrayLike,
    negative_slope: float = 0.0,
    max_value: float = float("inf"),
    threshold: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `rectifier` at x."""

def relu6(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Rectified linear unit that does not exceed 6."""

def relu6_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `relu6`, from its output."""

def relu6_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `relu6` at x."""

def threshold(x: ArrayLike, threshold: float = 0.0, default_value: float = 0.0, out: NDArray[Any] | None = None) -> Any:
    """The input where it exceeds a threshold, a constant elsewhere."""

def threshold_backward(
    dy: ArrayLike, x: ArrayLike, threshold: float = 0.0, default_value: float = 0.0, out: NDArray[Any] | None = None
) -> Any:
    """Gradient of `threshold`, from its input."""

def threshold_grad(
    x: ArrayLike, threshold: float = 0.0, default_value: float = 0.0, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `threshold` at x."""

def hard_shrink(x: ArrayLike, threshold: float = 0.5, out: NDArray[Any] | None = None) -> Any:
    """The input, but zero where it is small."""

def hard_shrink_backward(dy: ArrayLike, y: ArrayLike, threshold: float = 0.5, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `hard_shrink`, from its output."""

def hard_shrink_grad(x: ArrayLike, threshold: float = 0.5, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `hard_shrink` at x."""

def soft_shrink(x: ArrayLike, threshold: float = 0.5, out: NDArray[Any] | None = None) -> Any:
    """The input, moved towards zero by a constant and held there."""

def soft_shrink_backward(dy: ArrayLike, y: ArrayLike, threshold: float = 0.5, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `soft_shrink`, from its output."""

def soft_shrink_grad(x: ArrayLike, threshold: float = 0.5, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `soft_shrink` at x."""

def hard_tanh(x: ArrayLike, min_value: float = -1.0, max_value: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """The input itself, held between two bounds."""

def hard_tanh_backward(
    dy: ArrayLike, y: ArrayLike, min_value: float = -1.0, max_value: float = 1.0, out: NDArray[Any] | None = None
) -> Any:
    """Gradient of `hard_tanh`, from its output."""

def hard_tanh_grad(
    x: ArrayLike, min_value: float = -1.0, max_value: float = 1.0, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `hard_tanh` at x."""

def piecewise_linear(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Straight line of slope 1 between the constants 0 and 1."""

def piecewise_linear_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `piecewise_linear`, from its input."""

def piecewise_linear_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `piecewise_linear` at x."""

def hard_sigmoid(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Straight line of slope 1/6 between the constants 0 and 1, in the place of a sigmoid."""

def hard_sigmoid_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `hard_sigmoid`, from its input."""

def hard_sigmoid_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `hard_sigmoid` at x."""

def hard_silu(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Input times a hard sigmoid, also called hard swish."""

def hard_silu_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `hard_silu`, from its input."""

def hard_silu_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `hard_silu` at x."""

def clipped_linear(
    x: ArrayLike,
    slope: float = 1.0,
    offset: float = 0.0,
    min_value: float = 0.0,
    max_value: float = 1.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Any straight line, held between two bounds."""

def clipped_linear_backward(
    dy: ArrayLike,
    y: ArrayLike,
    slope: float = 1.0,
    offset: float = 0.0,
    min_value: float = 0.0,
    max_value: float = 1.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Gradient of `clipped_linear`, from its output."""

def clipped_linear_grad(
    x: ArrayLike,
    slope: float = 1.0,
    offset: float = 0.0,
    min_value: float = 0.0,
    max_value: float = 1.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `clipped_linear` at x."""

def sparse_plus(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Rectified linear unit whose kink is rounded by a parabola: exactly zero on the left, exactly x on the right."""

def sparse_plus_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `sparse_plus`, from its input."""

def sparse_plus_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `sparse_plus` at x."""

def sparse_sigmoid(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Straight line of slope 1/2 between the constants 0 and 1."""

def sparse_sigmoid_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `sparse_sigmoid`, from its input."""

def sparse_sigmoid_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `sparse_sigmoid` at x."""

def log_sigmoid(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Logarithm of the logistic function."""

def log_sigmoid_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `log_sigmoid`, from its input."""

def log_sigmoid_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `log_sigmoid` at x."""

def lecun_tanh(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Scaled hyperbolic tangent with values of 1 and -1 at 1 and -1."""

def lecun_tanh_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `lecun_tanh`, from its output."""

def lecun_tanh_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `lecun_tanh` at x."""

def tanh_shrink(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """What the hyperbolic tangent takes away."""

def tanh_shrink_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `tanh_shrink`, from its input."""

def tanh_shrink_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `tanh_shrink` at x."""

def arctan(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Arc tangent."""

def arctan_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `arctan`, from its input."""

def arctan_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `arctan` at x."""

def softsign(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Sigmoid that approaches its limits like 1 / x instead of exponentially."""

def softsign_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `softsign`, from its input."""

def softsign_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `softsign` at x."""

def isru(x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Inverse square root unit: a sigmoid without exponentials."""

def isru_backward(dy: ArrayLike, x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `isru`, from its input."""

def isru_grad(x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `isru` at x."""

def soft_clipping(x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """The input held between 0 and 1, with rounded corners."""

def soft_clipping_backward(dy: ArrayLike, x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `soft_clipping`, from its input."""

def soft_clipping_grad(x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `soft_clipping` at x."""

def selu(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Scaled exponential linear unit, which keeps mean 0 and variance 1 from layer to layer."""

def selu_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `selu`, from its output."""

def selu_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `selu` at x."""

def celu(x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Continuously differentiable exponential linear unit."""

def celu_backward(dy: ArrayLike, y: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `celu`, from its output."""

def celu_grad(x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `celu` at x."""

def isrlu(x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Inverse square root linear unit: linear on the right, saturating without exponentials on the left."""

def isrlu_backward(dy: ArrayLike, x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `isrlu`, from its input."""

def isrlu_grad(x: ArrayLike, alpha: float = 1.0, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `isrlu` at x."""

def squareplus(x: ArrayLike, b: float = 4.0, out: NDArray[Any] | None = None) -> Any:
    """Smooth rectified linear unit without exponentials."""

def squareplus_backward(dy: ArrayLike, x: ArrayLike, b: float = 4.0, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `squareplus`, from its input."""

def squareplus_grad(x: ArrayLike, b: float = 4.0, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `squareplus` at x."""

def bent_identity(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Straight line of slope 1/2 that bends into one of slope 3/2."""

def bent_identity_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `bent_identity`, from its input."""

def bent_identity_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `bent_identity` at x."""

def mish(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Input times the hyperbolic tangent of its softplus."""

def mish_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `mish`, from its input."""

def mish_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `mish` at x."""

def quick_gelu(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gaussian error linear unit, the approximation by a logistic function."""

def quick_gelu_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `quick_gelu`, from its input."""

def quick_gelu_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `quick_gelu` at x."""

def dish(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Sigmoid-weighted linear unit without exponentials."""

def dish_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `dish`, from its input."""

def dish_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `dish` at x."""

def exponential(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Exponential function."""

def exponential_backward(dy: ArrayLike, y: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `exponential`, from its output."""

def exponential_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `exponential` at x."""

def soft_exponential(x: ArrayLike, alpha: float = 0.5, out: NDArray[Any] | None = None) -> Any:
    """From a logarithm over the straight line to an exponential, by one parameter."""

def soft_exponential_backward(dy: ArrayLike, x: ArrayLike, alpha: float = 0.5, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `soft_exponential`, from its input."""

def soft_exponential_grad(x: ArrayLike, alpha: float = 0.5, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `soft_exponential` at x."""

def gaussian(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gaussian bell of height 1."""

def gaussian_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `gaussian`, from its input."""

def gaussian_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `gaussian` at x."""

def sinusoid(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Sine."""

def sinusoid_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `sinusoid`, from its input."""

def sinusoid_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `sinusoid` at x."""

def sinc(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Sine over its argument."""

def sinc_backward(dy: ArrayLike, x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `sinc`, from its input."""

def sinc_grad(x: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `sinc` at x."""

def prelu(x: ArrayLike, alpha: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Rectified linear unit whose slope for negative inputs is learned."""

def prelu_backward(dy: ArrayLike, x: ArrayLike, alpha: ArrayLike, out: NDArray[Any] | None = None) -> tuple[Any, Any]:
    """Gradient of `prelu`."""

def srelu(
    x: ArrayLike,
    t_left: ArrayLike,
    a_left: ArrayLike,
    t_right: ArrayLike,
    a_right: ArrayLike,
    out: NDArray[Any] | None = None,
) -> Any:
    """S-shaped rectified linear unit: three straight lines, whose two bends and outer slopes are learned."""

def srelu_backward(
    dy: ArrayLike,
    x: ArrayLike,
    t_left: ArrayLike,
    a_left: ArrayLike,
    t_right: ArrayLike,
    a_right: ArrayLike,
    out: NDArray[Any] | None = None,
) -> tuple[Any, Any, Any, Any, Any]:
    """Gradient of `srelu`."""

def learned_swish(x: ArrayLike, beta: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Swish whose steepness is learned: between half of the identity (``beta = 0``) and `relu` (``beta`` large)."""

def learned_swish_backward(
    dy: ArrayLike, x: ArrayLike, beta: ArrayLike, out: NDArray[Any] | None = None
) -> tuple[Any, Any]:
    """Gradient of `learned_swish`."""

def learned_soft_exponential(x: ArrayLike, alpha: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Soft exponential: logarithm, identity or exponential, whichever its learned parameter says."""

def learned_soft_exponential_backward(
    dy: ArrayLike, x: ArrayLike, alpha: ArrayLike, out: NDArray[Any] | None = None
) -> tuple[Any, Any]:
    """Gradient of `learned_soft_exponential`."""

def apl(x: ArrayLike, slope: ArrayLike, hinge: ArrayLike, out: NDArray[Any] | None = None) -> Any:
    """Adaptive piecewise linear unit: `relu` and a sum of learned hinges."""

def apl_backward(
    dy: ArrayLike, x: ArrayLike, slope: ArrayLike, hinge: ArrayLike, out: NDArray[Any] | None = None
) -> tuple[Any, Any, Any]:
    """Gradient of `apl`."""

def glu(x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None) -> Any:
    """Gated linear unit."""

def glu_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `glu`."""

def bilinear(x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None) -> Any:
    """Bilinear unit, a gate without an activation."""

def bilinear_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `bilinear`."""

def reglu(x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None) -> Any:
    """Gated linear unit with ReLU."""

def reglu_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `reglu`."""

def geglu(x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None) -> Any:
    """Gated linear unit with GELU."""

def geglu_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `geglu`."""

def swiglu(x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None) -> Any:
    """Gated linear unit with SiLU (swish)."""

def swiglu_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1, out: NDArray[Any] | None = None) -> Any:
    """Gradient of `swiglu`."""

def mse(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """Squared error of each element."""

def mse_backward(p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `mse` with respect to the prediction."""

def mse_with_grad(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None) -> Any:
    """Squared error of each element."""

def half_mse(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """Half the squared error of each element; the loss of a sample is their mean."""

def half_mse_backward(
    p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `half_mse` with respect to the prediction."""

def half_mse_with_grad(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None) -> Any:
    """Half the squared error of each element; the loss of a sample is their mean."""

def half_sse(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """Half the squared error of each element; the loss of a sample is their sum."""

def half_sse_backward(
    p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `half_sse` with respect to the prediction."""

def half_sse_with_grad(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None) -> Any:
    """Half the squared error of each element; the loss of a sample is their sum."""

def mae(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """Absolute error of each element."""

def mae_backward(p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `mae` with respect to the prediction."""

def mae_with_grad(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None) -> Any:
    """Absolute error of each element."""

def mape(p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, reduction: str = "mean") -> Any:
    """Absolute error of each element in percent of its target."""

def mape_backward(
    p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `mape` with respect to the prediction."""

def mape_with_grad(
    p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Absolute error of each element in percent of its target."""

def msle(p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, reduction: str = "mean") -> Any:
    """Squared error of the logarithms of each element plus 1."""

def msle_backward(
    p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `msle` with respect to the prediction."""

def msle_with_grad(
    p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Squared error of the logarithms of each element plus 1."""

def log_cosh(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """Logarithm of the hyperbolic cosine of the error of each element."""

def log_cosh_backward(
    p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `log_cosh` with respect to the prediction."""

def log_cosh_with_grad(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None) -> Any:
    """Logarithm of the hyperbolic cosine of the error of each element."""

def huber(p: ArrayLike, t: ArrayLike, delta: float = 1.0, *, reduction: str = "mean") -> Any:
    """Squared error of each element near 0, absolute error far from it."""

def huber_backward(
    p: ArrayLike, t: ArrayLike, delta: float = 1.0, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `huber` with respect to the prediction."""

def huber_with_grad(
    p: ArrayLike, t: ArrayLike, delta: float = 1.0, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Squared error of each element near 0, absolute error far from it."""

def smooth_l1(p: ArrayLike, t: ArrayLike, beta: float = 1.0, *, reduction: str = "mean") -> Any:
    """Absolute error of each element, rounded off near 0."""

def smooth_l1_backward(
    p: ArrayLike, t: ArrayLike, beta: float = 1.0, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `smooth_l1` with respect to the prediction."""

def smooth_l1_with_grad(
    p: ArrayLike, t: ArrayLike, beta: float = 1.0, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Absolute error of each element, rounded off near 0."""

def poisson(p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, reduction: str = "mean") -> Any:
    """Negative logarithm of the Poisson probability of a count, from its predicted mean."""

def poisson_backward(
    p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `poisson` with respect to the prediction."""

def poisson_with_grad(
    p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Negative logarithm of the Poisson probability of a count, from its predicted mean."""

def poisson_nll(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """Negative logarithm of the Poisson probability of a count, from the predicted logarithm of its mean."""

def poisson_nll_backward(
    p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `poisson_nll` with respect to the prediction."""

def poisson_nll_with_grad(
    p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Negative logarithm of the Poisson probability of a count, from the predicted logarithm of its mean."""

def kl_divergence(p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, reduction: str = "mean") -> Any:
    """Divergence of predicted from true probabilities; the loss of a sample is the sum over its elements."""

def kl_divergence_backward(
    p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `kl_divergence` with respect to the prediction."""

def kl_divergence_with_grad(
    p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Divergence of predicted from true probabilities; the loss of a sample is the sum over its elements."""

def binary_cross_entropy(p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, reduction: str = "mean") -> Any:
    """Cross-entropy of two classes, from a predicted probability."""

def binary_cross_entropy_backward(
    p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `binary_cross_entropy` with respect to the predicted probability."""

def binary_cross_entropy_with_grad(
    p: ArrayLike, t: ArrayLike, eps: float = 1e-07, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Cross-entropy of two classes, from a predicted probability."""

def binary_cross_entropy_with_logits(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """Cross-entropy of two classes, from the logit, that is, from the value before the sigmoid."""

def binary_cross_entropy_with_logits_backward(
    p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `binary_cross_entropy_with_logits` with respect to the logit."""

def binary_cross_entropy_with_logits_with_grad(
    p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Cross-entropy of two classes, from the logit, that is, from the value before the sigmoid."""

def weighted_binary_cross_entropy(
    p: ArrayLike, t: ArrayLike, pos_weight: float = 1.0, eps: float = 1e-07, *, reduction: str = "mean"
) -> Any:
    """Cross-entropy of two classes of unlike importance, from a predicted probability."""

def weighted_binary_cross_entropy_backward(
    p: ArrayLike,
    t: ArrayLike,
    pos_weight: float = 1.0,
    eps: float = 1e-07,
    *,
    scale: float | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `weighted_binary_cross_entropy` with respect to the prediction."""

def weighted_binary_cross_entropy_with_grad(
    p: ArrayLike,
    t: ArrayLike,
    pos_weight: float = 1.0,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    out: NDArray[Any] | None = None,
) -> Any:
    """Cross-entropy of two classes of unlike importance, from a predicted probability."""

def weighted_binary_cross_entropy_with_logits(
    p: ArrayLike, t: ArrayLike, pos_weight: float = 1.0, *, reduction: str = "mean"
) -> Any:
    """Cross-entropy of two classes of unlike importance, from the logit."""

def weighted_binary_cross_entropy_with_logits_backward(
    p: ArrayLike, t: ArrayLike, pos_weight: float = 1.0, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `weighted_binary_cross_entropy_with_logits` with respect to the logit."""

def weighted_binary_cross_entropy_with_logits_with_grad(
    p: ArrayLike, t: ArrayLike, pos_weight: float = 1.0, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Cross-entropy of two classes of unlike importance, from the logit."""

def cut_binary_cross_entropy(p: ArrayLike, t: ArrayLike, most: float = 100.0, *, reduction: str = "mean") -> Any:
    """Cross-entropy of two classes, from a predicted probability, with the logarithms cut off."""

def cut_binary_cross_entropy_backward(
    p: ArrayLike, t: ArrayLike, most: float = 100.0, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `cut_binary_cross_entropy` with respect to the prediction."""

def cut_binary_cross_entropy_with_grad(
    p: ArrayLike, t: ArrayLike, most: float = 100.0, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Cross-entropy of two classes, from a predicted probability, with the logarithms cut off."""

def binary_focal(
    p: ArrayLike,
    t: ArrayLike,
    gamma: float = 2.0,
    pos_weight: float = 1.0,
    neg_weight: float = 1.0,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
) -> Any:
    """Cross-entropy of two classes that plays down easy examples, from a predicted probability."""

def binary_focal_backward(
    p: ArrayLike,
    t: ArrayLike,
    gamma: float = 2.0,
    pos_weight: float = 1.0,
    neg_weight: float = 1.0,
    eps: float = 1e-07,
    *,
    scale: float | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `binary_focal` with respect to the prediction."""

def binary_focal_with_grad(
    p: ArrayLike,
    t: ArrayLike,
    gamma: float = 2.0,
    pos_weight: float = 1.0,
    neg_weight: float = 1.0,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    out: NDArray[Any] | None = None,
) -> Any:
    """Cross-entropy of two classes that plays down easy examples, from a predicted probability."""

def binary_focal_with_logits(
    p: ArrayLike,
    t: ArrayLike,
    gamma: float = 2.0,
    pos_weight: float = 1.0,
    neg_weight: float = 1.0,
    *,
    reduction: str = "mean",
) -> Any:
    """Cross-entropy of two classes that plays down easy examples, from the logit."""

def binary_focal_with_logits_backward(
    p: ArrayLike,
    t: ArrayLike,
    gamma: float = 2.0,
    pos_weight: float = 1.0,
    neg_weight: float = 1.0,
    *,
    scale: float | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `binary_focal_with_logits` with respect to the logit."""

def binary_focal_with_logits_with_grad(
    p: ArrayLike,
    t: ArrayLike,
    gamma: float = 2.0,
    pos_weight: float = 1.0,
    neg_weight: float = 1.0,
    *,
    reduction: str = "mean",
    out: NDArray[Any] | None = None,
) -> Any:
    """Cross-entropy of two classes that plays down easy examples, from the logit."""

def hinge(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """How far each prediction falls short of the margin on the side of its target."""

def hinge_backward(p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `hinge` with respect to the prediction."""

def hinge_with_grad(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None) -> Any:
    """How far each prediction falls short of the margin on the side of its target."""

def squared_hinge(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """Square of how far each prediction falls short of the margin on the side of its target."""

def squared_hinge_backward(
    p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `squared_hinge` with respect to the prediction."""

def squared_hinge_with_grad(
    p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Square of how far each prediction falls short of the margin on the side of its target."""

def soft_margin(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """Logistic loss of each prediction against its target of -1 or 1."""

def soft_margin_backward(
    p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None
) -> Any:
    """Derivative of `soft_margin` with respect to the prediction."""

def soft_margin_with_grad(
    p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None
) -> Any:
    """Logistic loss of each prediction against its target of -1 or 1."""

def nll(
    log_probs: ArrayLike,
    targets: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Any:
    """Negative log-likelihood of the target classes, from logarithms of probabilities."""

def nll_backward(
    log_probs: ArrayLike,
    targets: ArrayLike,
    *,
    scale: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `nll` with respect to the predictions."""

def nll_with_grad(
    log_probs: ArrayLike,
    targets: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Negative log-likelihood of the target classes, from logarithms of probabilities."""

def categorical_focal(
    probs: ArrayLike,
    targets: ArrayLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Any:
    """Cross-entropy that plays down easy examples, from predicted probabilities."""

def categorical_focal_backward(
    probs: ArrayLike,
    targets: ArrayLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    eps: float = 1e-07,
    *,
    scale: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `categorical_focal` with respect to the predictions."""

def categorical_focal_with_grad(
    probs: ArrayLike,
    targets: ArrayLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Cross-entropy that plays down easy examples, from predicted probabilities."""

def categorical_focal_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Any:
    """Cross-entropy that plays down easy examples, from logits."""

def categorical_focal_with_logits_backward(
    logits: ArrayLike,
    targets: ArrayLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    *,
    scale: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `categorical_focal_with_logits` with respect to the logits."""

def categorical_focal_with_logits_with_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Cross-entropy that plays down easy examples, from logits."""

def generalized_cross_entropy(
    probs: ArrayLike,
    targets: ArrayLike,
    q: float = 0.5,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Any:
    """Between the cross-entropy (q towards 0) and the absolute error (q = 1), for labels that are partly wrong."""

def generalized_cross_entropy_backward(
    probs: ArrayLike,
    targets: ArrayLike,
    q: float = 0.5,
    *,
    scale: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `generalized_cross_entropy` with respect to the predictions."""

def generalized_cross_entropy_with_grad(
    probs: ArrayLike,
    targets: ArrayLike,
    q: float = 0.5,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Between the cross-entropy (q towards 0) and the absolute error (q = 1), for labels that are partly wrong."""

def categorical_hinge(
    p: ArrayLike,
    targets: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Any:
    """How far the right class falls short of a margin of 1 above the best wrong one."""

def categorical_hinge_backward(
    p: ArrayLike,
    targets: ArrayLike,
    *,
    scale: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `categorical_hinge` with respect to the predictions."""

def categorical_hinge_with_grad(
    p: ArrayLike,
    targets: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    out: NDArray[Any] | None = None,
) -> Any:
    """How far the right class falls short of a margin of 1 above the best wrong one."""

def multi_margin(
    p: ArrayLike,
    targets: ArrayLike,
    margin: float = 1.0,
    power: float = 1.0,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
) -> Any:
    """How far the right class falls short of a margin above each of the others."""

def multi_margin_backward(
    p: ArrayLike,
    targets: ArrayLike,
    margin: float = 1.0,
    power: float = 1.0,
    *,
    scale: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `multi_margin` with respect to the scores."""

def multi_margin_with_grad(
    p: ArrayLike,
    targets: ArrayLike,
    margin: float = 1.0,
    power: float = 1.0,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    ignore_index: int | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """How far the right class falls short of a margin above each of the others."""

def multilabel_margin(
    p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", denom: float | None = None, mask: ArrayLike | None = None
) -> Any:
    """How far the classes that are right fall short of a margin of 1 above those that are not."""

def multilabel_margin_backward(
    p: ArrayLike,
    t: ArrayLike,
    *,
    scale: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `multilabel_margin` with respect to the scores."""

def multilabel_margin_with_grad(
    p: ArrayLike,
    t: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """How far the classes that are right fall short of a margin of 1 above those that are not."""

def multilabel_soft_margin(
    logits: ArrayLike,
    t: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
) -> Any:
    """Binary cross-entropy of every class, the classes weighted."""

def multilabel_soft_margin_backward(
    logits: ArrayLike,
    t: ArrayLike,
    *,
    scale: float | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `multilabel_soft_margin` with respect to the logits."""

def multilabel_soft_margin_with_grad(
    logits: ArrayLike,
    t: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Binary cross-entropy of every class, the classes weighted."""

def balanced_binary_cross_entropy(
    probs: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
) -> Any:
    """Binary cross-entropy of several outputs, each with a weight of its own for the targets of 1."""

def balanced_binary_cross_entropy_backward(
    probs: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-07,
    *,
    scale: float | None = None,
    mask: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `balanced_binary_cross_entropy` with respect to the probabilities."""

def balanced_binary_cross_entropy_with_grad(
    probs: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Binary cross-entropy of several outputs, each with a weight of its own for the targets of 1."""

def balanced_binary_cross_entropy_with_logits(
    logits: ArrayLike,
    t: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
) -> Any:
    """Binary cross-entropy of several outputs from logits, each with a weight of its own for the targets of 1."""

def balanced_binary_cross_entropy_with_logits_backward(
    logits: ArrayLike,
    t: ArrayLike,
    *,
    scale: float | None = None,
    mask: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `balanced_binary_cross_entropy_with_logits` with respect to the logits."""

def balanced_binary_cross_entropy_with_logits_with_grad(
    logits: ArrayLike,
    t: ArrayLike,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Binary cross-entropy of several outputs from logits, each with a weight of its own for the targets of 1."""

def cosine_similarity(
    p: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
) -> Any:
    """Minus the cosine of the angle between prediction and target."""

def cosine_similarity_backward(
    p: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-07,
    *,
    scale: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `cosine_similarity` with respect to the predictions."""

def cosine_similarity_with_grad(
    p: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Minus the cosine of the angle between prediction and target."""

def dice(
    p: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
) -> Any:
    """One minus the overlap of two sets, given as the degrees to which each element belongs to them."""

def dice_backward(
    p: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-07,
    *,
    scale: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `dice` with respect to the predictions."""

def dice_with_grad(
    p: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """One minus the overlap of two sets, given as the degrees to which each element belongs to them."""

def tversky(
    p: ArrayLike,
    t: ArrayLike,
    alpha: float = 0.5,
    beta: float = 0.5,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
) -> Any:
    """`dice` with factors for the two ways in which sets can differ."""

def tversky_backward(
    p: ArrayLike,
    t: ArrayLike,
    alpha: float = 0.5,
    beta: float = 0.5,
    eps: float = 1e-07,
    *,
    scale: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of `tversky` with respect to the predictions."""

def tversky_with_grad(
    p: ArrayLike,
    t: ArrayLike,
    alpha: float = 0.5,
    beta: float = 0.5,
    eps: float = 1e-07,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """`dice` with factors for the two ways in which sets can differ."""

def gaussian_nll(
    mean: ArrayLike, var: ArrayLike, t: ArrayLike, eps: float = 1e-06, full: float = 0.0, *, reduction: str = "mean"
) -> Any:
    """Negative logarithm of the normal density of the targets, from predicted means and variances."""

def gaussian_nll_backward(
    mean: ArrayLike,
    var: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-06,
    full: float = 0.0,
    *,
    scale: float | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivatives of `gaussian_nll` with respect to the means and the variances."""

def gaussian_nll_with_grad(
    mean: ArrayLike,
    var: ArrayLike,
    t: ArrayLike,
    eps: float = 1e-06,
    full: float = 0.0,
    *,
    reduction: str = "mean",
    out: NDArray[Any] | None = None,
) -> Any:
    """Negative logarithm of the normal density of the targets, from predicted means and variances."""

def margin_ranking(x1: ArrayLike, x2: ArrayLike, t: ArrayLike, margin: float = 0.0, *, reduction: str = "mean") -> Any:
    """How far the larger of two scores falls short of a margin above the other."""

def margin_ranking_backward(
    x1: ArrayLike,
    x2: ArrayLike,
    t: ArrayLike,
    margin: float = 0.0,
    *,
    scale: float | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivatives of `margin_ranking` with respect to both scores."""

def margin_ranking_with_grad(
    x1: ArrayLike,
    x2: ArrayLike,
    t: ArrayLike,
    margin: float = 0.0,
    *,
    reduction: str = "mean",
    out: NDArray[Any] | None = None,
) -> Any:
    """How far the larger of two scores falls short of a margin above the other."""

def cosine_embedding(
    x1: ArrayLike,
    x2: ArrayLike,
    t: ArrayLike,
    margin: float = 0.0,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
) -> Any:
    """Pulls rows that belong together towards one direction, and the others apart."""

def cosine_embedding_backward(
    x1: ArrayLike,
    x2: ArrayLike,
    t: ArrayLike,
    margin: float = 0.0,
    *,
    scale: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivatives of `cosine_embedding` with respect to both rows."""

def cosine_embedding_with_grad(
    x1: ArrayLike,
    x2: ArrayLike,
    t: ArrayLike,
    margin: float = 0.0,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Pulls rows that belong together towards one direction, and the others apart."""

def triplet_margin(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    margin: float = 1.0,
    power: float = 2.0,
    eps: float = 1e-06,
    swap: float = 0.0,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
) -> Any:
    """Pulls an anchor towards a row of its kind, until a row of another kind is further away by a margin."""

def triplet_margin_backward(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    margin: float = 1.0,
    power: float = 2.0,
    eps: float = 1e-06,
    swap: float = 0.0,
    *,
    scale: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivatives of `triplet_margin` with respect to the three rows."""

def triplet_margin_with_grad(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    margin: float = 1.0,
    power: float = 2.0,
    eps: float = 1e-06,
    swap: float = 0.0,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Pulls an anchor towards a row of its kind, until a row of another kind is further away by a margin."""

def circle(
    embeddings: ArrayLike,
    t: ArrayLike,
    gamma: float = 80.0,
    margin: float = 0.4,
    remove_diagonal: float = 1.0,
    rescale: float = 0.0,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
) -> Any:
    """Pulls rows of one label together and pushes those of different labels apart, those that are far off the most."""

def circle_backward(
    embeddings: ArrayLike,
    t: ArrayLike,
    gamma: float = 80.0,
    margin: float = 0.4,
    remove_diagonal: float = 1.0,
    rescale: float = 0.0,
    *,
    scale: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Derivative of the weighted sum of `circle` with respect to the embeddings."""

def circle_with_grad(
    embeddings: ArrayLike,
    t: ArrayLike,
    gamma: float = 80.0,
    margin: float = 0.4,
    remove_diagonal: float = 1.0,
    rescale: float = 0.0,
    *,
    reduction: str = "mean",
    denom: float | None = None,
    mask: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
) -> Any:
    """Pulls rows of one label together and pushes those of different labels apart, those that are far off the most."""

def sgd_(p: NDArray[Any], g: Any, lr: float = 0.01, weight_decay: float = 0.0, decoupled: bool = False) -> None:
    """Stochastic gradient descent."""

def sgd_many(p: Any, g: Any, lr: float = 0.01, weight_decay: float = 0.0, decoupled: bool = False) -> None:
    """`sgd_` for many parameters in one call."""

def momentum_(
    p: NDArray[Any],
    g: Any,
    v: NDArray[Any],
    lr: float = 0.01,
    mu: float = 0.9,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    form: str = "inside",
    dampening: float = 0.0,
    first: bool = False,
) -> None:
    """Gradient descent with momentum: the parameter rolls on with a velocity."""

def momentum_many(
    p: Any,
    g: Any,
    v: Any,
    lr: float = 0.01,
    mu: float = 0.9,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    form: str = "inside",
    dampening: float = 0.0,
    first: bool = False,
) -> None:
    """`momentum_` for many parameters in one call."""

def nesterov_(
    p: NDArray[Any],
    g: Any,
    v: NDArray[Any],
    lr: float = 0.01,
    mu: float = 0.9,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    form: str = "inside",
    dampening: float = 0.0,
    first: bool = False,
) -> None:
    """Gradient descent with Nesterov's momentum: the gradient is taken where the velocity leads."""

def nesterov_many(
    p: Any,
    g: Any,
    v: Any,
    lr: float = 0.01,
    mu: float = 0.9,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    form: str = "inside",
    dampening: float = 0.0,
    first: bool = False,
) -> None:
    """`nesterov_` for many parameters in one call."""

def asgd_(
    p: NDArray[Any],
    g: Any,
    average: NDArray[Any],
    t: int,
    lr: float = 0.01,
    lambd: float = 0.0001,
    alpha: float = 0.75,
    t0: float = 1000000.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Averaged stochastic gradient descent: beside the parameter walks the mean of its path."""

def asgd_many(
    p: Any,
    g: Any,
    average: Any,
    t: int,
    lr: float = 0.01,
    lambd: float = 0.0001,
    alpha: float = 0.75,
    t0: float = 1000000.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`asgd_` for many parameters in one call."""

def adagrad_(
    p: NDArray[Any],
    g: Any,
    a: NDArray[Any],
    lr: float = 0.001,
    eps: float = 1e-07,
    eps_inside: bool = True,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """AdaGrad: steps scaled by the root of the sum of all squared gradients."""

def adagrad_many(
    p: Any,
    g: Any,
    a: Any,
    lr: float = 0.001,
    eps: float = 1e-07,
    eps_inside: bool = True,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`adagrad_` for many parameters in one call."""

def adadelta_(
    p: NDArray[Any],
    g: Any,
    a: NDArray[Any],
    d: NDArray[Any],
    lr: float = 0.001,
    rho: float = 0.95,
    eps: float = 1e-07,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """AdaDelta: steps of the size of the last steps, relative to the size of the last gradients."""

def adadelta_many(
    p: Any,
    g: Any,
    a: Any,
    d: Any,
    lr: float = 0.001,
    rho: float = 0.95,
    eps: float = 1e-07,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`adadelta_` for many parameters in one call."""

def rmsprop_(
    p: NDArray[Any],
    g: Any,
    v: NDArray[Any],
    lr: float = 0.001,
    rho: float = 0.9,
    eps: float = 1e-07,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    eps_inside: bool = True,
) -> None:
    """RMSprop: steps scaled by a running root mean square of the gradient."""

def rmsprop_many(
    p: Any,
    g: Any,
    v: Any,
    lr: float = 0.001,
    rho: float = 0.9,
    eps: float = 1e-07,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    eps_inside: bool = True,
) -> None:
    """`rmsprop_` for many parameters in one call."""

def rmsprop_momentum_(
    p: NDArray[Any],
    g: Any,
    v: NDArray[Any],
    b: NDArray[Any],
    lr: float = 0.001,
    mu: float = 0.9,
    rho: float = 0.9,
    eps: float = 1e-07,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    eps_inside: bool = True,
    form: str = "inside",
) -> None:
    """RMSprop with momentum on the scaled gradient."""

def rmsprop_momentum_many(
    p: Any,
    g: Any,
    v: Any,
    b: Any,
    lr: float = 0.001,
    mu: float = 0.9,
    rho: float = 0.9,
    eps: float = 1e-07,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    eps_inside: bool = True,
    form: str = "inside",
) -> None:
    """`rmsprop_momentum_` for many parameters in one call."""

def rmsprop_centered_(
    p: NDArray[Any],
    g: Any,
    v: NDArray[Any],
    m: NDArray[Any],
    lr: float = 0.001,
    rho: float = 0.9,
    eps: float = 1e-07,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    eps_inside: bool = True,
) -> None:
    """RMSprop scaled by a running standard deviation of the gradient."""

def rmsprop_centered_many(
    p: Any,
    g: Any,
    v: Any,
    m: Any,
    lr: float = 0.001,
    rho: float = 0.9,
    eps: float = 1e-07,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    eps_inside: bool = True,
) -> None:
    """`rmsprop_centered_` for many parameters in one call."""

def rmsprop_centered_momentum_(
    p: NDArray[Any],
    g: Any,
    v: NDArray[Any],
    m: NDArray[Any],
    b: NDArray[Any],
    lr: float = 0.001,
    mu: float = 0.9,
    rho: float = 0.9,
    eps: float = 1e-07,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    eps_inside: bool = True,
    form: str = "inside",
) -> None:
    """RMSprop scaled by a running standard deviation, with momentum on the scaled gradient."""

def rmsprop_centered_momentum_many(
    p: Any,
    g: Any,
    v: Any,
    m: Any,
    b: Any,
    lr: float = 0.001,
    mu: float = 0.9,
    rho: float = 0.9,
    eps: float = 1e-07,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    eps_inside: bool = True,
    form: str = "inside",
) -> None:
    """`rmsprop_centered_momentum_` for many parameters in one call."""

def ftrl_(
    p: NDArray[Any],
    g: Any,
    a: NDArray[Any],
    z: NDArray[Any],
    lr: float = 0.001,
    l1: float = 0.0,
    l2: float = 0.0,
    l2_shrinkage: float = 0.0,
    beta: float = 0.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Follow the regularized leader: AdaGrad's rates with an L1 penalty that makes parameters exactly 0."""

def ftrl_many(
    p: Any,
    g: Any,
    a: Any,
    z: Any,
    lr: float = 0.001,
    l1: float = 0.0,
    l2: float = 0.0,
    l2_shrinkage: float = 0.0,
    beta: float = 0.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`ftrl_` for many parameters in one call."""

def ftrl_power_(
    p: NDArray[Any],
    g: Any,
    a: NDArray[Any],
    z: NDArray[Any],
    power: float,
    lr: float = 0.001,
    l1: float = 0.0,
    l2: float = 0.0,
    l2_shrinkage: float = 0.0,
    beta: float = 0.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Follow the regularized leader with rates that fall with another power of the sum of squares."""

def ftrl_power_many(
    p: Any,
    g: Any,
    a: Any,
    z: Any,
    power: float,
    lr: float = 0.001,
    l1: float = 0.0,
    l2: float = 0.0,
    l2_shrinkage: float = 0.0,
    beta: float = 0.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`ftrl_power_` for many parameters in one call."""

def adam_(
    p: NDArray[Any],
    g: Any,
    m: NDArray[Any],
    v: NDArray[Any],
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    form: str = "folded",
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Adam: steps scaled by running means of the gradient and of its square."""

def adam_many(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    form: str = "folded",
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`adam_` for many parameters in one call."""

def amsgrad_(
    p: NDArray[Any],
    g: Any,
    m: NDArray[Any],
    v: NDArray[Any],
    largest: NDArray[Any],
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    form: str = "folded",
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """AMSGrad: Adam whose running mean square counts with its largest value so far."""

def amsgrad_many(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    largest: Any,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    form: str = "folded",
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`amsgrad_` for many parameters in one call."""

def adamax_(
    p: NDArray[Any],
    g: Any,
    m: NDArray[Any],
    u: NDArray[Any],
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    eps_inside: bool = False,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Adamax: Adam with a running maximum in the place of the root mean square."""

def adamax_many(
    p: Any,
    g: Any,
    m: Any,
    u: Any,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    eps_inside: bool = False,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`adamax_` for many parameters in one call."""

def nadam_(
    p: NDArray[Any],
    g: Any,
    m: NDArray[Any],
    v: NDArray[Any],
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    momentum_decay: float = 1.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Nadam: Adam with Nesterov's momentum."""

def nadam_many(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    momentum_decay: float = 1.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`nadam_` for many parameters in one call."""

def radam_(
    p: NDArray[Any],
    g: Any,
    m: NDArray[Any],
    v: NDArray[Any],
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    threshold: float = 5.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Rectified Adam: Adam once enough gradients are known for its root mean square to mean something."""

def radam_many(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    threshold: float = 5.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`radam_` for many parameters in one call."""

def schedule_free_adamw_(
    p: NDArray[Any],
    g: Any,
    z: NDArray[Any],
    v: NDArray[Any],
    t: int,
    lr: float = 0.0025,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-08,
    weight: float | None = None,
    weight_decay: float = 0.0,
    decoupled: bool = True,
) -> None:
    """Schedule-free AdamW: the gradient is taken between a walker and the mean of its path."""

def schedule_free_adamw_many(
    p: Any,
    g: Any,
    z: Any,
    v: Any,
    t: int,
    lr: float = 0.0025,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-08,
    weight: float | None = None,
    weight_decay: float = 0.0,
    decoupled: bool = True,
) -> None:
    """`schedule_free_adamw_` for many parameters in one call."""

def lion_(
    p: NDArray[Any],
    g: Any,
    m: NDArray[Any],
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.99,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Lion: steps of one size, in the direction of a running mean of the gradient."""

def lion_many(
    p: Any,
    g: Any,
    m: Any,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.99,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """`lion_` for many parameters in one call."""

def rprop_(
    p: NDArray[Any],
    g: Any,
    last: NDArray[Any],
    size: NDArray[Any],
    shrink: float = 0.5,
    grow: float = 1.2,
    smallest: float = 1e-06,
    largest: float = 50.0,
    take_back: bool = False,
) -> None:
    """Resilient backpropagation: every parameter has a step size, which grows until its gradient turns."""

def rprop_many(
    p: Any,
    g: Any,
    last: Any,
    size: Any,
    shrink: float = 0.5,
    grow: float = 1.2,
    smallest: float = 1e-06,
    largest: float = 50.0,
    take_back: bool = False,
) -> None:
    """`rprop_` for many parameters in one call."""

def lamb_direction_(
    p: NDArray[Any],
    g: Any,
    m: NDArray[Any],
    v: NDArray[Any],
    direction: NDArray[Any],
    gain: float,
    root_scale: float,
    one_minus_beta1: float,
    one_minus_beta2: float,
    eps: float,
) -> None:
    """The direction of LAMB's step, which is Adam's; how far to go follows from the norms of p and of the direction."""

def lamb_direction_many(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    direction: Any,
    gain: float,
    root_scale: float,
    one_minus_beta1: float,
    one_minus_beta2: float,
    eps: float,
) -> None:
    """`lamb_direction_` for many parameters in one call."""

def adam_raw_(
    p: NDArray[Any], g: Any, m: NDArray[Any], v: NDArray[Any], b1: float, b2: float, a: float, s: float, eps: float
) -> None:
    """Adam: steps scaled by running means of the gradient and of its square."""

def adam_raw_many(p: Any, g: Any, m: Any, v: Any, b1: float, b2: float, a: float, s: float, eps: float) -> None:
    """`adam_raw_` for many parameters in one call."""

def adamw_(
    p: NDArray[Any],
    g: Any,
    m: NDArray[Any],
    v: NDArray[Any],
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    form: str = "folded",
    weight_decay: float = 0.004,
    decoupled: bool = True,
) -> None:
    """Adam: steps scaled by running means of the gradient and of its square."""

def adamw_many(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    t: int,
    lr: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-07,
    form: str = "folded",
    weight_decay: float = 0.004,
    decoupled: bool = True,
) -> None:
    """`adamw_` for many parameters in one call."""

def __getattr__(name: str) -> Any: ...  # keras.ops on NumPy
