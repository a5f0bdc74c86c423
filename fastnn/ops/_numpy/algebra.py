"""Products of arrays, linear algebra and Fourier transforms, by NumPy; complex results are pairs as in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops._numpy.dtypes import INDEX, Array, as_float, promoted


def dot(x1: Any, x2: Any) -> Any:
    """NumPy's dot."""
    return np.dot(*promoted(x1, x2))


def vdot(x1: Any, x2: Any) -> Any:
    """The sum of all products."""
    return np.vdot(*promoted(x1, x2))


def inner(x1: Any, x2: Any) -> Any:
    """Sums of products along the last axes."""
    return np.inner(*promoted(x1, x2))


def outer(x1: Any, x2: Any) -> Any:
    """All products of two elements."""
    return np.outer(*promoted(x1, x2))


def kron(x1: Any, x2: Any) -> Any:
    """Kronecker's product."""
    return np.kron(*promoted(x1, x2))


def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The vector product."""
    a, b = promoted(x1, x2)
    return np.cross(a, b, axisa, axisb, axisc, axis)


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sums of products along pairs of axes."""
    a, b = promoted(x1, x2)
    return np.tensordot(a, b, axes)


def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """Einstein's sums."""
    return np.einsum(subscripts, *promoted(*operands), optimize=len(operands) > 2, **kwargs)


def correlate(x1: Any, x2: Any, mode: str = "valid") -> Array:
    """The correlation of two sequences."""
    a, b = promoted(x1, x2, floating=True)
    return np.correlate(a, b, mode=mode)  # type: ignore[call-overload]


def corrcoef(x: Any) -> Any:
    """The correlation coefficients of the rows."""
    values = as_float(x)
    return np.asarray(np.corrcoef(values)).astype(values.dtype)[()]


# -- linear algebra


def cholesky(x: Any, upper: bool = False) -> Array:
    """The triangular factor of positive definite matrices: ``x = L L^T``, or ``U^T U``."""
    lower = np.linalg.cholesky(as_float(x))
    return np.swapaxes(lower, -1, -2).conj() if upper else lower


def cholesky_inverse(x: Any, upper: bool = False) -> Array:
    """The inverse of the matrices whose Cholesky factor is x."""
    factor = as_float(x)
    factor = np.swapaxes(factor, -1, -2) if upper else factor
    inverse = np.linalg.inv(np.tril(factor))
    return np.swapaxes(inverse, -1, -2) @ inverse


def det(x: Any) -> Any:
    """Determinants."""
    return np.linalg.det(as_float(x))


def slogdet(x: Any) -> tuple[Any, Any]:
    """The sign of determinants, and the logarithm of their size."""
    sign, logarithm = np.linalg.slogdet(as_float(x))
    return sign, logarithm


def logdet(x: Any) -> Any:
    """The logarithm of determinants."""
    return slogdet(x)[1]


def inv(x: Any) -> Array:
    """Inverses."""
    return np.linalg.inv(as_float(x))


def pinv(x: Any, rcond: float | None = None) -> Array:
    """Pseudoinverses."""
    return np.linalg.pinv(as_float(x)) if rcond is None else np.linalg.pinv(as_float(x), rcond)


def eig(x: Any) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors."""
    values, vectors = np.linalg.eig(as_float(x))
    return values, vectors


def eigh(x: Any) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of symmetric matrices."""
    values, vectors = np.linalg.eigh(as_float(x))
    return values, vectors


def qr(x: Any, mode: str = "reduced") -> tuple[Array, Array]:
    """Orthogonal and triangular factors."""
    if mode not in ("reduced", "complete"):
        raise ValueError(f"mode must be 'reduced' or 'complete'. Received: {mode!r}")
    q, r = np.linalg.qr(as_float(x), mode=mode)  # type: ignore[call-overload]
    return q, r


def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular values, and the vectors that go with them."""
    values = as_float(x)
    if not compute_uv:
        return np.linalg.svd(values, compute_uv=False)
    return tuple(np.linalg.svd(values, full_matrices=full_matrices))


def solve(a: Any, b: Any) -> Array:
    """The solutions of ``a x = b``."""
    left, right = promoted(a, b, floating=True)
    if right.ndim == left.ndim - 1:
        return np.linalg.solve(left, right[..., None])[..., 0]
    return np.linalg.solve(left, right)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Array:
    """The solutions of ``a x = b``, where only one triangle of a is read."""
    matrix = as_float(a)
    return solve(np.tril(matrix) if lower else np.triu(matrix), b)


def lstsq(a: Any, b: Any, rcond: float | None = None) -> Array:
    """The x of the least squares of ``a x - b``."""
    left, right = promoted(a, b, floating=True)
    return np.linalg.lstsq(left, right, rcond=rcond)[0]


def matrix_rank(x: Any, tol: float | None = None) -> Any:
    """Ranks, as int32."""
    return np.asarray(np.linalg.matrix_rank(as_float(x), tol)).astype(INDEX)[()]


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Norms of vectors or matrices."""
    values = as_float(x)
    axes = tuple(axis) if isinstance(axis, list) else axis
    return np.asarray(np.linalg.norm(values, ord, axes, keepdims)).astype(values.real.dtype)[()]


def cdist(x: Any, y: Any) -> Array:
    """The distance of every row of x from every row of y."""
    a, b = promoted(x, y, floating=True)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-1]:
        raise ValueError(f"Rows of one length are expected. Received: shapes {a.shape} and {b.shape}")
    return np.sqrt(np.square(a[..., :, None, :] - b[..., None, :, :]).sum(axis=-1))


# -- Fourier transforms; complex numbers are pairs (real, imaginary)


def _complex(x: Any) -> tuple[Array, Any]:
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"A pair (real, imaginary) is expected. Received: {type(x).__name__}")
    real, imaginary = promoted(*x, floating=True)
    if real.shape != imaginary.shape:
        raise ValueError(f"Two arrays of one shape are expected. Received: {real.shape} and {imaginary.shape}")
    return real + 1j * imaginary, real.dtype


def _pair(values: Array, dtype: Any) -> tuple[Array, Array]:
    return values.real.astype(dtype), values.imag.astype(dtype)


def fft(x: Any) -> tuple[Array, Array]:
    """The Fourier transform along the last axis."""
    values, dtype = _complex(x)
    return _pair(np.fft.fft(values), dtype)


def fft2(x: Any) -> tuple[Array, Array]:
    """The Fourier transform along the last two axes."""
    values, dtype = _complex(x)
    return _pair(np.fft.fft2(values), dtype)


def ifft2(x: Any) -> tuple[Array, Array]:
    """The inverse of `fft2`."""
    values, dtype = _complex(x)
    return _pair(np.fft.ifft2(values), dtype)


def rfft(x: Any, fft_length: int | None = None) -> tuple[Array, Array]:
    """The Fourier transform of real numbers along the last axis."""
    values = as_float(x)
    return _pair(np.fft.rfft(values, fft_length), values.dtype)


def irfft(x: Any, fft_length: int | None = None) -> Array:
    """The inverse of `rfft`."""
    values, dtype = _complex(x)
    return np.fft.irfft(values, fft_length).astype(dtype)


def polar(abs_: Any, angle: Any) -> Array:
    """Complex numbers from their size and angle."""
    size, turn = promoted(abs_, angle, floating=True)
    return size * np.exp(1j * turn)


__all__ = [
    "cdist", "cholesky", "cholesky_inverse", "corrcoef", "correlate", "cross", "det", "dot", "eig", "eigh", "einsum",
    "fft", "fft2", "ifft2", "inner", "inv", "irfft", "kron", "logdet", "lstsq", "matrix_rank", "norm", "outer",
    "pinv", "polar", "qr", "rfft", "slogdet", "solve", "solve_triangular", "svd", "tensordot", "vdot",
]  # fmt: skip
