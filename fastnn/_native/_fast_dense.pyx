"""Short cuts of fastnn.ops for small calls: matrix products and affine maps, as _fast_maps.pyx has them for others."""
cimport numpy as cnp
from libc.string cimport memcpy

from fastnn._native._core cimport (
    FASTNN_ACT_identity, FASTNN_F32, FASTNN_F64, FASTNN_MAX_PARAMS, fastnn_dtype_kernels, gemm_task,
)
from fastnn._native._ops cimport RELEASE_GIL, data_of, read_params, run_gemm, table_of
from fastnn._native._simple cimport fresh_or, is_real, is_simple, overlap, separate

cdef enum:
    LONGEST = 2147483647     # rows and columns that BLAS can count
    MOST_DIMS = 8            # of an array whose shape is put together here

cnp.import_array()


# A matrix or vector as BLAS can read it: `rows` and `cols` of what is meant, `transposed` if memory holds the other.
ctypedef struct operand:
    cnp.npy_intp rows
    cnp.npy_intp cols
    cnp.npy_intp ld
    bint transposed
    const char *data


cdef bint read_matrix(object a, bint transpose, operand *o) noexcept:
    cdef cnp.ndarray m
    cdef bint by_columns
    if not is_real(a) or cnp.PyArray_NDIM(<cnp.ndarray>a) != 2:
        return False
    m = <cnp.ndarray>a
    by_columns = not cnp.PyArray_ISCARRAY_RO(m)
    if by_columns and not cnp.PyArray_ISFARRAY_RO(m):
        return False
    o.rows, o.cols = cnp.PyArray_DIM(m, transpose), cnp.PyArray_DIM(m, not transpose)
    if o.rows < 1 or o.cols < 1 or o.rows > LONGEST or o.cols > LONGEST:
        return False
    o.data = <const char *>cnp.PyArray_DATA(m)
    # a single row or column is both ways in memory
    o.transposed = transpose != by_columns and o.rows > 1 and o.cols > 1
    o.ld = o.rows if o.transposed else o.cols
    return True


cdef bint read_rows(cnp.ndarray x, operand *o) noexcept:
    """A simple array as rows of its last axis."""
    cdef ssize_t size = cnp.PyArray_SIZE(x)
    o.cols = cnp.PyArray_DIM(x, cnp.PyArray_NDIM(x) - 1)
    if size == 0 or o.cols > LONGEST or size // o.cols > LONGEST:
        return False
    o.rows, o.ld, o.transposed, o.data = size // o.cols, o.cols, False, <const char *>cnp.PyArray_DATA(x)
    return True


cdef bint read_vector(object a, bint as_row, operand *o) noexcept:
    cdef cnp.npy_intp n
    if not is_simple(a) or cnp.PyArray_NDIM(<cnp.ndarray>a) != 1:
        return False
    n = cnp.PyArray_DIM(<cnp.ndarray>a, 0)
    if n < 1 or n > LONGEST:
        return False
    o.rows, o.cols = 1 if as_row else n, n if as_row else 1
    o.ld, o.transposed, o.data = o.cols, False, <const char *>cnp.PyArray_DATA(<cnp.ndarray>a)
    return True


cdef int product(const operand *a, const operand *b, object c, double beta) except -1:
    """c = a @ b + beta * c"""
    cdef gemm_task t
    t.dtype = FASTNN_F64 if cnp.PyArray_TYPE(<cnp.ndarray>c) == cnp.NPY_DOUBLE else FASTNN_F32
    t.transpose_a, t.transpose_b, t.alpha, t.beta = a.transposed, b.transposed, 1, beta
    t.m, t.n, t.k = <int>a.rows, <int>b.cols, <int>a.cols
    t.lda, t.ldb, t.ldc = <int>a.ld, <int>b.ld, <int>b.cols
    t.a, t.b, t.c = a.data, b.data, <char *>cnp.PyArray_DATA(<cnp.ndarray>c)
    return run_gemm(&t)


cdef inline operand turned(operand o) noexcept:
    """The transposed matrix."""
    o.rows, o.cols = o.cols, o.rows
    if o.rows > 1 and o.cols > 1:
        o.transposed = not o.transposed
    else:
        o.transposed, o.ld = False, o.cols
    return o


def matmul(a, b, transpose_a, transpose_b, out):
    cdef operand m, n
    cdef cnp.npy_intp shape[2]
    cdef int ndim = 2
    if type(transpose_a) is not bool or type(transpose_b) is not bool:
        return None
    if not read_matrix(a, transpose_a, &m):
        if not read_vector(a, True, &m):
            return None
        ndim = 1
    if not read_matrix(b, transpose_b, &n):
        if ndim == 1 or not read_vector(b, False, &n):
            return None
        ndim = 1
    if m.cols != n.rows or cnp.PyArray_TYPE(<cnp.ndarray>a) != cnp.PyArray_TYPE(<cnp.ndarray>b):
        return None
    shape[0], shape[1] = m.rows, n.cols
    if ndim == 1 and shape[0] == 1 and cnp.PyArray_NDIM(<cnp.ndarray>a) == 1:
        shape[0] = n.cols
    c = separate(out, cnp.PyArray_TYPE(<cnp.ndarray>a), ndim, shape, a, b, None)
    if c is not None:
        product(&m, &n, c, 0)
    return c


cdef inline bint is_vector(object b, int type_number, cnp.npy_intp n) noexcept:
    """A simple array of shape (n,)."""
    return is_simple(b) and cnp.PyArray_NDIM(<cnp.ndarray>b) == 1 and cnp.PyArray_DIM(<cnp.ndarray>b, 0) == n and (
        cnp.PyArray_TYPE(<cnp.ndarray>b) == type_number)


cdef inline int layout_of(object name) noexcept:
    """Whether weights are (outputs, inputs); -1 for no layout."""
    if type(name) is not str:
        return -1
    return 0 if <str>name == "io" else 1 if <str>name == "oi" else -1


def affine(x, W, b, int activation, tuple params, out, w_layout):
    """activation < 0: none."""
    cdef double values[FASTNN_MAX_PARAMS]
    cdef cnp.npy_intp shape[MOST_DIMS]
    cdef const fastnn_dtype_kernels *k
    cdef operand samples, weights
    cdef void *py
    cdef void *pb
    cdef int d, ndim, type_number, flip = layout_of(w_layout)
    if flip < 0 or not is_simple(x) or not read_matrix(W, flip, &weights):
        return None
    ndim, type_number = cnp.PyArray_NDIM(<cnp.ndarray>x), cnp.PyArray_TYPE(<cnp.ndarray>x)
    if ndim > MOST_DIMS or not read_rows(<cnp.ndarray>x, &samples) or samples.cols != weights.rows:
        return None
    if cnp.PyArray_TYPE(<cnp.ndarray>W) != type_number:
        return None
    if b is not None and not is_vector(b, type_number, weights.cols):
        return None
    for d in range(ndim - 1):
        shape[d] = cnp.PyArray_DIM(<cnp.ndarray>x, d)
    shape[ndim - 1] = weights.cols
    y = separate(out, type_number, ndim, shape, x, W, b)
    if y is None:
        return None
    product(&samples, &weights, y, 0)
    if b is not None or activation >= 0:
        k, py, pb = table_of(<cnp.ndarray>x), data_of(y), data_of(b)
        read_params(params, values)
        if activation < 0:
            activation = FASTNN_ACT_identity
        if samples.rows * weights.cols < RELEASE_GIL:
            k.bias_forward(activation, samples.rows, weights.cols, weights.cols, pb, py, NULL, values)
        else:
            with nogil:
                k.bias_forward(activation, samples.rows, weights.cols, weights.cols, pb, py, NULL, values)
    return y


ctypedef fused real:
    float
    double


cdef void add(ssize_t n, const real *x, real *sums) noexcept nogil:
    cdef ssize_t i
    for i in range(n):
        sums[i] += x[i]


def affine_backward(dy, x, W, need_dx, dW, db, accumulate, w_layout):
    """(dx, dW, db)"""
    cdef operand gradient, samples, weights, left, right
    cdef cnp.npy_intp units
    cdef int type_number, flip = layout_of(w_layout)
    if flip < 0 or type(need_dx) is not bool or type(accumulate) is not bool or not is_simple(dy) or not is_simple(x):
        return None
    type_number = cnp.PyArray_TYPE(<cnp.ndarray>x)
    if not read_rows(<cnp.ndarray>dy, &gradient) or not read_rows(<cnp.ndarray>x, &samples) or not read_matrix(
            W, flip, &weights):
        return None
    if cnp.PyArray_TYPE(<cnp.ndarray>dy) != type_number or cnp.PyArray_TYPE(<cnp.ndarray>W) != type_number:
        return None
    if samples.cols != weights.rows or gradient.cols != weights.cols or not same_but_last(dy, x):
        return None
    if accumulate and (dW is None or db is None):
        return None
    units = weights.cols
    grads = separate(dW, type_number, 2, cnp.PyArray_DIMS(<cnp.ndarray>W), dy, x, W)
    sums = separate(db, type_number, 1, &units, dy, x, W)
    if grads is None or sums is None or (dW is not None and db is not None and overlap(grads, sums)):
        return None
    dx = None
    if need_dx:
        dx = cnp.PyArray_SimpleNew(cnp.PyArray_NDIM(<cnp.ndarray>x), cnp.PyArray_DIMS(<cnp.ndarray>x), type_number)
        left = turned(weights)
        product(&gradient, &left, dx, 0)
    fresh = cnp.PyArray_SimpleNew(1, &units, type_number) if accumulate else sums
    table_of(<cnp.ndarray>x).column_sums(gradient.rows, units, units, gradient.data, data_of(fresh))
    if accumulate and type_number == cnp.NPY_DOUBLE:
        add(units, <double *>data_of(fresh), <double *>data_of(sums))
    elif accumulate:
        add(units, <float *>data_of(fresh), <float *>data_of(sums))
    left, right = turned(gradient if flip else samples), samples if flip else gradient
    product(&left, &right, grads, 1 if accumulate else 0)
    return dx, grads, sums


cdef inline bint same_but_last(cnp.ndarray a, cnp.ndarray b) noexcept:
    cdef int d
    if cnp.PyArray_NDIM(a) != cnp.PyArray_NDIM(b):
        return False
    for d in range(cnp.PyArray_NDIM(a) - 1):
        if cnp.PyArray_DIM(a, d) != cnp.PyArray_DIM(b, d):
            return False
    return True


def bias_add(x, b, out):
    cdef operand rows
    if not is_simple(x) or not read_rows(<cnp.ndarray>x, &rows):
        return None
    if not is_vector(b, cnp.PyArray_TYPE(<cnp.ndarray>x), rows.cols):
        return None
    y = fresh_or(out, <cnp.ndarray>x, None)
    if y is None or overlap(<cnp.ndarray>y, <cnp.ndarray>b):
        return None
    if data_of(y) != rows.data:
        memcpy(data_of(y), rows.data, cnp.PyArray_NBYTES(<cnp.ndarray>x))
    table_of(<cnp.ndarray>x).bias_forward(FASTNN_ACT_identity, rows.rows, rows.cols, rows.cols, data_of(b), data_of(y),
                                          NULL, NULL)
    return y


def column_sums(x, out):
    cdef operand rows
    if not is_simple(x) or not read_rows(<cnp.ndarray>x, &rows):
        return None
    sums = separate(out, cnp.PyArray_TYPE(<cnp.ndarray>x), 1, &rows.cols, x, None, None)
    if sums is not None:
        table_of(<cnp.ndarray>x).column_sums(rows.rows, rows.cols, rows.cols, rows.data, data_of(sums))
    return sums
