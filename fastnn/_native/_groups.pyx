"""The part of the kernel protocol (fastnn.backend) that activations need beyond single elements.

Activations with learned parameters for every column, gates over two halves of a row, maxout, softmin, sparsemax, and
random slopes.  As in _ops.pyx, callers are trusted: C-contiguous arrays of one real dtype, matrices (rows, cols).
Work is cut into blocks by shape alone: of rows, or of columns where something is summed over the rows.
"""
cimport numpy as cnp
from libc.stdint cimport uint32_t, uint64_t

from fastnn._native._core cimport (
    FASTNN_MAX_PARAMS, fastnn_dtype_kernels, parallel_for, rows_backward_fn, rows_fn, thread_limit,
)
from fastnn._native._ops cimport CHUNK, PARALLEL, data_of, read_params, table_of
from fastnn._native import _core

cnp.import_array()

cdef dict ACTIVATION_ROW = {row[0]: i for i, row in enumerate(_core.tables()["activations"])}
cdef dict LEARNED_ROW = {row[0]: i for i, row in enumerate(_core.tables()["learned"])}

cdef enum:
    COLUMNS = 128            # columns per block, where blocks are of columns


cdef inline char *bytes_of(object x) noexcept:
    return <char *>data_of(x)


# What a block needs; which members count depends on the function.
ctypedef struct group_task:
    const fastnn_dtype_kernels *k
    rows_fn one
    rows_backward_fn two
    int row
    ssize_t rows
    ssize_t cols             # of y
    ssize_t wide             # of x: more than cols for gates and maxout
    ssize_t pieces
    ssize_t item
    ssize_t per_block
    const char *dy
    const char *x
    const char *params
    char *y                  # y or dx
    double *sums
    double numbers[FASTNN_MAX_PARAMS]
    uint64_t seed
    uint32_t stream
    uint32_t step

ctypedef void (*group_fn)(void *task, ssize_t block) noexcept nogil


cdef void describe(group_task *t, cnp.ndarray x, cnp.ndarray narrow) noexcept:
    """x and the array of as many columns as the output of the forward pass has."""
    t.k = table_of(x)
    t.rows, t.wide, t.cols = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(narrow, 1)
    t.item = cnp.PyArray_ITEMSIZE(x)
    t.x = bytes_of(x)


cdef int run(group_task *t, group_fn block, ssize_t units, ssize_t per_block) except -1:
    cdef ssize_t elements = t.rows * t.wide
    cdef int threads
    if elements == 0:
        return 0
    t.per_block = max(<ssize_t>1, per_block)
    threads = thread_limit() if elements >= PARALLEL else 1
    with nogil:
        parallel_for(block, t, (units + t.per_block - 1) // t.per_block, threads)
    return 0


cdef int run_over_rows(group_task *t, group_fn block) except -1:
    return run(t, block, t.rows, CHUNK // max(<ssize_t>1, t.wide))


# -------------------------------------------------------------------------------------------------- learned parameters

cdef void learned_block(void *task, ssize_t block) noexcept nogil:
    cdef group_task *t = <group_task *>task
    cdef ssize_t first = block * t.per_block, at = first * t.cols * t.item
    t.k.learned_forward(t.row, min(t.per_block, t.rows - first), t.cols, t.x + at, t.params, t.cols, t.pieces, t.y + at)


cdef void learned_backward_block(void *task, ssize_t block) noexcept nogil:
    cdef group_task *t = <group_task *>task
    cdef ssize_t first = block * t.per_block, at = first * t.item
    t.k.learned_backward(t.row, t.rows, min(t.per_block, t.cols - first), t.cols, t.dy + at, t.x + at, t.params + at,
                         t.cols, t.pieces, NULL if t.y == NULL else t.y + at,
                         NULL if t.sums == NULL else t.sums + first)


cdef void describe_learned(group_task *t, row, cnp.ndarray x, cnp.ndarray params) except *:
    describe(t, x, x)
    t.row = LEARNED_ROW[row]
    t.params = bytes_of(params)
    t.pieces = cnp.PyArray_DIM(params, 0) // <ssize_t>t.k.learned[t.row].count


def learned_forward(row, cnp.ndarray x, cnp.ndarray params, cnp.ndarray y):
    cdef group_task t
    describe_learned(&t, row, x, params)
    t.y = bytes_of(y)
    run_over_rows(&t, learned_block)


def learned_backward(row, cnp.ndarray dy, cnp.ndarray x, cnp.ndarray params, dx, sums):
    cdef group_task t
    describe_learned(&t, row, x, params)
    t.dy, t.y, t.sums = bytes_of(dy), bytes_of(dx), <double *>data_of(sums)
    run(&t, learned_backward_block, t.cols, COLUMNS if t.rows * t.cols >= CHUNK else t.cols)


# ------------------------------------------------------------------------------------------------------ groups and rows

cdef void rows_block(void *task, ssize_t block) noexcept nogil:
    cdef group_task *t = <group_task *>task
    cdef ssize_t first = block * t.per_block, rows = min(t.per_block, t.rows - first), at = first * t.cols * t.item
    if t.one != NULL:
        t.one(rows, t.cols, t.x + at, t.y + at)
    else:
        t.two(rows, t.cols, t.dy + at, t.x + at, t.y + at)


cdef int run_rows(rows_fn one, rows_backward_fn two, object dy, cnp.ndarray x, cnp.ndarray y) except -1:
    cdef group_task t
    describe(&t, x, x)
    t.one, t.two, t.dy, t.y = one, two, bytes_of(dy), bytes_of(y)
    return run_over_rows(&t, rows_block)


def softmin(cnp.ndarray x, cnp.ndarray y):
    run_rows(table_of(x).softmin, NULL, None, x, y)


def softmin_backward(cnp.ndarray dy, cnp.ndarray y, cnp.ndarray dx):
    run_rows(NULL, table_of(dy).softmin_backward, dy, y, dx)


def sparsemax(cnp.ndarray x, cnp.ndarray y):
    run_rows(table_of(x).sparsemax, NULL, None, x, y)


def sparsemax_backward(cnp.ndarray dy, cnp.ndarray y, cnp.ndarray dx):
    run_rows(NULL, table_of(dy).sparsemax_backward, dy, y, dx)


cdef void gated_block(void *task, ssize_t block) noexcept nogil:
    cdef group_task *t = <group_task *>task
    cdef ssize_t first = block * t.per_block, rows = min(t.per_block, t.rows - first)
    cdef ssize_t wide = first * t.wide * t.item, narrow = first * t.cols * t.item
    if t.dy == NULL:
        t.k.gated_forward(t.row, rows, t.cols, t.x + wide, t.y + narrow, t.numbers)
    else:
        t.k.gated_backward(t.row, rows, t.cols, t.dy + narrow, t.x + wide, t.y + wide, t.numbers)


cdef int run_gated(row, object dy, cnp.ndarray x, cnp.ndarray narrow, cnp.ndarray out, tuple params) except -1:
    cdef group_task t
    describe(&t, x, narrow)
    read_params(params, t.numbers)
    t.row, t.dy, t.y = ACTIVATION_ROW[row], bytes_of(dy), bytes_of(out)
    return run_over_rows(&t, gated_block)


def gated_forward(row, cnp.ndarray x, cnp.ndarray y, tuple params):
    run_gated(row, None, x, y, y, params)


def gated_backward(row, cnp.ndarray dy, cnp.ndarray x, cnp.ndarray dx, tuple params):
    run_gated(row, dy, x, dy, dx, params)


cdef void maxout_block(void *task, ssize_t block) noexcept nogil:
    cdef group_task *t = <group_task *>task
    cdef ssize_t first = block * t.per_block, rows = min(t.per_block, t.rows - first)
    cdef ssize_t wide = first * t.wide * t.item, narrow = first * t.cols * t.item
    if t.dy == NULL:
        t.k.maxout(rows, t.cols, t.pieces, t.x + wide, t.y + narrow)
    else:
        t.k.maxout_backward(rows, t.cols, t.pieces, t.dy + narrow, t.x + wide, t.y + wide)


cdef int run_maxout(object dy, cnp.ndarray x, cnp.ndarray narrow, cnp.ndarray out) except -1:
    cdef group_task t
    describe(&t, x, narrow)
    t.dy, t.y, t.pieces = bytes_of(dy), bytes_of(out), t.wide // max(<ssize_t>1, t.cols)
    return run_over_rows(&t, maxout_block)


def maxout(cnp.ndarray x, cnp.ndarray y):
    run_maxout(None, x, y, y)


def maxout_backward(cnp.ndarray dy, cnp.ndarray x, cnp.ndarray dx):
    run_maxout(dy, x, dy, dx)


# ----------------------------------------------------------------------------------------------------- single elements

cdef void rrelu_block(void *task, ssize_t block) noexcept nogil:
    cdef group_task *t = <group_task *>task
    cdef ssize_t first = block * CHUNK, at = first * t.item          # whole Philox blocks
    t.k.rrelu(min(<ssize_t>CHUNK, t.wide - first), t.x + at, t.y + at, <char *>t.params + at, t.seed, t.stream, t.step,
              first, t.numbers[0], t.numbers[1])


cdef void multiply_block(void *task, ssize_t block) noexcept nogil:
    cdef group_task *t = <group_task *>task
    cdef ssize_t first = block * CHUNK, at = first * t.item
    t.k.multiply(min(<ssize_t>CHUNK, t.wide - first), t.x + at, t.dy + at, t.y + at)


cdef int run_elements(group_task *t, cnp.ndarray x, cnp.ndarray y, group_fn block) except -1:
    t.k, t.x, t.y = table_of(x), bytes_of(x), bytes_of(y)
    t.rows, t.wide, t.item = 1, cnp.PyArray_SIZE(x), cnp.PyArray_ITEMSIZE(x)
    return run(t, block, t.wide, CHUNK)


def rrelu(cnp.ndarray x, cnp.ndarray y, cnp.ndarray slopes, uint64_t seed, uint32_t stream, uint32_t step,
          double lower, double upper):
    cdef group_task t
    t.params, t.seed, t.stream, t.step = bytes_of(slopes), seed, stream, step
    t.numbers[0], t.numbers[1] = lower, upper
    run_elements(&t, x, y, rrelu_block)


def multiply(cnp.ndarray a, cnp.ndarray b, cnp.ndarray y):
    cdef group_task t
    t.dy = bytes_of(b)
    run_elements(&t, a, y, multiply_block)
