"""Steps of a plan (fastnn/engine/plan.py) that draw noise beside dropout: blocks of whole Philox words, as there."""
from libc.stdint cimport uint8_t, uint32_t

from fastnn._native._steps cimport BY_ELEMENTS, BY_ROWS, define, ptr, run_t, span, step_t


cdef void do_alpha_dropout(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * r.item        # a multiple of 4
    r.k.noise.alpha_dropout(span(s, block), ptr(r, s, 0) + at, ptr(r, s, 1) + at, <uint8_t *>ptr(r, s, 2) + first,
                            r.seed, <uint32_t>s.ints[1], r.step + <uint32_t>r.done, first, s.reals[0], s.reals[1],
                            s.reals[2], s.reals[3])


cdef void do_dropout_mask(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block
    r.k.noise.dropout_mask(span(s, block), <uint8_t *>ptr(r, s, 0) + first, r.seed, <uint32_t>s.ints[1],
                           r.step + <uint32_t>r.done, first, s.reals[0])


cdef void do_masked_channels(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item        # ints: images, size, channels
    r.k.noise.masked_channels(span(s, block), s.ints[1] // s.ints[2], s.ints[2], ptr(r, s, 0) + at,
                              <uint8_t *>ptr(r, s, 1) + first * s.ints[2], ptr(r, s, 2) + at, s.reals[0])


cdef void do_gaussian_noise(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block
    r.k.noise.gaussian_noise(span(s, block), ptr(r, s, 0) + first * r.item, r.seed, <uint32_t>s.ints[1],
                             r.step + <uint32_t>r.done, first, s.reals[0], s.reals[1])


cdef void do_bernoulli(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * r.item
    r.k.noise.bernoulli(span(s, block), ptr(r, s, 0) + at, ptr(r, s, 1) + at, r.seed, <uint32_t>s.ints[1],
                        r.step + <uint32_t>r.done, first)


cdef void do_salt_and_pepper(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * r.item
    r.k.noise.salt_and_pepper(span(s, block), ptr(r, s, 0) + at, ptr(r, s, 1) + at, <uint8_t *>ptr(r, s, 2) + first,
                              r.seed, <uint32_t>s.ints[1], r.step + <uint32_t>r.done, first, s.reals[0], s.reals[1],
                              s.reals[2])


define("alpha_dropout", do_alpha_dropout, BY_ELEMENTS, 3)
define("dropout_mask", do_dropout_mask, BY_ELEMENTS, 1)
define("masked_channels", do_masked_channels, BY_ROWS, 3)
define("gaussian_noise", do_gaussian_noise, BY_ELEMENTS, 1)
define("bernoulli", do_bernoulli, BY_ELEMENTS, 2)
define("salt_and_pepper", do_salt_and_pepper, BY_ELEMENTS, 3)
