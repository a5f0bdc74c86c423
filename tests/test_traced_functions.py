"""Functions of fastnn.ops on symbolic tensors: the values of NumPy, gradients, descriptions; and in `call`."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import dense, drawn, source

import fastnn
from fastnn import Input, Model, layers, ops
from fastnn.testing import check_layer, gradcheck_model

RNG = np.random.default_rng(0)
X = RNG.uniform(0.2, 0.9, size=(4, 3, 4))
MATRIX, ROW = RNG.normal(size=(4, 2)), RNG.normal(size=4)

NAMES = [
    "sqrt", "rsqrt", "log", "log2", "log10", "log1p", "exp", "expm1", "sin", "cos", "tan", "sinh", "cosh", "arcsin",
    "arccos", "arcsinh", "arctanh", "arctan", "erf", "reciprocal", "square", "negative", "abs", "floor", "ceil",
    "round", "sign", "relu", "tanh", "sigmoid", "softmax", "log_softmax", "isnan", "logical_not",
]  # fmt: skip
# name -> function of a tensor (samples, 3, 4), and of the array
FUNCTIONS = {
    **{name: (lambda t, name=name: getattr(ops, name)(t)) for name in NAMES},
    "matmul with a matrix": lambda t: ops.matmul(t, MATRIX),
    "matmul with a vector": lambda t: ops.matmul(t, ROW),
    "a matrix with tensors": lambda t: ops.matmul(MATRIX[:3].T, t),
    "matmul of tensors": lambda t: t @ ops.transpose(t, (0, 2, 1)),
    "transpose": lambda t: ops.transpose(t, (0, 2, 1)),
    "swapaxes": lambda t: ops.swapaxes(t, 1, 2),
    "moveaxis": lambda t: ops.moveaxis(t, 1, -1),
    "reshape": lambda t: ops.reshape(t, (-1, 2, 6)),
    "reshape with a free axis": lambda t: ops.reshape(t, (ops.shape(t)[0], 2, -1)),
    "concatenate": lambda t: ops.concatenate([t, t * 2], axis=1),
    "concatenate at the end": lambda t: ops.concatenate([t, t * 2], axis=-1),
    "stack": lambda t: ops.stack([t, t * 2], axis=1),
    "stack at the end": lambda t: ops.stack([t, t + 1], axis=-1),
    "split": lambda t: ops.split(t, 2, axis=-1)[1],
    "split at": lambda t: ops.split(t, [1, 2], axis=1)[2],
    "unstack": lambda t: ops.unstack(t, axis=1)[1],
    "expand_dims": lambda t: ops.expand_dims(t, 1),
    "expand_dims at the end": lambda t: ops.expand_dims(t, -1),
    "squeeze": lambda t: ops.squeeze(ops.expand_dims(t, 2), 2),
    "flip": lambda t: ops.flip(t, axis=1),
    "pad": lambda t: ops.pad(t, [[0, 0], [1, 2], [0, 1]], constant_values=2.0),
    "tile": lambda t: ops.tile(t, (1, 2, 3)),
    "repeat": lambda t: ops.repeat(t, 2, axis=1),
    "broadcast_to": lambda t: ops.broadcast_to(t[:, :1], ops.shape(t)),
    "sum": lambda t: ops.sum(t, axis=1),
    "sum of several axes": lambda t: ops.sum(t, axis=(1, 2), keepdims=True),
    "mean": lambda t: ops.mean(t, axis=-1),
    "mean with axes kept": lambda t: t - ops.mean(t, axis=1, keepdims=True),
    "max": lambda t: ops.max(t, axis=-1),
    "min": lambda t: ops.min(t, axis=1),
    "logsumexp": lambda t: ops.logsumexp(t, axis=1),
    "var": lambda t: ops.var(t, axis=-1, keepdims=True),
    "std": lambda t: ops.std(t, axis=1),
    "argmax": lambda t: ops.argmax(t, axis=-1),
    "norm": lambda t: ops.norm(t, axis=-1),
    "normalize": lambda t: ops.normalize(t, axis=1),
    "softmax along another axis": lambda t: ops.softmax(t, axis=1),
    "add": lambda t: ops.add(t, 1.0),
    "subtract": lambda t: ops.subtract(2.0, t),
    "multiply": lambda t: ops.multiply(t, ROW),
    "divide": lambda t: ops.divide(t, t + 1),
    "power": lambda t: ops.power(t, 3),
    "maximum": lambda t: ops.maximum(t, 0.5),
    "minimum": lambda t: ops.minimum(ROW, t),
    "clip": lambda t: ops.clip(t, 0.25, 0.625),
    "where": lambda t: ops.where(t > 0.5, t, -1.0),
    "greater": lambda t: ops.cast(ops.greater(t, 0.5), "float64") * t,
    "arctan2": lambda t: ops.arctan2(t, t + 1),
    "cast to integers": lambda t: ops.cast(t * 5, "int32") + t,
    "zeros_like": lambda t: ops.zeros_like(t) + t,
    "ones_like": lambda t: ops.ones_like(t) * t,
    "one_hot": lambda t: ops.one_hot(ops.argmax(t, axis=-1), 4),
    "einsum of two tensors": lambda t: ops.einsum("bij,bkj->bik", t, t),
    "einsum with a matrix": lambda t: ops.einsum("bij,jk->bki", t, MATRIX),
    "einsum with dots": lambda t: ops.einsum("...j,jk->...k", t, MATRIX),
    "over the batch": lambda t: t - ops.mean(t, axis=0),
    "over everything": lambda t: t / ops.max(t),
}  # fmt: skip
CONSTANT = {"floor", "ceil", "round", "sign", "isnan", "logical_not", "argmax", "one_hot"}
each = pytest.mark.parametrize("name", FUNCTIONS)


@each
def test_values_are_those_of_arrays(backend, name):
    x, function = source(3, 4), FUNCTIONS[name]
    model = Model(x, function(x))
    expected = np.asarray(function(X))
    found = model.predict(X, verbose=0)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    if not name.startswith("over"):
        np.testing.assert_allclose(model.predict(X[:1], verbose=0), expected[:1], rtol=1e-12, atol=1e-14)


@each
def test_gradients_and_descriptions(backend, name):
    x = source(3, 4)
    y = FUNCTIONS[name](dense(4, "sigmoid")(x))
    y = y if y.sample_shape else y[..., None]  # a loss needs an axis
    model = drawn(Model(x, y))
    model.compile("sgd", "mse")
    if name not in CONSTANT:
        assert gradcheck_model(model, X, RNG.normal(size=(4, *model.output_shape[1:]))) <= 1
    twin = fastnn.models.model_from_json(model.to_json())
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))


def test_what_is_refused():
    x = source(3, 4)
    for use, kind, message in [
        (lambda: ops.transpose(x), ValueError, r"the batch, 0, in front. Received: axes=None"),
        (lambda: ops.reshape(x, (-1, 4)), ValueError, r"the batch stays in front, and whole.*Received: \(-1, 4\)"),
        (lambda: ops.concatenate([x, x]), ValueError, r"concatenate: expected an axis from 1 to 2.*Received: axis=0"),
        (lambda: ops.tile(x, (2, 1, 1)), ValueError, r"tile: the batch is as long as it is"),
        (lambda: ops.pad(x, 1), ValueError, r"pad: the batch is as long as it is"),
        (lambda: ops.pad(x, ((0, 0), (1, 1), (1, 1)), mode="reflect"), ValueError, r"pad .* with constants"),
        (lambda: ops.matmul(x, np.ones((3, 2))), ValueError, r"as many columns as the second has rows"),
        (lambda: ops.sort(x), TypeError, r"sort takes arrays, it is no layer"),
        (lambda: ops.sum(x, axis=3), ValueError, r"sum: expected axes below 3. Received: axis=3"),
        (lambda: Model(x, ops.mean(x)), ValueError, r"expected outputs with a batch. Received: \['"),
    ]:
        with pytest.raises(kind, match=message):
            use()


# ------------------------------------------------------------------------------------------------------ in `call`


class Linear(layers.Layer):
    """The layer of Keras's guide."""

    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="random_normal", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Positions(layers.Layer):
    """Token and position embedding, as in Keras's example of a transformer."""

    def __init__(self, maxlen=6, vocab=10, dim=3, **kwargs):
        super().__init__(**kwargs)
        self.token_emb = layers.Embedding(vocab, dim, dtype=self.dtype)
        self.pos_emb = layers.Embedding(maxlen, dim, dtype=self.dtype)

    def call(self, x):
        positions = ops.arange(start=0, stop=ops.shape(x)[-1], step=1)
        positions = self.pos_emb(positions)
        return self.token_emb(x) + positions


class Weights(layers.Layer):
    """Weights beside each other, single numbers, weights for each sample of the batch."""

    def build(self, input_shape):
        n = input_shape[-1]
        self.matrix = self.add_weight(shape=(n, n), initializer="random_normal", name="matrix")
        self.token = self.add_weight(shape=(1, 1, n), initializer="random_normal", name="token")
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.inner = layers.Dense(n, dtype=self.dtype)

    def call(self, x):
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        x = ops.concatenate([token, x], axis=1) * self.scale
        square = ops.softmax(self.matrix @ ops.transpose(self.matrix))
        bent = self.inner(self.matrix * 2.0)[0]  # a layer takes the rows of a weight for samples
        return 2.0 * self.scale + x @ square - bent + np.arange(1.0, 5) * self.scale


def test_layers_with_weights_and_constants(backend):
    assert check_layer(Linear(3, dtype="float64"), (5,)) <= 1
    assert check_layer(Linear(3, dtype="float64"), (2, 5)) <= 1
    assert check_layer(Weights(dtype="float64"), (3, 4)) <= 1
    model = fastnn.Sequential([source(6), Positions(dtype="float64"), layers.Flatten(dtype="float64"), dense(2)])
    assert [w.shape for w in model.weights] == [(10, 3), (6, 3), (18, 2), (2,)]
    model.compile("sgd", "mse")
    tokens = RNG.integers(0, 10, size=(5, 6))
    assert gradcheck_model(model, tokens, np.ones((5, 2))) <= 1
    table, places = model.layers[0].get_weights()
    np.testing.assert_allclose(model.layers[0](tokens), table[tokens] + places, rtol=1e-12)


def test_a_linear_layer_computes_as_a_dense_one(backend):
    rng, losses = np.random.default_rng(1), []
    x, y = rng.normal(size=(40, 5)), rng.normal(size=(40, 3))
    weights = [rng.normal(size=(5, 3)), rng.normal(size=3)]
    for layer in (Linear(3, dtype="float64"), layers.Dense(3, dtype="float64")):
        model = fastnn.Sequential([source(5), layer])
        model.set_weights(weights)
        model.seed = 0
        model.compile("adam", "mse")
        losses.append(model.fit(x, y, batch_size=16, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-9)


def test_saving(tmp_path):
    registered = dict(fastnn.saving.get_custom_objects())
    fastnn.saving.register_keras_serializable("tests")(Linear)
    model = fastnn.Sequential([Input((5,)), Linear(3), layers.Dense(1)])
    model.save(tmp_path / "model.fastnn")
    again = fastnn.load_model(tmp_path / "model.fastnn")
    x = np.ones((2, 5))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    fastnn.saving.get_custom_objects().clear()
    fastnn.saving.get_custom_objects().update(registered)


def test_weights_outside_of_call_are_arrays():
    layer = Linear(2)
    layer.build_once((3,))
    w = layer.w.numpy()
    for found, expected in [
        (layer.w * 2, w * 2), (1 - layer.w, 1 - w), (np.ones(3, "float32") @ layer.w, w.sum(0)), (-layer.w, -w),
        (layer.w[0], w[0]), (ops.transpose(layer.w), w.T), (layer.w + layer.w, w + w),
    ]:  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_call_cannot_do():
    class Counter(layers.Layer):
        def build(self, input_shape):
            self.total = self.add_weight(shape=(), initializer="zeros", trainable=False, name="total")

        def call(self, x):
            self.total.assign(1.0)
            return x + self.total

    with pytest.raises(TypeError, match=r"assign in `call` would happen once.*Received: 1.0"):
        Counter()(source(3))


class Sampling(layers.Layer):
    """As in Keras's example of a variational autoencoder."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = fastnn.random.SeedGenerator(1337)

    def call(self, inputs):
        mean, log_var = inputs
        epsilon = fastnn.random.normal(shape=(ops.shape(mean)[0], ops.shape(mean)[1]), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_var) * epsilon


class Noisy(layers.Layer):
    def call(self, x, training=None):
        shift = fastnn.random.uniform((1, x.shape[-1]), -1.0, 3.0, seed=2)
        y = x + shift
        return fastnn.random.dropout(y, 0.5, seed=3) if training else y


def test_random_numbers_in_call(backend):
    mean, log_var = source(50), source(50)
    model = Model([mean, log_var], Sampling(dtype="float64")([mean, log_var]))
    given = [np.full((40, 50), 2.0), np.full((40, 50), np.log(9.0))]
    first, second = model.predict(given, verbose=0), model.predict(given, verbose=0)
    assert (first != second).all() and abs(first.mean() - 2) < 0.3 and abs(first.std() - 3) < 0.3
    model.compile("sgd", "mse")
    assert gradcheck_model(model, given, first) <= 1
    x = source(50)
    model = Model(x, Noisy(dtype="float64")(x))
    y = model(np.zeros((30, 50)))
    assert (y == y[0]).all() and y.min() > -1 and y.max() < 3 and abs(y[0].mean() - 1) < 0.7
    assert (model(np.zeros((30, 50)), training=True) == 0).mean() == pytest.approx(0.5, abs=0.1)
    again = fastnn.models.model_from_json(Model(x, x * 1).to_json())
    np.testing.assert_array_equal(again(y), y)


class Penalized(layers.Layer):
    """Adds penalties as Keras's guide does, of the batch and of a weight."""

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="w")

    def call(self, x):
        y = x * self.w
        self.add_loss(0.1 * ops.mean(ops.square(y)))
        self.add_loss([ops.sum(self.w**2) * 0.05])
        return y


def test_losses_added_in_call(backend):
    model = drawn(fastnn.Sequential([source(4), dense(4, "tanh"), Penalized(dtype="float64")]))
    model.compile("sgd", "mse")
    x, target = RNG.normal(size=(10, 4)), RNG.normal(size=(10, 4))
    y, w = model(x), model.get_weights()[-1]
    expected = ((y - target) ** 2).mean() + 0.1 * (y**2).mean() + 0.05 * (w**2).sum()
    assert model.evaluate(x, target, batch_size=10, verbose=0) == pytest.approx(expected, rel=1e-12)
    assert gradcheck_model(model, x, target) <= 1
    assert model.train_on_batch(x, target) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(TypeError, match=r"add_loss is for the symbolic tensors in `call`"):
        model.layers[1].add_loss(3.0)
