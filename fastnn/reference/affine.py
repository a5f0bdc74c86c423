"""Matrix products, bias addition and column sums: what a dense layer is made of, in readable NumPy.

A dense layer computes ``y = x @ W + b``.  With ``dy`` the gradient with respect to ``y``, its backward pass is
``dx = dy @ W.T``, ``dW = x.T @ dy`` and ``db = column_sums(dy)``: three calls of two functions of this file.
"""

from __future__ import annotations

import numpy as np

from fastnn.reference.arrays import Array, own_precision


@np.errstate(all="ignore")
def gemm(
    a: Array,
    b: Array,
    c: Array | None = None,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1.0,
    beta: float = 0.0,
) -> Array:
    """General matrix product.

    ``alpha * op(a) @ op(b) + beta * c``, where ``op`` transposes its argument or leaves it

    Parameters
    ----------
    a : array, shape (m, k), or (k, m) with transpose_a, float32 or float64
        Left factor.
    b : array, shape (k, n), or (n, k) with transpose_b, dtype of a
        Right factor.
    c : array, shape (m, n), dtype of a, optional
        What is added; it may be missing where ``beta`` is 0.
    transpose_a, transpose_b : bool
        Whether to use a factor transposed.
    alpha, beta : float
        Factors of the product and of ``c``.

    Returns
    -------
    array, shape (m, n), dtype of a
        A new array.

    Notes
    -----
    As in the BLAS, ``c`` is not looked at where ``beta`` is 0: NaN in it does not matter.

    References
    ----------
    Dongarra, Du Croz, Hammarling and Duff, "A set of level 3 basic linear algebra subprograms", ACM Transactions on
    Mathematical Software 16, 1990.
    """
    product: Array = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    if alpha != 1:
        product = alpha * product
    return product if c is None or beta == 0 else product + beta * c


@own_precision
def add_bias(y: Array, bias: Array) -> Array:
    """Add one number per column.

    ``y[r, c] + bias[c]``

    Parameters
    ----------
    y : array, shape (rows, columns), float32 or float64
        Usually a product ``x @ W``.
    bias : array, shape (columns,), dtype of y
        The bias of a dense layer.

    Returns
    -------
    array, shape and dtype of y
        A new array.
    """
    return y + bias


@own_precision
def column_sums(x: Array) -> Array:
    """Sum of each column: the gradient of a bias.

    ``sums[c] = sum_r x[r, c]``

    Parameters
    ----------
    x : array, shape (rows, columns), float32 or float64
        For a bias, the gradient with respect to the sum `add_bias` returned.

    Returns
    -------
    array, shape (columns,), dtype of x
        Summed in float64, rounded once.
    """
    sums: Array = np.sum(x, axis=0, dtype=np.float64)
    return sums
