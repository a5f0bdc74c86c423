"""Learned, random and grouped activations against PyTorch and Keras: values and gradients in float64."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers, ops
from fastnn.testing import gradcheck_model

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

CLOSE = {"rtol": 1e-12, "atol": 1e-13}


def rng(seed=0):
    return np.random.default_rng(seed)


def torch_gradients(function, *arrays, dy):
    """Output of a function of tensors, and the gradients of its inputs."""
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    output = function(*tensors)
    output.backward(torch.tensor(dy))
    return [output.detach().numpy(), *(t.grad.numpy() for t in tensors)]


def agree(found, expected):
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, **CLOSE)


# ------------------------------------------------------------------------------------------------------------- PyTorch


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (2, 3, 4, 5)], ids=str)
def test_prelu_as_in_torch(channels, shape):
    x, dy, alpha = rng().normal(size=shape), rng(1).normal(size=shape), rng(2).uniform(-0.2, 0.5, channels)
    expected = torch_gradients(torch.nn.functional.prelu, x, alpha, dy=dy)
    own = alpha.reshape(channels, *(1,) * (len(shape) - 2))  # PyTorch's channels are axis 1
    dx, dalpha = ops.prelu_backward(dy, x, own)
    agree([ops.prelu(x, own), dx, dalpha.reshape(channels)], expected)


def test_a_single_slope_as_in_torch():
    x, dy = rng().normal(size=(50, 7)), rng(1).normal(size=(50, 7))
    expected = torch_gradients(torch.nn.functional.prelu, x, np.array([0.25]), dy=dy)
    agree([ops.prelu(x, 0.25), *ops.prelu_backward(dy, x, np.array([0.25]))], expected)


def test_rrelu_as_in_torch():
    x = rng().normal(size=(300, 300))
    function = torch.nn.functional.rrelu
    evaluated = function(torch.tensor(x), 1 / 8, 1 / 3, training=False).numpy()
    agree([ops.rrelu(x, training=False)[0]], [evaluated])
    torch.manual_seed(0)
    drawn = function(torch.tensor(x), 1 / 8, 1 / 3, training=True).numpy() / x
    ours = ops.rrelu(x, rng=1)[1]
    np.testing.assert_array_equal(drawn[x > 0], ours[x > 0])
    theirs, ours = np.sort(drawn[x < 0]), np.sort(ours[x < 0])
    assert np.abs(theirs - ours).max() < 2e-3  # one distribution: all quantiles agree
    # with PyTorch's slopes given, its values come out
    agree([ops.rrelu(x, slopes=drawn)[0]], [drawn * x])


def test_glu_as_in_torch():
    for axis in (-1, 1, 0):
        x = rng().normal(size=(4, 6, 8))
        dy = rng(1).normal(size=np.split(x, 2, axis)[0].shape)
        expected = torch_gradients(lambda x, axis=axis: torch.nn.functional.glu(x, dim=axis), x, dy=dy)
        agree([ops.glu(x, axis), ops.glu_backward(dy, x, axis)], expected)


@pytest.mark.parametrize(
    ("name", "gate"), [("reglu", "relu"), ("geglu", "gelu"), ("swiglu", "silu"), ("bilinear", None)]
)
def test_other_gates_as_written_in_torch(name, gate):
    x, dy = rng().normal(size=(4, 8)), rng(1).normal(size=(4, 4))

    def written(x):
        a, b = x.chunk(2, dim=-1)
        return a * (getattr(torch.nn.functional, gate)(b) if gate else b)

    agree([getattr(ops, name)(x), getattr(ops, f"{name}_backward")(dy, x)], torch_gradients(written, x, dy=dy))


def test_softmin_as_in_torch():
    x, dy = rng().normal(size=(4, 6)), rng(1).normal(size=(4, 6))
    expected = torch_gradients(lambda x: torch.nn.functional.softmin(x, dim=-1), x, dy=dy)
    y = ops.softmin(x)
    agree([y, ops.softmin_backward(dy, y)], expected)


@pytest.mark.parametrize("hard", [False, True])
def test_gumbel_softmax_as_in_torch(hard):
    x, dy = rng().normal(size=(5, 6)), rng(1).normal(size=(5, 6))
    torch.manual_seed(3)
    drawn = -torch.empty(5, 6, dtype=torch.float64).exponential_().log().numpy()  # what PyTorch adds
    torch.manual_seed(3)
    expected = torch_gradients(lambda x: torch.nn.functional.gumbel_softmax(x, 0.7, hard=hard), x, dy=dy)
    y, soft = ops.gumbel_softmax(x, 0.7, hard=hard, noise=drawn)
    agree([y, ops.gumbel_softmax_backward(dy, soft, 0.7)], expected)


def test_maxout_as_written_in_torch():
    x, dy = rng().normal(size=(4, 12)), rng(1).normal(size=(4, 4))
    expected = torch_gradients(lambda x: x.reshape(4, 4, 3).max(dim=-1).values, x, dy=dy)
    agree([ops.maxout(x, 3), ops.maxout_backward(dy, x, 3)], expected)


def test_the_other_learned_ones_as_written_in_torch():
    x, dy = rng().normal(size=(6, 5)), rng(1).normal(size=(6, 5))
    a, b, c, d = rng(2).uniform(0.1, 0.9, (4, 5))

    def srelu(x, tl, al, tr, ar):
        return torch.where(x <= tl, tl + al * (x - tl), torch.where(x >= tr, tr + ar * (x - tr), x))

    given = (-a, b, c, d)
    agree([ops.srelu(x, *given), *ops.srelu_backward(dy, x, *given)], torch_gradients(srelu, x, *given, dy=dy))
    agree(
        [ops.learned_swish(x, a), *ops.learned_swish_backward(dy, x, a)],
        torch_gradients(lambda x, a: x * torch.sigmoid(a * x), x, a, dy=dy),
    )
    agree(
        [ops.learned_soft_exponential(x, a), *ops.learned_soft_exponential_backward(dy, x, a)],
        torch_gradients(lambda x, a: torch.expm1(a * x) / a + a, x, a, dy=dy),
    )
    low = -0.1 * a
    agree(
        [ops.learned_soft_exponential(x, low), *ops.learned_soft_exponential_backward(dy, x, low)],
        torch_gradients(lambda x, a: -torch.log(1 - a * (x + a)) / a, x, low, dy=dy),
    )
    slope, hinge = rng(3).normal(size=(2, 4, 5))
    agree(
        [ops.apl(x, slope, hinge), *ops.apl_backward(dy, x, slope, hinge)],
        torch_gradients(
            lambda x, s, h: torch.relu(x) + (s[:, None] * torch.relu(h[:, None] - x)).sum(0), x, slope, hinge, dy=dy
        ),
    )


# --------------------------------------------------------------------------------------------------------------- Keras


def keras_gradients(layer, x, dy):
    """Output of a Keras layer (on PyTorch), and the gradients of its input and weights."""
    tensor = torch.tensor(x, requires_grad=True)
    output = layer(tensor)
    layer.zero_grad()
    output.backward(torch.tensor(dy))
    gradients = [w.value.grad.detach().numpy().copy() for w in layer.trainable_weights]
    return [output.detach().numpy(), tensor.grad.numpy(), *gradients]


def our_gradients(layer, x, dy):
    """The same of one of our layers: an identity in front makes its input a weight, a linear loss gives dy."""
    model = Sequential([layers.Input(x.shape[1:], dtype="float64"), layer])
    y = model.predict(x, verbose=0)
    model.compile("sgd", fastnn.losses.MeanSquaredError(reduction="sum"))
    cols = y.shape[-1]  # d(mean over cols of (y - t)^2) = 2 (y - t) / cols = dy
    data, goal = model.prepare(x, y - dy * cols / 2, None, "test")
    _, gradients = model.runner.gradient(data, goal, model.seed)
    return [y, *gradients]


CONV = (2, 3, 4, 5)


@pytest.mark.parametrize("shared", [None, [1], [1, 2], [1, 2, 3], [2], [3], [1, 3]], ids=str)
def test_prelu_layer_as_in_keras(shared):
    x, dy = rng().normal(size=CONV), rng(1).normal(size=CONV)
    theirs = keras.layers.PReLU(shared_axes=shared, dtype="float64")
    theirs.build(CONV)
    slopes = rng(2).uniform(-0.2, 0.5, theirs.alpha.shape)
    theirs.set_weights([slopes])
    ours = layers.PReLU(shared_axes=shared, dtype="float64")
    ours.build_once(CONV[1:])
    assert ours.alpha.shape == tuple(theirs.alpha.shape) and not ours.alpha.value.any()
    ours.set_weights([slopes])
    y, _, dalpha = keras_gradients(theirs, x, dy)
    agree(our_gradients(ours, x, dy), [y, dalpha])


FIXED = [
    (lambda module: module.LeakyReLU(dtype="float64"), (4, 6)),
    (lambda module: module.LeakyReLU(0.1, dtype="float64"), (4, 6)),
    (lambda module: module.ELU(dtype="float64"), (4, 6)),
    (lambda module: module.ELU(0.5, dtype="float64"), (4, 6)),
    (lambda module: module.Softmax(dtype="float64"), (4, 6)),
    (lambda module: module.Softmax(axis=1, dtype="float64"), (4, 3, 6)),
]


@pytest.mark.parametrize(("make", "shape"), FIXED)
def test_layers_without_weights_as_in_keras(make, shape):
    """The gradient of the input is that of a PReLU with slopes of 1 in front, at negative inputs."""
    x, dy = -rng().uniform(0.1, 2, shape), rng(1).normal(size=shape)
    y, dx = keras_gradients(make(keras.layers), x, dy)
    front = layers.PReLU("ones", dtype="float64")
    model = Sequential([layers.Input(shape[1:], dtype="float64"), front, make(layers)])
    np.testing.assert_allclose(model.predict(x, verbose=0), y, **CLOSE)
    model.compile("sgd", fastnn.losses.MeanSquaredError(reduction="sum"))
    data, goal = model.prepare(x, y - dy * shape[-1] / 2, None, "test")
    _, (gradient,) = model.runner.gradient(data, goal, model.seed)
    np.testing.assert_allclose(gradient, (dx * x).sum(axis=0), rtol=1e-10, atol=1e-12)
    config = make(keras.layers).get_config()
    ours = make(layers).get_config()
    assert {name: ours[name] for name in ours.keys() & config.keys() - {"name", "dtype"}} == {
        name: config[name] for name in ours.keys() & config.keys() - {"name", "dtype"}
    }


def test_prelu_default_matches_kerass():
    assert layers.PReLU().get_config()["shared_axes"] == keras.layers.PReLU().get_config()["shared_axes"]


@pytest.mark.parametrize("axis", [-1, 0])
def test_glu_as_in_keras(axis):
    x = rng().normal(size=(6, 8))
    dy = rng(1).normal(size=np.split(x, 2, axis)[0].shape)
    expected = torch_gradients(lambda x: keras.activations.glu(x, axis=axis), x, dy=dy)
    agree([ops.glu(x, axis), ops.glu_backward(dy, x, axis)], expected)


def simplex_projection(x):
    """Sparsemax as its paper has it, for PyTorch to differentiate."""
    falling = torch.sort(x, dim=-1, descending=True).values
    sums, rank = torch.cumsum(falling, -1), torch.arange(1, x.shape[-1] + 1)
    k = (1 + rank * falling > sums).sum(-1, keepdim=True)
    return torch.relu(x - (torch.gather(sums, -1, k - 1) - 1) / k)


def test_sparsemax_as_written_in_torch():
    x, dy = rng().normal(size=(6, 8)), rng(1).normal(size=(6, 8))
    y = ops.sparsemax(x)
    agree([y, ops.sparsemax_backward(dy, y)], torch_gradients(simplex_projection, x, dy=dy))


@pytest.mark.parametrize("axis", [-1, 0])
def test_sparsemax_as_in_keras(axis):
    """Where one element gets everything: with more than one, the rows of Keras 3.15 do not sum to 1."""
    x = 40 * rng().permutation(48).reshape(6, 8)
    np.testing.assert_array_equal(ops.sparsemax(x, axis), keras.activations.sparsemax(x.astype(float), axis=axis))


def test_gradients_hold_by_differences_too():
    model = Sequential([layers.Input((3, 4), dtype="float64"), layers.PReLU("ones", shared_axes=[1], dtype="float64")])
    model.compile("sgd", "mse")
    assert gradcheck_model(model, rng().normal(size=(5, 3, 4)), rng(1).normal(size=(5, 3, 4))) <= 1
