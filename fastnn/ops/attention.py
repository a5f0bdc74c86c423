"""Scaled dot-product attention and its gradient.

The cache holds the arrays themselves, not copies, so they must not change in between, and the weights of all queries
and keys.  Refused: numbers that are added to scores as a mask; what a query does not see is False.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.backend import current
from fastnn.ops._check import as_array, common_dtype, fits_blas, flag, into, number, received, well_formed
from fastnn.ops.registry import Arguments, operation

Array = NDArray[Any]


class AttentionCache(NamedTuple):
    """What `attention_backward` needs: heads one behind the other, and the shapes of the caller's arrays.

    weights: (heads, queries, keys), what the values were averaged with.
    """

    q: Array
    k: Array
    v: Array
    mask: NDArray[np.uint8] | None
    weights: Array
    scale: float
    causal: bool
    shapes: tuple[tuple[int, ...], ...]


def _heads(array: Array, dtype: np.dtype[Any]) -> Array:
    """(..., rows, columns) as (heads, rows, columns)."""
    return well_formed(array, dtype).reshape(math.prod(array.shape[:-2]), *array.shape[-2:])


def _mask(mask: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A mask as (heads or 1, queries or 1, keys or 1)."""
    array = np.asarray(mask)
    if array.dtype.kind not in "biu":
        raise TypeError(f"attention: mask must hold booleans or whole numbers. {received(mask=array)}")
    try:
        np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"attention: mask must have the shape of the scores, {shape}, or one that broadcasts to it. "
            f"{received(mask=array)}"
        ) from None
    given = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    if math.prod(given.shape[:-2]) > 1:
        given = np.broadcast_to(given, (*shape[:-2], *given.shape[-2:]))
    return np.ascontiguousarray(given != 0, np.uint8).reshape(math.prod(given.shape[:-2]), *given.shape[-2:])


def _sample(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    features = max(1, shape[-1])
    steps = max(1, shape[-2] if len(shape) > 1 else 1)
    q = rng.normal(size=(*shape[:-2], steps, features)).astype(dtype)
    k = rng.normal(size=(*shape[:-2], 5, features)).astype(dtype)
    v = rng.normal(size=(*shape[:-2], 5, 3)).astype(dtype)
    return Arguments((q, k, v), {"mask": np.arange(5) != 1, "causal": True})


def _sample_backward(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> Arguments:
    args, kwargs = _sample(shape, dtype, rng)
    y, cache = attention(*args, **kwargs)
    return Arguments((rng.normal(size=y.shape).astype(dtype), cache), {})


@operation("attention", _sample, backward="attention_backward")
def attention(
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    mask: ArrayLike | None = None,
    causal: bool = False,
    scale: float | None = None,
    *,
    out: Array | None = None,
) -> tuple[Any, AttentionCache]:
    """Average values, weighted by how well their keys fit each query.

    ``y = softmax(where(seen, scale * q @ k.T, -1e9)) @ v``, the softmax over the keys

    Parameters
    ----------
    q : array, shape (..., queries, features)
        Queries.
    k : array, shape (..., keys, features)
        Keys, at least one.
    v : array, shape (..., keys, columns)
        Values.
    mask : array of bool or integers, optional
        Of a shape that broadcasts to (..., queries, keys): which keys each query sees. Default: all.
    causal : bool
        Whether query i sees only the keys up to i, of those that mask leaves.
    scale : float, optional
        Factor of the scores. Default: 1 / sqrt(features).
    out : array, shape (..., queries, columns), optional
        Where to put y; it must not share memory with an input.

    Returns
    -------
    y : array, shape (..., queries, columns)
        NumPy's result dtype for q, k and v, at least float32.
    cache
        What `attention_backward` needs; ``cache.weights`` are the weights, heads one behind the other.

    Raises
    ------
    TypeError
        q, k or v does not hold real numbers, or mask holds something else than booleans or whole numbers.
    ValueError
        Shapes do not fit.

    Notes
    -----
    A query that sees no key gets the mean of all values, as in Keras; in PyTorch it is NaN or 0, by version.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017.
    """
    arrays = [as_array("attention", name, value) for name, value in (("q", q), ("k", k), ("v", v))]
    shapes = tuple(array.shape for array in arrays)
    fits = all(len(shape) >= 2 and shape[:-2] == shapes[0][:-2] for shape in shapes)
    fits = fits and shapes[0][-1] == shapes[1][-1] > 0 and shapes[1][-2] == shapes[2][-2] > 0
    if not fits:
        raise ValueError(
            "attention: expected q (..., queries, features), k (..., keys, features) and v (..., keys, columns), the "
            f"axes ahead of them equal. {received(q=arrays[0], k=arrays[1], v=arrays[2])}"
        )
    fits_blas("attention", q=arrays[0], k=arrays[1], v=arrays[2])
    dtype = common_dtype(*arrays)
    factor = 1 / math.sqrt(shapes[0][-1]) if scale is None else number("attention", "scale", scale)
    ahead = flag("attention", "causal", causal)
    of_scores = (*shapes[0][:-1], shapes[1][-2])
    seen = None if mask is None else _mask(mask, of_scores)
    queries, keys, values = (_heads(array, dtype) for array in arrays)
    weights = np.empty((len(queries), *of_scores[-2:]), dtype)
    shape = (*shapes[0][:-1], shapes[2][-1])

    def fill(y: Array) -> None:
        rows = y.reshape(len(weights), *shape[-2:])
        current().attention(queries, keys, values, seen, weights, rows, factor, ahead)

    result = into("attention", out, shape, dtype, fill, apart=(q, k, v, mask))
    return result, AttentionCache(queries, keys, values, seen, weights, factor, ahead, (*shapes, shape))


@operation("attention", _sample_backward)
def attention_backward(dy: ArrayLike, cache: AttentionCache) -> tuple[Any, Any, Any]:
    """Gradients of `attention`.

    With ``dw = dy @ v.T`` and ``ds = w * (dw - sum(dw * w))``, 0 where a key is not seen:
    ``dq = scale * ds @ k``, ``dk = scale * ds.T @ q``, ``dv = w.T @ dy``

    Parameters
    ----------
    dy : array, shape of y
        Gradient with respect to the output.
    cache
        What `attention` returned.

    Returns
    -------
    (dq, dk, dv)
        In the shapes of q, k and v.

    Raises
    ------
    TypeError
        dy does not hold real numbers, or cache is something else.
    ValueError
        dy has another shape than the output.
    """
    op, gradient = "attention_backward", as_array("attention_backward", "dy", dy)
    if not isinstance(cache, AttentionCache):
        raise TypeError(f"{op}: cache must be what attention returned. {received(cache=cache)}")
    if gradient.shape != cache.shapes[3]:
        raise ValueError(f"{op}: dy must have the shape of the output, {cache.shapes[3]}. {received(dy=gradient)}")
    dtype = common_dtype(gradient, cache.q)
    q, k, v, weights = (well_formed(array, dtype) for array in (cache.q, cache.k, cache.v, cache.weights))
    of_q, of_k, of_v = (np.zeros(array.shape, dtype) for array in (q, k, v))
    if gradient.size:
        given, numbers = _heads(gradient, dtype), (cache.scale, cache.causal)
        current().attention_backward(given, q, k, v, cache.mask, weights, of_q, of_k, of_v, *numbers)
    dq, dk, dv = (array.reshape(shape) for array, shape in zip((of_q, of_k, of_v), cache.shapes))
    return dq, dk, dv
