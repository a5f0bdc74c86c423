"""fastnn.compat.book against the book's formulas, written out here in NumPy, and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.compat.book import functions, gradient, layers, optimizer, util
from fastnn.datasets import digits

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 5))
LABELS = RNG.integers(0, 5, 7)
ONE_HOT = np.eye(5, dtype=int)[LABELS]


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


# --------------------------------------------------------------------------------------------------------- functions


def test_functions():
    x = np.array([-2.0, -1e-9, 0.0, 1e-9, 3.0])
    assert functions.identity_function(x) is x
    np.testing.assert_array_equal(functions.step_function(x), [0, 0, 0, 1, 1])
    assert functions.step_function(x).dtype.kind == "i"
    np.testing.assert_array_equal(functions.relu(x), [0, 0, 0, 1e-9, 3])
    np.testing.assert_array_equal(functions.relu_grad(x), [0, 0, 1, 1, 1])
    s = 1 / (1 + np.exp(-x))
    close(functions.sigmoid(x), s)
    close(functions.sigmoid_grad(x), s * (1 - s))
    e = np.exp(X)
    close(functions.softmax(X), e / e.sum(axis=1, keepdims=True))
    close(functions.softmax(X[0]), e[0] / e[0].sum())
    np.testing.assert_array_equal(functions.sigmoid(np.array([-1e4, 1e4])), [0, 1])
    assert np.isfinite(functions.softmax(np.array([1e4, 0.0]))).all()


def test_losses():
    p = functions.softmax(X)
    expected = -np.mean(np.log(p[np.arange(7), LABELS] + 1e-7))
    for t in (LABELS, ONE_HOT, ONE_HOT.astype(float), LABELS.reshape(7, 1)):
        close(functions.cross_entropy_error(p, t), expected)
        close(functions.softmax_loss(X, t), expected)
    close(functions.cross_entropy_error(p[0], ONE_HOT[0]), -np.log(p[0, LABELS[0]] + 1e-7))
    assert functions.cross_entropy_error(np.array([[0.0, 1.0]]), np.array([0])) == pytest.approx(-np.log(1e-7))
    close(functions.sum_squared_error(p, ONE_HOT), 0.5 * np.sum((p - ONE_HOT) ** 2))
    assert functions.mean_squared_error is functions.sum_squared_error


# ------------------------------------------------------------------------------------------------------------ layers


def test_relu_layer():
    layer = layers.Relu()
    assert layer.mask is None
    x = np.array([[-1.0, 0.0, 2.0]])
    np.testing.assert_array_equal(layer.forward(x), [[0, 0, 2]])
    np.testing.assert_array_equal(layer.mask, [[True, True, False]])
    dout = np.ones((1, 3))
    np.testing.assert_array_equal(layer.backward(dout), [[0, 0, 1]])
    np.testing.assert_array_equal(dout, 1)


def test_sigmoid_layer():
    layer = layers.Sigmoid()
    out = layer.forward(X)
    assert layer.out is out
    close(layer.backward(2 * X), 2 * X * out * (1 - out))


def test_affine_layer_flattens_images():
    W, b, x = RNG.normal(size=(12, 3)), RNG.normal(size=3), RNG.normal(size=(4, 3, 2, 2))
    layer = layers.Affine(W, b)
    flat = x.reshape(4, 12)
    close(layer.forward(x), flat @ W + b)
    np.testing.assert_array_equal(layer.x, flat)
    assert layer.original_x_shape == x.shape
    dout = RNG.normal(size=(4, 3))
    dx = layer.backward(dout)
    assert dx.shape == x.shape
    close(dx, (dout @ W.T).reshape(x.shape))
    close(layer.dW, flat.T @ dout)
    close(layer.db, dout.sum(axis=0))
    first = layer.dW
    layer.backward(2 * dout)
    assert layer.dW is not first  # gradients that are kept do not change under one's hands


@pytest.mark.parametrize("t", [LABELS, ONE_HOT, ONE_HOT.astype(bool), ONE_HOT.astype(np.float32)])
def test_softmax_with_loss(t):
    layer = layers.SoftmaxWithLoss()
    p = functions.softmax(X)
    assert layer.forward(X, t) == layer.loss
    close(layer.loss, -np.mean(np.log(p[np.arange(7), LABELS] + 1e-7)))
    close(layer.y, p)
    close(layer.backward(), (p - ONE_HOT) / 7)


def test_backward_needs_forward():
    with pytest.raises(RuntimeError, match=r"forward must come before backward. Received: "):
        layers.SoftmaxWithLoss().backward()
    with pytest.raises(RuntimeError, match=r"must come before backward. Received: "):
        layers.Dropout().backward(X)


def test_dropout_draws_and_scales_as_the_book_does():
    layer = layers.Dropout(0.3)
    np.random.seed(4)
    out = layer.forward(X)
    np.random.seed(4)
    kept = np.random.rand(7, 5) > 0.3
    np.testing.assert_array_equal(layer.mask, kept)
    np.testing.assert_array_equal(out, X * kept)
    np.testing.assert_array_equal(layer.backward(X), X * kept)
    close(layer.forward(X, train_flg=False), X * 0.7)


@pytest.mark.parametrize("shape", [(6, 4), (6, 2, 3, 2)])
def test_batch_normalization(shape):
    x, dout = RNG.normal(1, 2, size=(2, *shape))
    rows, features = x.reshape(6, -1), x[0].size
    gamma, beta = RNG.normal(size=(2, features))
    layer = layers.BatchNormalization(gamma, beta, momentum=0.8)
    mean, var = rows.mean(axis=0), rows.var(axis=0)
    std = np.sqrt(var + 1e-6)
    out = layer.forward(x)
    assert out.shape == shape
    close(out.reshape(6, -1), gamma * (rows - mean) / std + beta)
    close(layer.running_mean, 0.2 * mean)
    close(layer.running_var, 0.2 * var)
    close(layer.std, std)
    assert layer.batch_size == 6
    assert layer.input_shape == shape

    def loss(_):
        fresh = layers.BatchNormalization(gamma, beta)
        return float(np.sum(fresh.forward(x) * dout))

    dx = layer.backward(dout)
    for ours, at in ((dx, x), (layer.dgamma, gamma), (layer.dbeta, beta)):
        np.testing.assert_allclose(ours, gradient.numerical_gradient(loss, at), rtol=1e-5, atol=1e-6)
    again = layer.forward(x, train_flg=False)
    close(again.reshape(6, -1), gamma * (rows - 0.2 * mean) / np.sqrt(0.2 * var + 1e-6) + beta)


def test_float32_stays_float32():
    x = X.astype(np.float32)
    parameters = [np.ones(5, np.float32), np.zeros(5, np.float32)]
    chain = [layers.Affine(np.eye(5, dtype=np.float32), parameters[1]), layers.BatchNormalization(*parameters)]
    chain += [layers.Relu(), layers.Sigmoid(), layers.Dropout(0.5)]
    for training in (True, False):
        y = x
        for layer in chain:
            arguments = (y, training) if isinstance(layer, (layers.Dropout, layers.BatchNormalization)) else (y,)
            y = layer.forward(*arguments)
            assert y.dtype == np.float32
    for layer in reversed(chain):
        y = layer.backward(y)
        assert y.dtype == np.float32


# -------------------------------------------------------------------------------------------------------- optimizers


def book_step(name, p, g, state, step):
    """One step of the book's formulas on copies; the state is a dict of arrays."""
    p, g = p.copy(), g.copy()
    if name == "SGD":
        return p - 0.01 * g
    if name == "Momentum":
        state["v"] = 0.9 * state.get("v", 0) - 0.01 * g
        return p + state["v"]
    if name == "Nesterov":
        v = state.get("v", 0)
        state["v"] = 0.9 * v - 0.01 * g
        return p + 0.81 * v - 1.9 * 0.01 * g
    if name == "AdaGrad":
        state["h"] = state.get("h", 0) + g * g
        return p - 0.01 * g / (np.sqrt(state["h"]) + 1e-7)
    if name == "RMSprop":
        state["h"] = 0.99 * state.get("h", 0) + 0.01 * g * g
        return p - 0.01 * g / (np.sqrt(state["h"]) + 1e-7)
    state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0) + 0.001 * g * g
    rate = 0.001 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return p - rate * state["m"] / (np.sqrt(state["v"]) + 1e-7)


@pytest.mark.parametrize("name", optimizer.__all__)
def test_optimizers(name):
    params = {"W": RNG.normal(size=(3, 4)), "b": RNG.normal(size=4), "x": -7.0}
    aliases = dict(params)
    ours, states = getattr(optimizer, name)(), {key: {} for key in params}
    expected = dict.copy(params)
    expected["W"], expected["b"] = params["W"].copy(), params["b"].copy()
    for step in range(1, 21):
        grads = {key: RNG.normal(size=np.shape(p)) for key, p in params.items()}
        grads |= {"unused": np.ones(3)}
        ours.update(params, grads)
        for key in expected:
            expected[key] = book_step(name, np.asarray(expected[key]), np.asarray(grads[key]), states[key], step)
            np.testing.assert_allclose(params[key], expected[key], rtol=1e-12, atol=1e-13)
    assert params["W"] is aliases["W"]  # layers hold the arrays: they are changed in place
    assert np.ndim(params["x"]) == 0
    for slot, values in states["W"].items():
        np.testing.assert_allclose(getattr(ours, slot)["W"], values, rtol=1e-11, atol=1e-15)


# ------------------------------------------------------------------------------------------------------------- helpers


def test_numerical_gradient():
    x = RNG.normal(size=(2, 3))
    before = x.copy()
    np.testing.assert_allclose(gradient.numerical_gradient(lambda a: np.sum(a**3), x), 3 * x**2, rtol=1e-6)
    np.testing.assert_array_equal(x, before)


def test_smooth_curve():
    x = RNG.normal(size=40)
    smooth = util.smooth_curve(x)
    assert smooth.shape == x.shape
    window = np.kaiser(11, 2)
    close(smooth[20], np.sum(window * x[15:26]) / window.sum())
    mirrored = np.r_[x[5:0:-1], x[:6]]
    close(smooth[0], np.sum(window * mirrored) / window.sum())
    mirrored = np.r_[x[-6:], x[:-6:-1]]
    close(smooth[-1], np.sum(window * mirrored) / window.sum())
    close(util.smooth_curve(np.full(20, 3.0)), 3.0)


@pytest.mark.parametrize("shape", [(5, 2), (5, 1, 2, 2)])
def test_shuffle_dataset(shape):
    x, t = np.arange(np.prod(shape)).reshape(shape), np.arange(5)
    np.random.seed(1)
    shuffled, targets = util.shuffle_dataset(x, t)
    np.random.seed(1)
    order = np.random.permutation(5)
    np.testing.assert_array_equal(shuffled, x[order])
    np.testing.assert_array_equal(targets, order)


# ------------------------------------------------------------------------------------------- whole networks, on digits


class PlainRelu:
    def forward(self, x):
        self.positive = x > 0
        return x * self.positive

    def backward(self, d):
        return d * self.positive


class PlainSigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, d):
        return d * self.y * (1 - self.y)


class PlainAffine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(axis=0)
        return d @ self.W.T


class PlainSoftmaxWithLoss:
    def forward(self, x, t):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.mean(np.log(self.p[np.arange(len(t)), t] + 1e-7))

    def backward(self, _=1):
        d = self.p.copy()
        d[np.arange(len(d)), self.t] -= 1
        return d / len(d)


class PlainDropout:
    def __init__(self, ratio):
        self.ratio = ratio

    def forward(self, x, training=True):
        if not training:
            return x * (1 - self.ratio)
        self.kept = np.random.rand(*x.shape) > self.ratio
        return x * self.kept

    def backward(self, d):
        return d * self.kept


class PlainBatchNormalization:
    """The chain rule, one operation after the other."""

    def __init__(self, gamma, beta):
        self.gamma, self.beta, self.mean, self.var = gamma, beta, 0, 0

    def forward(self, x, training=True):
        if not training:
            return self.gamma * (x - self.mean) / np.sqrt(self.var + 10e-7) + self.beta
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.centred, self.std = x - mean, np.sqrt(var + 10e-7)
        self.mean, self.var = 0.9 * self.mean + 0.1 * mean, 0.9 * self.var + 0.1 * var
        return self.gamma * self.centred / self.std + self.beta

    def backward(self, d):
        self.dgamma, self.dbeta = (d * self.centred / self.std).sum(axis=0), d.sum(axis=0)
        scaled = d * self.gamma
        dstd = -(scaled * self.centred).sum(axis=0) / self.std**2
        dcentred = scaled / self.std + self.centred * dstd / (self.std * len(d))
        return dcentred - dcentred.mean(axis=0)


class PlainOptimizer:
    def __init__(self, name):
        self.name, self.states, self.steps = name, {}, 0

    def update(self, params, grads):
        self.steps += 1
        for key in params:
            params[key][...] = book_step(
                self.name, params[key], grads[key], self.states.setdefault(key, {}), self.steps
            )


PLAIN = {
    "Relu": PlainRelu,
    "Sigmoid": PlainSigmoid,
    "Affine": PlainAffine,
    "SoftmaxWithLoss": PlainSoftmaxWithLoss,
    "Dropout": PlainDropout,
    "BatchNormalization": PlainBatchNormalization,
}
OURS = {name: getattr(layers, name) for name in PLAIN}


class Network:
    """A network as the book's readers write one: parameters in a dict, layers in another, gradients by hand."""

    def __init__(self, kinds, sizes, activation, normalise=False, dropout=0.0):
        rng = np.random.default_rng(1)
        self.params, self.layers, self.last = {}, {}, kinds["SoftmaxWithLoss"]()
        for i in range(1, len(sizes)):
            self.params[f"W{i}"] = rng.normal(0, np.sqrt(2 / sizes[i - 1]), (sizes[i - 1], sizes[i]))
            self.params[f"b{i}"] = np.zeros(sizes[i])
            self.layers[f"Affine{i}"] = kinds["Affine"](self.params[f"W{i}"], self.params[f"b{i}"])
            if i == len(sizes) - 1:
                break
            if normalise:
                self.params[f"gamma{i}"], self.params[f"beta{i}"] = np.ones(sizes[i]), np.zeros(sizes[i])
                parameters = self.params[f"gamma{i}"], self.params[f"beta{i}"]
                self.layers[f"BatchNorm{i}"] = kinds["BatchNormalization"](*parameters)
            self.layers[f"Activation{i}"] = kinds[activation]()
            if dropout:
                self.layers[f"Dropout{i}"] = kinds["Dropout"](dropout)

    def predict(self, x, training=False):
        for name, layer in self.layers.items():
            x = layer.forward(x, training) if name.startswith(("BatchNorm", "Dropout")) else layer.forward(x)
        return x

    def loss(self, x, t, training=True):
        return self.last.forward(self.predict(x, training), t)

    def gradient(self, x, t):
        value = self.loss(x, t)
        dout = self.last.backward(1)
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        owners = {"W": ("Affine", "dW"), "b": ("Affine", "db")}
        owners |= {"gamma": ("BatchNorm", "dgamma"), "beta": ("BatchNorm", "dbeta")}
        grads = {}
        for key in self.params:
            name, number = key.rstrip("0123456789"), key.lstrip("abcdefghijklmnopqrstuvwxyzW")
            kind, attribute = owners[name]
            grads[key] = getattr(self.layers[kind + number], attribute)
        return value, grads


def train(kinds, make_optimizer, steps=100, **options):
    (x, t), (x_test, t_test) = digits.load_data()
    x, x_test = x.reshape(len(x), -1) / 16.0, x_test.reshape(len(x_test), -1) / 16.0
    np.random.seed(2)
    network, update = Network(kinds, **options), make_optimizer()
    losses = []
    for _ in range(steps):
        batch = np.random.choice(len(x), 100)
        value, grads = network.gradient(x[batch], t[batch])
        update.update(network.params, grads)
        losses.append(value)
    hits = network.predict(x_test).argmax(axis=1) == t_test
    return np.array(losses), hits.mean(), network.params


NETWORKS = [
    ("SGD", {"sizes": (64, 50, 10), "activation": "Sigmoid"}),
    ("Momentum", {"sizes": (64, 50, 10), "activation": "Relu"}),
    ("Adam", {"sizes": (64, 40, 30, 20, 10), "activation": "Relu", "normalise": True, "dropout": 0.2}),
    ("AdaGrad", {"sizes": (64, 40, 30, 10), "activation": "Sigmoid", "normalise": True}),
    ("RMSprop", {"sizes": (64, 40, 10), "activation": "Relu", "dropout": 0.4}),
    ("Nesterov", {"sizes": (64, 40, 10), "activation": "Relu"}),
]


@pytest.mark.parametrize(("name", "options"), NETWORKS, ids=[name for name, _ in NETWORKS])
def test_training_is_that_of_plain_numpy(name, options):
    losses, accuracy, params = train(OURS, getattr(optimizer, name), **options)
    expected, expected_accuracy, expected_params = train(PLAIN, lambda: PlainOptimizer(name), **options)
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    assert accuracy == expected_accuracy
    for key, value in params.items():
        np.testing.assert_allclose(value, expected_params[key], rtol=1e-7, atol=1e-9)
    if name in ("Adam", "Momentum"):
        assert accuracy > 0.7


def test_gradients_of_a_network_are_the_numerical_ones():
    (x, t), _ = digits.load_data()
    x = x.reshape(len(x), -1)[:5] / 16.0
    network = Network(OURS, sizes=(64, 6, 5, 10), activation="Sigmoid", normalise=True)
    _, grads = network.gradient(x, t[:5])
    for key, parameter in network.params.items():
        if key == "W1":
            continue  # 64 x 6 evaluations more would show nothing new
        numerical = gradient.numerical_gradient(lambda _: network.loss(x, t[:5]), parameter)
        np.testing.assert_allclose(grads[key], numerical, rtol=1e-4, atol=1e-7)
