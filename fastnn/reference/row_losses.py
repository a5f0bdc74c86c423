"""The losses of whole rows of predictions and their gradients, in readable NumPy.

Every row of the compiled table has its twins here: ``name(inputs, targets)``, the loss of each row in float64, and
``name_grad(inputs, targets)``, its derivative with respect to every input.  Parameters come last, by keyword, with the
public default.  Nothing is averaged here: sample weights and reductions are applied by the callers.
"""

from fastnn.reference.circle import circle, circle_grad
from fastnn.reference.class_losses import (
    categorical_focal,
    categorical_focal_grad,
    categorical_focal_with_logits,
    categorical_focal_with_logits_grad,
    categorical_hinge,
    categorical_hinge_grad,
    generalized_cross_entropy,
    generalized_cross_entropy_grad,
    multi_margin,
    multi_margin_grad,
)
from fastnn.reference.cross_entropy import (
    categorical_cross_entropy,
    categorical_cross_entropy_grad,
    cross_entropy_of_softmax,
    cross_entropy_of_softmax_grad,
    nll,
    nll_grad,
    softmax_cross_entropy,
    softmax_cross_entropy_grad,
    textbook_cross_entropy,
    textbook_cross_entropy_grad,
)
from fastnn.reference.ctc import ctc, ctc_grad
from fastnn.reference.multilabel import (
    balanced_binary_cross_entropy,
    balanced_binary_cross_entropy_grad,
    balanced_binary_cross_entropy_with_logits,
    balanced_binary_cross_entropy_with_logits_grad,
    multilabel_margin,
    multilabel_margin_grad,
    multilabel_soft_margin,
    multilabel_soft_margin_grad,
)
from fastnn.reference.pair_losses import (
    cosine_embedding,
    cosine_embedding_grad,
    gaussian_nll,
    gaussian_nll_grad,
    margin_ranking,
    margin_ranking_grad,
    triplet_margin,
    triplet_margin_grad,
)
from fastnn.reference.similarity import (
    cosine_similarity,
    cosine_similarity_grad,
    dice,
    dice_grad,
    tversky,
    tversky_grad,
)

__all__ = [
    "balanced_binary_cross_entropy",
    "balanced_binary_cross_entropy_grad",
    "balanced_binary_cross_entropy_with_logits",
    "balanced_binary_cross_entropy_with_logits_grad",
    "categorical_cross_entropy",
    "categorical_cross_entropy_grad",
    "categorical_focal",
    "categorical_focal_grad",
    "categorical_focal_with_logits",
    "categorical_focal_with_logits_grad",
    "categorical_hinge",
    "categorical_hinge_grad",
    "circle",
    "circle_grad",
    "cosine_embedding",
    "cosine_embedding_grad",
    "cosine_similarity",
    "cosine_similarity_grad",
    "cross_entropy_of_softmax",
    "cross_entropy_of_softmax_grad",
    "ctc",
    "ctc_grad",
    "dice",
    "dice_grad",
    "gaussian_nll",
    "gaussian_nll_grad",
    "generalized_cross_entropy",
    "generalized_cross_entropy_grad",
    "margin_ranking",
    "margin_ranking_grad",
    "multi_margin",
    "multi_margin_grad",
    "multilabel_margin",
    "multilabel_margin_grad",
    "multilabel_soft_margin",
    "multilabel_soft_margin_grad",
    "nll",
    "nll_grad",
    "softmax_cross_entropy",
    "softmax_cross_entropy_grad",
    "textbook_cross_entropy",
    "textbook_cross_entropy_grad",
    "triplet_margin",
    "triplet_margin_grad",
    "tversky",
    "tversky_grad",
]
