"""keras.ops by NumPy against Keras on PyTorch: values and types, for float32, int32 and both together."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from fastnn import ops
from fastnn.ops import _numpy

pytest.importorskip("torch")
keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # of Keras and PyTorch

RNG = np.random.default_rng(7)
F = RNG.uniform(0.1, 0.9, size=(3, 4)).astype(np.float32)
G = RNG.uniform(0.1, 0.9, size=(3, 4)).astype(np.float32)
N = RNG.normal(size=(3, 4)).astype(np.float32)
NAN = np.where(F > 0.4, F, np.nan).astype(np.float32)
INF = np.array([1.0, np.inf, -np.inf, np.nan], np.float32)
I = RNG.integers(1, 9, size=(3, 4)).astype(np.int32)  # noqa: E741
J = RNG.integers(1, 5, size=(3, 4)).astype(np.int32)
B = F > 0.5
C = B ^ (G > 0.5)
V = RNG.normal(size=5).astype(np.float32)
W = RNG.normal(size=3).astype(np.float32)
S = (N @ N.T + 3 * np.eye(3)).astype(np.float32)  # symmetric, positive definite
L = np.linalg.cholesky(S)
CUBE = RNG.normal(size=(2, 3, 4)).astype(np.float32)
PICTURES = RNG.normal(size=(2, 4, 6, 4)).astype(np.float32)
P = (F / F.sum(axis=1, keepdims=True)).astype(np.float32)
LABELS = np.array([1, 3, 0], np.int32)
HOT = np.eye(4, dtype=np.float32)[LABELS]
IDS = np.array([0, 2, 0], np.int32)

ONE = "abs absolute negative square conj conjugate real"  # of float32, int32
FLOATS = (
    "arcsin arccos arcsinh arctanh cbrt ceil cos cosh deg2rad exp exp2 expm1 fabs floor i0 log log10 log1p "
    "log2 rad2deg sin sinh sqrt tan reciprocal rsqrt erf erfc erfinv signbit trunc isfinite isinf isnan isneginf "
    "isposinf isreal angle logical_not nan_to_num round"
)
TWO = (
    "add subtract multiply divide true_divide floor_divide mod power maximum minimum equal not_equal greater "
    "greater_equal less less_equal arctan2 logaddexp logaddexp2 hypot fmax fmin fmod divide_no_nan isclose allclose "
    "nextafter logical_and logical_or logical_xor"
)
WHOLE = "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift left_shift right_shift gcd lcm"
OVER = (
    "sum mean prod max min amax amin std var median all any argmax argmin count_nonzero ptp nansum nanmean nanprod "
    "nanmax nanmin nanstd nanvar nanmedian nanargmax nanargmin cumsum cumprod nancumsum nancumprod average"
)

OTHER_TYPES = {  # of Keras on PyTorch; only the values are compared
    "histogram": "PyTorch counts in floats",
    "top_k": "PyTorch's indices are int64; Keras documents int32",
    "unique": "PyTorch's indices are int64; all others of Keras are int32",
}

CASES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []


def case(name: str, *args: Any, **kwargs: Any) -> None:
    CASES.append((name, args, kwargs))


for name in ONE.split() + FLOATS.split():
    case(name, F)
    if name not in ["arcsin", "arccos", "arctanh", "erfinv", "angle"]:
        case(name, I)
for name in TWO.split():
    for pair in ((F, G), (F, 2.0), (2, F), (F, I), (I, J), (I, 2), (I, 2.5)):
        case(name, *pair)
for name in WHOLE.split():
    case(name, I, J)
for name in ["bitwise_not", "bitwise_invert"]:
    case(name, I)
for name in OVER.split():
    for x in (N, I):
        case(name, x)
        case(name, x, axis=1)
    if "cum" not in name and name not in ("count_nonzero", "average"):
        case(name, N, axis=0, keepdims=True)
        if "arg" not in name:
            case(name, CUBE, axis=(0, 2))
for name in ["sum", "prod", "mean", "max", "argmax", "cumsum", "std", "any"]:
    case(name, B)
for name in [
    "nansum",
    "nanmean",
    "nanprod",
    "nanmax",
    "nanmin",
    "nanstd",
    "nanvar",
    "nanmedian",
    "nanargmax",
    "nanargmin",
    "nancumsum",
]:
    case(name, NAN, axis=1)
case("max", N, initial=3.0)
case("min", N, axis=1, initial=-3.0)
case("average", F, axis=1, weights=G)
case("cumsum", I, axis=0, dtype="float32")
case("isnan", INF), case("isinf", INF), case("isposinf", INF), case("isneginf", INF), case("nan_to_num", INF)
for name, q in (("quantile", 0.3), ("percentile", 30.0), ("nanquantile", 0.3), ("nanpercentile", 30.0)):
    case(name, N, q)
    case(name, N, q, axis=1, keepdims=True)
    case(name, I, q, axis=0)
case("quantile", N, [0.1, 0.9], axis=1)
case("round", 10 * N, 1), case("clip", N, -0.5, 0.5), case("clip", I, 2, 5), case("ldexp", F, I)
case("diff", N), case("diff", I, n=2, axis=0), case("trapezoid", N), case("trapezoid", N, dx=0.5, axis=0)
case("trapezoid", N, F)
case("where", B, F, G), case("where", B, F, 0.0), case("where", B, I, 1), case("where", B, F, I)

case("zeros", (2, 3)), case("ones", (2,), dtype="int32"), case("full", (2, 2), 1.5), case("full", (2,), 3)
case("zeros_like", I), case("ones_like", F), case("full_like", I, 7), case("ones_like", F, dtype="int32")
case("eye", 3), case("eye", 3, 4, k=1, dtype="int32"), case("tri", 3), case("arange", 5), case("arange", 1, 2, 0.25)
case("arange", 2, 9, 3, dtype="float32"), case("linspace", 0, 1, 5), case("linspace", 0.0, 1.0, 4, endpoint=False)
case("logspace", 0, 2, 5), case("geomspace", 1.0, 8.0, 4), case("array", [1, 2]), case("array", [1.5, 2])
for name in ["bartlett", "blackman", "hamming", "hanning"]:
    case(name, 7)
case("kaiser", 7, 2.0), case("vander", V), case("vander", V, 3, increasing=True)
case("convert_to_tensor", 1.5), case("convert_to_tensor", 3), case("convert_to_tensor", True)
case("convert_to_tensor", [1, 2]), case("convert_to_tensor", [[1.5, 2]], dtype="int32")
(
    case("cast", F * 9, "int32"),
    case("cast", I, "float32"),
    case("cast", I, "bool"),
    case("saturate_cast", N * 500, "uint8"),
)
case("saturate_cast", I * 100, "int8"), case("copy", F), case("size", F), case("ndim", F)
case("shape", F), case("view", F, "int32"), case("convert_to_numpy", F)

case("reshape", N, (4, -1)), case("ravel", N), case("expand_dims", N, 1), case("expand_dims", N, (0, -1))
case("squeeze", N[None]), case("squeeze", N[:, None], axis=1), case("transpose", CUBE), case("swapaxes", CUBE, 0, 2)
(
    case("transpose", CUBE, (1, 0, 2)),
    case("moveaxis", CUBE, 0, -1),
    case("broadcast_to", W, (2, 3)),
    case("tile", N, (2, 1)),
)
case("repeat", N, 2), case("repeat", N, 2, axis=1), case("flip", N), case("flip", N, axis=1), case("fliplr", N)
case("flipud", N), case("rot90", N), case("roll", N, 2), case("roll", N, 1, axis=0), case("pad", N, ((1, 0), (0, 2)))
case("pad", N, ((1, 1), (2, 0)), constant_values=2.0), case("pad", N, ((1, 1), (2, 0)), mode="reflect")
case("concatenate", [F, G], axis=1), case("concatenate", [F, I]), case("stack", [F, I], axis=1), case("append", F, G)
case("append", F, I, axis=0), case("hstack", [F, G]), case("vstack", [F, I]), case("dstack", [F, G])
case("split", N, 2, axis=1), case("split", N, [1, 2]), case("array_split", N, 2), case("hsplit", N, 2)
(
    case("vsplit", N, 3),
    case("dsplit", CUBE, 2),
    case("diag", W),
    case("diag", S, k=1),
    case("diagflat", N),
    case("diagonal", S),
    case("diagonal", CUBE, 1, 1, 2),
)
case("trace", S), case("trace", I), case("tril", S), case("triu", S, k=1), case("meshgrid", V, W)
case("meshgrid", V, W, indexing="ij")
case("take", N, LABELS, axis=1), case("take", N, 3), case("take_along_axis", N, LABELS[:, None], axis=1)
case("select", [B, C], [F, G], 0), case("sort", N), case("sort", N, axis=0)
case("argsort", N), case("argsort", I, axis=0), case("searchsorted", np.sort(V), W), case("digitize", V, np.sort(W))
case("searchsorted", np.sort(V), W, side="right"), case("bincount", LABELS), case("bincount", LABELS, minlength=6)
case("bincount", LABELS, weights=W), case("isin", I, J), case("isin", I, [1, 2], invert=True)
case("histogram", V), case("histogram", V, bins=3, range=(0.0, 1.0)), case("unravel_index", LABELS, (2, 3))
case("unique", I), case("unique", I, return_inverse=True, return_counts=True), case("unique", I, size=12, fill_value=-1)

case("slice", N, (1, 0), (2, 3)), case("slice_update", N, (1, 1), F[:2, :2])
case("scatter", [[0], [2], [0]], W, (4,)), case("scatter", [[0, 1], [2, 3]], [1.5, 2.5], (3, 4))
for reduction in (None, "add", "max", "min", "mul"):
    case("scatter_update", N, [[0, 1], [2, 3]], np.float32([0.5, 2.5]), reduction=reduction)
case("extract_sequences", CUBE, 2, 1), case("get_item", N, (0, np.s_[1:3]))
case("imag", (F + 1j * G).astype(np.complex64))
case("view_as_complex", N[:, :2]), case("view_as_real", (F + 1j * G).astype(np.complex64)), case("polar", F, G)

case("one_hot", LABELS, 4), case("one_hot", [1, -1, 2], 3, dtype="int32"), case("one_hot", LABELS, 4, axis=0)
case("multi_hot", np.array([[0, 1], [2, 2]], np.int32), 4), case("moments", N, [0]), case("moments", N, [0, 1], True)
case("categorical_crossentropy", HOT, P), case("categorical_crossentropy", HOT, N, from_logits=True)
case("sparse_categorical_crossentropy", LABELS, P), case("binary_crossentropy", HOT, F)
case("sparse_categorical_crossentropy", LABELS, N, from_logits=True)
case("binary_crossentropy", HOT, N, from_logits=True), case("normalize", N), case("normalize", N, axis=0, order=1)
case("normalize", 0 * N), case("normalize", N, order=3), case("swish", N), case("hard_swish", 4 * N)
case("batch_normalization", N, V[:4], np.abs(V[:4]), -1), case("psnr", F, G, 1.0)
case("batch_normalization", N, V[:4], np.abs(V[:4]), 1, offset=V[1:], scale=V[:4], epsilon=0.1)
case("layer_normalization", N), case("layer_normalization", N, V[:4], V[1:], epsilon=0.1)
case("rms_normalization", N), case("rms_normalization", N, V[:4], epsilon=0.1)
case("depth_to_space", PICTURES, 2), case("space_to_depth", PICTURES, 2)

for name in ["dot", "inner", "outer", "kron", "vdot"]:
    # vdot of PyTorch takes vectors
    case(name, *((V, F.ravel()[:5]) if name in ("outer", "vdot") else (S, L)))
case("dot", I, J.T), case("cross", N[:2, :3], F[:2, :3]), case("tensordot", CUBE, CUBE, axes=[[0, 1], [0, 1]])
case("tensordot", N, F.T, axes=1), case("einsum", "ij,kj->ik", N, F), case("einsum", "bij,bij->b", CUBE, CUBE)
case("correlate", V, W), case("correlate", V, W, mode="full"), case("correlate", V, W, mode="same"), case("corrcoef", N)
case("cholesky", S), case("cholesky", S, upper=True), case("cholesky_inverse", L), case("det", S), case("inv", S)
case("slogdet", S), case("logdet", S), case("pinv", N), case("eigh", S), case("qr", N), case("solve", S, W)
case("solve", S, N), case("solve_triangular", L, N, lower=True), case("lstsq", N.T, V[:4]), case("matrix_rank", S)
case("norm", N), case("norm", N, axis=1), case("norm", N, ord=1, axis=(0, 1)), case("norm", I), case("cdist", N, F)
case("norm", N, ord=np.inf, axis=1, keepdims=True), case("svd", N, compute_uv=False)
case("fft", (N, F)), case("fft2", (N, F)), case("ifft2", (N, F)), case("rfft", N), case("rfft", N, 6)
case("irfft", (N, F)), case("irfft", (N, F), 5)
case("top_k", N, 2), case("in_top_k", LABELS, N, 2)
for name in ["segment_sum", "segment_max", "segment_min", "segment_prod"]:
    case(name, N, IDS), case(name, W, IDS, num_segments=3)

IMAGES = [
    ("rgb_to_grayscale", (PICTURES[..., :3],), {}),
    ("rgb_to_hsv", (np.abs(np.tanh(PICTURES[..., :3])),), {}),
    ("hsv_to_rgb", (np.abs(np.tanh(PICTURES[0, ..., :3])),), {}),
    ("resize", (PICTURES, (8, 9)), {}),
    ("resize", (PICTURES, (2, 3)), {}),
    ("resize", (PICTURES, (3, 4)), {"antialias": True}),
    ("resize", (PICTURES[0], (8, 3)), {"interpolation": "nearest"}),
    ("crop_images", (PICTURES, 1, 2), {"bottom_cropping": 1, "target_width": 3}),
    ("pad_images", (PICTURES, 1, 2), {"target_height": 7, "right_padding": 1}),
]


def leaves(value: Any) -> list[Any]:
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, (tuple, list)) else [value]


def compare(ours: Any, theirs: Any, types: bool = True) -> None:
    mine, expected = leaves(ours), leaves(theirs)
    assert len(mine) == len(expected)
    for x, y in zip(mine, expected):
        there = y if isinstance(y, (int, bool, np.ndarray)) else keras.ops.convert_to_numpy(y)
        kind = keras.backend.standardize_dtype(y.dtype) if hasattr(y, "dtype") else None
        assert kind is None or not types or np.asarray(x).dtype.name == kind
        assert np.shape(x) == np.shape(there)
        np.testing.assert_allclose(x, there, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"), CASES, ids=[f"{at}-{name}" for at, (name, _, _) in enumerate(CASES)]
)
def test_values_and_types(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    compare(getattr(ops, name)(*args, **kwargs), getattr(keras.ops, name)(*args, **kwargs), name not in OTHER_TYPES)


@pytest.mark.parametrize(("name", "args", "kwargs"), IMAGES)
def test_images(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    compare(getattr(ops.image, name)(*args, **kwargs), getattr(keras.ops.image, name)(*args, **kwargs))


def test_loops() -> None:
    for module in (keras.ops, ops):
        assert module.fori_loop(0, 4, lambda i, value: value + i, 1) == 7
        assert module.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, s + i), (0, 0)) == (5, 10)
        assert module.while_loop(lambda i: i < 5, lambda i: i + 1, 0, maximum_iterations=3) == 3
        assert module.cond(True, lambda: 1, lambda: 2) == 1 and module.switch(7, [lambda x: x, lambda x: -x], 3) == -3

        def step(carry: Any, x: Any) -> Any:
            return carry + x, carry * x

        total, products = module.scan(step, module.zeros((4,)), module.array(N), reverse=True)
        np.testing.assert_allclose(total, N.sum(axis=0), rtol=1e-5)
        np.testing.assert_allclose(products[1], N[2] * N[1], rtol=1e-5)
        np.testing.assert_allclose(module.map(lambda x: x * 2, module.array(N)), 2 * N)
        np.testing.assert_allclose(module.vectorized_map(lambda x: x * 2, module.array(N)), 2 * N)


def test_every_name_is_compared() -> None:
    """But for those that `test_loops`, `test_namespaces` and the tests without Keras look at."""
    elsewhere = {
        "cond",
        "fori_loop",
        "map",
        "scan",
        "switch",
        "vectorized_map",
        "while_loop",
        "is_tensor",
        "dtype",
        "stop_gradient",
        "vectorize",
        "custom_gradient",
        "empty",
        "empty_like",
        "argpartition",
        "eig",
        "image",
        "linalg",
        "nn",
        "numpy",
        "arccosh",
        "nonzero",
        "unstack",
    }
    assert {name for name, _, _ in CASES} == set(_numpy.names()) - elsewhere


@pytest.mark.parametrize("name", [name for name in _numpy.names() if name not in ("image", "linalg", "nn", "numpy")])
def test_signatures(name: str) -> None:
    mine = [p for p in inspect.signature(getattr(ops, name)).parameters.values() if p.name != "out"]
    theirs = list(inspect.signature(getattr(keras.ops, name)).parameters.values())
    if name in ("layer_normalization", "multi_hot"):  # arguments that Keras calls deprecated
        theirs = [p for p in theirs if p.kind is not p.VAR_KEYWORD]
    assert [(p.name, p.kind, p.default) for p in mine] == [(p.name, p.kind, p.default) for p in theirs]
