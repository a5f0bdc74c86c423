"""Tools for testing numerical code: gradient checks, distances in units in the last place, awkward inputs.

They are what fastnn's own tests use, and need nothing of fastnn but this package (and `check_layer` the engine)::

    from fastnn.testing import gradcheck, max_ulp

    gradcheck(np.sin, [x], lambda dy, x: dy * np.cos(x))     # AssertionError names the worst element
    gradcheck(model, x, y)                                   # of a whole model: names layers and weights
    assert max_ulp(fast_exp(x), exact_exp(x)) <= 2
"""

from fastnn.testing.cases import dense_values, kinks, layouts, shapes, special_values
from fastnn.testing.gradcheck import gradcheck
from fastnn.testing.layers import check_layer, run_layer
from fastnn.testing.models import ModelCheck, WeightCheck, gradcheck_model
from fastnn.testing.ulp import max_ulp, ulp_distance

__all__ = [
    "ModelCheck",
    "WeightCheck",
    "check_layer",
    "dense_values",
    "gradcheck",
    "gradcheck_model",
    "kinks",
    "layouts",
    "max_ulp",
    "run_layer",
    "shapes",
    "special_values",
    "ulp_distance",
]
