"""The optimizers: what happens to a parameter in one step, in readable NumPy.

Every row of the compiled table has its twin here: ``name(p, g, *slots, *scalars)`` returns the new parameter and the
new slots (the state that is kept per parameter), as new arrays.  The scalars are computed once per step by the
caller, for instance Adam's bias correction, so one function serves the conventions of several libraries.

Common to all optimizers is what comes before the row, in `regularize`.

======================  ==========================================================================
``descent``             along the gradient or a velocity: sgd, momentum, nesterov, asgd
``adaptive``            scaled by the gradients so far: adagrad, adadelta, rmsprop and its kin, ftrl
``adam``                running means of gradient and square: adam, amsgrad, adamax, nadam, radam
``signs``               steps that know the gradient's sign only: lion, rprop
``tensor``              steps that look at whole tensors: lamb, lars, adafactor, muon
======================  ==========================================================================
"""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array
from fastnn.reference.optimizers.adam import adam, adamax, amsgrad, nadam, radam, schedule_free_adamw
from fastnn.reference.optimizers.adaptive import (
    adadelta,
    adagrad,
    ftrl,
    ftrl_power,
    rmsprop,
    rmsprop_centered,
    rmsprop_centered_momentum,
    rmsprop_momentum,
)
from fastnn.reference.optimizers.descent import asgd, momentum, nesterov, sgd
from fastnn.reference.optimizers.signs import lion, rprop
from fastnn.reference.optimizers.tensor import adafactor, adafactor_step, lamb, lamb_direction, lars, muon, trust_ratio

__all__ = [
    "adadelta", "adafactor", "adafactor_step", "adagrad", "adam", "adamax", "amsgrad", "asgd", "ftrl", "ftrl_power",
    "lamb", "lamb_direction", "lars", "lion", "momentum", "muon", "nadam",
    "nesterov", "radam", "regularize", "rmsprop", "rmsprop_centered", "rmsprop_centered_momentum", "rmsprop_momentum",
    "rprop", "schedule_free_adamw", "sgd", "trust_ratio",
]  # fmt: skip


@np.errstate(all="ignore")
def regularize(
    p: Array, g: Array, gradient_scale: float = 1.0, l2: float = 0.0, decay: float = 0.0
) -> tuple[Array, Array]:
    """Gradient scaling, L2 penalty and decoupled weight decay: what all optimizers do before their own rule.

    ``g <- gradient_scale * g + l2 * p``, then ``p <- p - decay * p``

    Parameters
    ----------
    p, g : arrays of one shape, float32 or float64
        Parameter; its gradient.
    gradient_scale : float
        For clipping by norm and for averaging.
    l2 : float
        Coupled decay: the gradient of ``l2 / 2 * sum(p**2)`` is added to the gradient and goes through the rule.
    decay : float
        Decoupled decay, usually learning rate times weight decay: the parameter shrinks past the rule.

    Returns
    -------
    p, g : arrays, shape and dtype of p
        What the optimizer's own rule sees.

    Notes
    -----
    Keras's ``weight_decay`` and PyTorch's AdamW are decoupled; ``weight_decay`` of PyTorch's other optimizers is
    ``l2``.  A term that is switched off (factor 1, 0 and 0) is left out.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """
    if gradient_scale != 1:
        g = gradient_scale * g
    if l2 != 0:
        g = g + l2 * p
    if decay != 0:
        p = p - decay * p
    return p, g
