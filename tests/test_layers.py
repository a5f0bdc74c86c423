"""Layers: arguments, shapes, weights and names; what they compute, against NumPy written out."""

from __future__ import annotations

import math

import numpy as np
import oracles
import pytest

import fastnn
from fastnn import Sequential, activations, initializers, layers, ops
from fastnn.layers import Activation, Dense, Dropout, Flatten, Input
from fastnn.layers.registry import deserialize, serialize

# What an activation computes along the last axis, as it stands in a book; the element-wise ones are in oracles.py.
ROW_WISE = {
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "softmin": lambda x: np.exp(-x) / np.exp(-x).sum(-1, keepdims=True),
    "log_softmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
}
NAMES = [*oracles.EXACT, *ROW_WISE]


def formula(name, x):
    """The values of an activation with Keras's defaults."""
    parameters = {"alpha": 0.2} if name == "leaky_relu" else {}
    return ROW_WISE[name](x) if name in ROW_WISE else oracles.exact(name, x, **parameters)


# --------------------------------------------------------------------------------------------------------------- Dense


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_dense_computes_act_of_xw_plus_b(backend, name, bias):
    rng = np.random.default_rng(0)
    layer = Dense(4, name, use_bias=bias, bias_initializer="random_normal", dtype="float64")
    model = Sequential([Input((3,), dtype="float64"), layer])
    x = rng.normal(size=(5, 3))
    weights = layer.get_weights()
    z = x @ weights[0] + (weights[1] if bias else 0)
    np.testing.assert_allclose(model.predict(x, verbose=0), formula(name, z), rtol=1e-12, atol=1e-14)
    assert len(weights) == 1 + bias and layer.count_params() == 12 + 4 * bias


@pytest.mark.parametrize("name", NAMES)
def test_activation_layer_computes_the_same(backend, name):
    x = np.random.default_rng(1).normal(size=(5, 2, 3))
    model = Sequential([Input((2, 3), dtype="float64"), Activation(name, dtype="float64")])
    np.testing.assert_allclose(model.predict(x, verbose=0), formula(name, x), rtol=1e-12, atol=1e-14)


def test_dense_works_over_the_last_axis(backend):
    x = np.random.default_rng(2).normal(size=(7, 2, 5, 3))
    layer = Dense(4, dtype="float64")
    model = Sequential([Input((2, 5, 3), dtype="float64"), layer])
    kernel, bias = layer.get_weights()
    assert layer.output_shape == (None, 2, 5, 4)
    np.testing.assert_allclose(model.predict(x, verbose=0), np.einsum("...i,ij->...j", x, kernel) + bias, rtol=1e-12)


def test_dense_weights_have_kerass_names_shapes_and_starting_values():
    layer = Dense(200, name="hidden")
    layer.build_once((300,))
    kernel, bias = layer.weights
    assert (kernel.name, kernel.shape, kernel.dtype) == ("hidden/kernel", (300, 200), np.float32)
    assert (bias.name, bias.shape) == ("hidden/bias", (200,))
    limit = math.sqrt(6 / 500)  # glorot_uniform
    assert abs(kernel.value).max() <= limit and abs(kernel.value).max() > 0.99 * limit
    assert abs(kernel.value.mean()) < limit / 100 and not bias.value.any()


def test_initializers_by_name_object_and_function():
    layer = Dense(
        2,
        kernel_initializer=initializers.Constant([[1, 2], [3, 4]]),
        bias_initializer=lambda shape, dtype: np.full(shape, 7),
    )
    layer.build_once((2,))
    np.testing.assert_array_equal(layer.kernel, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(layer.bias, [7, 7])
    assert layer.bias.dtype == np.float32
    with pytest.raises(ValueError, match=r"kernel: expected shape \(2, 2\). Received: \(3,\)"):
        Dense(2, kernel_initializer=lambda shape, dtype: np.zeros(3)).build_once((2,))
    with pytest.raises(ValueError, match=r"expected an initializer for bias. Received: None"):
        Dense(2, bias_initializer=None).build_once((2,))
    with pytest.raises(ValueError, match=r"Did you mean 'glorot_uniform'.*Received: 'glorot_unifrom'"):
        Dense(2, kernel_initializer="glorot_unifrom")


def test_a_constant_initializer_is_read_when_the_layer_is_built():
    values = np.ones((1, 1))
    layer = Dense(1, kernel_initializer=initializers.Constant(values))
    layer.build_once((1,))
    values[:] = 5
    assert layer.kernel.value == 1


@pytest.mark.parametrize("units", [0, -1, 2.5, "8", None, True])
def test_dense_refuses_units(units):
    with pytest.raises(ValueError, match=r"units must be a positive whole number. Received:"):
        Dense(units)


def test_dense_takes_numpy_integers_and_refuses_samples_without_axis():
    assert Dense(np.int64(3)).units == 3
    with pytest.raises(ValueError, match=r"expected inputs with an axis"):
        Dense(3).build_once(())


def test_keras_options_pass_where_they_change_nothing():
    Dense(3, kernel_regularizer=None, bias_constraint=None, activity_regularizer=None)
    with pytest.raises(ValueError, match=r"Dense: lora_rank is not served.*Received: 4"):
        Dense(3, lora_rank=4)
    with pytest.raises(TypeError, match=r"Did you mean 'activation'.*Received: 'actvation'"):
        Dense(3, actvation="relu")
    with pytest.raises(TypeError, match=r"Did you mean 'name'"):
        Flatten(nmae="x")


# --------------------------------------------------------------------------------------------------------- activations


def test_activations_by_name_alias_attribute_and_function():
    assert activations.get("linear") == activations.get(None) == activations.get("identity")
    assert activations.get("swish") == activations.get("silu") == activations.silu
    assert activations.get(ops.relu) == activations.get("relu")
    assert activations.get("leaky_relu").params == (0.2,) and activations.get(ops.leaky_relu).params == (0.01,)
    assert activations.get({"class_name": "elu", "config": {"alpha": 0.5}}).params == (0.5,)
    assert Dense(3, activation=activations.tanh).activation.name == "tanh"
    assert "relu" in dir(activations)


@pytest.mark.parametrize("name", NAMES)
def test_activations_can_be_called(backend, name):
    x = np.linspace(-3, 3, 12).reshape(3, 4)
    np.testing.assert_allclose(getattr(activations, name)(x), formula(name, x), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "spec",
    [*activations.ROWS, *activations.ROW_WISE, ops.leaky_relu, {"class_name": "elu", "config": {"alpha": 0.25}}],
    ids=str,
)
def test_activations_survive_serialization(spec):
    found = activations.get(spec)
    assert activations.get(activations.serialize(found)) == found


def test_unknown_activations_are_refused():
    with pytest.raises(ValueError, match=r"Did you mean 'relu'.*Received: 'rleu'"):
        Dense(3, "rleu")
    with pytest.raises(TypeError, match=r"Received: <function"):
        Dense(3, activation=lambda x: x)
    with pytest.raises(TypeError, match=r"Received: 3"):
        Activation(3)
    with pytest.raises(ValueError, match=r"Did you mean 'alpha'"):
        activations.get({"class_name": "elu", "config": {"alhpa": 1.0}})
    with pytest.raises(ValueError, match=r"alpha"):
        activations.get({"class_name": "elu", "config": {"alpha": -1.0}})
    with pytest.raises(ValueError, match=r"expected class_name and config"):
        activations.get({"class_name": 3})
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'"):
        _ = activations.nonsense


# ------------------------------------------------------------------------------------------------- Flatten and Dropout


def test_flatten(backend):
    x = np.random.default_rng(3).normal(size=(4, 2, 3, 5)).astype(np.float32)
    model = Sequential([Input((2, 3, 5)), Flatten()])
    assert model.output_shape == (None, 30)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x.reshape(4, 30))


def test_dropout_does_nothing_in_inference(backend):
    x = np.random.default_rng(4).normal(size=(4, 6)).astype(np.float32)
    model = Sequential([Input((6,)), Dropout(0.7)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


def dropped(rate, n=20_000, **options):
    """What a training step lets through of ones: a linear layer behind the dropout, whose gradient is its input."""
    model = Sequential([Input((n,)), Dropout(rate, **options), Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(fastnn.optimizers.SGD(1.0), fastnn.losses.MeanSquaredError(reduction="sum"))
    model.train_on_batch(np.ones((1, n)), -0.5 * np.ones((1, 1)))  # d/dw (x w + 1/2)^2 = x at w = 0
    return -model.get_weights()[0][:, 0]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_share_and_the_mean(backend, rate):
    passed = dropped(rate)
    assert set(np.unique(passed)) <= {0, np.float32(1 / (1 - rate))}
    kept = (passed != 0).mean()
    sigma = math.sqrt(rate * (1 - rate) / passed.size)
    assert abs(kept - (1 - rate)) < 5 * sigma
    # neighbours are independent: no runs longer or shorter than chance makes them
    changes = np.mean(passed[1:] != passed[:-1])
    assert abs(changes - 2 * rate * (1 - rate)) < 5 * math.sqrt(0.25 / passed.size)


def test_dropout_is_the_same_in_both_backends_and_differs_by_seed():
    fastnn.utils.set_random_seed(5)
    native = dropped(0.5, 1000, seed=1)
    fastnn.utils.set_random_seed(5)
    with fastnn.use_backend("reference"):
        np.testing.assert_array_equal(dropped(0.5, 1000, seed=1), native)
    fastnn.utils.set_random_seed(5)
    assert 300 < (dropped(0.5, 1000, seed=2) != native).sum() < 700


def test_two_dropouts_and_two_steps_have_masks_of_their_own():
    n = 2000
    model = Sequential([Input((n,)), Dropout(0.5, seed=1), Dropout(0.5, seed=1), Dense(1, use_bias=False)])
    model.compile(fastnn.optimizers.SGD(1.0), fastnn.losses.MeanSquaredError(reduction="sum"))
    steps = []
    for _ in range(2):
        model.set_weights([np.zeros((n, 1))])
        model.train_on_batch(np.ones((1, n)), -0.5 * np.ones((1, 1)))
        steps.append(model.get_weights()[0][:, 0] != 0)
    for kept in steps:  # both layers must let it through: with one mask for both it would be a half
        assert abs(kept.mean() - 0.25) < 0.05
    assert 0.1 < (steps[0] & steps[1]).mean() / 0.25 < 0.5


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan"), "half", None, True])
def test_dropout_refuses_rates(rate):
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\). Received:"):
        Dropout(rate)


def test_dropout_has_kerass_signature():
    assert Dropout(0.5, None, 7).seed == 7
    assert Dropout(0.5, (None, 1, 3)).noise_shape == (None, 1, 3)
    with pytest.raises(ValueError, match=r"seed must be an integer"):
        Dropout(0.5, seed=-1)


# ------------------------------------------------------------------------------------------------------ what all share


def test_names_count_as_in_keras_and_never_collide():
    class Numbered(Dense):
        pass

    assert [Numbered(1).name for _ in range(3)] == ["numbered", "numbered_1", "numbered_2"]
    assert Numbered(1, name="numbered_7").name == "numbered_7" and Numbered(1).name == "numbered_8"
    assert Numbered(1, name="mine").name == "mine" and Numbered(1).name == "numbered_9"


@pytest.mark.parametrize("name", ["", "a/b", 3])
def test_names_must_be_usable(name):
    with pytest.raises(ValueError, match=r"a name must be a string without '/'. Received:"):
        Dense(1, name=name)


@pytest.mark.parametrize("dtype", ["float16", "int32", "float23", "complex64", 7])
def test_dtypes_that_are_not_served(dtype):
    with pytest.raises(ValueError, match=r"dtype must be 'float32' or 'float64'. Received:"):
        Dense(1, dtype=dtype)


def test_an_input_of_integers_is_read_as_the_model_computes():
    for dtype in ("int32", "uint8", "int64", "bool"):
        assert Input((3,), dtype=dtype).dtype == "float32"
    with pytest.raises(ValueError, match=r"dtype must be 'float32' or 'float64'. Received: 'float16'"):
        Input((3,), dtype="float16")


def test_default_dtype_is_floatx():
    fastnn.config.set_floatx("float64")
    try:
        assert Dense(1).dtype == "float64"
    finally:
        fastnn.config.set_floatx("float32")
    assert Dense(1).dtype == "float32" and Dense(1, dtype=np.float64).dtype == "float64"


@pytest.mark.parametrize("shape", [(0,), (-1,), (2.5,), "ab", 3])
def test_input_refuses_shapes(shape):
    with pytest.raises(ValueError, match=r"must be a tuple of positive whole numbers.*Received:"):
        Input(shape)


def test_set_weights_changes_nothing_if_anything_is_wrong():
    layer = Dense(2)
    layer.build_once((3,))
    before = layer.get_weights()
    for wrong in (
        [np.ones((3, 2))],
        [np.ones((3, 2)), np.ones(3)],
        [np.ones((3, 2)), np.ones((2, 1))],
        [np.ones((3, 2)), np.array(["a", "b"])],
        [np.ones((3, 2)), np.ones(2, complex)],
    ):
        with pytest.raises((ValueError, TypeError), match=r"Received:"):
            layer.set_weights(wrong)
        for value, old in zip(layer.get_weights(), before):
            np.testing.assert_array_equal(value, old)
    layer.set_weights([[[1, 2], [3, 4], [5, 6]], [7, 8]])
    np.testing.assert_array_equal(layer.bias, [7, 8])
    copy = layer.get_weights()
    copy[0][:] = 0
    assert layer.kernel.value[0, 0] == 1


def test_parameters_look_like_arrays_but_keep_their_place():
    layer = Dense(2)
    layer.build_once((3,))
    assert np.asarray(layer.kernel).shape == layer.kernel.shape == (3, 2)
    assert np.array(layer.kernel, dtype=np.float64).dtype == np.float64
    layer.kernel.assign(np.ones((3, 2)))
    assert layer.kernel.numpy().sum() == 6
    with pytest.raises(AttributeError):
        layer.kernel.value = np.zeros((3, 2))
    with pytest.raises(ValueError, match=r"expected shape \(3, 2\). Received: \(2, 3\)"):
        layer.kernel.assign(np.ones((2, 3)))
    assert "kernel" in repr(layer.kernel) and "Dense" in repr(layer)


def test_a_layer_is_built_for_one_shape():
    layer = Dense(2)
    with pytest.raises(ValueError, match=r"expected a built layer"):
        layer.count_params()
    layer.build_once((3,))
    assert layer.build_once((3,)) == (2,)
    with pytest.raises(ValueError, match=r"was built for inputs of shape \(None, 3\). Received: \(None, 4\)"):
        layer.build_once((4,))


@pytest.mark.parametrize(
    "layer",
    [
        Dense(3, "elu", False, initializers.HeNormal(seed=3), name="d", dtype="float64", trainable=False),
        Dense(3, input_shape=(4,)),
        Dense(3, ops.leaky_relu, bias_initializer="ones"),
        Activation("gelu"),
        Flatten(),
        Dropout(0.25, seed=9),
        Dropout(0.25),
        Input((3, 4), dtype="float64").call.layer,
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_survive_serialization(layer):
    import json

    again = deserialize(json.loads(json.dumps(serialize(layer))))
    assert type(again) is type(layer) and again.get_config() == layer.get_config()


def test_only_known_layers_are_read():
    with pytest.raises(ValueError, match=r"Did you mean 'Dense'.*Received: 'Dence'"):
        deserialize({"class_name": "Dence", "config": {}})
    for entry in (None, 3, [], {}, {"class_name": "Dense"}, {"class_name": "Dense", "config": 3}):
        with pytest.raises(ValueError, match=r"Received:"):
            deserialize(entry)


def test_a_layer_that_computes_nothing_says_so():
    class Mine(layers.Layer):
        pass

    model = Sequential([Input((2,)), Mine()])
    with pytest.raises(NotImplementedError, match=r"Mine must define forward\(x\) and backward\(dy\)"):
        model.predict(np.ones((1, 2)), verbose=0)
