"""Every activation of the lecture notes and of the other libraries exists: the lists, and what serves each name."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

from fastnn import activations, layers, ops
from fastnn.layers import Activation, Dense
from fastnn.layers.registry import deserialize, serialize

# name: what serves it, and with which parameters.  The table of the lecture notes first.
NOTES = {
    "identity": ("identity", {}),
    "linear": ("linear", {}),
    "binary step": ("binary_step", {}),
    "unit step (Heaviside)": ("heaviside", {}),
    "sign (signum)": ("sign", {}),
    "piece-wise linear": ("piecewise_linear", {}),
    "logistic, sigmoid, soft step": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "arctan": ("arctan", {}),
    "softsign": ("softsign", {}),
    "ISRU": ("isru", {"alpha": 0.5}),
    "ISRLU": ("isrlu", {"alpha": 0.5}),
    "ReLU": ("relu", {}),
    "leaky ReLU": ("leaky_relu", {"negative_slope": 0.01}),
    "ELU": ("elu", {"alpha": 0.5}),
    "SELU": ("selu", {}),
    "softplus": ("softplus", {}),
    "bent identity": ("bent_identity", {}),
    "SiLU": ("silu", {}),
    "swish": ("swish", {}),
    "soft exponential": ("soft_exponential", {"alpha": -0.5}),
    "sinusoid": ("sinusoid", {}),
    "sinc": ("sinc", {}),
    "Gaussian": ("gaussian", {}),
    "soft clipping": ("soft_clipping", {"alpha": 10.0}),
}
LIBRARIES = {
    "celu": ("celu", {"alpha": 2.0}),
    "hard_swish": ("hard_swish", {}),
    "hard_silu": ("hard_silu", {}),
    "gelu, exact": ("gelu", {"approximate": False}),
    "gelu, tanh": ("gelu", {"approximate": True}),
    "gelu, quick": ("quick_gelu", {}),
    "mish": ("mish", {}),
    "relu6": ("relu6", {}),
    "relu with slope, largest value and threshold": ("relu", {"negative_slope": 0.1, "max_value": 6, "threshold": 1}),
    "relu_k": ("relu", {"max_value": 4.0}),
    "clipped_linear": ("clipped_linear", {"slope": 2.0, "offset": 0.5, "min_value": -1.0, "max_value": 1.0}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "hard_sigmoid, slope 0.2": ("clipped_linear", {"slope": 0.2, "offset": 0.5}),
    "hard_tanh": ("hard_tanh", {"min_value": -2.0, "max_value": 2.0}),
    "hard_shrink": ("hard_shrink", {"threshold": 1.0}),
    "soft_shrink": ("soft_shrink", {"threshold": 1.0}),
    "tanh_shrink": ("tanh_shrink", {}),
    "threshold": ("threshold", {"threshold": 0.5, "default_value": 1.0}),
    "log_sigmoid": ("log_sigmoid", {}),
    "squareplus": ("squareplus", {"b": 1}),
    "sparse_plus": ("sparse_plus", {}),
    "sparse_sigmoid": ("sparse_sigmoid", {}),
    "exponential": ("exponential", {}),
    "lecun_tanh": ("lecun_tanh", {}),
    "dish": ("dish", {}),
    "step": ("binary_step", {}),
    "softmax": ("softmax", {}),
    "log_softmax": ("log_softmax", {}),
}
# Not element-wise functions of one input: over whole rows or groups of columns, with learned parameters or random
# slopes; the layers' names.
ROWS_AND_GROUPS = ["softmin", "sparsemax", "gumbel_softmax", "glu", "bilinear", "reglu", "geglu", "swiglu", "maxout"]
LEARNED = {
    "prelu": "PReLU", "rrelu": "RReLU", "srelu": "SReLU", "apl": "APL", "learned_soft_exponential": "SoftExponential",
    "learned_swish": "LearnedSwish", "maxout": "Maxout", "glu": "GLU",
}  # fmt: skip
CATALOGUE = NOTES | LIBRARIES
catalogue = pytest.mark.parametrize(("name", "parameters"), CATALOGUE.values(), ids=CATALOGUE)


@catalogue
def test_it_exists_as_function_and_in_layers(name, parameters):
    x = np.linspace(0.1, 1.2, 12).reshape(3, 4)
    spec = getattr(activations, name)
    with_parameters = spec.with_parameters(**parameters)
    y = spec(x, **parameters)
    assert y.shape == x.shape
    np.testing.assert_array_equal(with_parameters(x), y)
    np.testing.assert_array_equal(spec(x, *parameters.values()), y)
    assert activations.get(name) == spec
    assert Activation(name).activation == spec
    assert Dense(3, activation=with_parameters).activation == with_parameters


@catalogue
def test_it_survives_json(name, parameters):
    spec = getattr(activations, name).with_parameters(**parameters)
    text = json.dumps(activations.serialize(spec), allow_nan=False)
    assert activations.deserialize(json.loads(text)) == spec
    layer = deserialize(json.loads(json.dumps(serialize(Dense(2, spec)), allow_nan=False)))
    assert layer.activation == spec


def test_what_is_not_element_wise_exists_as_function_and_layer():
    for name in [*ROWS_AND_GROUPS, *LEARNED]:
        assert callable(getattr(ops, name)) and callable(getattr(ops, f"{name}_backward"))
    for name in LEARNED.values():
        assert issubclass(getattr(layers, name), layers.Layer)


def test_every_row_is_in_the_catalogue():
    served = {activations.get(name).row for name, _ in CATALOGUE.values()} | {"rectifier", "gelu_tanh", ""}
    assert set(activations.ROWS) <= served


# ------------------------------------------------------------------------------------------------- parameters by name


def test_relu_has_kerass_parameters():
    x = np.array([-10.0, -5, 0, 5, 10])
    np.testing.assert_array_equal(activations.relu(x), [0, 0, 0, 5, 10])
    np.testing.assert_array_equal(activations.relu(x, negative_slope=0.5), [-5, -2.5, 0, 5, 10])
    np.testing.assert_array_equal(activations.relu(x, max_value=5.0), [0, 0, 0, 5, 5])
    np.testing.assert_array_equal(activations.relu(x, threshold=5.0), [0, 0, 0, 0, 10])
    np.testing.assert_array_equal(activations.relu(x, 0.1, 6), [-1, -0.5, 0, 5, 6])
    assert activations.relu.with_parameters(max_value=None) == activations.relu
    assert str(inspect.signature(activations.relu)) == "(x, negative_slope=0.0, max_value=None, threshold=0.0)"
    assert activations.serialize(activations.relu.with_parameters(0.1)) == {
        "class_name": "rectifier",
        "config": {"negative_slope": 0.1, "max_value": None, "threshold": 0.0},
    }
    found = activations.get({"class_name": "relu", "config": {"max_value": 6, "negative_slope": 0.25}})
    np.testing.assert_array_equal(found(x), [-2.5, -1.25, 0, 5, 6])


def test_names_and_defaults_are_kerass():
    x = np.array([-2.0, 3.0])
    np.testing.assert_allclose(activations.leaky_relu(x), [-0.4, 3])
    np.testing.assert_allclose(activations.leaky_relu(x, negative_slope=0.5), [-1, 3])
    np.testing.assert_allclose(activations.leaky_relu(x, alpha=0.5), [-1, 3])  # the name in fastnn.ops
    assert str(inspect.signature(activations.leaky_relu)) == "(x, negative_slope=0.2)"
    assert str(inspect.signature(activations.threshold)) == "(x, threshold=0.0, default_value=0.0)"
    assert str(inspect.signature(activations.gelu)) == "(x, approximate=False)"
    assert activations.get({"class_name": "leaky_relu", "config": {"alpha": 0.3}}).params == (0.3,)
    assert activations.get({"class_name": "function", "config": "relu6"}) == activations.relu6
    assert activations.gelu.with_parameters(approximate=True) == activations.gelu_tanh
    assert activations.hard_swish == activations.hard_silu
    assert activations.elu.with_parameters(0.5).with_parameters(alpha=0.25).params == (0.25,)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: activations.relu(1.0, negativ_slope=0.1), ValueError, r"Did you mean 'negative_slope'.*Received"),
        (lambda: activations.relu(1.0, negative_slope=-0.1), ValueError, r"negative_slope must be >= 0. Received"),
        (lambda: activations.relu(1.0, 0, 6, 0, 1), TypeError, r"at most the parameters.*Received: \(0, 6, 0, 1\)"),
        (lambda: activations.celu(1.0, alpha=0), ValueError, r"alpha must be > 0. Received"),
        (lambda: activations.elu(1.0, alpha="1"), TypeError, r"alpha must be a real number. Received"),
        (lambda: activations.gelu(1.0, approximate="none"), TypeError, r"must be True or False. Received"),
        (lambda: activations.get({"class_name": "tanh", "config": {"alpha": 1}}), ValueError, r"Received: 'alpha'"),
        (lambda: activations.relu(1.0, zero_grad=1.0), ValueError, r"Received: 'zero_grad'"),
    ],
)
def test_wrong_parameters_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
