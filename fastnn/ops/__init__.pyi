"""Made by tools/make_stubs.py."""

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastnn.ops import registry
from fastnn.ops.classification import (
    cross_entropy,
    cross_entropy_backward,
    cross_entropy_with_grad,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_with_grad,
)
from fastnn.ops.clipping import clip_by_global_norm_, clip_by_norm_, clip_by_value_, sumsq
from fastnn.ops.dense import affine, affine_backward, bias_add, column_sums, matmul
from fastnn.ops.gates import maxout, maxout_backward
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
from fastnn.ops.noise import dropout, dropout_backward, random_bits
from fastnn.ops.optimizers import look_ahead_, look_ahead_many
from fastnn.ops.random_relu import rrelu, rrelu_backward
from fastnn.ops.rowwise import log_softmax, log_softmax_backward, logsumexp, softmax, softmax_backward
from fastnn.ops.simplex import (
    gumbel_softmax,
    gumbel_softmax_backward,
    softmin,
    softmin_backward,
    sparsemax,
    sparsemax_backward,
)

__all__ = [
    "adadelta_",
    "adadelta_many",
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
    "asgd_",
    "asgd_many",
    "bias_add",
    "bilinear",
    "bilinear_backward",
    "binary_cross_entropy",
    "binary_cross_entropy_backward",
    "binary_cross_entropy_with_grad",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_backward",
    "binary_cross_entropy_with_logits_with_grad",
    "clip_by_global_norm_",
    "clip_by_norm_",
    "clip_by_value_",
    "column_sums",
    "cross_entropy",
    "cross_entropy_backward",
    "cross_entropy_with_grad",
    "dropout",
    "dropout_backward",
    "elu",
    "elu_backward",
    "elu_grad",
    "ftrl_",
    "ftrl_many",
    "ftrl_power_",
    "ftrl_power_many",
    "geglu",
    "geglu_backward",
    "gelu",
    "gelu_backward",
    "gelu_grad",
    "gelu_tanh",
    "gelu_tanh_backward",
    "gelu_tanh_grad",
    "glorot_normal",
    "glorot_uniform",
    "glu",
    "glu_backward",
    "gumbel_softmax",
    "gumbel_softmax_backward",
    "he_normal",
    "he_uniform",
    "identity",
    "identity_backward",
    "identity_grad",
    "leaky_relu",
    "leaky_relu_backward",
    "leaky_relu_grad",
    "learned_soft_exponential",
    "learned_soft_exponential_backward",
    "learned_swish",
    "learned_swish_backward",
    "lecun_normal",
    "lecun_uniform",
    "lion_",
    "lion_many",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "look_ahead_",
    "look_ahead_many",
    "mae",
    "mae_backward",
    "mae_with_grad",
    "matmul",
    "maxout",
    "maxout_backward",
    "momentum_",
    "momentum_many",
    "mse",
    "mse_backward",
    "mse_with_grad",
    "nadam_",
    "nadam_many",
    "nesterov_",
    "nesterov_many",
    "orthogonal",
    "prelu",
    "prelu_backward",
    "radam_",
    "radam_many",
    "random_bits",
    "registry",
    "reglu",
    "reglu_backward",
    "relu",
    "relu_backward",
    "relu_grad",
    "rmsprop_",
    "rmsprop_centered_",
    "rmsprop_centered_many",
    "rmsprop_centered_momentum_",
    "rmsprop_centered_momentum_many",
    "rmsprop_many",
    "rmsprop_momentum_",
    "rmsprop_momentum_many",
    "rprop_",
    "rprop_many",
    "rrelu",
    "rrelu_backward",
    "schedule_free_adamw_",
    "schedule_free_adamw_many",
    "sgd_",
    "sgd_many",
    "sigmoid",
    "sigmoid_backward",
    "sigmoid_grad",
    "silu",
    "silu_backward",
    "silu_grad",
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
    "sparsemax",
    "sparsemax_backward",
    "srelu",
    "srelu_backward",
    "sumsq",
    "swiglu",
    "swiglu_backward",
    "tanh",
    "tanh_backward",
    "tanh_grad",
    "truncated_normal",
    "variance_scaling",
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

def mae(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean") -> Any:
    """Absolute error of each element."""

def mae_backward(p: ArrayLike, t: ArrayLike, *, scale: float | None = None, out: NDArray[Any] | None = None) -> Any:
    """Derivative of `mae` with respect to the prediction."""

def mae_with_grad(p: ArrayLike, t: ArrayLike, *, reduction: str = "mean", out: NDArray[Any] | None = None) -> Any:
    """Absolute error of each element."""

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
