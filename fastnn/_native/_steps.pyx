"""The step functions of the native executor: one for every operation that a plan can name (fastnn/engine/plan.py).

A step function does one block of one step of one mini-batch: it finds its buffers and calls a kernel, without the GIL.
The exception is `call`, a step written in Python.  Adding an operation: a function and a line of `define` here, its
twin in fastnn/reference/program.py, and a line in the table of fastnn/engine/plan.py.
"""
cimport numpy as cnp
from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memset

from fastnn._native._core cimport (
    FASTNN_COMMON_SCALARS, FASTNN_MAX_PARAMS, FASTNN_MAX_SLOTS, fastnn_adafactor, fastnn_conv_args, fastnn_ctc_scratch,
    fastnn_loss_args, flush_denormals, gemm_block, gemm_task, restore_denormals,
)

cnp.import_array()


cdef void do_gather(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef source_t *source = &r.sources[s.ints[0]]
    cdef ssize_t first = block * s.per_block, rows = span(s, block)
    cdef const int64_t *index
    cdef char *out
    if source.direct and r.order == NULL:
        return                                       # the buffer points at the data itself
    if r.order != NULL:
        index = r.order + r.first_sample + r.done * r.batch + first
    else:
        index = r.sequence + r.first_sample + r.done * r.batch + first
    if source.kind >= 0:
        out = r.input_workspace[s.ints[0]] + first * source.per_sample * r.item
        r.k.gather[source.kind](rows, source.per_sample, source.data, index, out)
    else:
        out = r.input_workspace[s.ints[0]] + first * source.per_sample * source.item
        copy_rows(rows, source.per_sample * source.item, source.data, index, out)


cdef void copy_rows(ssize_t rows, ssize_t size, const char *source, const int64_t *index, char *out) noexcept nogil:
    """Labels (int32) and weights (float64), never converted."""
    cdef ssize_t i, j
    for i in range(rows):
        for j in range(size // 4):
            (<int32_t *>(out + i * size))[j] = (<const int32_t *>(source + index[i] * size))[j]


cdef void do_affine(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef gemm_task g = s.gemm
    cdef ssize_t first = block * g.block_size
    cdef ssize_t rows = s.ints[0], cols = s.ints[2], at
    cdef char *bias = ptr(r, s, 2)
    cdef char *z = ptr(r, s, 4)
    g.a, g.b, g.c = ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 3)
    gemm_block(&g, block)
    if g.by_rows:
        rows = min(<ssize_t>g.block_size, rows - first)
        at = first * cols * r.item
    else:
        cols = min(<ssize_t>g.block_size, cols - first)
        at = first * r.item
        if bias != NULL:
            bias += at
    r.k.bias_forward(s.row, rows, cols, s.ints[2], bias, g.c + at, NULL if z == NULL else z + at, s.reals)


cdef void do_gemm(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef gemm_task g = s.gemm
    g.a, g.b, g.c = ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 2)
    g.a += s.ints[8] * r.item
    g.b += s.ints[9] * r.item
    g.c += s.ints[10] * r.item
    gemm_block(&g, block)


cdef void do_activation(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * r.item
    r.k.activation[s.row].forward(span(s, block), ptr(r, s, 0) + at, ptr(r, s, 1) + at, s.reals)


cdef void do_activation_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * r.item
    r.k.activation[s.row].backward(span(s, block), ptr(r, s, 0) + at, ptr(r, s, 1) + at, ptr(r, s, 2) + at, s.reals)


cdef void do_bias_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * r.item      # blocks of columns: each sum stays with one thread
    cdef char *db = ptr(r, s, 3)
    r.k.bias_backward(s.row, s.ints[0], span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at,
                      ptr(r, s, 2) + at, NULL if db == NULL else db + at, s.reals)


cdef void do_softmax(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.softmax(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at)


cdef void do_log_softmax(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.log_softmax(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at)


cdef void do_softmax_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.softmax_backward(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at, ptr(r, s, 2) + at)


cdef void do_log_softmax_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.log_softmax_backward(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at, ptr(r, s, 2) + at)


cdef void do_dropout(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block             # a multiple of 4: whole Philox blocks
    r.k.dropout(span(s, block), ptr(r, s, 0) + first * r.item, ptr(r, s, 1) + first * r.item,
                <uint8_t *>ptr(r, s, 2) + first, r.seed, <uint32_t>s.ints[1], r.step + <uint32_t>r.done, first,
                s.reals[0], 1 / (1 - s.reals[0]))


cdef void do_masked_scale(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block
    r.k.masked_scale(span(s, block), ptr(r, s, 0) + first * r.item, <uint8_t *>ptr(r, s, 1) + first,
                     ptr(r, s, 2) + first * r.item, s.reals[0])


cdef void do_softmin(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.softmin(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at)


cdef void do_softmin_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.softmin_backward(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at, ptr(r, s, 2) + at)


cdef void do_sparsemax(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.sparsemax(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at)


cdef void do_sparsemax_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.sparsemax_backward(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at, ptr(r, s, 2) + at)


cdef void do_expand(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.expand(s.ints[0], s.ints[1], ptr(r, s, 0), <const int32_t *>ptr(r, s, 1), ptr(r, s, 2) + s.ints[2] * r.item)


cdef void do_fold(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.fold(s.ints[0], s.ints[1], <const double *>ptr(r, s, 0) + s.ints[2], <const int32_t *>ptr(r, s, 1),
             ptr(r, s, 2))


cdef void do_learned(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t cols = s.ints[1], at = block * s.per_block * cols * r.item
    r.k.learned_forward(s.row, span(s, block), cols, ptr(r, s, 0) + at, ptr(r, s, 1), cols, s.ints[2],
                        ptr(r, s, 2) + at)


cdef void do_learned_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t cols = s.ints[1], first = block * s.per_block, at = first * r.item      # blocks of columns
    cdef char *dx = ptr(r, s, 3)
    cdef double *sums = <double *>ptr(r, s, 4)
    r.k.learned_backward(s.row, s.ints[0], span(s, block), cols, ptr(r, s, 0) + at, ptr(r, s, 1) + at,
                         ptr(r, s, 2) + at, cols, s.ints[2], NULL if dx == NULL else dx + at,
                         NULL if sums == NULL else sums + first)


cdef void do_gated(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.gated_forward(s.row, span(s, block), s.ints[1], ptr(r, s, 0) + 2 * at, ptr(r, s, 1) + at, s.reals)


cdef void do_gated_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.gated_backward(s.row, span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + 2 * at,
                       ptr(r, s, 2) + 2 * at, s.reals)


cdef void do_maxout(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.maxout(span(s, block), s.ints[1], s.ints[2], ptr(r, s, 0) + s.ints[2] * at, ptr(r, s, 1) + at)


cdef void do_maxout_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * s.ints[1] * r.item
    r.k.maxout_backward(span(s, block), s.ints[1], s.ints[2], ptr(r, s, 0) + at, ptr(r, s, 1) + s.ints[2] * at,
                        ptr(r, s, 2) + s.ints[2] * at)


cdef void do_rrelu(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * r.item        # a multiple of 4: whole Philox blocks
    r.k.rrelu(span(s, block), ptr(r, s, 0) + at, ptr(r, s, 1) + at, ptr(r, s, 2) + at, r.seed, <uint32_t>s.ints[1],
              r.step + <uint32_t>r.done, first, s.reals[0], s.reals[1])


cdef void do_multiply(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * r.item
    r.k.multiply(span(s, block), ptr(r, s, 0) + at, ptr(r, s, 1) + at, ptr(r, s, 2) + at)


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


cdef void do_conv_prepare(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.conv_prepare(s.conv, ptr(r, s, 0), ptr(r, s, 1), r.scratch)


cdef void do_conv(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_conv_args a
    a.source, a.target, a.kept = ptr(r, s, 0), ptr(r, s, 3), ptr(r, s, 4)
    a.activation, a.params = s.row, s.reals
    r.k.conv_block(s.conv, r.scratch, block, &a)


cdef void do_conv_weights(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_conv_args a
    a.source, a.dy = ptr(r, s, 0), ptr(r, s, 1)
    r.k.conv_block(s.conv, r.scratch, block, &a)


cdef void do_conv_finish(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.conv_finish(s.conv, r.scratch, ptr(r, s, 0))


cdef void do_max_pool(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.max_pool(&s.conv.window, block * s.per_block, span(s, block), ptr(r, s, 0), ptr(r, s, 1),
                 <int32_t *>ptr(r, s, 2))


cdef void do_max_pool_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.max_pool_backward(&s.conv.window, block * s.per_block, span(s, block), ptr(r, s, 0), <int32_t *>ptr(r, s, 1),
                          ptr(r, s, 2))


cdef void do_average_pool(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.average_pool(&s.conv.window, s.reals[0] != 0, block * s.per_block, span(s, block), ptr(r, s, 0), ptr(r, s, 1))


cdef void do_average_pool_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.average_pool_backward(&s.conv.window, s.reals[0] != 0, block * s.per_block, span(s, block), ptr(r, s, 0),
                              ptr(r, s, 1))


cdef void do_score(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef const double *values = <const double *>ptr(r, s, 0)
    cdef double factor = s.reals[0], total = 0
    cdef ssize_t i
    if s.ints[2]:
        factor *= divide_by(<int>s.ints[2], ptr(r, s, 1), s.ints[0], <int32_t>s.ints[3])
    for i in range(s.ints[0]):
        total += values[i]
    r.totals[s.ints[1]] += factor * total


# ------------------------------------------------------------------------------------------- around the optimizer's row

cdef double scalar_of(run_t *r, ssize_t column) noexcept nogil:
    """A number of this optimizer step; 1 where the plan names no column."""
    return 1 if column < 0 else r.scalars[r.done * r.scalars_per_step + column]


cdef segment_t *segment_of(run_t *r, step_t *s, ssize_t *block) noexcept nogil:
    """The segment in which the block of the step lies; the block is counted from the beginning of the arena then."""
    cdef segment_t *segment = r.segments + s.ints[1]
    block[0] += segment.first_block
    while segment + 1 < r.segments + s.ints[2] and (segment + 1).first_block <= block[0]:
        segment += 1
    return segment


cdef ssize_t blocks_of(segment_t *segment) noexcept nogil:
    return (segment.n + SEGMENT_BLOCK - 1) // SEGMENT_BLOCK


cdef double norm_of(segment_t *segment, const double *partials) noexcept nogil:
    cdef double total = 0
    cdef ssize_t i
    for i in range(blocks_of(segment)):
        total += partials[segment.first_block + i]
    return sqrt(total)


cdef void do_update(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef double scalars[FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS]
    cdef const double *given = r.scalars + r.done * r.scalars_per_step + s.ints[0]
    cdef const double *scales = <const double *>ptr(r, s, 0)
    cdef const double *ratios = <const double *>ptr(r, s, 1)
    cdef void *slots[FASTNN_MAX_SLOTS]
    cdef segment_t *segment = segment_of(r, s, &block)
    cdef ssize_t first = (block - segment.first_block) * SEGMENT_BLOCK
    cdef ssize_t at = first * r.item
    cdef double ratio = 1 if ratios == NULL else ratios[segment - r.segments]
    cdef int i
    for i in range(min(r.scalars_per_step - s.ints[0], FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS)):
        scalars[i] = given[i]
    scalars[0] *= ratio * (1 if scales == NULL else scales[segment - r.segments])
    scalars[1] = (scalars[1] * segment.decay + segment.l2) * ratio
    scalars[2] *= segment.decay
    for i in range(r.slots):
        slots[i] = segment.slots[i] + at
    r.k.optimizer[s.row].update(min(<ssize_t>SEGMENT_BLOCK, segment.n - first), segment.p + at, segment.g + at, slots,
                                scalars)


cdef void do_segment_squares(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef segment_t *segment = segment_of(r, s, &block)
    cdef ssize_t first = (block - segment.first_block) * SEGMENT_BLOCK
    cdef const char *x = segment.g
    cdef double *partials = <double *>ptr(r, s, 0)
    if s.ints[0]:
        x = segment.p
    partials[block] = r.k.sum_of_squares(min(<ssize_t>SEGMENT_BLOCK, segment.n - first), x + first * r.item)


cdef void do_clip_norm(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef const double *partials = <const double *>ptr(r, s, 0)
    cdef double *scales = <double *>ptr(r, s, 1)
    cdef double limit = s.reals[0], factor = s.reals[1], norm
    cdef ssize_t i
    for i in range(r.segment_count):
        norm = factor * norm_of(&r.segments[i], partials)
        # what is neither more nor less than the limit is NaN, and stays it
        scales[i] = limit / norm if norm > limit else 1 if norm <= limit else norm


cdef void do_clip_global_norm(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef const double *partials = <const double *>ptr(r, s, 0)
    cdef double *scales = <double *>ptr(r, s, 1)
    cdef double limit = s.reals[0], factor = s.reals[1], norm, total = 0
    cdef ssize_t i
    for i in range(r.segment_count):
        norm = norm_of(&r.segments[i], partials)
        total += norm * norm
    norm = factor * sqrt(total)
    for i in range(r.segment_count):
        # norm - norm: where the norm is no number, nothing of the gradient is left either
        scales[i] = (limit / norm if norm > limit else 1) + (norm - norm)


cdef void do_trust_ratio(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef const double *scales = <const double *>ptr(r, s, 2)
    cdef double *ratios = <double *>ptr(r, s, 3)
    cdef double p, g
    cdef ssize_t i
    for i in range(r.segment_count):
        ratios[i] = 1
        if s.ints[0] <= i < s.ints[1]:
            p = norm_of(&r.segments[i], <const double *>ptr(r, s, 0))
            g = norm_of(&r.segments[i], <const double *>ptr(r, s, 1)) * s.reals[3]
            g *= 1 if scales == NULL else scales[i]
            if p > 0 and g > 0:
                ratios[i] = s.reals[0] * p / (g + s.reals[1] * r.segments[i].decay * p + s.reals[2])


cdef void do_combine(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * r.item
    cdef const double *factor = <const double *>ptr(r, s, 2)
    cdef double a = s.reals[0] * scalar_of(r, s.ints[1]) * (1 if factor == NULL else factor[s.ints[3]])
    r.k.combine(span(s, block), a, ptr(r, s, 0) + at, s.reals[1] * scalar_of(r, s.ints[2]), ptr(r, s, 1) + at)


cdef void do_adafactor(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_adafactor a
    cdef const double *scales = <const double *>ptr(r, s, 3)
    cdef char *moments = ptr(r, s, 2)
    a.matrices, a.rows, a.cols = s.ints[0], s.ints[1], s.ints[2]
    a.p, a.g, a.r, a.c = ptr(r, s, 0), ptr(r, s, 1), moments, NULL
    if s.ints[3]:
        a.c = moments + s.ints[0] * s.ints[1] * r.item
    a.gradient_scale = scalar_of(r, s.ints[4]) * (1 if scales == NULL else scales[s.ints[5]])
    a.decay = scalar_of(r, s.ints[4] + 2) * s.reals[0]
    a.rate = scalar_of(r, s.ints[4] + FASTNN_COMMON_SCALARS)
    a.beta = scalar_of(r, s.ints[4] + FASTNN_COMMON_SCALARS + 1)
    a.eps1, a.eps2, a.threshold = s.reals[1], s.reals[2], s.reals[3]
    r.k.adafactor(&a)


cdef void do_clip_values(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.clip_values(span(s, block), s.reals[0], ptr(r, s, 0) + block * s.per_block * r.item)


cdef void do_penalty(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * r.item
    cdef char *g = ptr(r, s, 1)
    cdef double *partials = <double *>ptr(r, s, 2)
    cdef double value = r.k.penalty(span(s, block), s.reals[0], s.reals[1], ptr(r, s, 0) + at,
                                    NULL if g == NULL else g + at)
    if partials != NULL:
        partials[block] = value


cdef void do_sum_of_squares(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    (<double *>ptr(r, s, 1))[block] = r.k.sum_of_squares(span(s, block), ptr(r, s, 0) + block * s.per_block * r.item)


cdef void do_inverse_norm(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef const double *partials = <const double *>ptr(r, s, 0)
    cdef double total = 0
    cdef ssize_t i
    for i in range(s.ints[0]):
        total += partials[i]
    (<double *>ptr(r, s, 1))[0] = 1 / (sqrt(total) + s.reals[0])


cdef void do_call(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    """A Python function on the step's buffers, with the floating-point mode that Python knows."""
    cdef unsigned long flushing
    if r.failed:
        return
    with gil:
        flushing = flush_denormals()
        restore_denormals(r.ieee)
        try:
            (<object>r.program)._call(s.ints[0], r.step + r.done)
        except BaseException as error:
            (<object>r.program)._fail(error)
            r.failed = True
        restore_denormals(flushing)


# ---------------------------------------------------------------------------------------------------------- the table

cdef enum:
    MOST_OPS = 256

cdef op_t OPS[MOST_OPS]
cdef dict NUMBER = {}


cdef int define(str name, step_fn run, int cut, int buffers, const char *table=b"activations") except -1:
    if len(NUMBER) >= MOST_OPS or name in NUMBER:
        raise ImportError(f"expected at most {MOST_OPS} steps of different names. Received one more: {name!r}")
    OPS[len(NUMBER)] = op_t(run, cut, buffers, table)
    NUMBER[name] = len(NUMBER)
    return 0


cdef bint find_op(object name, op_t *op) except -1:
    """The operation of that name."""
    if name not in NUMBER:
        raise ValueError(f"the native executor knows no such step. Expected one of {list(NUMBER)}. Received {name!r}")
    op[0] = OPS[<int>NUMBER[name]]
    return True


define("gather", do_gather, BY_SAMPLES, 1)
define("affine", do_affine, BY_GEMM, 5)
define("gemm", do_gemm, BY_GEMM, 3)
define("activation", do_activation, BY_ELEMENTS, 2)
define("activation_backward", do_activation_backward, BY_ELEMENTS, 3)
define("bias_backward", do_bias_backward, BY_COLUMNS, 4)
define("softmax", do_softmax, BY_ROWS, 2)
define("log_softmax", do_log_softmax, BY_ROWS, 2)
define("softmax_backward", do_softmax_backward, BY_ROWS, 3)
define("log_softmax_backward", do_log_softmax_backward, BY_ROWS, 3)
define("dropout", do_dropout, BY_ELEMENTS, 3)
define("masked_scale", do_masked_scale, BY_ELEMENTS, 3)
define("softmin", do_softmin, BY_ROWS, 2)
define("softmin_backward", do_softmin_backward, BY_ROWS, 3)
define("sparsemax", do_sparsemax, BY_ROWS, 2)
define("sparsemax_backward", do_sparsemax_backward, BY_ROWS, 3)
define("expand", do_expand, WHOLE, 3)
define("fold", do_fold, WHOLE, 3)
define("learned", do_learned, BY_ROWS, 3, b"learned")
define("learned_backward", do_learned_backward, BY_COLUMNS, 5, b"learned")
define("gated", do_gated, BY_ROWS, 2)
define("gated_backward", do_gated_backward, BY_ROWS, 3)
define("maxout", do_maxout, BY_ROWS, 2)
define("maxout_backward", do_maxout_backward, BY_ROWS, 3)
define("rrelu", do_rrelu, BY_ELEMENTS, 3)
define("multiply", do_multiply, BY_ELEMENTS, 3)
define("elementwise_loss", do_elementwise_loss, BY_ROWS, 5, b"losses")
define("row_loss", do_row_loss, BY_ROWS, 8, b"row_losses")
define("group_loss", do_row_loss, AT_ONCE, 8, b"row_losses")
define("label_hits", do_label_hits, BY_ROWS, 3)
define("argmax_hits", do_argmax_hits, BY_ROWS, 3)
define("threshold_hits", do_threshold_hits, BY_ROWS, 3)
define("conv2d_prepare", do_conv_prepare, WHOLE, 2)
define("conv2d", do_conv, BY_CONV, 5)
define("conv2d_input_prepare", do_conv_prepare, WHOLE, 2)
define("conv2d_input", do_conv, BY_CONV, 5)
define("conv2d_weights_prepare", do_conv_prepare, WHOLE, 0)
define("conv2d_weights", do_conv_weights, BY_CONV, 3)
define("conv2d_weights_finish", do_conv_finish, WHOLE, 1)
define("max_pool", do_max_pool, BY_OUTPUT_ROWS, 3)
define("max_pool_backward", do_max_pool_backward, BY_IMAGES, 3)
define("average_pool", do_average_pool, BY_OUTPUT_ROWS, 2)
define("average_pool_backward", do_average_pool_backward, BY_IMAGES, 2)
define("score", do_score, WHOLE, 2)
define("update", do_update, BY_SEGMENTS, 2, b"optimizers")
define("segment_squares", do_segment_squares, BY_SEGMENTS, 1)
define("clip_norm", do_clip_norm, WHOLE, 2)
define("clip_global_norm", do_clip_global_norm, WHOLE, 2)
define("trust_ratio", do_trust_ratio, WHOLE, 4)
define("combine", do_combine, BY_ELEMENTS, 3)
define("adafactor", do_adafactor, WHOLE, 4)
define("clip_values", do_clip_values, BY_ELEMENTS, 1)
define("penalty", do_penalty, BY_ELEMENTS, 3)
define("sum_of_squares", do_sum_of_squares, BY_ELEMENTS, 2)
define("inverse_norm", do_inverse_norm, WHOLE, 2)
define("call", do_call, WHOLE, -1)
