"""Short cuts of fastnn.ops for small calls: activations, softmax and its relatives, dropout.

Each takes the simple case (_simple.pxd) of the function of its name, allocates the result and computes it, and returns
None for everything else, which the general path in fastnn.ops then does or refuses.  So no short cut converts or
reports an error, and the bits are those of the general path.
"""
cimport numpy as cnp
from libc.stdint cimport uint8_t, uint64_t

from fastnn._native._core cimport fastnn_dtype_kernels, rows_backward_fn, rows_fn
from fastnn._native._ops cimport RELEASE_GIL, data_of, map_arrays, run_rows, table_of
from fastnn._native._simple cimport fresh_or, is_simple, overlap, same_kind, same_shape, separate

cnp.import_array()


def readable(x):
    """Whether an input is a simple case and not empty: the general path would neither convert nor refuse it."""
    return is_simple(x) and cnp.PyArray_SIZE(<cnp.ndarray>x) > 0


# ------------------------------------------------------------------------------------------------------- activations

def forward(int row, x, out, tuple params):
    """An activation."""
    if not is_simple(x):
        return None
    y = fresh_or(out, <cnp.ndarray>x, None)
    if y is not None:
        map_arrays(table_of(<cnp.ndarray>x).activation[row].forward, NULL, <cnp.ndarray>x, None, <cnp.ndarray>y, params)
    return y


def derivative(int row, x, out, tuple params):
    """The bare derivative of an activation."""
    if not is_simple(x):
        return None
    y = fresh_or(out, <cnp.ndarray>x, None)
    if y is not None:
        map_arrays(table_of(<cnp.ndarray>x).activation[row].derivative, NULL, <cnp.ndarray>x, None, <cnp.ndarray>y,
                   params)
    return y


def backward(int row, dy, kept, out, tuple params):
    """The gradient of an activation."""
    if not is_simple(dy) or not is_simple(kept) or not same_kind(<cnp.ndarray>dy, <cnp.ndarray>kept):
        return None
    dx = fresh_or(out, <cnp.ndarray>dy, kept)
    if dx is not None:
        map_arrays(NULL, table_of(<cnp.ndarray>dy).activation[row].backward, <cnp.ndarray>dy, kept, <cnp.ndarray>dx,
                   params)
    return dx


# -------------------------------------------------------------------------------------------------------------- rows

cdef inline bint is_last(object axis, int ndim) noexcept:
    return type(axis) is int and (axis == -1 or axis == ndim - 1)


cdef object map_rows(rows_fn one, rows_backward_fn two, cnp.ndarray x, object z, object out):
    cdef ssize_t cols = cnp.PyArray_DIM(x, cnp.PyArray_NDIM(x) - 1)
    if cnp.PyArray_SIZE(x) == 0:
        return None
    y = fresh_or(out, x, z)
    if y is not None:
        run_rows(one, two, x, z, <cnp.ndarray>y, cnp.PyArray_SIZE(x) // cols, cols, cols)
    return y


def softmax(x, axis, out):
    if not is_simple(x) or not is_last(axis, cnp.PyArray_NDIM(<cnp.ndarray>x)):
        return None
    return map_rows(table_of(<cnp.ndarray>x).softmax, NULL, <cnp.ndarray>x, None, out)


def log_softmax(x, axis, out):
    if not is_simple(x) or not is_last(axis, cnp.PyArray_NDIM(<cnp.ndarray>x)):
        return None
    return map_rows(table_of(<cnp.ndarray>x).log_softmax, NULL, <cnp.ndarray>x, None, out)


def softmax_backward(dy, y, axis, out):
    if not is_simple(dy) or not is_simple(y) or not same_kind(<cnp.ndarray>dy, <cnp.ndarray>y) or not is_last(
            axis, cnp.PyArray_NDIM(<cnp.ndarray>dy)):
        return None
    return map_rows(NULL, table_of(<cnp.ndarray>dy).softmax_backward, <cnp.ndarray>dy, y, out)


def log_softmax_backward(dy, y, axis, out):
    if not is_simple(dy) or not is_simple(y) or not same_kind(<cnp.ndarray>dy, <cnp.ndarray>y) or not is_last(
            axis, cnp.PyArray_NDIM(<cnp.ndarray>dy)):
        return None
    return map_rows(NULL, table_of(<cnp.ndarray>dy).log_softmax_backward, <cnp.ndarray>dy, y, out)


def logsumexp(x, axis, out):
    cdef cnp.ndarray array
    cdef int ndim
    cdef ssize_t cols
    if not is_simple(x) or not is_last(axis, cnp.PyArray_NDIM(<cnp.ndarray>x)):
        return None
    array = <cnp.ndarray>x
    ndim = cnp.PyArray_NDIM(array)
    if cnp.PyArray_SIZE(array) == 0 or (ndim == 1 and out is not None):
        return None
    y = separate(out, cnp.PyArray_TYPE(array), ndim - 1, cnp.PyArray_DIMS(array), array, None, None)
    if y is None:
        return None
    cols = cnp.PyArray_DIM(array, ndim - 1)
    run_rows(table_of(array).logsumexp, NULL, array, None, <cnp.ndarray>y, cnp.PyArray_SIZE(array) // cols, cols, 1)
    return y if ndim > 1 else y[()]


# ----------------------------------------------------------------------------------------------------------- dropout

def masked_scale(x, mask, double scale, out):
    """x * scale where the mask of bools is set, 0 elsewhere."""
    if not is_simple(x) or not is_mask(mask, <cnp.ndarray>x):
        return None
    y = fresh_or(out, <cnp.ndarray>x, None)
    if y is None or overlap(<cnp.ndarray>y, <cnp.ndarray>mask):
        return None
    table_of(<cnp.ndarray>x).masked_scale(cnp.PyArray_SIZE(<cnp.ndarray>x), data_of(x), <const uint8_t *>data_of(mask),
                                          data_of(y), scale)
    return y


cdef inline bint is_mask(object mask, cnp.ndarray x) noexcept:
    return cnp.PyArray_CheckExact(mask) and cnp.PyArray_TYPE(<cnp.ndarray>mask) == cnp.NPY_BOOL and (
        cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>mask) and same_shape(<cnp.ndarray>mask, x))


def dropout(x, uint64_t seed, double rate, out):
    """(y, mask)"""
    cdef const fastnn_dtype_kernels *k
    cdef ssize_t n
    cdef void *px
    cdef void *py
    cdef uint8_t *pm
    if not is_simple(x):
        return None
    y = fresh_or(out, <cnp.ndarray>x, None)
    if y is None:
        return None
    mask = cnp.PyArray_SimpleNew(cnp.PyArray_NDIM(<cnp.ndarray>x), cnp.PyArray_DIMS(<cnp.ndarray>x), cnp.NPY_BOOL)
    k, n = table_of(<cnp.ndarray>x), cnp.PyArray_SIZE(<cnp.ndarray>x)
    px, py, pm = data_of(x), data_of(y), <uint8_t *>data_of(mask)
    if n < RELEASE_GIL:
        k.dropout(n, px, py, pm, seed, 0, 0, 0, rate, 1 / (1 - rate))
    else:
        with nogil:
            k.dropout(n, px, py, pm, seed, 0, 0, 0, rate, 1 / (1 - rate))
    return y, mask
