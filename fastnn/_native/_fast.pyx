"""Short cuts for small calls: one native call looks at its arguments, allocates the result and computes it.

They are what keeps fastnn.ops at a fraction of a microsecond on a few dozen elements.  Each takes the simple case of
one function and returns None (updates: False) for everything else, which the general path in fastnn.ops then does or
refuses; so none of them reports an error, none converts, and the bits are those of the general path.

The simple case: exact ndarrays, aligned, native, of one real dtype, C-contiguous (for matrix products also transposed),
with shapes that fit and results that share no memory with an input except by being exactly it.  Nothing is empty.
"""
cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from fastnn._native._core cimport (
    FASTNN_ACT_identity, FASTNN_COMMON_SCALARS, FASTNN_F32, FASTNN_F64, FASTNN_MAX_PARAMS, FASTNN_MAX_SLOTS, fastnn_dtype_kernels,
    fastnn_loss_args, gemm_task, rows_backward_fn, rows_fn,
)
from fastnn._native._ops cimport (
    RELEASE_GIL, data_of, map_arrays, read_params, read_scalars, run_gemm, run_rows, run_update, table_of, update_task,
)

cnp.import_array()

cdef enum:
    LONGEST = 2147483647     # rows and columns that BLAS can count
    MOST_DIMS = 8            # of an array whose shape is put together here
    MOST_ROWS = 256          # of a loss whose working memory is on the stack


# ------------------------------------------------------------------------------------------------- looking at arrays

cdef inline bint is_real(object x) noexcept:
    """An exact ndarray of a real dtype; its memory may be of any kind."""
    cdef int type_number
    if not cnp.PyArray_CheckExact(x):
        return False
    type_number = cnp.PyArray_TYPE(<cnp.ndarray>x)
    return type_number == cnp.NPY_FLOAT or type_number == cnp.NPY_DOUBLE


cdef inline bint is_simple(object x) noexcept:
    """An exact, aligned, native, C-contiguous ndarray of a real dtype with dimensions."""
    return is_real(x) and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>x) and cnp.PyArray_NDIM(<cnp.ndarray>x) > 0


cdef inline bint same_shape(cnp.ndarray a, cnp.ndarray b) noexcept:
    cdef int d
    if cnp.PyArray_NDIM(a) != cnp.PyArray_NDIM(b):
        return False
    for d in range(cnp.PyArray_NDIM(a)):
        if cnp.PyArray_DIM(a, d) != cnp.PyArray_DIM(b, d):
            return False
    return True


cdef inline bint same_kind(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Equal dtype and shape."""
    return cnp.PyArray_TYPE(a) == cnp.PyArray_TYPE(b) and same_shape(a, b)


cdef inline bint overlap(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Shared memory of two contiguous arrays."""
    cdef char *p = <char *>cnp.PyArray_DATA(a)
    cdef char *q = <char *>cnp.PyArray_DATA(b)
    return p < q + cnp.PyArray_NBYTES(b) and q < p + cnp.PyArray_NBYTES(a)


cdef inline bint shifted_overlap(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Shared memory, but not the same start (both contiguous and of one size)."""
    return cnp.PyArray_DATA(a) != cnp.PyArray_DATA(b) and overlap(a, b)


cdef inline bint fits(object out, int type_number, int ndim, const cnp.npy_intp *shape) noexcept:
    """Whether a result of that dtype and shape can be written into `out`."""
    cdef int d
    if not is_simple(out) or not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out):
        return False
    if cnp.PyArray_TYPE(<cnp.ndarray>out) != type_number or cnp.PyArray_NDIM(<cnp.ndarray>out) != ndim:
        return False
    for d in range(ndim):
        if cnp.PyArray_DIM(<cnp.ndarray>out, d) != shape[d]:
            return False
    return True


cdef inline object fresh_or(object out, cnp.ndarray x, object other):
    """An output like x, which it may be: new, or `out` where that is a simple case; None otherwise."""
    if out is None:
        return cnp.PyArray_SimpleNew(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x))
    if not fits(out, cnp.PyArray_TYPE(x), cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x)):
        return None
    if shifted_overlap(x, <cnp.ndarray>out) or (other is not None and shifted_overlap(<cnp.ndarray>other, out)):
        return None
    return out


cdef inline object separate(object out, int type_number, int ndim, cnp.npy_intp *shape, object a, object b, object c):
    """An output that shares no memory with the inputs: new, or `out` where that is a simple case; None otherwise."""
    if out is None:
        return cnp.PyArray_SimpleNew(ndim, shape, type_number)
    if not fits(out, type_number, ndim, shape) or overlap(<cnp.ndarray>out, <cnp.ndarray>a):
        return None
    if (b is not None and overlap(<cnp.ndarray>out, <cnp.ndarray>b)) or (
            c is not None and overlap(<cnp.ndarray>out, <cnp.ndarray>c)):
        return None
    return out


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


# ------------------------------------------------------------------------------------------------------------- dense

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
    if cnp.PyArray_TYPE(<cnp.ndarray>W) != type_number or (b is not None and not is_vector(b, type_number, weights.cols)):
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


# ------------------------------------------------------------------------------------------------------------ losses

cdef double sum_in_order(const double *x, ssize_t n) noexcept nogil:
    """Pairwise, eight lanes at the bottom."""
    cdef double lane[8]
    cdef double few = 0
    cdef ssize_t i, j, half
    if n > 128:
        half = n // 16 * 8
        return sum_in_order(x, half) + sum_in_order(x + half, n - half)
    for j in range(8):
        lane[j] = 0
    for i in range(n // 8):
        for j in range(8):
            lane[j] += x[8 * i + j]
    for i in range(n // 8 * 8, n):
        few += x[i]
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7])) + few


def total(const double[::1] losses):
    """The sum of the losses of the rows, in the order in which the short cuts add."""
    return sum_in_order(&losses[0], losses.shape[0]) if losses.shape[0] else 0.0


ctypedef void (*loss_fn)(const fastnn_loss_args *) noexcept nogil


cdef inline int reduction_of(object reduction) noexcept:
    """0 for the sum, 1 for the mean; -1 for what is not reduced, or no reduction."""
    if type(reduction) is not str:
        return -1
    return 1 if <str>reduction == "mean" else 0 if <str>reduction == "sum" else -1


cdef bint read_labels(cnp.ndarray labels, ssize_t rows, ssize_t classes, int32_t *result) noexcept:
    """Labels of a usual integer dtype as int32; False if one of them is out of range."""
    cdef const int64_t *wide = <const int64_t *>cnp.PyArray_DATA(labels)
    cdef const int32_t *narrow = <const int32_t *>cnp.PyArray_DATA(labels)
    cdef ssize_t i
    cdef bint wrong = classes > LONGEST
    if cnp.PyArray_ITEMSIZE(labels) == 8:
        for i in range(rows):
            wrong |= wide[i] < 0 or wide[i] >= classes
            result[i] = <int32_t>wide[i]
    else:
        for i in range(rows):
            wrong |= narrow[i] < 0 or narrow[i] >= classes
            result[i] = narrow[i]
    return not wrong


cdef inline bint is_labels(cnp.ndarray t, cnp.ndarray p) noexcept:
    """Signed integers of 32 or 64 bits, one for each row of p."""
    cdef int d, size = <int>cnp.PyArray_ITEMSIZE(t)
    if not cnp.PyTypeNum_ISSIGNED(cnp.PyArray_TYPE(t)) or not cnp.PyTypeNum_ISINTEGER(cnp.PyArray_TYPE(t)):
        return False
    if (size != 4 and size != 8) or not cnp.PyArray_ISCARRAY_RO(t):
        return False
    if cnp.PyArray_NDIM(t) != cnp.PyArray_NDIM(p) - 1 or cnp.PyArray_NDIM(t) == 0:
        return False
    for d in range(cnp.PyArray_NDIM(t)):
        if cnp.PyArray_DIM(t, d) != cnp.PyArray_DIM(p, d):
            return False
    return True


cdef bint run_loss(int row, loss_fn by_rows, fastnn_loss_args *a, cnp.ndarray p, object targets, double *sum) except -1:
    """Apply an element-wise row or a loss of whole rows to p and targets, once the gradient's memory is known.

    False if the targets are no simple case. grad, probs, grad_scale and params are the caller's.
    """
    cdef double losses[MOST_ROWS]
    cdef int32_t few_labels[MOST_ROWS]
    cdef int32_t *labels = few_labels
    cdef const fastnn_dtype_kernels *k = table_of(p)
    cdef cnp.ndarray t
    cdef char *memory = NULL
    cdef bint sparse = False, done = True
    if not cnp.PyArray_CheckExact(targets) or cnp.PyArray_SIZE(p) == 0:
        return False
    t = <cnp.ndarray>targets
    if not (is_simple(t) and same_kind(p, t)):
        if by_rows == NULL or not is_labels(t, p):
            return False
        sparse = True
    a.cols = cnp.PyArray_DIM(p, cnp.PyArray_NDIM(p) - 1)
    a.rows = cnp.PyArray_SIZE(p) // <ssize_t>a.cols
    a.pred, a.target, a.row_weight, a.ignore = cnp.PyArray_DATA(p), cnp.PyArray_DATA(t), NULL, -1
    a.row_loss, a.labels = losses, NULL
    if a.rows > MOST_ROWS:
        memory = <char *>PyMem_Malloc(a.rows * (sizeof(double) + sizeof(int32_t)))
        if memory == NULL:
            return False
        a.row_loss, labels = <double *>memory, <int32_t *>(memory + a.rows * sizeof(double))
    if sparse:
        a.labels, a.target = labels, NULL
        done = read_labels(t, a.rows, a.cols, labels)
    if done:
        if cnp.PyArray_SIZE(p) < RELEASE_GIL:
            if by_rows == NULL:
                k.elementwise_loss(row, a)
            else:
                by_rows(a)
        else:
            with nogil:
                if by_rows == NULL:
                    k.elementwise_loss(row, a)
                else:
                    by_rows(a)
        if sum != NULL:
            sum[0] = sum_in_order(a.row_loss, a.rows)
    PyMem_Free(memory)
    return done


cdef object grad_for(object p, object t, object out):
    """Memory for the gradient of p, which it may be; it may be an element-wise target too, but no other part of one."""
    if not is_simple(p) or not cnp.PyArray_CheckExact(t):
        return None
    if out is not None and cnp.PyArray_CheckExact(out) and overlap(out, t):
        return None
    return fresh_or(out, <cnp.ndarray>p, None)


def loss(int row, p, t, tuple params, reduction):
    """An element-wise loss."""
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction)
    if mean < 0 or not is_simple(p):
        return None
    read_params(params, values)
    a.grad, a.probs, a.grad_scale, a.params = NULL, NULL, 0, values
    if not run_loss(row, NULL, &a, <cnp.ndarray>p, t, &sum):
        return None
    return sum * (a.cols * (1.0 / cnp.PyArray_SIZE(<cnp.ndarray>p) if mean else 1.0))


def loss_backward(int row, p, t, tuple params, scale, out):
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    cdef double factor
    if scale is not None and type(scale) is not float:
        return None
    grad = grad_for(p, t, out)
    if grad is None or cnp.PyArray_SIZE(<cnp.ndarray>p) == 0:
        return None
    factor = 1.0 / cnp.PyArray_SIZE(<cnp.ndarray>p) if scale is None else <double>scale
    read_params(params, values)
    a.grad, a.probs, a.params = data_of(grad), NULL, values
    a.grad_scale = factor * cnp.PyArray_DIM(<cnp.ndarray>p, cnp.PyArray_NDIM(<cnp.ndarray>p) - 1)
    return grad if run_loss(row, NULL, &a, <cnp.ndarray>p, t, NULL) else None


def loss_with_grad(int row, p, t, tuple params, reduction, out):
    """(loss, grad)"""
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    cdef double sum, factor
    cdef int mean = reduction_of(reduction)
    if mean < 0:
        return None
    grad = grad_for(p, t, out)
    if grad is None or cnp.PyArray_SIZE(<cnp.ndarray>p) == 0:
        return None
    factor = 1.0 / cnp.PyArray_SIZE(<cnp.ndarray>p) if mean else 1.0
    read_params(params, values)
    a.grad, a.probs, a.params = data_of(grad), NULL, values
    a.grad_scale = factor * cnp.PyArray_DIM(<cnp.ndarray>p, cnp.PyArray_NDIM(<cnp.ndarray>p) - 1)
    if not run_loss(row, NULL, &a, <cnp.ndarray>p, t, &sum):
        return None
    return sum * (a.cols * factor), grad


cdef inline double row_factor(cnp.ndarray p, bint mean) noexcept:
    """What the losses of the rows of a simple array are multiplied by."""
    cdef ssize_t size = cnp.PyArray_SIZE(p)
    return 1.0 / (size // cnp.PyArray_DIM(p, cnp.PyArray_NDIM(p) - 1)) if mean and size else 1.0


def softmax_cross_entropy(logits, targets, reduction):
    """(loss, probs)"""
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction)
    if mean < 0 or not is_simple(logits):
        return None
    probs = fresh_or(None, <cnp.ndarray>logits, None)
    a.grad, a.probs, a.grad_scale, a.params = NULL, data_of(probs), 1, NULL
    if not run_loss(0, table_of(<cnp.ndarray>logits).softmax_cross_entropy, &a, <cnp.ndarray>logits, targets, &sum):
        return None
    return sum * row_factor(<cnp.ndarray>logits, mean), probs


def softmax_cross_entropy_with_grad(logits, targets, reduction, out):
    """(loss, grad)"""
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction)
    if mean < 0:
        return None
    grad = grad_for(logits, targets, out)
    if grad is None:
        return None
    a.grad, a.probs, a.params = data_of(grad), NULL, NULL
    a.grad_scale = row_factor(<cnp.ndarray>logits, mean)
    if not run_loss(0, table_of(<cnp.ndarray>logits).softmax_cross_entropy, &a, <cnp.ndarray>logits, targets, &sum):
        return None
    return sum * a.grad_scale, grad


def softmax_cross_entropy_backward(probs, targets, scale, out):
    cdef fastnn_loss_args a
    if scale is not None and type(scale) is not float:
        return None
    grad = grad_for(probs, targets, out)
    if grad is None:
        return None
    a.grad, a.probs, a.params = data_of(grad), NULL, NULL
    a.grad_scale = row_factor(<cnp.ndarray>probs, True) if scale is None else <double>scale
    if not run_loss(0, table_of(<cnp.ndarray>probs).softmax_cross_entropy_backward, &a, <cnp.ndarray>probs, targets,
                    NULL):
        return None
    return grad


def cross_entropy(probs, targets, double eps, reduction):
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction)
    if mean < 0 or not is_simple(probs):
        return None
    a.grad, a.probs, a.grad_scale, a.params = NULL, NULL, 1, &eps
    if not run_loss(0, table_of(<cnp.ndarray>probs).categorical_cross_entropy, &a, <cnp.ndarray>probs, targets, &sum):
        return None
    return sum * row_factor(<cnp.ndarray>probs, mean)


def cross_entropy_backward(probs, targets, double eps, scale, out):
    cdef fastnn_loss_args a
    if scale is not None and type(scale) is not float:
        return None
    grad = grad_for(probs, targets, out)
    if grad is None:
        return None
    a.grad, a.probs, a.params = data_of(grad), NULL, &eps
    a.grad_scale = row_factor(<cnp.ndarray>probs, True) if scale is None else <double>scale
    if not run_loss(0, table_of(<cnp.ndarray>probs).categorical_cross_entropy, &a, <cnp.ndarray>probs, targets, NULL):
        return None
    return grad


def cross_entropy_with_grad(probs, targets, double eps, reduction, out):
    """(loss, grad)"""
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction)
    if mean < 0:
        return None
    grad = grad_for(probs, targets, out)
    if grad is None:
        return None
    a.grad, a.probs, a.params = data_of(grad), NULL, &eps
    a.grad_scale = row_factor(<cnp.ndarray>probs, mean)
    if not run_loss(0, table_of(<cnp.ndarray>probs).categorical_cross_entropy, &a, <cnp.ndarray>probs, targets, &sum):
        return None
    return sum * a.grad_scale, grad


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


# -------------------------------------------------------------------------------------------------------- optimizers

cdef bint is_group(tuple arrays) noexcept:
    """Whether parameter, gradient and slots can be updated together: simple, of one kind, each with its own memory."""
    cdef cnp.ndarray p
    cdef Py_ssize_t i, j, n = len(arrays)
    if n > FASTNN_MAX_SLOTS + 2 or not is_simple(arrays[0]):
        return False
    p = <cnp.ndarray>arrays[0]
    if cnp.PyArray_SIZE(p) == 0:
        return False
    for i in range(n):
        if not is_simple(arrays[i]) or not same_kind(p, <cnp.ndarray>arrays[i]):
            return False
        if i != 1 and not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>arrays[i]):
            return False
        for j in range(i):
            if overlap(<cnp.ndarray>arrays[i], <cnp.ndarray>arrays[j]):
                return False
    return True


cdef int update_group(int row, const double *values, tuple arrays) except -1:
    cdef update_task t
    cdef cnp.ndarray p = <cnp.ndarray>arrays[0]
    cdef Py_ssize_t i, slots = len(arrays) - 2
    t.k, t.row, t.slots, t.scalars = table_of(p), row, <int>slots, values
    t.n, t.item, t.p, t.g = cnp.PyArray_SIZE(p), cnp.PyArray_ITEMSIZE(p), <char *>data_of(p), <char *>data_of(arrays[1])
    for i in range(slots):
        t.slot[i] = <char *>data_of(arrays[i + 2])
    return run_update(&t)


def update(int row, tuple scalars, tuple arrays):
    """One parameter: arrays are parameter, gradient and slots. Whether it is done."""
    cdef double values[FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS]
    if not is_group(arrays):
        return False
    read_scalars(scalars, values)
    update_group(row, values, arrays)
    return True


def update_many(int row, tuple scalars, tuple collections):
    """Parameters, gradients and slots in dicts, or in lists or tuples. Whether it is done: all or none."""
    cdef double values[FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS]
    cdef list groups
    cdef tuple group
    cdef Py_ssize_t n = -1
    cdef bint named = type(collections[0]) is dict
    for collection in collections:
        if (type(collection) is not dict) if named else (type(collection) is not list and type(collection) is not tuple):
            return False
        if n >= 0 and len(collection) != n:
            return False
        n = len(collection)
    if named:
        groups = []
        for key in <dict>collections[0]:
            group = tuple([(<dict>collection).get(key) for collection in collections])
            groups.append(group)
    else:
        groups = list(zip(*collections))
    for group in groups:
        if not is_group(group):
            return False
    read_scalars(scalars, values)
    for group in groups:
        update_group(row, values, group)
    return True
