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
    """Matrices one behind the other, or where the numbers behind k say (fastnn/engine/plan.py)."""
    cdef gemm_task g
    cdef ssize_t m = s.ints[4], n = s.ints[5], k = s.ints[6], heads = 1, parts = 1, number, part, piece, i
    cdef ssize_t *steps = &s.ints[12]
    cdef ssize_t packed[9]
    g.dtype = FASTNN_F64 if r.item == 8 else FASTNN_F32
    g.alpha, g.transpose_a, g.transpose_b = 1, s.ints[2], s.ints[3]
    g.m, g.n, g.k = <int>m, <int>n, <int>k
    if s.ints[7]:
        heads, parts = s.ints[7], s.ints[8]
        g.lda, g.ldb, g.ldc = <int>s.ints[9], <int>s.ints[10], <int>s.ints[11]
    else:
        g.lda, g.ldb, g.ldc = g.m if g.transpose_a else g.k, g.k if g.transpose_b else g.n, g.n
        for i in range(9):
            packed[i] = 0
        packed[0], packed[3], packed[6] = m * k, k * n, m * n
        steps = packed
    for number in range(block * s.per_block, block * s.per_block + span(s, block)):
        for part in range(parts):
            g.beta = 1 if part and steps[8] == 0 else 0
            plan_gemm(&g)
            g.a = ptr(r, s, 0) + place(steps, number // heads, number % heads, part) * r.item
            g.b = ptr(r, s, 1) + place(steps + 3, number // heads, number % heads, part) * r.item
            g.c = ptr(r, s, 2) + place(steps + 6, number // heads, number % heads, part) * r.item
            for piece in range(g.blocks):
                gemm_block(&g, piece)


cdef inline ssize_t place(const ssize_t *steps, ssize_t sample, ssize_t head, ssize_t part) noexcept nogil:
    return sample * steps[0] + head * steps[1] + part * steps[2]


define("blend", do_blend, BY_ELEMENTS, 3)
define("choose", do_choose, BY_ELEMENTS, 3)
define("choose_backward", do_choose_backward, BY_ELEMENTS, 5)
define("products", do_products, BY_ROWS, 3)
