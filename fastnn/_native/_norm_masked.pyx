"""Steps of batch normalisation in a plan (fastnn/engine/plan.py) where a mask leaves time steps out."""
from libc.stdint cimport uint8_t

from fastnn._native._norm_plan cimport fastnn_norm
from fastnn._native._steps cimport BY_COLUMNS, BY_ROWS, define, ptr, run_t, span, step_t


cdef void do_masked_moments(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    # ints: rows, channels, rows of an entry of the mask
    cdef fastnn_norm g
    g.images, g.outer, g.channels, g.inner, g.groups = 1, s.ints[0], s.ints[1], 1, s.ints[1]
    g.row_tile, g.col_tile = s.ints[0], s.per_block
    r.k.norm.masked_moments(&g, block * s.per_block, span(s, block), s.ints[2], ptr(r, s, 0), <uint8_t *>ptr(r, s, 1),
                            <double *>ptr(r, s, 2))


cdef void do_masked_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    # ints: tiles, elements of a tile, geometry, rows of an entry of the mask
    cdef fastnn_norm g
    cdef ssize_t first = block * s.per_block, i
    g.images, g.outer, g.channels, g.inner, g.groups = s.ints[2], s.ints[3], s.ints[4], s.ints[5], s.ints[6]
    g.row_tile, g.col_tile = s.ints[7], s.ints[8]
    for i in range(first, first + span(s, block)):
        r.k.norm.masked_backward(&g, i, s.ints[9], ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 2), <uint8_t *>ptr(r, s, 3),
                                 ptr(r, s, 4))


define("norm_masked_moments", do_masked_moments, BY_COLUMNS, 3)
define("norm_masked_backward", do_masked_backward, BY_ROWS, 5)
