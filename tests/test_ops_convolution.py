"""Convolution, its transpose and im2col: values, gradients, geometry, layouts, threads, memory, errors."""

from __future__ import annotations

import re

import numpy as np
import pytest
from contract import RECEIVED, assert_same_bits, flatten
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn
from fastnn import ops

GEOMETRIES = [
    {},
    {"padding": "same"},
    {"stride": 2, "padding": "same"},
    {"stride": (1, 2), "padding": 1},
    {"stride": 5},
    {"dilation": 2, "padding": 2},
    {"dilation": (1, 2), "padding": "same"},
    {"padding": ((0, 2), (1, 3))},
    {"groups": 2, "padding": 1},
    {"groups": 6, "padding": "same", "stride": 2},
]


def pixels(rng, *shape):
    return rng.normal(size=shape)


def by_definition(x, w, b, window):
    """The sum of the definition, written out for one output at a time."""
    (sy, sx), (dy, dx) = window.stride, window.dilation
    (top, _), (left, _) = window.padding
    depth, width = w.shape[2], w.shape[3] // window.groups
    y = np.zeros((len(x), *window.output, w.shape[3]))
    for n, i, j, f in np.ndindex(*y.shape):
        channels = slice(f // width * depth, (f // width + 1) * depth)
        total = b[f]
        for k, m in np.ndindex(*w.shape[:2]):
            row, column = i * sy - top + k * dy, j * sx - left + m * dx
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                total += x[n, row, column, channels] @ w[k, m, :, f]
        y[n, i, j, f] = total
    return y


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_the_definition(geometry, backend):
    rng = np.random.default_rng(1)
    x, w, b = pixels(rng, 2, 7, 8, 6), pixels(rng, 3, 2, 6 // geometry.get("groups", 1), 12), pixels(rng, 12)
    y, ctx = ops.conv2d(x, w, b, **geometry)
    np.testing.assert_allclose(y, by_definition(x, w, b, ctx.window), rtol=1e-12, atol=1e-12)


def test_by_hand(backend):
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    w = np.array([[1.0, 0.0], [0.0, -1.0]]).reshape(2, 2, 1, 1)
    y, ctx = ops.conv2d(x, w, [0.5])
    np.testing.assert_array_equal(y[0, :, :, 0], [[-3.5, -3.5], [-3.5, -3.5]])
    dx, dw, db = ops.conv2d_backward(np.ones_like(y), ctx)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[1, 1, 0], [1, 0, -1], [0, -1, -1]])
    np.testing.assert_array_equal(dw[:, :, 0, 0], [[8, 12], [20, 24]])
    np.testing.assert_array_equal(db, [4])
    up, _ = ops.conv2d_transpose(np.ones((1, 1, 2, 1)), w, stride=2)
    np.testing.assert_array_equal(up[0, :, :, 0], [[1, 0, 1, 0], [0, -1, 0, -1]])


def difference(function, array, direction, step=1e-6):
    """The derivative of a number along a direction, in float64."""
    return (function(array + step * direction) - function(array - step * direction)) / (2 * step)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("activation", [None, "tanh", "silu"])
def test_gradients_of_conv2d(geometry, activation, backend):
    rng = np.random.default_rng(2)
    x, w, b = pixels(rng, 2, 7, 8, 6), 0.3 * pixels(rng, 3, 2, 6 // geometry.get("groups", 1), 12), pixels(rng, 12)
    y, ctx = ops.conv2d(x, w, b, activation=activation, **geometry)
    dy = pixels(rng, *y.shape)
    dx, dw, db = ops.conv2d_backward(dy, ctx)

    def loss(x, w, b):
        return float(np.sum(dy * ops.conv2d(x, w, b, activation=activation, **geometry)[0]))

    for grad, array, function in (
        (dx, x, lambda a: loss(a, w, b)),
        (dw, w, lambda a: loss(x, a, b)),
        (db, b, lambda a: loss(x, w, a)),
    ):
        direction = pixels(rng, *array.shape)
        assert np.sum(grad * direction) == pytest.approx(difference(function, array, direction), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"stride": 2, "padding": "same"},
        {"stride": 3, "padding": "valid"},
        {"stride": (2, 1), "padding": 1, "output_padding": (1, 0)},
        {"dilation": 2, "padding": ((1, 0), (2, 1))},
        {"groups": 2, "stride": 2},
    ],
    ids=str,
)
def test_gradients_of_conv2d_transpose(geometry, backend):
    rng = np.random.default_rng(3)
    x, w, b = pixels(rng, 2, 4, 5, 6), pixels(rng, 3, 2, 8 // geometry.get("groups", 1), 6), pixels(rng, 8)
    y, ctx = ops.conv2d_transpose(x, w, b, activation="softplus", **geometry)
    dy = pixels(rng, *y.shape)
    grads = ops.conv2d_transpose_backward(dy, ctx)

    def loss(x, w, b):
        return float(np.sum(dy * ops.conv2d_transpose(x, w, b, activation="softplus", **geometry)[0]))

    for position, array in enumerate((x, w, b)):
        direction = pixels(rng, *array.shape)
        arguments = [x, w, b]

        def moved(a, position=position, arguments=arguments):
            return loss(*arguments[:position], a, *arguments[position + 1 :])

        expected = difference(moved, array, direction)
        assert np.sum(grads[position] * direction) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("padding", "sizes"), [("same", (10, 9)), ("valid", (10, 9)), (0, (9, 7))])
def test_sizes_of_the_transpose(padding, sizes):
    """A window smaller than its stride: Keras fills up to size * stride, numbers give PyTorch's size."""
    y, _ = ops.conv2d_transpose(np.ones((1, 5, 3, 1)), np.ones((1, 1, 1, 1)), stride=(2, 3), padding=padding)
    assert y.shape[1:3] == sizes


settings.register_profile("convolution", deadline=None, max_examples=60)


@settings(settings.get_profile("convolution"))
@given(st.data())
def test_native_is_the_reference(data):
    """Any geometry: sizes around vector lengths, all phases of strides, slabs and images read in place."""
    small = st.integers(1, 4)
    groups = data.draw(st.sampled_from([1, 1, 2, 3, 17]), "groups")
    depth, width = data.draw(st.sampled_from([1, 1, 3, 8]), "depth"), data.draw(st.sampled_from([1, 3, 8, 17]), "width")
    kernel, stride, dilation = (data.draw(st.tuples(small, small), name) for name in ("kernel", "stride", "dilation"))
    pads = tuple(data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4)), "pads") for _ in range(2))
    sizes = [
        data.draw(st.integers(max(1, (k - 1) * d + 1 - sum(p)), 14), "size") if (k - 1) * d + 1 - sum(p) <= 14 else 14
        for k, d, p in zip(kernel, dilation, pads)
    ]
    dtype = data.draw(st.sampled_from([np.float32, np.float64]), "dtype")
    images = data.draw(st.sampled_from([1, 2, 30]), "images")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(images, *sizes, groups * depth)).astype(dtype)
    w = rng.normal(size=(*kernel, depth, groups * width)).astype(dtype)
    b = rng.normal(size=groups * width).astype(dtype)

    def everything():
        y, ctx = ops.conv2d(x, w, b, stride, pads, dilation, groups, activation="relu")
        return [y, *ops.conv2d_backward(np.cos(np.arange(y.size, dtype=dtype)).reshape(y.shape), ctx)]

    native = everything()
    with fastnn.use_backend("reference"):
        reference = everything()
    for one, two in zip(native, reference):
        scale = max(1.0, float(np.max(np.abs(two))))
        np.testing.assert_allclose(one, two, rtol=0, atol=100 * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize(
    ("shape", "kernel", "filters", "options"),
    [
        ((3, 64, 60, 8), (5, 5), 24, {"padding": "same"}),
        ((2, 40, 40, 16), (3, 3), 16, {"stride": 2, "padding": 1}),
        ((5, 30, 31, 32), (3, 3), 32, {"groups": 32, "padding": "same"}),
        ((9, 17, 16, 48), (1, 1), 40, {}),
    ],
    ids=str,
)
def test_bits_do_not_depend_on_the_threads(shape, kernel, filters, options):
    rng = np.random.default_rng(4)
    x = rng.normal(size=shape).astype(np.float32)
    w = rng.normal(size=(*kernel, shape[3] // options.get("groups", 1), filters)).astype(np.float32)
    results = []
    for threads in (1, 2, 3, 8):
        with fastnn.num_threads(threads):
            y, ctx = ops.conv2d(x, w, activation="gelu", **options)
            up, up_ctx = ops.conv2d_transpose(y, w, **options)
            results.append([y, *ops.conv2d_backward(y, ctx), up, *ops.conv2d_transpose_backward(up, up_ctx)])
    for other in results[1:]:
        assert_same_bits(flatten(other), flatten(results[0]))


def test_one_image_gives_the_bits_of_a_batch():
    rng = np.random.default_rng(5)
    x, w = rng.normal(size=(7, 9, 9, 5)).astype(np.float32), rng.normal(size=(3, 3, 5, 20)).astype(np.float32)
    whole, _ = ops.conv2d(x, w, padding=1)
    for n in range(len(x)):
        np.testing.assert_array_equal(ops.conv2d(x[n : n + 1], w, padding=1)[0], whole[n : n + 1])


@pytest.mark.parametrize("activation", [None, "relu", "silu"])
@pytest.mark.parametrize("options", [{"padding": "same"}, {"stride": 2}, {"groups": 2}], ids=str)
def test_layouts_agree(activation, options, backend):
    rng = np.random.default_rng(6)
    x, w = rng.normal(size=(2, 8, 7, 4)), rng.normal(size=(3, 3, 4 // options.get("groups", 1), 6))
    first, oihw = np.ascontiguousarray(x.transpose(0, 3, 1, 2)), np.ascontiguousarray(w.transpose(3, 2, 0, 1))
    y, ctx = ops.conv2d(x, w, activation=activation, **options)
    z, other = ops.conv2d(first, oihw, activation=activation, layout="NCHW", w_layout="OIHW", **options)
    np.testing.assert_array_equal(z.transpose(0, 2, 3, 1), y)
    dy = rng.normal(size=y.shape)
    dx, dw, db = ops.conv2d_backward(dy, ctx)
    dx2, dw2, db2 = ops.conv2d_backward(np.ascontiguousarray(dy.transpose(0, 3, 1, 2)), other)
    np.testing.assert_array_equal(dx2.transpose(0, 2, 3, 1), dx)
    np.testing.assert_array_equal(dw2.transpose(2, 3, 1, 0), dw)
    np.testing.assert_array_equal(db2, db)


def test_a_workspace_is_used_again():
    rng = np.random.default_rng(7)
    workspace: dict = {}
    for size in (8, 12, 6):
        x, w = rng.normal(size=(2, 3, size, size)).astype(np.float32), rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
        options = {"padding": 1, "layout": "NCHW", "w_layout": "OIHW", "activation": "silu"}
        y, ctx = ops.conv2d(x, w, workspace=workspace, **options)
        grads = ops.conv2d_backward(y, ctx)
        kept = dict(workspace)
        assert_same_bits([ops.conv2d(x, w, **options)[0]], [y])
        again, ctx = ops.conv2d(x, w, workspace=workspace, **options)
        assert_same_bits([again, *ops.conv2d_backward(again, ctx)], [y, *grads])
        assert all(workspace[name] is array for name, array in kept.items())


def test_gradients_go_where_they_are_wanted(backend):
    rng = np.random.default_rng(8)
    x, w = rng.normal(size=(2, 5, 5, 3)), rng.normal(size=(3, 3, 3, 4))
    y, ctx = ops.conv2d(x, w)
    _, dw, db = ops.conv2d_backward(y, ctx)
    out_w, out_b = np.empty_like(w), np.empty(4)
    none, got_w, got_b = ops.conv2d_backward(y, ctx, need_dx=False, dW=out_w, db=out_b)
    assert none is None and got_w is out_w and got_b is out_b
    np.testing.assert_array_equal(out_w, dw)
    np.testing.assert_array_equal(out_b, db)
    for bad in ({"dW": np.empty_like(w, np.float32)}, {"dW": np.empty((3, 3, 4, 3))}, {"db": np.empty(3)}, {"dW": w}):
        with pytest.raises((TypeError, ValueError), match=RECEIVED):
            ops.conv2d_backward(y, ctx, **bad)


def test_no_images(backend):
    y, ctx = ops.conv2d(np.ones((0, 5, 5, 3)), np.ones((3, 3, 3, 4)), np.ones(4), activation="relu")
    assert y.shape == (0, 3, 3, 4)
    dx, dw, db = ops.conv2d_backward(y, ctx)
    assert dx.shape == (0, 5, 5, 3)
    assert not dw.any() and not db.any()


def test_infinities_and_nan_reach_their_windows_only(backend):
    x, w = np.ones((1, 6, 6, 2)), np.ones((3, 3, 2, 17))
    x[0, 0, 0, 1], x[0, 5, 5, 0] = np.nan, np.inf
    y, _ = ops.conv2d(x, w)
    expected = np.full((4, 4), 18.0)
    expected[0, 0], expected[3, 3] = np.nan, np.inf
    np.testing.assert_array_equal(y[0], np.repeat(expected[:, :, np.newaxis], 17, axis=2))


# ------------------------------------------------------------------------------------------------------------- im2col

ORDERS = ["nyx,ijc", "nyx,cij", "cij,nyx", "cij,yxn", "yxn,cij"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("options", [{}, {"stride": 2, "pad": 1}, {"dilation": 2, "pad": ((1, 2), (0, 1))}], ids=str)
def test_im2col_in_every_order(order, layout, options, backend):
    rng = np.random.default_rng(9)
    x = rng.normal(size=(3, 6, 7, 2))
    given = x if layout == "NHWC" else np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    columns = ops.im2col(given, 3, 2, order=order, layout=layout, **options)
    # a convolution with one filter for each element of the window picks the patches out
    picks = np.eye(12).reshape(3, 2, 2, 12)
    padding = {"padding": options["pad"]} if "pad" in options else {}
    others = {name: value for name, value in options.items() if name != "pad"}
    patches = ops.conv2d(x, picks, **padding, **others)[0]
    sizes = dict(zip("nyxijc", (*patches.shape[:3], 3, 2, 2)))
    letters = order.replace(",", "")
    six = patches.reshape(*patches.shape[:3], 3, 2, 2).transpose(["nyxijc".index(letter) for letter in letters])
    rows, _, _ = order.partition(",")
    expected = six.reshape(int(np.prod([sizes[letter] for letter in rows])), -1)
    np.testing.assert_array_equal(columns, expected)
    weights = rng.normal(size=columns.shape)
    back = ops.col2im(weights, given.shape, 3, 2, order=order, layout=layout, **options)
    assert back.shape == given.shape
    # the transposed map: <columns, weights> = <x, back>
    assert np.sum(columns * weights) == pytest.approx(np.sum(given * back), rel=1e-12)


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "stride must be at least 1"),
        ({"stride": 1.5}, "stride must be whole numbers"),
        ({"stride": True}, "stride must be whole numbers"),
        ({"stride": (1, 2, 3)}, "stride must be one number or two"),
        ({"padding": -1}, "padding must be at least 0"),
        ({"padding": "sam"}, "Unknown conv2d padding 'sam'. Did you mean 'same'"),
        ({"dilation": 0}, "dilation must be at least 1"),
        ({"dilation": 9}, "the window must fit into the padded image"),
        ({"groups": 2}, "do not fit, or groups do not divide"),
        ({"groups": 0}, "groups must be at least 1"),
        ({"layout": "NHCW"}, "Unknown conv2d layout 'NHCW'"),
        ({"w_layout": "HWOI"}, "Unknown conv2d w_layout 'HWOI'"),
        ({"activation": "rleu"}, "Did you mean 'relu'"),
        ({"b": np.ones(3)}, "b must have shape"),
        ({"workspace": []}, "workspace must be a dict"),
    ],
    ids=str,
)
def test_errors_say_what_was_expected(options, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)) as caught:
        ops.conv2d(np.ones((1, 6, 6, 3)), np.ones((3, 3, 3, 4)), **options)
    assert "Received: " in str(caught.value)


def test_wrong_shapes_and_contexts_are_refused():
    x, w = np.ones((1, 6, 6, 3)), np.ones((3, 3, 3, 4))
    y, ctx = ops.conv2d(x, w)
    for call in (
        lambda: ops.conv2d(x[0], w),
        lambda: ops.conv2d(x, w[0]),
        lambda: ops.conv2d(x[..., :0], w[:, :, :0]),
        lambda: ops.conv2d(x[:, :2], w),
        lambda: ops.conv2d_backward(y[..., :2], ctx),
        lambda: ops.conv2d_backward(y, (x, w)),
        lambda: ops.conv2d_transpose(x, w, padding=5),
        lambda: ops.conv2d_transpose(y, w, output_padding=1),
        lambda: ops.conv2d_transpose(y, w, padding="same", output_padding=1),
        lambda: ops.im2col(x, 3, 3, order="nyx,cii"),
        lambda: ops.im2col(x, 3, 3, order="nyxcij"),
        lambda: ops.im2col(x, 3, 3, order=None),
        lambda: ops.col2im(np.ones((16, 26)), x.shape, 3, 3),
        lambda: ops.col2im(np.ones((16, 27)), 6, 3, 3),
    ):
        with pytest.raises((TypeError, ValueError), match=RECEIVED):
            call()
