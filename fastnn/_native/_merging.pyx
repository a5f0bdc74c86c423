"""Steps that make one tensor out of several, or undo it, for fastnn/layers/merging.py; twins in fastnn/reference."""
from fastnn._native._core cimport FASTNN_F32, FASTNN_F64, gemm_block, gemm_task, plan_gemm
from fastnn._native._steps cimport BY_ELEMENTS, BY_ROWS, define, ptr, run_t, span, step_t


cdef void do_blend(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * r.item
    r.k.blend(span(s, block), s.reals[0], ptr(r, s, 0) + at, s.reals[1], ptr(r, s, 1) + at, ptr(r, s, 2) + at)


cdef void do_choose(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * r.item
    r.k.choose(span(s, block), s.reals[0], ptr(r, s, 0) + at, ptr(r, s, 1) + at, ptr(r, s, 2) + at)


cdef void do_choose_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t at = block * s.per_block * r.item
    r.k.choose_backward(span(s, block), s.reals[0], ptr(r, s, 0) + at, ptr(r, s, 1) + at, ptr(r, s, 2) + at,
                        ptr(r, s, 3) + at, ptr(r, s, 4) + at)


cdef void do_products(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef gemm_task g
    cdef ssize_t number, part, first = block * s.per_block
    g.dtype = FASTNN_F64 if r.item == 8 else FASTNN_F32
    g.alpha, g.beta = 1, 0
    g.transpose_a, g.transpose_b = s.ints[2], s.ints[3]
    g.m, g.n, g.k = <int>s.ints[4], <int>s.ints[5], <int>s.ints[6]
    g.lda, g.ldb, g.ldc = g.m if g.transpose_a else g.k, g.k if g.transpose_b else g.n, g.n
    plan_gemm(&g)
    for number in range(first, first + span(s, block)):
        g.a = ptr(r, s, 0) + number * s.ints[4] * s.ints[6] * r.item
        g.b = ptr(r, s, 1) + number * s.ints[6] * s.ints[5] * r.item
        g.c = ptr(r, s, 2) + number * s.ints[4] * s.ints[5] * r.item
        for part in range(g.blocks):
            gemm_block(&g, part)


define("blend", do_blend, BY_ELEMENTS, 3)
define("choose", do_choose, BY_ELEMENTS, 3)
define("choose_backward", do_choose_backward, BY_ELEMENTS, 5)
define("products", do_products, BY_ROWS, 3)
