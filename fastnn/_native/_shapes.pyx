"""Steps that only move numbers: copies between arrays whose axes have steps of their own, and their gradients.

`ints` of both: rows, elements of a row; where x and y begin; the step from row to row in x and in y; then for each axis
within a row its size, its step in x and its step in y.  Rows do not overlap in y, so they are what threads share.
"""
from libc.stddef cimport ptrdiff_t

from fastnn._native._steps cimport BY_ELEMENTS, BY_ROWS, MAX_INTS, define, ptr, run_t, span, step_t

cdef enum:
    FIRST_AXIS = 6


cdef inline const ptrdiff_t *axes_of(step_t *s) noexcept nogil:
    return <const ptrdiff_t *>&s.ints[FIRST_AXIS]


cdef inline int rank_of(step_t *s) noexcept nogil:
    cdef int rank = 0
    while FIRST_AXIS + 3 * rank + 2 < MAX_INTS and s.ints[FIRST_AXIS + 3 * rank] > 0:
        rank += 1
    return rank


cdef void do_strided_copy(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, row
    cdef char *x = ptr(r, s, 0)
    cdef char *y = ptr(r, s, 1)
    cdef int rank = rank_of(s)
    for row in range(first, first + span(s, block)):
        r.k.strided_copy(rank, axes_of(s), x + (s.ints[2] + row * s.ints[4]) * r.item,
                         y + (s.ints[3] + row * s.ints[5]) * r.item)


cdef void do_strided_add(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, row
    cdef char *x = ptr(r, s, 0)
    cdef char *y = ptr(r, s, 1)
    cdef int rank = rank_of(s)
    for row in range(first, first + span(s, block)):
        r.k.strided_add(rank, axes_of(s), s.reals[0], x + (s.ints[2] + row * s.ints[4]) * r.item,
                        y + (s.ints[3] + row * s.ints[5]) * r.item)


cdef void do_fill(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    r.k.fill(span(s, block), s.reals[0], ptr(r, s, 0) + block * s.per_block * r.item)


define("strided_copy", do_strided_copy, BY_ROWS, 2)
define("strided_add", do_strided_add, BY_ROWS, 2)
define("fill", do_fill, BY_ELEMENTS, 1)
