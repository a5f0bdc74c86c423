"""Convolution and pooling beside PyTorch and Keras: outputs and gradients in float64."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import ops

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def tensors(*arrays):
    return [torch.from_numpy(array).requires_grad_() for array in arrays]


def close(ours, theirs):
    for one, two in zip(ours, theirs, strict=True):
        two = two.detach().numpy()
        assert one.shape == two.shape
        np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-11 * max(1.0, np.abs(two).max()))


@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("kernel", [1, 3, (2, 5)])
@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2, "padding": 1}, {"stride": (3, 1), "dilation": (1, 2), "padding": (0, 4)}, {"groups": 0}],
    ids=str,
)
def test_conv2d(channels, kernel, options):
    rng = np.random.default_rng(1)
    options = {**options, "groups": channels} if "groups" in options else options
    high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
    x = rng.normal(size=(3, channels, 9, 11))
    w, b = (
        rng.normal(size=(channels * 4, channels // options.get("groups", 1), high, wide)),
        rng.normal(size=channels * 4),
    )
    tx, tw, tb = tensors(x, w, b)
    ty = torch.tanh(functional.conv2d(tx, tw, tb, **options))
    y, ctx = ops.conv2d(x, w, b, layout="NCHW", w_layout="OIHW", activation="tanh", **options)
    dy = rng.normal(size=y.shape)
    ty.backward(torch.from_numpy(dy))
    close([y, *ops.conv2d_backward(dy, ctx)], [ty, tx.grad, tw.grad, tb.grad])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1, "output_padding": 1},
        {"stride": (1, 3), "padding": (2, 0)},
        {"dilation": 2, "stride": 3, "output_padding": (2, 1)},
        {"groups": 2, "stride": 2},
    ],
    ids=str,
)
def test_conv2d_transpose(options):
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(2, 6, 5, 4)), rng.normal(size=(6, 8 // options.get("groups", 1), 3, 4))
    b = rng.normal(size=8)
    tx, tw, tb = tensors(x, w, b)
    ty = functional.conv_transpose2d(tx, tw, tb, **options)
    y, ctx = ops.conv2d_transpose(x, w, b, layout="NCHW", w_layout="OIHW", **options)
    dy = rng.normal(size=y.shape)
    ty.backward(torch.from_numpy(dy))
    close([y, *ops.conv2d_transpose_backward(dy, ctx)], [ty, tx.grad, tw.grad, tb.grad])


@pytest.mark.parametrize(("pool", "stride", "padding"), [(2, 2, 0), (3, 2, 1), ((2, 4), (1, 3), (1, 2)), (1, 3, 0)])
def test_pooling(pool, stride, padding):
    rng = np.random.default_rng(3)
    x = rng.integers(-5, 6, size=(3, 5, 9, 10)).astype(float)  # with ties
    (tx,) = tensors(x)
    ty, indices = functional.max_pool2d(tx, pool, stride, padding, return_indices=True)
    y, argmax = ops.maxpool2d(x, pool, stride, padding, layout="NCHW")
    np.testing.assert_array_equal(argmax, indices.numpy())
    dy = rng.normal(size=y.shape)
    ty.backward(torch.from_numpy(dy))
    close([y, ops.maxpool2d_backward(dy, argmax, x.shape, pool, stride, padding, layout="NCHW")], [ty, tx.grad])
    for include in (True, False):
        (tx,) = tensors(x)
        ty = functional.avg_pool2d(tx, pool, stride, padding, count_include_pad=include)
        ty.backward(torch.from_numpy(dy))
        options = {"layout": "NCHW", "count_include_pad": include}
        dx = ops.avgpool2d_backward(dy, x.shape, pool, stride, padding, **options)
        close([ops.avgpool2d(x, pool, stride, padding, **options), dx], [ty, tx.grad])


@pytest.mark.parametrize("order", ["cij,nyx", "nyx,cij"])
def test_im2col_is_unfold(order):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2, 3, 7, 6))
    unfolded = functional.unfold(torch.from_numpy(x), (3, 2), dilation=(1, 2), padding=1, stride=(2, 1)).numpy()
    columns = unfolded.transpose(1, 0, 2).reshape(18, -1)
    ours = ops.im2col(x, 3, 2, (2, 1), 1, (1, 2), order=order, layout="NCHW")
    np.testing.assert_array_equal(ours if order[0] == "c" else ours.T, columns)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:keras")
@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_keras(size, kernel, stride, padding):
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(5)
    x, w = rng.normal(size=(2, size, size + 3, 3)), rng.normal(size=(kernel, kernel, 3, 4))
    options = {"strides": stride, "padding": padding}

    def theirs(function, *arrays, **more):
        arrays = [keras.ops.convert_to_tensor(array, "float64") for array in arrays]
        return keras.ops.convert_to_numpy(function(*arrays, **options, **more))

    def check(ours, expected):
        np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-11, strict=True)

    check(ops.conv2d(x, w, stride=stride, padding=padding)[0], theirs(keras.ops.conv, x, w))
    depthwise = rng.normal(size=(kernel, kernel, 3, 1))
    ours, _ = ops.conv2d(x, depthwise.transpose(0, 1, 3, 2), stride=stride, padding=padding, groups=3)
    check(ours, theirs(keras.ops.depthwise_conv, x, depthwise))
    if kernel >= stride:
        back = rng.normal(size=(kernel, kernel, 5, 3))
        ours, _ = ops.conv2d_transpose(x, back, stride=stride, padding=padding)
        check(ours, theirs(keras.ops.conv_transpose, x, back))
    check(ops.maxpool2d(x, kernel, stride, padding)[0], theirs(keras.ops.max_pool, x, pool_size=kernel))
    ends = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[1:3]]
    if padding == "valid" or not any(total % 2 for total in ends):
        # where the two ends differ, Keras on PyTorch repeats border pixels; on JAX it does as fastnn does
        check(ops.avgpool2d(x, kernel, stride, padding), theirs(keras.ops.average_pool, x, pool_size=kernel))
