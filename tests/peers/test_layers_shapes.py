"""Layers that move numbers, and the further convolutions and poolings, beside Keras: outputs, gradients, training."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import layers as ours

keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")
theirs = keras.layers
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras", "ignore::UserWarning")

LAST, FIRST = "channels_last", "channels_first"
CASES = [
    ("Flatten", {}, (2, 3, 4)),
    ("Flatten", {"data_format": FIRST}, (2, 3, 4)),
    ("Reshape", {"target_shape": (4, -1)}, (2, 3, 4)),
    ("Permute", {"dims": (3, 1, 2)}, (2, 3, 4)),
    ("RepeatVector", {"n": 3}, (4,)),
    ("Identity", {}, (4, 2)),
    ("ZeroPadding1D", {"padding": (2, 1)}, (3, 2)),
    ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, (3, 2, 2)),
    ("ZeroPadding2D", {"padding": 1, "data_format": FIRST}, (3, 2, 2)),
    ("ZeroPadding3D", {"padding": (1, 0, 2)}, (2, 3, 2, 1)),
    ("Cropping1D", {"cropping": (1, 2)}, (5, 2)),
    ("Cropping2D", {"cropping": ((1, 0), (2, 1))}, (4, 5, 2)),
    ("Cropping3D", {"data_format": FIRST}, (2, 3, 4, 3)),
    ("UpSampling1D", {"size": 3}, (4, 2)),
    ("UpSampling2D", {"size": (2, 3)}, (3, 2, 2)),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, (3, 4, 2)),
    ("UpSampling2D", {"interpolation": "bilinear", "data_format": FIRST}, (2, 3, 1)),
    ("UpSampling3D", {"size": (1, 2, 3), "data_format": FIRST}, (2, 2, 3, 2)),
    ("Conv3D", {"filters": 4, "kernel_size": (2, 3, 2), "activation": "tanh"}, (4, 4, 3, 2)),
    ("Conv3D", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "groups": 2}, (5, 4, 3, 2)),
    ("Conv3D", {"filters": 3, "kernel_size": 2, "dilation_rate": 2, "data_format": FIRST}, (2, 4, 3, 5)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same", "data_format": FIRST}, (2, 4, 5)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "data_format": FIRST, "activation": "relu"}, (2, 6)),
    ("Conv1D", {"filters": 4, "kernel_size": 2, "padding": "causal", "strides": 2}, (7, 2)),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, (6, 2)),
    ("DepthwiseConv2D", {"kernel_size": 2, "data_format": FIRST}, (3, 4, 3)),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "depth_multiplier": 2, "activation": "silu"}, (6, 2)),
    ("SeparableConv2D", {"filters": 4, "kernel_size": (2, 3), "strides": 2, "padding": "same"}, (5, 6, 2)),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 2, "data_format": FIRST}, (2, 4, 3)),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same"}, (5, 2)),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3, "output_padding": 2}, (4, 2)),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "data_format": FIRST}, (2, 3, 4)),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": (2, 3, 2), "activation": "tanh"}, (2, 3, 2, 3)),
    ("Conv3DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, (2, 3, 2, 2)),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": (1, 3, 2), "data_format": FIRST}, (2, 2, 3, 2)),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": (1, 2, 2), "use_bias": False}, (2, 3, 2, 2)),
    ("MaxPooling3D", {}, (4, 5, 2, 2)),
    ("MaxPooling3D", {"pool_size": (2, 1, 3), "strides": 1, "padding": "same", "data_format": FIRST}, (2, 3, 3, 4)),
    ("AveragePooling3D", {"pool_size": (1, 2, 2)}, (2, 4, 5, 2)),
    # symmetric: where padding is not, Keras on PyTorch repeats the edges, and its other backends leave padding out
    ("AveragePooling3D", {"pool_size": 3, "strides": 2, "padding": "same"}, (5, 3, 5, 2)),
    ("MaxPooling1D", {"pool_size": 3, "data_format": FIRST}, (2, 7)),
    ("AveragePooling2D", {"pool_size": 3, "strides": 1, "padding": "same", "data_format": FIRST}, (2, 3, 5)),
    ("GlobalMaxPooling3D", {"keepdims": True, "data_format": FIRST}, (2, 3, 2, 2)),
    ("GlobalAveragePooling3D", {}, (2, 3, 2, 2)),
    ("GlobalMaxPooling1D", {"data_format": FIRST}, (2, 5)),
    ("AdaptiveAveragePooling1D", {"output_size": 3}, (7, 2)),
    ("AdaptiveAveragePooling2D", {"output_size": (2, 5)}, (7, 3, 2)),
    ("AdaptiveMaxPooling1D", {"output_size": 4, "data_format": FIRST}, (2, 6)),
    ("AdaptiveMaxPooling2D", {"output_size": (3, 2)}, (5, 4, 2)),
]


@pytest.fixture(autouse=True)
def float64():
    """Keras's models cast what they are given to its own default."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def theirs_of(name, options):
    if not hasattr(theirs, name):
        pytest.skip(f"this Keras has no {name}")
    return getattr(theirs, name)(**options, dtype="float64")


@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=str)
def test_outputs_and_training(name, options, shape):
    """Ten steps, behind a depthwise factor on the input, so that the gradient of the input counts too."""
    rng = np.random.default_rng(1)
    mine, other = getattr(ours, name)(**options, dtype="float64"), theirs_of(name, options)
    other.build((None, *shape))
    mine.build_once(shape)
    assert mine.output_shape == tuple(other.compute_output_shape((None, *shape)))
    assert [p.shape for p in mine.weights] == [tuple(w.shape) for w in other.weights]
    assert [p.name.rpartition("/")[2] for p in mine.weights] == [w.name for w in other.weights]
    weights = [0.3 * rng.normal(size=p.shape) for p in mine.weights]
    mine.set_weights(weights)
    other.set_weights(weights)
    slope = rng.uniform(0.5, 1.5, size=shape)
    first = ours.PReLU(dtype="float64")
    model = fastnn.Sequential([ours.Input(shape, dtype="float64"), first, mine])
    first.set_weights([slope])
    x, y = rng.normal(size=(6, *shape)), rng.normal(size=(6, *mine.output_shape[1:]))
    alpha = torch.tensor(slope, requires_grad=True)

    def forward():
        inputs = torch.from_numpy(x)
        return other(torch.where(inputs > 0, inputs, alpha * inputs))

    rounding = 1e-6 if name.startswith("GlobalAverage") else 1e-11  # Keras on PyTorch takes means in float32
    expected = forward().detach().numpy()
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=rounding, atol=rounding)
    model.compile(fastnn.optimizers.SGD(0.05), "mse")
    history = model.fit(x, y, batch_size=6, epochs=10, shuffle=False, verbose=0).history["loss"]
    parameters, losses = [alpha, *(w.value for w in other.trainable_weights)], []
    for _ in range(10):
        loss = torch.mean((forward() - torch.from_numpy(y)) ** 2)
        losses.append(loss.item())
        grads = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, grad in zip(parameters, grads):
                parameter -= 0.05 * grad
    tolerance = max(1e-9, rounding)
    np.testing.assert_allclose(history, losses, rtol=tolerance)
    np.testing.assert_allclose(first.get_weights()[0], alpha.detach().numpy(), rtol=tolerance, atol=tolerance)
    for one, two in zip(mine.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=str)
def test_configuration_and_defaults(name, options, shape):
    """Keras's config builds an equal layer here, and the arguments have the same order."""
    config = theirs_of(name, options).get_config()
    mine = getattr(ours, name)(**options)

    def plain(value):
        values = list(value) if isinstance(value, (tuple, list)) else [value]
        return [plain(v) if isinstance(v, (tuple, list)) else v for v in values]

    for key, value in mine.get_config().items():
        if key in config and key not in ("name", "dtype") and "initializer" not in key:
            assert plain(value) == plain(config[key]), key


@pytest.mark.parametrize(
    ("mode", "shape"), [("one_hot", (1,)), ("multi_hot", (4,)), ("count", (4,)), ("one_hot", (3,))]
)
def test_category_encoding(mode, shape):
    tokens = np.random.default_rng(2).integers(0, 5, size=(6, *shape))
    mine = ours.CategoryEncoding(5, mode)
    mine.build_once(shape)
    expected = theirs.CategoryEncoding(5, mode)(tokens)
    np.testing.assert_array_equal(fastnn.testing.run_layer(mine, tokens), np.asarray(expected))


def test_bilinear_is_that_of_pytorch():
    rng = np.random.default_rng(3)
    other = torch.nn.Bilinear(3, 4, 5, dtype=torch.float64)
    mine = ours.Bilinear(5, dtype="float64")
    mine.build_once(((3,), (4,)))
    mine.set_weights([p.detach().numpy() for p in other.parameters()])
    x = rng.normal(size=(6, 3)), rng.normal(size=(6, 4))
    expected = other(*map(torch.from_numpy, x)).detach().numpy()
    np.testing.assert_allclose(fastnn.testing.run_layer(mine, x), expected, rtol=1e-12, atol=1e-14)


def test_conv1d_function_is_that_of_pytorch():
    rng = np.random.default_rng(4)
    x, w, b = rng.normal(size=(3, 4, 9)), rng.normal(size=(6, 2, 3)), rng.normal(size=6)
    options = {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}
    y, ctx = fastnn.ops.conv1d(x, w, b, layout="NCW", w_layout="OIW", **options)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    expected = torch.nn.functional.conv1d(*tensors, **options)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-11, atol=1e-12)
    expected.backward(torch.from_numpy(y))
    for one, two in zip(fastnn.ops.conv1d_backward(y, ctx), tensors):
        np.testing.assert_allclose(one, two.grad.numpy(), rtol=1e-10, atol=1e-11)
