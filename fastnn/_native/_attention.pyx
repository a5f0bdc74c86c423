"""Attention: the part of the kernel protocol (fastnn.backend), and the steps of plans (fastnn/engine/plan.py).

The scores of all queries for all keys are kept, as weights, for the way back: there is no variant that computes them
again.  Rows of scores, heads or samples are what threads share; callers are trusted, as in _ops.pyx.
"""
cimport numpy as cnp
from libc.stdint cimport uint8_t
from libc.string cimport memset

from fastnn._native._core cimport (
    FASTNN_F32, FASTNN_F64, fastnn_attention, fastnn_dtype_kernels, gemm_block, gemm_task, parallel_for, plan_gemm,
    thread_limit,
)
from fastnn._native._ops cimport CHUNK, PARALLEL, data_of, table_of
from fastnn._native._steps cimport BY_PARTS, BY_ROWS, define, ptr, run_t, span, step_t

import numpy as np

cnp.import_array()

cdef enum:
    ALL = 1 << 30            # keys that a query sees on one side: those there are

cdef double FILL = -1e9      # in the place of a score that is left out
cdef double PARALLEL_FLOPS = 2e6


# ------------------------------------------------------------------------------------------------------ array functions

ctypedef struct products_task:
    gemm_task g
    ssize_t a_step           # bytes from product to product
    ssize_t b_step
    ssize_t c_step

ctypedef struct weights_task:
    const fastnn_dtype_kernels *k
    fastnn_attention a
    ssize_t rows
    ssize_t per_block
    ssize_t row_bytes
    const char *x            # scores, or gradients of weights
    const char *weights      # of the way back
    char *y


cdef void products_block(void *task, ssize_t block) noexcept nogil:
    cdef products_task *t = <products_task *>task
    cdef gemm_task g = t.g
    cdef ssize_t number = block // g.blocks
    g.a += number * t.a_step
    g.b += number * t.b_step
    g.c += number * t.c_step
    gemm_block(&g, block % g.blocks)


cdef int products(cnp.ndarray a, cnp.ndarray b, cnp.ndarray c, bint transpose_a, bint transpose_b) except -1:
    """c[i] = op(a[i]) op(b[i])"""
    cdef products_task t
    cdef ssize_t count = cnp.PyArray_DIM(c, 0), item = cnp.PyArray_ITEMSIZE(c), blocks
    cdef int threads = 1
    memset(&t, 0, sizeof(t))
    if cnp.PyArray_SIZE(c) == 0:
        return 0
    t.g.dtype = FASTNN_F64 if cnp.PyArray_TYPE(c) == cnp.NPY_DOUBLE else FASTNN_F32
    t.g.alpha, t.g.transpose_a, t.g.transpose_b = 1, transpose_a, transpose_b
    t.g.m, t.g.n = <int>cnp.PyArray_DIM(c, 1), <int>cnp.PyArray_DIM(c, 2)
    t.g.k = <int>cnp.PyArray_DIM(a, 1 if transpose_a else 2)
    t.g.lda, t.g.ldb, t.g.ldc = <int>cnp.PyArray_DIM(a, 2), <int>cnp.PyArray_DIM(b, 2), t.g.n
    t.g.a, t.g.b, t.g.c = <const char *>data_of(a), <const char *>data_of(b), <char *>data_of(c)
    t.a_step, t.b_step, t.c_step = item * t.g.m * t.g.k, item * t.g.k * t.g.n, item * t.g.m * t.g.n
    plan_gemm(&t.g)
    blocks = count * t.g.blocks
    if 2.0 * count * t.g.m * t.g.n * t.g.k >= PARALLEL_FLOPS:
        threads = thread_limit()
    with nogil:
        parallel_for(products_block, &t, blocks, threads)
    return 0


cdef void weights_block(void *task, ssize_t block) noexcept nogil:
    cdef weights_task *t = <weights_task *>task
    cdef ssize_t first = block * t.per_block, rows = min(t.per_block, t.rows - first), at = first * t.row_bytes
    if t.weights == NULL:
        t.k.attention_weights(&t.a, first, rows, t.x + at, t.y + at)
    else:
        t.k.attention_weights_backward(&t.a, first, rows, t.x + at, t.weights + at, t.y + at)


cdef int run_weights(cnp.ndarray x, object weights, cnp.ndarray y, object mask, double scale, bint causal) except -1:
    """Scores to weights, or, given the weights, their gradients to those of the scores; (heads, queries, keys)."""
    cdef weights_task t
    cdef int axis, threads = thread_limit() if cnp.PyArray_SIZE(x) >= PARALLEL else 1
    cdef ssize_t blocks
    memset(&t, 0, sizeof(t))
    t.k, t.a.heads = table_of(x), 1
    t.a.queries, t.a.keys = cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2)
    t.a.behind, t.a.ahead, t.a.scale, t.a.fill = ALL, 0 if causal else ALL, scale, FILL
    if mask is not None:
        t.a.mask = <const uint8_t *>data_of(mask)
        for axis in range(3):
            if cnp.PyArray_DIM(mask, axis) > 1:
                t.a.mask_steps[axis + (axis > 0)] = cnp.PyArray_STRIDE(mask, axis)
    t.rows, t.row_bytes = cnp.PyArray_DIM(x, 0) * cnp.PyArray_DIM(x, 1), t.a.keys * cnp.PyArray_ITEMSIZE(x)
    t.per_block = max(<ssize_t>1, CHUNK // max(<ssize_t>1, <ssize_t>t.a.keys))
    t.x, t.weights, t.y = <const char *>data_of(x), <const char *>data_of(weights), <char *>data_of(y)
    blocks = (t.rows + t.per_block - 1) // t.per_block
    with nogil:
        parallel_for(weights_block, &t, blocks, threads)
    return 0


def attention(cnp.ndarray q, cnp.ndarray k, cnp.ndarray v, mask, cnp.ndarray weights, cnp.ndarray y, double scale,
              bint causal):
    products(q, k, weights, False, True)
    run_weights(weights, None, weights, mask, scale, causal)
    products(weights, v, y, False, False)


def attention_backward(cnp.ndarray dy, cnp.ndarray q, cnp.ndarray k, cnp.ndarray v, mask, cnp.ndarray weights,
                       cnp.ndarray dq, cnp.ndarray dk, cnp.ndarray dv, double scale, bint causal):
    cdef cnp.ndarray scores = np.empty_like(weights)
    products(dy, v, scores, False, True)
    products(weights, dy, dv, True, False)
    run_weights(scores, weights, scores, mask, scale, causal)
    products(scores, k, dq, False, False)
    products(scores, q, dk, True, False)


# ---------------------------------------------------------------------------------------------------------------- steps

cdef void fill_in(run_t *r, step_t *s, fastnn_attention *a, int masks) noexcept nogil:
    cdef int i
    a.keys, a.heads, a.queries = s.ints[1], s.ints[2], s.ints[3]
    a.behind, a.ahead, a.shifted = s.ints[4], s.ints[5], s.ints[6] != 0
    for i in range(4):
        a.mask_steps[i] = s.ints[7 + i]
    a.query_mask, a.key_mask = <const uint8_t *>ptr(r, s, masks), <const uint8_t *>ptr(r, s, masks + 1)
    a.mask, a.scale, a.fill = <const uint8_t *>ptr(r, s, masks + 2), s.reals[0], s.reals[1]


cdef void do_attention_weights(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_attention a
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    fill_in(r, s, &a, 1)
    r.k.attention_weights(&a, first, span(s, block), ptr(r, s, 0) + at, ptr(r, s, 4) + at)


cdef void do_attention_weights_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_attention a
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    fill_in(r, s, &a, 2)
    r.k.attention_weights_backward(&a, first, span(s, block), ptr(r, s, 0) + at, ptr(r, s, 1) + at, ptr(r, s, 5) + at)


cdef void do_additive_scores(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t queries = s.ints[3], keys = s.ints[4], dim = s.ints[5], first = block * s.per_block, i
    for i in range(first, first + span(s, block)):
        r.k.additive_scores(queries, keys, dim, ptr(r, s, 0) + i * queries * dim * r.item,
                            ptr(r, s, 1) + i * keys * dim * r.item, ptr(r, s, 2),
                            ptr(r, s, 3) + i * queries * keys * r.item)


cdef void do_additive_scores_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t queries = s.ints[3], keys = s.ints[4], dim = s.ints[5], first = block * s.per_block, i
    cdef char *dv = ptr(r, s, 6)
    for i in range(first, first + span(s, block)):
        r.k.additive_scores_backward(
            queries, keys, dim, ptr(r, s, 0) + i * queries * keys * r.item, ptr(r, s, 1) + i * queries * dim * r.item,
            ptr(r, s, 2) + i * keys * dim * r.item, ptr(r, s, 3), ptr(r, s, 4) + i * queries * dim * r.item,
            ptr(r, s, 5) + i * keys * dim * r.item, NULL if dv == NULL else dv + i * dim * r.item)


define("attention_weights", do_attention_weights, BY_ROWS, 5)
define("attention_weights_backward", do_attention_weights_backward, BY_ROWS, 6)
define("additive_scores", do_additive_scores, BY_PARTS, 4)
define("additive_scores_backward", do_additive_scores_backward, BY_PARTS, 7)
