"""Steps of losses, metrics and scores; see _steps.pyx."""
from libc.stdint cimport int32_t
from libc.string cimport memset

from fastnn._native._core cimport fastnn_ctc_scratch, fastnn_loss_args
from fastnn._native._steps cimport AT_ONCE, BY_ROWS, WHOLE, define, ptr, run_t, span, step_t


cdef double divide_by(int mode, const char *counted, ssize_t rows, int32_t ignore) noexcept nogil:
    """1 / the divisor that a batch brings along: the sum of its weights (1) or its number of labels that count (2)."""
    cdef double total = 0
    cdef ssize_t i
    for i in range(rows):
        if mode == 1:
            total += (<const double *>counted)[i]
        elif (<const int32_t *>counted)[i] != ignore:
            total += 1
    return 1 / total if total != 0 else 0


cdef ssize_t fill_loss(run_t *r, step_t *s, ssize_t block, fastnn_loss_args *a) noexcept nogil:
    """What the losses share; returns the byte offset of the block's first row."""
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    cdef const double *weight = <const double *>ptr(r, s, 2)
    cdef char *grad = ptr(r, s, 3)
    memset(a, 0, sizeof(fastnn_loss_args))
    a.rows, a.cols, a.ld, a.pred = span(s, block), s.ints[1], s.ints[1], ptr(r, s, 0) + at
    a.grad_scale = s.reals[0]
    if s.ints[2]:
        a.grad_scale *= divide_by(<int>s.ints[2], ptr(r, s, 2 if s.ints[2] == 1 else 1), s.ints[0], <int32_t>s.ints[3])
    if weight != NULL:
        a.row_weight = weight + first
    a.grad = NULL if grad == NULL else grad + at
    a.row_loss = <double *>ptr(r, s, 4) + first
    return at


cdef void do_elementwise_loss(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_loss_args a
    cdef ssize_t at = fill_loss(r, s, block, &a)
    a.target, a.params = ptr(r, s, 1) + at, s.reals + 1
    r.k.elementwise_loss(s.row, &a)


cdef void do_row_loss(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_loss_args a
    cdef ssize_t at = fill_loss(r, s, block, &a), first = block * s.per_block, i
    cdef char *target = ptr(r, s, 1)
    cdef char *probs = ptr(r, s, 5)
    cdef double *scratch = <double *>ptr(r, s, 7)
    a.cols = s.ints[1] // s.ints[5]
    for i in range(1, s.ints[5]):                        # the inputs stand side by side
        a.more[i - 1] = <const char *>a.pred + i * a.cols * r.item
        a.more_grad[i - 1] = NULL if a.grad == NULL else <char *>a.grad + i * a.cols * r.item
    if s.ints[4] < 0:
        a.labels, a.target_cols = <const int32_t *>target - first * s.ints[4], -s.ints[4]
    elif s.ints[4] > 0:
        a.target = target + first * s.ints[4] * r.item
    a.ignore, a.smoothing, a.params, a.class_weight = <int32_t>s.ints[3], s.reals[1], s.reals + 2, ptr(r, s, 6)
    a.probs = NULL if probs == NULL else probs + at
    if scratch != NULL:
        a.scratch = scratch
        if first:                                        # never in a loss of groups, which sees all rows at once
            a.scratch += first * fastnn_ctc_scratch(a.cols // <size_t>a.params[0], a.target_cols)
    r.k.row_loss[s.row].run(&a)


cdef void do_label_hits(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block
    r.k.label_hits(span(s, block), s.ints[1], ptr(r, s, 0) + first * s.ints[1] * r.item,
                   <const int32_t *>ptr(r, s, 1) + first, <double *>ptr(r, s, 2) + first)


cdef void do_argmax_hits(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    r.k.argmax_hits(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at, <double *>ptr(r, s, 2) + first)


cdef void do_threshold_hits(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    r.k.threshold_hits(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at, s.reals[0],
                       <double *>ptr(r, s, 2) + first)


cdef void do_score(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef const double *values = <const double *>ptr(r, s, 0)
    cdef double factor = s.reals[0], total = 0
    cdef ssize_t i
    if s.ints[2]:
        factor *= divide_by(<int>s.ints[2], ptr(r, s, 1), s.ints[0], <int32_t>s.ints[3])
    for i in range(s.ints[0]):
        total += values[i]
    r.totals[s.ints[1]] += factor * total


define("elementwise_loss", do_elementwise_loss, BY_ROWS, 5, b"losses")
define("row_loss", do_row_loss, BY_ROWS, 8, b"row_losses")
define("group_loss", do_row_loss, AT_ONCE, 8, b"row_losses")
define("label_hits", do_label_hits, BY_ROWS, 3)
define("argmax_hits", do_argmax_hits, BY_ROWS, 3)
define("threshold_hits", do_threshold_hits, BY_ROWS, 3)
define("score", do_score, WHOLE, 2)
