"""Short cuts of fastnn.ops for small calls: groups of columns, learned parameters, random slopes.

Only for arrays below RELEASE_GIL elements: for others the general path costs next to nothing.
"""
cimport numpy as cnp
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from fastnn._native._core cimport FASTNN_MAX_PARAMS, fastnn_dtype_kernels, rows_backward_fn, rows_fn
from fastnn._native._ops cimport RELEASE_GIL, data_of, read_params, table_of
from fastnn._native._simple cimport fresh_or, is_simple, overlap, same_kind, separate

cdef enum:
    MOST_PARAMETERS = 512    # numbers, of all pieces and columns, that fit on the stack
    MOST_AXES = 32

cnp.import_array()


cdef inline ssize_t columns(object x) noexcept:
    return cnp.PyArray_DIM(<cnp.ndarray>x, cnp.PyArray_NDIM(<cnp.ndarray>x) - 1)


cdef inline bint is_small(object x) noexcept:
    """Simple, not empty, and small."""
    return is_simple(x) and 0 < cnp.PyArray_SIZE(<cnp.ndarray>x) < RELEASE_GIL


cdef inline bint is_last(object axis, object x) noexcept:
    return type(axis) is int and (axis == -1 or axis == cnp.PyArray_NDIM(<cnp.ndarray>x) - 1)


# ------------------------------------------------------------------------------------------------ rows of equal length

cdef object map_rows(rows_fn one, rows_backward_fn two, object x, object z, object out):
    cdef ssize_t cols = columns(x), rows = cnp.PyArray_SIZE(<cnp.ndarray>x) // cols
    y = fresh_or(out, <cnp.ndarray>x, z)
    if y is None:
        return None
    if one != NULL:
        one(rows, cols, data_of(x), data_of(y))
    else:
        two(rows, cols, data_of(x), data_of(z), data_of(y))
    return y


def softmin(x, axis, out):
    if not is_small(x) or not is_last(axis, x):
        return None
    return map_rows(table_of(<cnp.ndarray>x).softmin, NULL, x, None, out)


def sparsemax(x, axis, out):
    if not is_small(x) or not is_last(axis, x):
        return None
    return map_rows(table_of(<cnp.ndarray>x).sparsemax, NULL, x, None, out)


cdef inline bint are_alike(object dy, object y, object axis) noexcept:
    return is_small(dy) and is_simple(y) and same_kind(<cnp.ndarray>dy, <cnp.ndarray>y) and is_last(axis, dy)


def softmin_backward(dy, y, axis, out):
    if not are_alike(dy, y, axis):
        return None
    return map_rows(NULL, table_of(<cnp.ndarray>dy).softmin_backward, dy, y, out)


def sparsemax_backward(dy, y, axis, out):
    if not are_alike(dy, y, axis):
        return None
    return map_rows(NULL, table_of(<cnp.ndarray>dy).sparsemax_backward, dy, y, out)


# ------------------------------------------------------------------------------------------------------------- groups

cdef bint narrowed(cnp.ndarray x, ssize_t parts, cnp.npy_intp *shape) noexcept:
    """The shape of x with its last axis divided by `parts`; False where that is impossible."""
    cdef int ndim = cnp.PyArray_NDIM(x)
    if ndim > MOST_AXES or parts < 1 or columns(x) % parts:
        return False
    memcpy(shape, cnp.PyArray_DIMS(x), ndim * sizeof(cnp.npy_intp))
    shape[ndim - 1] //= parts
    return True


cdef bint has_shape(object dy, cnp.ndarray x, const cnp.npy_intp *shape) noexcept:
    cdef int d
    if not is_simple(dy) or cnp.PyArray_TYPE(<cnp.ndarray>dy) != cnp.PyArray_TYPE(x):
        return False
    if cnp.PyArray_NDIM(<cnp.ndarray>dy) != cnp.PyArray_NDIM(x):
        return False
    for d in range(cnp.PyArray_NDIM(x)):
        if cnp.PyArray_DIM(<cnp.ndarray>dy, d) != shape[d]:
            return False
    return True


cdef object narrow_result(object x, ssize_t parts, object axis, object out):
    cdef cnp.npy_intp shape[MOST_AXES]
    if not is_small(x) or not is_last(axis, x) or not narrowed(<cnp.ndarray>x, parts, shape):
        return None
    if parts == 1 and out is not None:
        return None
    return separate(out, cnp.PyArray_TYPE(<cnp.ndarray>x), cnp.PyArray_NDIM(<cnp.ndarray>x), shape, x, None, None)


cdef object wide_result(object dy, object x, ssize_t parts, object axis, object out):
    cdef cnp.npy_intp shape[MOST_AXES]
    if not is_small(x) or not is_last(axis, x) or not narrowed(<cnp.ndarray>x, parts, shape):
        return None
    if not has_shape(dy, <cnp.ndarray>x, shape):
        return None
    if out is not None and cnp.PyArray_CheckExact(out) and overlap(<cnp.ndarray>out, <cnp.ndarray>dy):
        return None
    return fresh_or(out, <cnp.ndarray>x, None)


def gated(int row, x, tuple params, axis, out):
    """The first half of the columns times the activation of that row of the second half."""
    cdef double values[FASTNN_MAX_PARAMS]
    y = narrow_result(x, 2, axis, out)
    if y is None or columns(y) == 0:
        return None
    read_params(params, values)
    table_of(<cnp.ndarray>x).gated_forward(row, cnp.PyArray_SIZE(<cnp.ndarray>y) // columns(y), columns(y), data_of(x),
                                           data_of(y), values)
    return y


def gated_backward(int row, dy, x, tuple params, axis, out):
    cdef double values[FASTNN_MAX_PARAMS]
    dx = wide_result(dy, x, 2, axis, out)
    if dx is None or columns(dy) == 0:
        return None
    read_params(params, values)
    table_of(<cnp.ndarray>x).gated_backward(row, cnp.PyArray_SIZE(<cnp.ndarray>dy) // columns(dy), columns(dy),
                                            data_of(dy), data_of(x), data_of(dx), values)
    return dx


def maxout(x, pieces, axis, out):
    if type(pieces) is not int or not 0 < pieces < RELEASE_GIL:
        return None
    y = narrow_result(x, pieces, axis, out)
    if y is None:
        return None
    table_of(<cnp.ndarray>x).maxout(cnp.PyArray_SIZE(<cnp.ndarray>x) // columns(x), columns(y), pieces, data_of(x),
                                    data_of(y))
    return y


def maxout_backward(dy, x, pieces, axis, out):
    if type(pieces) is not int or not 0 < pieces < RELEASE_GIL:
        return None
    dx = wide_result(dy, x, pieces, axis, out)
    if dx is None:
        return None
    table_of(<cnp.ndarray>x).maxout_backward(cnp.PyArray_SIZE(<cnp.ndarray>x) // columns(x), columns(dy), pieces,
                                             data_of(dy), data_of(x), data_of(dx))
    return dx


# ------------------------------------------------------------------------------------------------- learned parameters

cdef ssize_t gather(int row, cnp.ndarray x, tuple params, object out, char *stacked) except? -1:
    """The parameters one behind the other; returns how many pieces there are, 0 if this is no simple case.

    Simple are arrays of the dtype of x with one number for each column, for sums one for each piece and column, that do
    not lie where the result goes.
    """
    cdef const fastnn_dtype_kernels *k = table_of(x)
    cdef int axes = 2 if k.learned[row].sum else 1
    cdef ssize_t cols = columns(x), pieces = 0, size
    cdef cnp.ndarray array
    for value in params:
        if not is_simple(value):
            return 0
        array = <cnp.ndarray>value
        if cnp.PyArray_TYPE(array) != cnp.PyArray_TYPE(x) or cnp.PyArray_NDIM(array) != axes or columns(array) != cols:
            return 0
        if out is not None and cnp.PyArray_CheckExact(out) and overlap(<cnp.ndarray>out, array):
            return 0
        size = cnp.PyArray_SIZE(array) // cols
        if size == 0 or (pieces and size != pieces) or size * cols * len(params) > MOST_PARAMETERS or size > 32:
            return 0
        memcpy(stacked, cnp.PyArray_DATA(array), cnp.PyArray_NBYTES(array))
        stacked += cnp.PyArray_NBYTES(array)
        pieces = size
    return pieces


def learned(int row, x, tuple params, out):
    """An activation with parameters for every column."""
    cdef double stacked[MOST_PARAMETERS]
    cdef ssize_t pieces, cols
    if not is_small(x):
        return None
    pieces = gather(row, <cnp.ndarray>x, params, out, <char *>stacked)
    y = fresh_or(out, <cnp.ndarray>x, None) if pieces else None
    if y is None:
        return None
    cols = columns(x)
    table_of(<cnp.ndarray>x).learned_forward(row, cnp.PyArray_SIZE(<cnp.ndarray>x) // cols, cols, data_of(x), stacked,
                                             cols, pieces, data_of(y))
    return y


ctypedef fused real:
    float
    double


cdef inline void round_all(ssize_t n, const double *sums, real *x) noexcept nogil:
    cdef ssize_t i
    for i in range(n):
        x[i] = <real>sums[i]


cdef object rounded(cnp.ndarray like, const double *sums):
    """Sums as an array like a parameter."""
    cdef cnp.ndarray array = cnp.PyArray_SimpleNew(cnp.PyArray_NDIM(like), cnp.PyArray_DIMS(like),
                                                   cnp.PyArray_TYPE(like))
    if cnp.PyArray_TYPE(array) == cnp.NPY_DOUBLE:
        round_all(cnp.PyArray_SIZE(array), sums, <double *>cnp.PyArray_DATA(array))
    else:
        round_all(cnp.PyArray_SIZE(array), sums, <float *>cnp.PyArray_DATA(array))
    return array


def learned_backward(int row, dy, x, tuple params, out):
    """(dx, a gradient for each parameter)"""
    cdef double stacked[MOST_PARAMETERS]
    cdef double sums[MOST_PARAMETERS]
    cdef ssize_t pieces, cols, i
    cdef list results
    if not is_small(x) or not is_simple(dy) or not same_kind(<cnp.ndarray>dy, <cnp.ndarray>x):
        return None
    pieces = gather(row, <cnp.ndarray>x, params, out, <char *>stacked)
    dx = fresh_or(out, <cnp.ndarray>dy, x) if pieces else None
    if dx is None:
        return None
    cols = columns(x)
    table_of(<cnp.ndarray>x).learned_backward(
        row, cnp.PyArray_SIZE(<cnp.ndarray>x) // cols, cols, cols, data_of(dy), data_of(x), stacked, cols, pieces,
        data_of(dx), sums)
    results = [dx]
    for i in range(len(params)):
        results.append(rounded(<cnp.ndarray>params[i], sums + i * pieces * cols))
    return tuple(results)


# ----------------------------------------------------------------------------------------------------- single elements

def rrelu(x, uint64_t seed, double lower, double upper, out):
    """(y, slopes)"""
    if not is_small(x):
        return None
    y = fresh_or(out, <cnp.ndarray>x, None)
    if y is None:
        return None
    slopes = fresh_or(None, <cnp.ndarray>x, None)
    table_of(<cnp.ndarray>x).rrelu(cnp.PyArray_SIZE(<cnp.ndarray>x), data_of(x), data_of(y), data_of(slopes), seed, 0,
                                   0, 0, lower, upper)
    return y, slopes


def multiply(a, b, out):
    """a * b"""
    if not is_small(a) or not is_simple(b) or not same_kind(<cnp.ndarray>a, <cnp.ndarray>b):
        return None
    y = fresh_or(out, <cnp.ndarray>a, b)
    if y is not None:
        table_of(<cnp.ndarray>a).multiply(cnp.PyArray_SIZE(<cnp.ndarray>a), data_of(a), data_of(b), data_of(y))
    return y
