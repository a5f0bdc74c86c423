"""The activations a third time, for the tests: definitions evaluated by mpmath, and values by hand where they need it.

The compiled rows and the reference functions are each held against these.  A row without an entry in EXACT and LIMITS
fails a test (tests/test_ops_activations.py).
"""

from __future__ import annotations

import math
from functools import lru_cache

import mpmath
import numpy as np
from mpmath import mpf

INF, NAN = math.inf, math.nan


def clip(x, low, high):
    return min(max(x, mpf(low)), mpf(high))


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def softplus(x):
    return mpmath.log(1 + mpmath.exp(x))


def soft_exponential(x, alpha=0.5):
    if alpha == 0:
        return x
    return -mpmath.log(1 - alpha * (x + alpha)) / alpha if alpha < 0 else (mpmath.exp(alpha * x) - 1) / alpha + alpha


def gelu_tanh(x):
    return x * sigmoid(2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpf("0.044715") * x**3))  # (1 + tanh(u)) / 2


def selu(x):
    scale, alpha = mpf("1.0507009873554805"), mpf("1.6732632423543772")
    return scale * (x if x > 0 else alpha * mpmath.expm1(x))


# name: the definition, with the defaults of fastnn.ops
EXACT = {
    "identity": lambda x: x,
    "relu": lambda x: max(x, mpf(0)),
    "leaky_relu": lambda x, alpha=0.01: x if x > 0 else alpha * x,
    "elu": lambda x, alpha=1.0: x if x > 0 else alpha * mpmath.expm1(x),
    "sigmoid": sigmoid,
    "tanh": mpmath.tanh,
    "softplus": softplus,
    "silu": lambda x: x * sigmoid(x),
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "gelu_tanh": gelu_tanh,
    "binary_step": lambda x: mpf(x >= 0),
    "heaviside": lambda x: mpf(x > 0) + mpf(x == 0) / 2,
    "sign": lambda x: mpf(x > 0) - mpf(x < 0),
    "rectifier": lambda x, negative_slope=0.0, max_value=INF, threshold=0.0: (
        min(x, mpf(max_value)) if x > threshold else negative_slope * (x - threshold)
    ),
    "relu6": lambda x: clip(x, 0, 6),
    "threshold": lambda x, threshold=0.0, default_value=0.0: x if x > threshold else mpf(default_value),
    "hard_shrink": lambda x, threshold=0.5: x if abs(x) > threshold else mpf(0),
    "soft_shrink": lambda x, threshold=0.5: mpmath.sign(x) * max(abs(x) - threshold, mpf(0)),
    "hard_tanh": lambda x, min_value=-1.0, max_value=1.0: clip(x, min_value, max_value),
    "piecewise_linear": lambda x: clip(x + 0.5, 0, 1),
    "hard_sigmoid": lambda x: clip(x / 6 + 0.5, 0, 1),
    "hard_silu": lambda x: x * clip(x / 6 + 0.5, 0, 1),
    "clipped_linear": lambda x, slope=1.0, offset=0.0, min_value=0.0, max_value=1.0: clip(
        slope * x + offset, min_value, max_value
    ),
    "sparse_plus": lambda x: mpf(0) if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
    "sparse_sigmoid": lambda x: clip((x + 1) / 2, 0, 1),
    "log_sigmoid": lambda x: mpmath.log(sigmoid(x)),
    "lecun_tanh": lambda x: mpf("1.7159") * mpmath.tanh(2 * x / 3),
    "tanh_shrink": lambda x: x - mpmath.tanh(x),
    "arctan": mpmath.atan,
    "softsign": lambda x: x / (1 + abs(x)),
    "isru": lambda x, alpha=1.0: x / mpmath.sqrt(1 + alpha * x**2),
    "soft_clipping": lambda x, alpha=1.0: (softplus(alpha * x) - softplus(alpha * (x - 1))) / alpha,
    "selu": selu,
    "celu": lambda x, alpha=1.0: max(x, mpf(0)) + min(mpf(0), alpha * mpmath.expm1(x / alpha)),
    "isrlu": lambda x, alpha=1.0: x if x >= 0 else x / mpmath.sqrt(1 + alpha * x**2),
    "squareplus": lambda x, b=4.0: (x + mpmath.sqrt(x**2 + b)) / 2,
    "bent_identity": lambda x: (mpmath.sqrt(x**2 + 1) - 1) / 2 + x,
    "mish": lambda x: x * mpmath.tanh(softplus(x)),
    "quick_gelu": lambda x: x * sigmoid(mpf("1.702") * x),
    "dish": lambda x: x / 2 * (1 + x / mpmath.sqrt(1 + x**2)),
    "exponential": mpmath.exp,
    "soft_exponential": soft_exponential,
    "gaussian": lambda x: mpmath.exp(-(x**2)),
    "sinusoid": mpmath.sin,
    "sinc": mpmath.sinc,
}
# name: f(-inf), f(0), f(inf), f'(-inf), f'(0), f'(inf)
LIMITS = {
    "identity": (-INF, 0, INF, 1, 1, 1),
    "relu": (0, 0, INF, 0, 0, 1),
    "leaky_relu": (-INF, 0, INF, 0.01, 0.01, 1),
    "elu": (-1, 0, INF, 0, 1, 1),
    "sigmoid": (0, 0.5, 1, 0, 0.25, 0),
    "tanh": (-1, 0, 1, 0, 1, 0),
    "softplus": (0, math.log(2), INF, 0, 0.5, 1),
    "silu": (0, 0, INF, 0, 0.5, 1),
    "gelu": (0, 0, INF, 0, 0.5, 1),
    "gelu_tanh": (0, 0, INF, 0, 0.5, 1),
    "binary_step": (0, 1, 1, 0, 0, 0),
    "heaviside": (0, 0.5, 1, 0, 0, 0),
    "sign": (-1, 0, 1, 0, 0, 0),
    "rectifier": (0, 0, INF, 0, 0, 1),
    "relu6": (0, 0, 6, 0, 0, 0),
    "threshold": (0, 0, INF, 0, 0, 1),
    "hard_shrink": (-INF, 0, INF, 1, 0, 1),
    "soft_shrink": (-INF, 0, INF, 1, 0, 1),
    "hard_tanh": (-1, 0, 1, 0, 1, 0),
    "piecewise_linear": (0, 0.5, 1, 0, 1, 0),
    "hard_sigmoid": (0, 0.5, 1, 0, 1 / 6, 0),
    "hard_silu": (0, 0, INF, 0, 0.5, 1),
    "clipped_linear": (0, 0, 1, 0, 0, 0),
    "sparse_plus": (0, 0.25, INF, 0, 0.5, 1),
    "sparse_sigmoid": (0, 0.5, 1, 0, 0.5, 0),
    "log_sigmoid": (-INF, -math.log(2), 0, 1, 0.5, 0),
    "lecun_tanh": (-1.7159, 0, 1.7159, 0, 1.7159 * 2 / 3, 0),
    "tanh_shrink": (-INF, 0, INF, 1, 0, 1),
    "arctan": (-math.pi / 2, 0, math.pi / 2, 0, 1, 0),
    "softsign": (-1, 0, 1, 0, 1, 0),
    "isru": (-1, 0, 1, 0, 1, 0),
    "soft_clipping": (0, math.log(2 / (1 + math.exp(-1))), 1, 0, 0.5 - 1 / (1 + math.e), 0),
    "selu": (-1.7580993408473768, 0, INF, 0, 1.7580993408473768, 1.0507009873554805),
    "celu": (-1, 0, INF, 0, 1, 1),
    "isrlu": (-1, 0, INF, 0, 1, 1),
    "squareplus": (0, 1, INF, 0, 0.5, 1),
    "bent_identity": (-INF, 0, INF, 0.5, 1, 1.5),
    "mish": (0, 0, INF, 0, 0.6, 1),
    "quick_gelu": (0, 0, INF, 0, 0.5, 1),
    "dish": (0, 0, INF, 0, 0.5, 1),
    "exponential": (0, 1, INF, 0, 1, INF),
    "soft_exponential": (-1.5, 0.5, INF, 0, 1, INF),
    "gaussian": (0, 1, 0, 0, 0, 0),
    "sinusoid": (NAN, 0, NAN, NAN, 1, NAN),
    "sinc": (0, 1, 0, 0, 0, 0),
}
# name: the derivative that is chosen where there are two
KINKS = {
    "relu": {0: 0},
    "leaky_relu": {0: 0.01},
    "elu": {0: 1},
    "binary_step": {0: 0},
    "heaviside": {0: 0},
    "sign": {0: 0},
    "rectifier": {0: 0},
    "relu6": {0: 0, 6: 0},
    "threshold": {0: 0},
    "hard_shrink": {-0.5: 0, 0.5: 0},
    "soft_shrink": {-0.5: 0, 0.5: 0},
    "hard_tanh": {-1: 0, 1: 0},
    "piecewise_linear": {-0.5: 0, 0.5: 0},
    "hard_sigmoid": {-3: 0, 3: 0},
    "hard_silu": {-3: 0, 3: 1},
    "clipped_linear": {0: 0, 1: 0},
    "sparse_plus": {-1: 0, 1: 1},
    "sparse_sigmoid": {-1: 0, 1: 0},
    "selu": {0: 1.7580993408473768},
    "celu": {0: 1},
    "isrlu": {0: 1},
}
# name: parameters to try beside the defaults; none has a kink at one of POINTS
PARAMETERS = {
    "leaky_relu": [{"alpha": 0.25}, {"alpha": 0.0}],
    "elu": [{"alpha": 0.3}, {"alpha": 0.0}],
    "rectifier": [
        {"negative_slope": 0.1, "max_value": 5.0, "threshold": 1.0},
        {"max_value": 2.0},
        {"negative_slope": 0.25, "threshold": 0.5},
        {"max_value": 0.5, "threshold": 1.5},
    ],
    "threshold": [{"threshold": 0.5, "default_value": -2.0}, {"threshold": -1.0, "default_value": 3.0}],
    "hard_shrink": [{"threshold": 1.25}, {"threshold": 0.0}],
    "soft_shrink": [{"threshold": 1.25}, {"threshold": 0.0}],
    "hard_tanh": [{"min_value": -2.0, "max_value": 0.5}, {"min_value": 0.0, "max_value": INF}],
    "clipped_linear": [
        {"slope": 0.2, "offset": 0.5},
        {"slope": -1.0, "offset": 0.25, "min_value": -1.0, "max_value": 2.0},
        {"slope": 0.0, "offset": 0.5},
    ],
    "celu": [{"alpha": 0.5}, {"alpha": 3.0}],
    "isru": [{"alpha": 0.25}, {"alpha": 3.0}, {"alpha": 0.0}, {"alpha": 1e20}],
    "isrlu": [{"alpha": 0.25}, {"alpha": 3.0}, {"alpha": 0.0}],
    "soft_clipping": [{"alpha": 0.125}, {"alpha": 20.0}, {"alpha": 200.0}],
    "squareplus": [{"b": 1.0}, {"b": 100.0}, {"b": 0.0}],
    "soft_exponential": [
        *({"alpha": a} for a in (1.0, 0.25, 2.0, 0.0, -0.25, -1.0)),
        *({"alpha": a} for a in (1e-9, -1e-9, 1e-30, -1e-30)),
    ],
}
CASES = [(name, parameters) for name in EXACT for parameters in ({}, *PARAMETERS.get(name, ()))]
CASE_IDS = [f"{name}{list(parameters.values()) or ''}" for name, parameters in CASES]

# Points away from all kinks: on both sides of each of them, and far out.
POINTS = np.array([*(s * v for v in (0.03, 0.2, 0.4, 0.7, 0.9, 1.4, 2.7, 3.3, 5.3, 6.6, 12.7, 31.1) for s in (-1, 1))])


@lru_cache(maxsize=1 << 16)
def _value(name, parameters, x, derivative):
    # what cancels are numbers of the order of x and 1/x, cubed at most, and exponentials of x
    digits = 60 + (int(3 * abs(math.log10(abs(x)))) if x else 0) + int(min(abs(x), 800))
    with mpmath.workdps(digits):
        function = EXACT[name]
        given = {key: value if math.isinf(value) else mpf(value) for key, value in parameters}
        value = mpmath.diff(lambda t: function(t, **given), mpf(x)) if derivative else function(mpf(x), **given)
        return math.nan if isinstance(value, mpmath.mpc) and value.imag else float(mpmath.re(value))


def _evaluate(name, x, parameters, derivative):
    key = tuple(sorted(parameters.items()))
    flat = [_value(name, key, float(v), derivative) for v in np.ravel(x)]
    return np.array(flat, np.float64).reshape(np.shape(x))


def exact(name, x, **parameters):
    """The values of an activation at finite x, as the nearest float64; NaN where it has no real value."""
    return _evaluate(name, x, parameters, False)


def slope(name, x, **parameters):
    """Its derivatives, away from kinks."""
    return _evaluate(name, x, parameters, True)
