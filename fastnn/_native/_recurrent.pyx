"""Recurrent cells over whole sequences, masks of time steps, embeddings: kernel protocol and steps of the executor.

Arrays of the recurrent kernels are time-major (fastnn/reference/recurrent.py); a cell is the tuple (kind, order of the
gates, activation and its parameters, recurrent activation and its parameters).  Samples are cut into blocks by their
number alone, and each block runs through all time steps.
"""
cimport numpy as cnp
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset

from fastnn._native._core cimport (
    FASTNN_GRU, FASTNN_GRU_RESET_AFTER, FASTNN_LSTM, FASTNN_MAX_PARAMS, FASTNN_SIMPLE_RNN, fastnn_dtype_kernels,
    fastnn_recurrent, fastnn_time, parallel_for, thread_limit,
)
from fastnn._native._ops cimport data_of, read_params, table_of
from fastnn._native._steps cimport BY_COLUMNS, BY_PARTS, BY_ROWS, WHOLE, define, ptr, run_t, span, step_t
from fastnn._native import _core

import numpy as np

cnp.import_array()

cdef enum:
    WIDEST = 16                  # elements of the widest register
    HALF_REALS = 4               # where the parameters of a step's second activation begin

cdef dict ACTIVATION_ROW = {row[0]: i for i, row in enumerate(_core.tables()["activations"])}
cdef dict KIND = {"simple_rnn": FASTNN_SIMPLE_RNN, "lstm": FASTNN_LSTM, "gru": FASTNN_GRU,
                  "gru_reset_after": FASTNN_GRU_RESET_AFTER}
cdef int TANH = ACTIVATION_ROW["tanh"]
cdef int SIGMOID = ACTIVATION_ROW["sigmoid"]

# Work from which the samples are shared among threads.
cdef double PARALLEL_FLOPS = 2e6


def packed_size(kind, Py_ssize_t units):
    """Elements that packed recurrent weights take at most, on any machine and in both directions."""
    cdef Py_ssize_t gates = {"simple_rnn": 1, "lstm": 4}.get(kind, 3)
    return (units + WIDEST) * gates * (units + WIDEST)


def samples_of_a_block(Py_ssize_t batch):
    """Samples that go through a sequence together: enough to reuse the weights, few enough for eight threads."""
    return max(8, -(-batch // 8))


cdef int fill(fastnn_recurrent *r, tuple cell, double *params, double *recurrent) except -1:
    cdef int i
    kind, order, activation, first, gate, second = cell
    memset(r, 0, sizeof(fastnn_recurrent))
    r.kind, r.activation, r.recurrent_activation = KIND[kind], ACTIVATION_ROW[activation], ACTIVATION_ROW[gate]
    for i, place in enumerate(order):
        r.order[i] = place
    read_params(first, params)
    read_params(second, recurrent)
    r.params, r.recurrent_params = params, recurrent
    r.fused = r.activation == TANH and r.recurrent_activation == SIGMOID
    return 0


ctypedef struct task_t:
    const fastnn_dtype_kernels *k
    fastnn_recurrent r
    ssize_t per_block
    bint back


cdef void run_block(void *task, ssize_t block) noexcept nogil:
    cdef task_t *t = <task_t *>task
    cdef ssize_t first = block * t.per_block
    cdef ssize_t rows = min(t.per_block, <ssize_t>t.r.batch - first)
    if t.back:
        t.k.recurrent_backward(&t.r, first, rows)
    else:
        t.k.recurrent_forward(&t.r, first, rows)


cdef int run_recurrent(task_t *t, tuple cell, cnp.ndarray wh, cnp.ndarray h) except -1:
    """Pack the weights, then run the blocks."""
    cdef ssize_t batch = cnp.PyArray_DIM(h, 1), units = cnp.PyArray_DIM(h, 2), steps = cnp.PyArray_DIM(h, 0) - 1
    cdef ssize_t width = cnp.PyArray_DIM(wh, 1), packed = packed_size(cell[0], units)
    cdef double flops = 2.0 * batch * steps * units * width
    cdef int threads
    cdef bint apart = t.r.kind == FASTNN_GRU or t.r.kind == FASTNN_GRU_RESET_AFTER
    cdef const void *weights = data_of(wh)
    cdef char *memory
    space = np.empty(packed + batch * (width + units) + 128 // cnp.PyArray_ITEMSIZE(h), h.dtype)
    memory = <char *>data_of(space) + (-<size_t>data_of(space)) % 64
    t.k, t.r.batch, t.r.units, t.r.steps, t.r.packed = table_of(h), batch, units, steps, memory
    t.r.scratch = memory + packed * cnp.PyArray_ITEMSIZE(h)
    t.per_block = samples_of_a_block(batch) if flops >= PARALLEL_FLOPS else batch
    threads = thread_limit() if t.per_block < batch else 1
    with nogil:
        t.k.recurrent_pack(t.r.kind, apart, t.back, t.r.order, units, weights, memory)
        parallel_for(run_block, t, (batch + t.per_block - 1) // t.per_block, threads)
    return 0


def recurrent_forward(tuple cell, cnp.ndarray wh, cnp.ndarray bias, h0, c0, cnp.ndarray z, cnp.ndarray h, c, pre, mask):
    cdef double params[FASTNN_MAX_PARAMS]
    cdef double recurrent[FASTNN_MAX_PARAMS]
    cdef task_t t
    fill(&t.r, cell, params, recurrent)
    t.back = False
    t.r.bias, t.r.h0, t.r.c0, t.r.z, t.r.h = data_of(bias), data_of(h0), data_of(c0), data_of(z), data_of(h)
    t.r.c, t.r.pre, t.r.mask = data_of(c), data_of(pre), <const uint8_t *>data_of(mask)
    run_recurrent(&t, cell, wh, h)


def recurrent_backward(tuple cell, cnp.ndarray wh, cnp.ndarray z, cnp.ndarray h, c, pre, mask, dy, dh_last, dc_last,
                       cnp.ndarray dh, dc):
    cdef double params[FASTNN_MAX_PARAMS]
    cdef double recurrent[FASTNN_MAX_PARAMS]
    cdef task_t t
    fill(&t.r, cell, params, recurrent)
    t.back = True
    t.r.z, t.r.h, t.r.c, t.r.pre = data_of(z), data_of(h), data_of(c), data_of(pre)
    t.r.mask, t.r.dy = <const uint8_t *>data_of(mask), data_of(dy)
    t.r.dh_last, t.r.dc_last = data_of(dh_last), data_of(dc_last)
    t.r.dh, t.r.dc = data_of(dh), data_of(dc)
    run_recurrent(&t, cell, wh, h)


def embedding(cnp.ndarray w, cnp.ndarray index, cnp.ndarray out):
    """out (n, cols) = the rows index (n, int64) of w."""
    cdef const fastnn_dtype_kernels *k = table_of(w)
    cdef ssize_t n = cnp.PyArray_SIZE(index), cols = cnp.PyArray_DIM(w, 1)
    cdef const void *source = data_of(w)
    cdef const int64_t *rows = <const int64_t *>data_of(index)
    cdef void *to = data_of(out)
    cdef int kind = 1 if cnp.PyArray_ITEMSIZE(w) == 8 else 0
    with nogil:
        k.gather[kind](n, cols, source, rows, to)


def embedding_backward(cnp.ndarray dy, cnp.ndarray index, cnp.ndarray out):
    """out[index[i]] += dy[i], in the order of i."""
    cdef const fastnn_dtype_kernels *k = table_of(out)
    cdef ssize_t n = cnp.PyArray_SIZE(index), cols = cnp.PyArray_DIM(out, 1)
    cdef const void *source = data_of(dy)
    cdef const int64_t *rows = <const int64_t *>data_of(index)
    cdef void *to = data_of(out)
    with nogil:
        k.scatter_rows(n, cols, cols, source, rows, to)


# -------------------------------------------------------------------------------------------------------------- steps

cdef void describe(run_t *r, step_t *s, fastnn_recurrent *c) noexcept nogil:
    """The numbers of a recurrent step: samples, samples of a block, work, kind, steps, units, reversed, order."""
    cdef int i
    memset(c, 0, sizeof(fastnn_recurrent))
    c.batch, c.kind, c.steps, c.units, c.reversed = s.ints[0], <int>s.ints[3], s.ints[4], s.ints[5], <int>s.ints[6]
    for i in range(4):
        c.order[i] = <int32_t>s.ints[7 + i]
    c.activation, c.recurrent_activation = s.row, s.second_row
    c.params, c.recurrent_params = s.reals, s.reals + HALF_REALS
    c.fused = s.row == TANH and s.second_row == SIGMOID


cdef void do_pack(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef int32_t order[4]
    cdef int i
    # ints: kind, one matrix a gate, transposed, units, order
    for i in range(4):
        order[i] = <int32_t>s.ints[4 + i]
    r.k.recurrent_pack(<int>s.ints[0], <int>s.ints[1], <int>s.ints[2], order, s.ints[3], ptr(r, s, 0), ptr(r, s, 1))


cdef void do_recurrent(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_recurrent c
    describe(r, s, &c)
    c.packed, c.bias, c.h0, c.c0 = ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 2), ptr(r, s, 3)
    c.z, c.h, c.c, c.pre = ptr(r, s, 4), ptr(r, s, 5), ptr(r, s, 6), ptr(r, s, 7)
    c.mask, c.drop, c.dropped, c.scratch = <const uint8_t *>ptr(r, s, 8), ptr(r, s, 9), ptr(r, s, 10), ptr(r, s, 11)
    r.k.recurrent_forward(&c, block * s.per_block, span(s, block))


cdef void do_recurrent_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_recurrent c
    describe(r, s, &c)
    c.packed, c.z, c.h, c.c, c.pre = ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 2), ptr(r, s, 3), ptr(r, s, 4)
    c.mask, c.drop, c.dropped, c.scratch = <const uint8_t *>ptr(r, s, 5), ptr(r, s, 6), ptr(r, s, 7), ptr(r, s, 8)
    c.dy, c.dh_last, c.dc_last, c.dh, c.dc = ptr(r, s, 9), ptr(r, s, 10), ptr(r, s, 11), ptr(r, s, 12), ptr(r, s, 13)
    r.k.recurrent_backward(&c, block * s.per_block, span(s, block))


cdef void do_swap_time(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_time t
    t.batch, t.steps, t.features, t.ld = s.ints[0], s.ints[3], s.ints[4], s.ints[5]
    t.column, t.at = s.ints[6], s.ints[7]
    t.back, t.reversed, t.mask_reversed = <int>s.ints[8], <int>s.ints[9], <int>s.ints[10]
    t.mask = <const uint8_t *>ptr(r, s, 1)
    r.k.swap_time(&t, block * s.per_block, span(s, block), ptr(r, s, 0), ptr(r, s, 2))


cdef void do_repeat_multiply(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t n = s.ints[3], i
    cdef ssize_t at = block * s.per_block
    for i in range(at, at + span(s, block)):
        r.k.multiply(n, ptr(r, s, 0) + (s.ints[4] + i * n) * r.item, ptr(r, s, 1), ptr(r, s, 2) + i * n * r.item)


cdef void do_column_sums(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * r.item               # blocks of columns
    r.k.column_sums(s.ints[0], span(s, block), s.ints[2], ptr(r, s, 0) + s.ints[3] * r.item + at,
                    ptr(r, s, 1) + s.ints[4] * r.item + at)


cdef void do_mask_rows(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    cdef char *y = ptr(r, s, 1)
    r.k.mask_rows(span(s, block), s.ints[1], s.reals[0], ptr(r, s, 0) + at, NULL if y == NULL else y + at,
                  <uint8_t *>ptr(r, s, 2) + first)


cdef void do_keep_rows(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    r.k.keep_rows(span(s, block), s.ints[1], ptr(r, s, 0) + at, <const uint8_t *>ptr(r, s, 1) + first,
                  ptr(r, s, 2) + at)


cdef void do_mask_weights(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    """weights (rows) of a loss = mask, each entry for rows / entries of them, times those of the samples."""
    cdef const uint8_t *mask = <const uint8_t *>ptr(r, s, 0)
    cdef const double *given = <const double *>ptr(r, s, 1)
    cdef double *out = <double *>ptr(r, s, 2)
    cdef ssize_t entries = s.ints[0], each = s.ints[1], i
    cdef double valid = 0, scale = 1
    for i in range(entries):
        valid += mask[i] != 0
    if s.ints[2] and valid > 0:
        scale = entries / valid
    for i in range(entries * each):
        out[i] = scale if mask[i // each] else 0
        if given != NULL:
            out[i] = out[i] * given[i] if mask[i // each] else 0


cdef void do_weigh(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef double *values = <double *>ptr(r, s, 0)
    cdef const double *weights = <const double *>ptr(r, s, 1)
    cdef ssize_t i
    for i in range(s.ints[0]):
        values[i] = values[i] * weights[i] if weights[i] != 0 else 0


cdef void do_to_indices(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef const char *x = ptr(r, s, 0)
    cdef ssize_t n = s.ints[0], bad = r.k.to_indices(n, x, s.ints[1], <int64_t *>ptr(r, s, 1))
    cdef double value
    if bad == n or r.failed:
        return
    value = (<const double *>x)[bad] if r.item == 8 else (<const float *>x)[bad]
    with gil:
        (<object>r.program)._fail(IndexError(
            f"Embedding: indices must be whole numbers from 0 to {s.ints[1] - 1}. Received: {value:g}"))
        r.failed = True


cdef void do_embedding(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block
    if not r.failed:
        r.k.gather[1 if r.item == 8 else 0](span(s, block), s.ints[1], ptr(r, s, 0),
                                            <const int64_t *>ptr(r, s, 1) + first,
                                            ptr(r, s, 2) + first * s.ints[1] * r.item)


cdef void do_embedding_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    """Blocks of columns: every row of the gradient is summed in the order of the samples."""
    cdef ssize_t cols = s.ints[1], at = block * s.per_block * r.item, i
    cdef char *out = ptr(r, s, 2)
    for i in range(s.ints[2]):
        memset(out + i * cols * r.item + at, 0, span(s, block) * r.item)
    r.k.scatter_rows(s.ints[0], span(s, block), cols, ptr(r, s, 0) + at, <const int64_t *>ptr(r, s, 1), out + at)


define("recurrent_pack", do_pack, WHOLE, 2)
define("recurrent", do_recurrent, BY_PARTS, 12)
define("recurrent_backward", do_recurrent_backward, BY_PARTS, 14)
define("swap_time", do_swap_time, BY_PARTS, 3)
define("repeat_multiply", do_repeat_multiply, BY_PARTS, 3)
define("column_sums", do_column_sums, BY_COLUMNS, 2)
define("mask_rows", do_mask_rows, BY_ROWS, 3)
define("keep_rows", do_keep_rows, BY_ROWS, 3)
define("mask_weights", do_mask_weights, WHOLE, 3)
define("weigh", do_weigh, WHOLE, 2)
define("to_indices", do_to_indices, WHOLE, 2)
define("embedding", do_embedding, BY_ROWS, 3)
define("embedding_backward", do_embedding_backward, BY_COLUMNS, 3)
