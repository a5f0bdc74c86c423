"""Activation layers with and without weights: what they compute and learn, on both backends, and how they are kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers, ops
from fastnn.engine.plan import Plan
from fastnn.layers import (
    APL,
    ELU,
    GLU,
    Activation,
    Dense,
    Flatten,
    Input,
    LeakyReLU,
    LearnedSwish,
    Maxout,
    MaxoutActivation,
    PReLU,
    ReLU,
    RReLU,
    SoftExponential,
    Softmax,
    SReLU,
)
from fastnn.layers.learned import members_of
from fastnn.layers.registry import deserialize, serialize
from fastnn.ops.gates import GATES
from fastnn.testing import gradcheck_model

# A layer of each kind that makes sense after a dense layer of six units.
LAYERS = {
    "leaky_relu": lambda **k: LeakyReLU(0.2, **k),
    "relu": lambda **k: ReLU(**k),
    "relu with a slope": lambda **k: ReLU(negative_slope=0.1, **k),
    "elu": lambda **k: ELU(0.7, **k),
    "softmax": lambda **k: Softmax(**k),
    "rrelu": lambda **k: RReLU(seed=4, **k),
    "glu": lambda **k: GLU(**k),
    "swiglu": lambda **k: GLU("swiglu", **k),
    "maxout": lambda **k: Maxout(3, 2, **k),
    "maxout without bias": lambda **k: Maxout(2, 3, use_bias=False, **k),
    "maxout activation": lambda **k: MaxoutActivation(3, **k),
    "prelu": lambda **k: PReLU("random_normal", **k),
    "prelu shared": lambda **k: PReLU("random_normal", shared_axes=1, **k),
    "srelu": lambda **k: SReLU(**k),
    "learned swish": lambda **k: LearnedSwish(**k),
    "soft exponential": lambda **k: SoftExponential(fastnn.initializers.RandomUniform(-0.1, 0.1), **k),
    "apl": lambda **k: APL(3, "random_normal", **k),
}
each = pytest.mark.parametrize("kind", LAYERS)


def model_with(kind, dtype="float64", shape=(5,)):
    fastnn.utils.set_random_seed(3)
    model = Sequential(
        [Input(shape, dtype=dtype), Dense(6, dtype=dtype), LAYERS[kind](dtype=dtype), Dense(2, dtype=dtype)]
    )
    model.compile(fastnn.optimizers.Adam(0.02), "mse")
    return model


def data(dtype="float64", n=40, shape=(5,)):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, *shape)).astype(dtype), rng.normal(size=(n, *shape[:-1], 2)).astype(dtype)


@each
def test_gradients_of_a_model(kind, backend):
    model = model_with(kind)
    gradcheck_model(model, *data(n=6), atol=1e-7)


@each
def test_both_backends_train_the_same_and_well(kind):
    outcomes = []
    for name in ("native", "reference"):
        with fastnn.use_backend(name):
            model = model_with(kind, shape=(3, 5))
            x, y = data(shape=(3, 5))
            losses = model.fit(x, y, batch_size=16, epochs=6, verbose=0).history["loss"]
            assert losses[-1] < losses[0]
            outcomes.append([np.array(losses), *model.get_weights(), model.predict(x, verbose=0)])
    for native, reference in zip(*outcomes, strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-9, atol=1e-11)


@each
def test_learned_weights_are_saved_and_come_back(kind, tmp_path):
    model = model_with(kind, "float32")
    x, y = data("float32")
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "m.fastnn")
    again = fastnn.models.load_model(tmp_path / "m.fastnn")
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
    model.fit(x, y, epochs=1, verbose=0, shuffle=False)
    again.fit(x, y, epochs=1, verbose=0, shuffle=False)
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))


@each
def test_config_round_trip(kind):
    layer = LAYERS[kind]()
    again = deserialize(json.loads(json.dumps(serialize(layer))))
    assert type(again) is type(layer) and again.get_config() == layer.get_config()


@each
def test_every_parameter_learns(kind):
    model = model_with(kind)
    before = model.layers[-2].get_weights()
    model.fit(*data(), epochs=2, verbose=0)
    for old, new in zip(before, model.layers[-2].get_weights(), strict=True):
        assert (old != new).any()


@each
@pytest.mark.parametrize("shape", [(4096, 40)], ids=str)
def test_bits_do_not_depend_on_the_threads(kind, shape):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=shape).astype(np.float32), rng.normal(size=(shape[0], 1)).astype(np.float32)
    weights = []
    for threads in (1, 3):
        with fastnn.num_threads(threads):
            fastnn.utils.set_random_seed(3)
            model = Sequential([Input(shape[1:]), Dense(300), LAYERS[kind](), Dense(1)])
            model.compile(fastnn.optimizers.SGD(0.001), "mse")
            model.fit(x, y, batch_size=2048, epochs=1, verbose=0)
            weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_frozen_parameters_stay(backend):
    model = Sequential([Input((5,)), Dense(6), PReLU("ones", trainable=False), APL(2, "ones", trainable=False)])
    model.compile("sgd", "mse")
    before = model.layers[1].get_weights() + model.layers[2].get_weights()
    kernel = model.layers[0].get_weights()[0]
    model.fit(np.ones((8, 5)), np.ones((8, 6)), epochs=2, verbose=0)
    for old, new in zip(before, model.layers[1].get_weights() + model.layers[2].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert (model.layers[0].get_weights()[0] != kernel).any()


def test_a_first_layer_that_learns_needs_no_gradient_of_its_input(backend):
    model = Sequential([Input((4,), dtype="float64"), PReLU(dtype="float64"), Dense(1, dtype="float64")])
    model.compile("sgd", "mse")
    gradcheck_model(model, -np.random.default_rng(0).uniform(0.1, 1, (5, 4)), np.ones((5, 1)))


# ---------------------------------------------------------------------------------------------------------- shared axes

SHARED = [None, 1, [1], [2], [3], [1, 2], [2, 3], [1, 3], [1, 2, 3]]


@pytest.mark.parametrize("shared", SHARED, ids=str)
@pytest.mark.parametrize("make", [PReLU, SReLU, APL], ids=lambda cls: cls.__name__)
def test_shared_axes_are_broadcast(make, shared, backend):
    shape, rng = (3, 2, 4), np.random.default_rng(2)
    layer = make(shared_axes=shared, dtype="float64")
    model = Sequential([Input(shape, dtype="float64"), layer])
    model.compile("sgd", "mse")
    axes = [] if shared is None else np.atleast_1d(shared).tolist()
    own = tuple(1 if i + 1 in axes else n for i, n in enumerate(shape))
    leading = (5,) if make is APL else ()
    assert all(w.shape == (*leading, *own) for w in layer.weights)
    layer.set_weights([rng.uniform(-0.5, 0.9, w.shape) for w in layer.weights])
    x, y = rng.normal(size=(6, *shape)), rng.normal(size=(6, *shape))
    function = {PReLU: ops.prelu, SReLU: ops.srelu, APL: ops.apl}[make]
    np.testing.assert_allclose(model.predict(x, verbose=0), function(x, *layer.get_weights()), rtol=1e-13, atol=1e-14)
    gradcheck_model(model, x, y, atol=1e-7)


def test_members_name_the_columns_of_each_value():
    assert members_of(1, (3,), (3,)) is None
    np.testing.assert_array_equal(members_of(1, (2, 1), (2, 3)), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(members_of(1, (1, 3), (2, 3)), [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(members_of(2, (1,), (2,)), [[0, 1], [2, 3]])
    assert members_of(1, (1, 3), (2, 3)).dtype == np.int32


def test_leading_shared_axes_cost_no_table():
    layer = PReLU(shared_axes=[1, 2])
    layer.build_once((8, 8, 5))
    plan = Plan(np.float32, 2)
    layer.emit(plan, plan.input(8 * 8 * 5))
    assert [(step.op, step.ints) for step in plan.steps[1:]] == [("learned", (2 * 64, 5, 1))]


@pytest.mark.parametrize("axes", [0, -1, [0], 1.5, "1", True, [1, None]])
def test_axes_that_cannot_be_shared(axes):
    with pytest.raises(ValueError, match=r"PReLU: shared_axes must be whole numbers from 1 on, or None. Received: "):
        PReLU(shared_axes=axes)


def test_axes_that_are_not_there():
    with pytest.raises(ValueError, match=r"shared_axes must be from 1 to 2 for inputs of shape \(3, 4\). Received: "):
        PReLU(shared_axes=[3]).build_once((3, 4))


# ---------------------------------------------------------------------------------------------------- along other axes


def last(function, x, axis, *args):
    return np.moveaxis(np.asarray(function(np.moveaxis(x, axis, -1), *args)), -1, axis)


ALONG = [
    (lambda axis: Softmax(axis, dtype="float64"), lambda x, axis: last(ops.softmax, x, axis)),
    (lambda axis: GLU("geglu", axis, dtype="float64"), lambda x, axis: last(ops.geglu, x, axis)),
    (lambda axis: MaxoutActivation(2, axis, dtype="float64"), lambda x, axis: last(ops.maxout, x, axis, 2)),
]


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
@pytest.mark.parametrize(("make", "oracle"), ALONG, ids=["Softmax", "GLU", "MaxoutActivation"])
def test_layers_work_along_any_axis(make, oracle, axis, backend):
    x = np.random.default_rng(3).normal(size=(5, 2, 4, 6))
    model = Sequential([Input((2, 4, 6), dtype="float64"), Dense(6, dtype="float64"), make(axis)])
    kernel, bias = model.get_weights()
    expected = oracle(x @ kernel + bias, axis)
    assert model.output_shape == (None, *expected.shape[1:])
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-12, atol=1e-14)
    model.compile("sgd", "mse")
    gradcheck_model(model, x, np.zeros_like(expected), atol=1e-7)


@pytest.mark.parametrize("axis", [0, 1.5, None, True])
def test_axes_that_are_no_axes(axis):
    with pytest.raises(ValueError, match=r"Softmax: axis must be one whole number, not 0, the batch. Received: "):
        Softmax(axis)


def test_axes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"axis 3 is not one of a sample's. Received: shape \(4, 6\)"):
        Softmax(3).build_once((4, 6))
    with pytest.raises(ValueError, match=r"must have a multiple of 2 elements. Received: 5 of \(4, 5\)"):
        GLU().build_once((4, 5))
    with pytest.raises(ValueError, match=r"Did you mean 'geglu'.*Received: 'gelu'"):
        GLU("gelu")


# --------------------------------------------------------------------------------------------------- what else they do


def test_softmax_layer_at_the_end_is_fused_with_the_loss():
    """As with activation="softmax": the loss sees logits, so that certain predictions have finite losses."""
    model = Sequential([Input((2,)), Dense(2, kernel_initializer=fastnn.initializers.Constant(np.eye(2))), Softmax()])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(np.array([[200.0, 0.0]]), np.array([1]), verbose=0)
    assert loss == 200 and accuracy == 0
    other = Sequential([Input((2, 3)), Softmax(1), Flatten()])
    other.compile("sgd", "mse")
    assert other.predict(np.ones((1, 2, 3)), verbose=0).tolist() == [[0.5] * 6]


def test_rrelu_draws_in_training_alone():
    x = -np.ones((4, 1000), np.float32)
    model = Sequential([Input((1000,)), RReLU(0.25, 0.75, seed=1)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), 0.5 * x)

    def slopes(seed):
        """What a training step multiplies with: a linear layer behind, whose gradient is its input."""
        fastnn.utils.set_random_seed(5)
        stack = [Input((1000,)), RReLU(0.25, 0.75, seed=seed), Dense(1, use_bias=False, kernel_initializer="zeros")]
        model = Sequential(stack)
        model.compile(fastnn.optimizers.SGD(1.0), fastnn.losses.MeanSquaredError(reduction="sum"))
        model.train_on_batch(-np.ones((1, 1000), np.float32), 0.5 * np.ones((1, 1)))
        return -model.get_weights()[0][:, 0]

    drawn = slopes(1)
    assert drawn.min() >= 0.25 and drawn.max() < 0.75 and abs(drawn.mean() - 0.5) < 0.03
    assert (slopes(2) != drawn).mean() > 0.99
    with fastnn.use_backend("reference"):
        np.testing.assert_allclose(slopes(1), drawn, rtol=1e-6)


def test_maxout_is_the_largest_of_dense_layers(backend):
    layer = Maxout(4, 3, bias_initializer="random_normal", dtype="float64")
    model = Sequential([Input((2, 5), dtype="float64"), layer])
    x = np.random.default_rng(0).normal(size=(7, 2, 5))
    kernel, bias = layer.get_weights()
    assert kernel.shape == (5, 12) and bias.shape == (12,) and model.output_shape == (None, 2, 4)
    pieces = [x @ kernel[:, p::3] + bias[p::3] for p in range(3)]
    np.testing.assert_allclose(model.predict(x, verbose=0), np.max(pieces, axis=0), rtol=1e-13)


@pytest.mark.parametrize("name", GATES)
def test_gates_as_activations_halve_the_columns(name, backend):
    x = np.random.default_rng(0).normal(size=(7, 2, 5))
    with pytest.raises(ValueError, match=rf"{name} needs an even number of columns. Received: shape \(2, 3\)"):
        Sequential([Input((2, 5)), Dense(6, name), Activation(name)])
    model = Sequential([Input((2, 5), dtype="float64"), Dense(8, name, dtype="float64"), Activation(name)])
    kernel, bias = model.get_weights()
    gate = getattr(ops, name)
    assert model.output_shape == (None, 2, 2)
    np.testing.assert_allclose(model.predict(x, verbose=0), gate(gate(x @ kernel + bias)), rtol=1e-12, atol=1e-15)
    model.compile("sgd", "mse")
    gradcheck_model(model, x, np.zeros((7, 2, 2)), atol=1e-7)


@pytest.mark.parametrize("name", ["softmin", "sparsemax"])
def test_probabilities_as_activations(name, backend):
    x = np.random.default_rng(0).normal(size=(7, 2, 5))
    model = Sequential([Input((2, 5), dtype="float64"), Dense(4, dtype="float64"), Activation(name, dtype="float64")])
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(model.predict(x, verbose=0), getattr(ops, name)(x @ kernel + bias), rtol=1e-12)
    model.compile("sgd", "mse")
    gradcheck_model(model, x, np.zeros((7, 2, 4)), atol=1e-7)


def test_fixed_activations_compute_their_formulas(backend):
    x = np.array([[-2.0, 0.0, 3.0]])

    def result(layer):
        return Sequential([Input((3,), dtype="float64"), layer]).predict(x, verbose=0)

    np.testing.assert_allclose(result(LeakyReLU(dtype="float64")), [[-0.6, 0, 3]])
    np.testing.assert_allclose(result(ReLU(dtype="float64")), [[0, 0, 3]])
    np.testing.assert_allclose(result(ReLU(negative_slope=0.25, dtype="float64")), [[-0.5, 0, 3]])
    np.testing.assert_allclose(result(ELU(2.0, dtype="float64")), [[2 * np.expm1(-2), 0, 3]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReLU(-1), "ReLU: max_value must be a finite number and at least 0"),
        (lambda: ReLU(threshold=None), "ReLU: threshold must be a finite number and at least 0"),
        (lambda: LeakyReLU(-0.1), "LeakyReLU: negative_slope must be a finite number and at least 0"),
        (lambda: ELU("1"), "ELU: alpha must be a finite number and at least 0"),
        (lambda: RReLU(0.5, 0.25), "RReLU: lower must not be above upper"),
        (lambda: Maxout(0), "Maxout: units must be a positive whole number"),
        (lambda: Maxout(2, 1.5), "Maxout: pieces must be a positive whole number"),
        (lambda: MaxoutActivation(0), "MaxoutActivation: pieces must be a positive whole number"),
        (lambda: APL(33), "APL: pieces must be a whole number from 1 to 32"),
    ],
)
def test_arguments_are_checked(make, message):
    with pytest.raises(ValueError, match=rf"{message}\. Received: "):
        make()


def test_unserved_options_are_refused():
    PReLU(alpha_regularizer=None, alpha_constraint=None)
    with pytest.raises(TypeError, match=r"Did you mean 'alpha_initializer'"):
        PReLU(alpha_initialiser="zeros")
    assert isinstance(Activation("relu"), Activation)


@pytest.mark.parametrize("axis", [(1, 2), (2, 3), (-1, 1), (1, 2, 3), [3, 1]])
def test_softmax_over_several_axes(backend, axis):
    layer = layers.Softmax(axis, dtype="float64")
    assert fastnn.testing.check_layer(layer, (2, 3, 4)) <= 1
    x = 9 * np.random.default_rng(0).normal(size=(5, 2, 3, 4))
    e = np.exp(x - x.max(axis=tuple(axis), keepdims=True))
    np.testing.assert_allclose(layer(x), e / e.sum(axis=tuple(axis), keepdims=True), rtol=1e-12)


@pytest.mark.parametrize("axis", [(0, 1), (1, -3), (1, 7), (1, "a"), ()])
def test_axes_of_softmax_that_are_refused(axis):
    with pytest.raises(ValueError, match="Received:"):
        layers.Softmax(axis)(layers.Input((2, 3, 4)))
