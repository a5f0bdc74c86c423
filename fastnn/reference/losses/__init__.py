"""The element-wise losses and their gradients, in readable NumPy.

Every row of the compiled table has its twin here: ``name(p, t)``, the loss of each element, and ``name_grad(p, t)``,
its derivative with respect to the prediction.  Parameters come last, by keyword, with the public default.  Nothing
is averaged or summed here: means, sample weights and reductions are applied by the callers.  Losses that look at a
whole row of predictions stand in `fastnn.reference.row_losses`.

NaN in, NaN out; no warnings.
"""

from fastnn.reference.losses.binary import (
    binary_cross_entropy,
    binary_cross_entropy_grad,
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_grad,
    binary_focal,
    binary_focal_grad,
    binary_focal_with_logits,
    binary_focal_with_logits_grad,
    cut_binary_cross_entropy,
    cut_binary_cross_entropy_grad,
    weighted_binary_cross_entropy,
    weighted_binary_cross_entropy_grad,
    weighted_binary_cross_entropy_with_logits,
    weighted_binary_cross_entropy_with_logits_grad,
)
from fastnn.reference.losses.distributions import (
    kl_divergence,
    kl_divergence_grad,
    poisson,
    poisson_grad,
    poisson_nll,
    poisson_nll_grad,
)
from fastnn.reference.losses.margins import (
    hinge,
    hinge_grad,
    soft_margin,
    soft_margin_grad,
    squared_hinge,
    squared_hinge_grad,
)
from fastnn.reference.losses.regression import (
    half_mse,
    half_mse_grad,
    half_sse,
    half_sse_grad,
    huber,
    huber_grad,
    log_cosh,
    log_cosh_grad,
    mae,
    mae_grad,
    mape,
    mape_grad,
    mse,
    mse_grad,
    msle,
    msle_grad,
    smooth_l1,
    smooth_l1_grad,
)

# Rows whose loss of a sample is the sum over its elements; that of all others is the mean.
SUMMED = ("half_sse", "kl_divergence")

__all__ = [
    "SUMMED",
    "binary_cross_entropy",
    "binary_cross_entropy_grad",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_grad",
    "binary_focal",
    "binary_focal_grad",
    "binary_focal_with_logits",
    "binary_focal_with_logits_grad",
    "cut_binary_cross_entropy",
    "cut_binary_cross_entropy_grad",
    "half_mse",
    "half_mse_grad",
    "half_sse",
    "half_sse_grad",
    "hinge",
    "hinge_grad",
    "huber",
    "huber_grad",
    "kl_divergence",
    "kl_divergence_grad",
    "log_cosh",
    "log_cosh_grad",
    "mae",
    "mae_grad",
    "mape",
    "mape_grad",
    "mse",
    "mse_grad",
    "msle",
    "msle_grad",
    "poisson",
    "poisson_grad",
    "poisson_nll",
    "poisson_nll_grad",
    "smooth_l1",
    "smooth_l1_grad",
    "soft_margin",
    "soft_margin_grad",
    "squared_hinge",
    "squared_hinge_grad",
    "weighted_binary_cross_entropy",
    "weighted_binary_cross_entropy_grad",
    "weighted_binary_cross_entropy_with_logits",
    "weighted_binary_cross_entropy_with_logits_grad",
]
