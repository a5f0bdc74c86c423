"""Steps around the optimizer's row: norms, clipping, penalties, the update; see _steps.pyx."""
from libc.math cimport sqrt

from fastnn._native._core cimport (
    FASTNN_COMMON_SCALARS, FASTNN_MAX_PARAMS, FASTNN_MAX_SLOTS, fastnn_adafactor,
)
from fastnn._native._steps cimport (
    BY_ELEMENTS, BY_SEGMENTS, SEGMENT_BLOCK, WHOLE, define, ptr, run_t, segment_t, span, step_t,
)


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
