"""Normalisation: the part of the kernel protocol (fastnn.backend), and the steps of plans (fastnn/engine/plan.py).

A geometry is the tuple (images, outer, channels, inner, groups, row_tile, col_tile) of fastnn.ops._norm_geometry.  Work
is cut into the tiles of the geometry, or into rows; callers are trusted, as in _ops.pyx.
"""
cimport numpy as cnp

from fastnn._native._core cimport fastnn_dtype_kernels, parallel_for, thread_limit
from fastnn._native._norm_plan cimport (
    FASTNN_NORM_ADDED, FASTNN_NORM_LAYER, FASTNN_NORM_RMS, FASTNN_NORM_SCALED, FASTNN_NORM_UNIT, fastnn_norm,
    fastnn_norm_statistics,
)
from fastnn._native._ops cimport CHUNK, PARALLEL, data_of, table_of
from fastnn._native._steps cimport BY_ROWS, WHOLE, define, ptr, run_t, span, step_t

import numpy as np

cnp.import_array()

cdef dict KINDS = {
    "layer": FASTNN_NORM_LAYER, "rms": FASTNN_NORM_RMS, "unit": FASTNN_NORM_UNIT, "scaled": FASTNN_NORM_SCALED,
}

cdef enum:
    ROW_TILE = 16            # rows at least that share sums of gradients


cdef inline ssize_t tiles_of(const fastnn_norm *g) noexcept nogil:
    return g.images * ((g.outer + g.row_tile - 1) // g.row_tile) * ((g.channels + g.col_tile - 1) // g.col_tile)


# ------------------------------------------------------------------------------------------------------ array functions

ctypedef struct norm_task:
    const fastnn_dtype_kernels *k
    fastnn_norm g
    int kind
    ssize_t tiles
    ssize_t per_block
    ssize_t rows
    ssize_t cols
    ssize_t item
    const char *dy
    const char *x
    const void *gamma
    const void *beta
    const void *coefficients
    char *y                  # y or dx
    double *partial
    double *mean
    double *inverse
    double numbers[3]
    size_t size

cdef void moments_block(void *task, ssize_t block) noexcept nogil:
    cdef norm_task *t = <norm_task *>task
    cdef ssize_t i
    for i in range(block * t.per_block, min(t.tiles, (block + 1) * t.per_block)):
        t.k.norm.moments(&t.g, i, t.x, t.partial)


cdef void apply_block(void *task, ssize_t block) noexcept nogil:
    cdef norm_task *t = <norm_task *>task
    cdef ssize_t i
    for i in range(block * t.per_block, min(t.tiles, (block + 1) * t.per_block)):
        t.k.norm.apply(&t.g, i, t.x, t.coefficients, t.y)


cdef void sums_block(void *task, ssize_t block) noexcept nogil:
    cdef norm_task *t = <norm_task *>task
    cdef ssize_t i
    for i in range(block * t.per_block, min(t.tiles, (block + 1) * t.per_block)):
        t.k.norm.sums(&t.g, i, t.dy, t.x, t.coefficients, t.partial)


cdef void backward_block(void *task, ssize_t block) noexcept nogil:
    cdef norm_task *t = <norm_task *>task
    cdef ssize_t i
    for i in range(block * t.per_block, min(t.tiles, (block + 1) * t.per_block)):
        t.k.norm.backward(&t.g, i, t.dy, t.x, t.coefficients, t.y)


cdef int threads_for(ssize_t elements) except -1:
    return thread_limit() if elements >= PARALLEL else 1


cdef int describe(norm_task *t, cnp.ndarray x, tuple geometry) except -1:
    t.k, t.x, t.item = table_of(x), <const char *>data_of(x), cnp.PyArray_ITEMSIZE(x)
    t.g.images, t.g.outer, t.g.channels, t.g.inner, t.g.groups, t.g.row_tile, t.g.col_tile = geometry
    t.tiles = tiles_of(&t.g)
    t.per_block = max(<ssize_t>1, <ssize_t>(CHUNK // max(<size_t>1, t.g.row_tile * t.g.col_tile * t.g.inner)))
    return 0


cdef object partial_of(norm_task *t):
    return np.empty(t.g.images * ((t.g.outer + t.g.row_tile - 1) // t.g.row_tile) * 2 * t.g.channels)


def group_norm(cnp.ndarray x, gamma, beta, mean, variance, cnp.ndarray y, cnp.ndarray stats, tuple geometry, bint fixed,
               bint unbiased, double eps, double momentum):
    cdef norm_task t
    cdef fastnn_norm_statistics s
    cdef int threads = threads_for(cnp.PyArray_SIZE(x))
    cdef ssize_t blocks
    describe(&t, x, geometry)
    partial = None if fixed else partial_of(&t)
    coefficients = np.empty(3 * t.g.images * t.g.channels, x.dtype)
    s.partial, s.gamma, s.beta, s.mean = <double *>data_of(partial), data_of(gamma), data_of(beta), data_of(mean)
    s.variance, s.eps, s.momentum, s.rule, s.unbiased = data_of(variance), eps, momentum, FASTNN_NORM_ADDED, unbiased
    s.stats, s.coefficients = <double *>data_of(stats), data_of(coefficients)
    t.partial, t.coefficients, t.y = s.partial, s.coefficients, <char *>data_of(y)
    blocks = (t.tiles + t.per_block - 1) // t.per_block
    with nogil:
        if s.partial != NULL:
            parallel_for(moments_block, &t, blocks, threads)
        t.k.norm.statistics(&t.g, &s)
        parallel_for(apply_block, &t, blocks, threads)


def group_norm_backward(cnp.ndarray dy, cnp.ndarray x, gamma, cnp.ndarray stats, dx, dgamma, dbeta, tuple geometry,
                        bint fixed):
    cdef norm_task t
    cdef int threads = threads_for(cnp.PyArray_SIZE(x))
    cdef ssize_t blocks, n, channels, cells
    cdef const void *factors = data_of(gamma)
    cdef void *dgammas = data_of(dgamma)
    cdef void *dbetas = data_of(dbeta)
    cdef const double *given = <const double *>data_of(stats)
    describe(&t, x, geometry)
    partial = partial_of(&t)
    n, channels = t.g.images, t.g.channels
    cells = n * channels
    # the centres that the forward pass took
    centres = np.repeat(stats[0].reshape(n, -1), channels // t.g.groups, axis=1).astype(x.dtype)
    coefficients = np.empty(4 * cells, x.dtype)
    t.partial, t.coefficients = <double *>data_of(partial), data_of(centres)
    t.dy, t.y = <const char *>data_of(dy), <char *>data_of(dx)
    blocks = (t.tiles + t.per_block - 1) // t.per_block
    with nogil:
        parallel_for(sums_block, &t, blocks, threads)
    t.coefficients = data_of(coefficients)
    t.k.norm.gradients(&t.g, t.partial, factors, given, fixed, dgammas, dbetas, <void *>t.coefficients)
    if dx is None:
        return
    with nogil:
        if fixed:
            t.x = t.dy
            parallel_for(apply_block, &t, blocks, threads)
        else:
            parallel_for(backward_block, &t, blocks, threads)


cdef int describe_rows(norm_task *t, cnp.ndarray x, ssize_t least) except -1:
    t.k, t.x, t.item = table_of(x), <const char *>data_of(x), cnp.PyArray_ITEMSIZE(x)
    t.rows, t.cols = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1)
    t.per_block = max(least, CHUNK // max(<ssize_t>1, t.cols))
    t.tiles = (t.rows + t.per_block - 1) // t.per_block
    return 0


cdef void rows_block(void *task, ssize_t block) noexcept nogil:
    cdef norm_task *t = <norm_task *>task
    cdef ssize_t first = block * t.per_block, rows = min(t.per_block, t.rows - first), at = first * t.cols * t.item
    t.k.norm.rows(t.kind, rows, t.cols, t.x + at, t.gamma, t.beta, t.numbers[0], t.y + at, t.mean + first,
                  t.inverse + first)


cdef void rows_backward_block(void *task, ssize_t block) noexcept nogil:
    cdef norm_task *t = <norm_task *>task
    cdef ssize_t first = block * t.per_block, rows = min(t.per_block, t.rows - first), at = first * t.cols * t.item
    t.k.norm.rows_backward(t.kind, rows, t.cols, t.dy + at, t.x + at, t.gamma, t.numbers[0], t.mean + first,
                           t.inverse + first, NULL if t.y == NULL else t.y + at,
                           NULL if t.partial == NULL else t.partial + 2 * block * t.cols)


def row_norm(kind, cnp.ndarray x, gamma, beta, cnp.ndarray y, cnp.ndarray stats, double eps):
    cdef norm_task t
    cdef int threads = threads_for(cnp.PyArray_SIZE(x))
    describe_rows(&t, x, 1)
    t.kind, t.gamma, t.beta, t.y, t.numbers[0] = KINDS[kind], data_of(gamma), data_of(beta), <char *>data_of(y), eps
    t.mean = <double *>data_of(stats)
    t.inverse = t.mean + t.rows
    with nogil:
        parallel_for(rows_block, &t, t.tiles, threads)


def row_norm_backward(kind, cnp.ndarray dy, cnp.ndarray x, gamma, cnp.ndarray stats, dx, dgamma, dbeta, double eps):
    cdef norm_task t
    cdef int threads = threads_for(cnp.PyArray_SIZE(x))
    cdef void *dgammas = data_of(dgamma)
    cdef void *dbetas = data_of(dbeta)
    cdef bint wanted = dgammas != NULL or dbetas != NULL
    describe_rows(&t, x, ROW_TILE)
    partial = np.empty(2 * t.tiles * t.cols) if wanted else None
    t.kind, t.gamma, t.numbers[0] = KINDS[kind], data_of(gamma), eps
    t.dy, t.y = <char *>data_of(dy), <char *>data_of(dx)
    t.mean, t.partial = <double *>data_of(stats), <double *>data_of(partial)
    t.inverse = t.mean + t.rows
    with nogil:
        parallel_for(rows_backward_block, &t, t.tiles, threads)
        if wanted:
            t.k.norm.rows_gradients(t.tiles, t.cols, t.partial, dgammas, dbetas)


cdef void lrn_block(void *task, ssize_t block) noexcept nogil:
    cdef norm_task *t = <norm_task *>task
    cdef ssize_t first = block * t.per_block, rows = min(t.per_block, t.rows - first), at = first * t.cols * t.item
    if t.dy == NULL:
        t.k.norm.lrn(rows, t.cols, t.size, t.numbers[0], t.numbers[1], t.numbers[2], t.x + at, t.y + at)
    else:
        t.k.norm.lrn_backward(rows, t.cols, t.size, t.numbers[0], t.numbers[1], t.numbers[2], t.dy + at, t.x + at,
                              t.y + at)


cdef int run_lrn(object dy, cnp.ndarray x, cnp.ndarray out, size_t size, double alpha, double beta, double k) except -1:
    cdef norm_task t
    cdef int threads = threads_for(cnp.PyArray_SIZE(x))
    describe_rows(&t, x, 1)
    t.dy, t.y, t.size = <char *>data_of(dy), <char *>data_of(out), size
    t.numbers[0], t.numbers[1], t.numbers[2] = alpha, beta, k
    with nogil:
        parallel_for(lrn_block, &t, t.tiles, threads)
    return 0


def local_response(cnp.ndarray x, cnp.ndarray y, size_t size, double alpha, double beta, double k):
    run_lrn(None, x, y, size, alpha, beta, k)


def local_response_backward(cnp.ndarray dy, cnp.ndarray x, cnp.ndarray dx, size_t size, double alpha, double beta,
                            double k):
    run_lrn(dy, x, dx, size, alpha, beta, k)


# ------------------------------------------------------------------------------------------------------ steps of a plan
# ints of the steps norm_*: tiles, elements of a tile, geometry

cdef inline fastnn_norm geometry_of(step_t *s) noexcept nogil:
    cdef fastnn_norm g
    g.images, g.outer, g.channels, g.inner, g.groups = s.ints[2], s.ints[3], s.ints[4], s.ints[5], s.ints[6]
    g.row_tile, g.col_tile = s.ints[7], s.ints[8]
    return g


cdef void do_moments(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_norm g = geometry_of(s)
    cdef ssize_t first = block * s.per_block, i
    for i in range(first, first + span(s, block)):
        r.k.norm.moments(&g, i, ptr(r, s, 0), <double *>ptr(r, s, 1))


cdef void do_statistics(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_norm g = geometry_of(s)
    cdef fastnn_norm_statistics a
    a.partial, a.gamma, a.beta = <double *>ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 2)
    a.mean, a.variance, a.stats, a.coefficients = ptr(r, s, 3), ptr(r, s, 4), <double *>ptr(r, s, 5), ptr(r, s, 6)
    a.rule, a.eps, a.momentum, a.unbiased = <int>s.ints[9], s.reals[0], s.reals[1], False
    r.k.norm.statistics(&g, &a)


cdef void do_apply(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_norm g = geometry_of(s)
    cdef ssize_t first = block * s.per_block, i
    for i in range(first, first + span(s, block)):
        r.k.norm.apply(&g, i, ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 2))


cdef void do_sums(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_norm g = geometry_of(s)
    cdef ssize_t first = block * s.per_block, i
    for i in range(first, first + span(s, block)):
        r.k.norm.sums(&g, i, ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 2), <double *>ptr(r, s, 3))


cdef void do_gradients(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_norm g = geometry_of(s)
    r.k.norm.gradients(&g, <double *>ptr(r, s, 0), ptr(r, s, 1), <const double *>ptr(r, s, 2), False, ptr(r, s, 3),
                       ptr(r, s, 4), ptr(r, s, 5))


cdef void do_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_norm g = geometry_of(s)
    cdef ssize_t first = block * s.per_block, i
    for i in range(first, first + span(s, block)):
        r.k.norm.backward(&g, i, ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 2), ptr(r, s, 3))


cdef void do_rows(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    cdef double *stats = <double *>ptr(r, s, 4)
    r.k.norm.rows(<int>s.ints[2], span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1), ptr(r, s, 2), s.reals[0],
                  ptr(r, s, 3) + at, stats + first, stats + s.ints[0] + first)


cdef void do_rows_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    # ints: tiles, elements of a tile, kind, rows, cols, rows of a tile
    cdef ssize_t rows = s.ints[3], cols = s.ints[4], tile, first, at
    cdef char *dx = ptr(r, s, 4)
    cdef double *stats = <double *>ptr(r, s, 3)
    cdef double *sums = <double *>ptr(r, s, 5)
    for tile in range(block * s.per_block, block * s.per_block + span(s, block)):
        first = tile * s.ints[5]
        at = first * cols * r.item
        r.k.norm.rows_backward(<int>s.ints[2], min(s.ints[5], rows - first), cols, ptr(r, s, 0) + at,
                               ptr(r, s, 1) + at, ptr(r, s, 2), s.reals[0], stats + first, stats + rows + first,
                               NULL if dx == NULL else dx + at, NULL if sums == NULL else sums + 2 * tile * cols)


cdef void do_rows_gradients(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.norm.rows_gradients(s.ints[0], s.ints[1], <const double *>ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 2))


cdef void do_local_response(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.norm.lrn(span(s, block), s.ints[1], s.ints[2], s.reals[0], s.reals[1], s.reals[2], ptr(r, s, 0) + at,
                 ptr(r, s, 1) + at)


cdef void do_local_response_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.norm.lrn_backward(span(s, block), s.ints[1], s.ints[2], s.reals[0], s.reals[1], s.reals[2], ptr(r, s, 0) + at,
                          ptr(r, s, 1) + at, ptr(r, s, 2) + at)


define("norm_moments", do_moments, BY_ROWS, 2)
define("norm_statistics", do_statistics, WHOLE, 7)
define("norm_apply", do_apply, BY_ROWS, 3)
define("norm_sums", do_sums, BY_ROWS, 4)
define("norm_gradients", do_gradients, WHOLE, 6)
define("norm_backward", do_backward, BY_ROWS, 4)
define("norm_rows", do_rows, BY_ROWS, 5)
define("norm_rows_backward", do_rows_backward, BY_ROWS, 6)
define("norm_rows_gradients", do_rows_gradients, WHOLE, 3)
define("local_response", do_local_response, BY_ROWS, 2)
define("local_response_backward", do_local_response_backward, BY_ROWS, 3)
