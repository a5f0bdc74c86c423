"""Steps that make one tensor out of several, or undo it, for fastnn/layers/merging.py; twins in fastnn/reference."""
from libc.math cimport sqrt
from libc.stdint cimport int32_t
from libc.string cimport memcpy

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


cdef void do_copy_columns(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t row, first = block * s.per_block, bytes_ = s.ints[1] * r.item
    cdef char *x = ptr(r, s, 0) + s.ints[3] * r.item
    cdef char *y = ptr(r, s, 1) + s.ints[5] * r.item
    for row in range(first, first + span(s, block)):
        memcpy(y + row * s.ints[4] * r.item, x + row * s.ints[2] * r.item, bytes_)


ctypedef fused real:
    float
    double


cdef void take(ssize_t rows, ssize_t cols, ssize_t source, const real *x, const int32_t *index, real *y) noexcept nogil:
    cdef ssize_t i, j
    for i in range(rows):
        for j in range(cols):
            y[i * cols + j] = x[i * source + index[j]]


cdef void untake(ssize_t rows, ssize_t cols, ssize_t share, const real *dy, const int32_t *members,
                 real *dx) noexcept nogil:
    cdef ssize_t i, j, k
    cdef double total
    for i in range(rows):
        for j in range(cols):
            total = 0
            for k in range(share):
                total += dy[i * cols * share + members[j * share + k]]
            dx[i * cols + j] = <real>total


cdef void do_take(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, cols = s.ints[1], source = s.ints[2]
    cdef char *x = ptr(r, s, 0) + first * source * r.item
    cdef char *y = ptr(r, s, 2) + first * cols * r.item
    cdef const int32_t *index = <const int32_t *>ptr(r, s, 1)
    if r.item == 8:
        take(span(s, block), cols, source, <const double *>x, index, <double *>y)
    else:
        take(span(s, block), cols, source, <const float *>x, index, <float *>y)


cdef void do_untake(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, cols = s.ints[1], share = s.ints[2]
    cdef char *dy = ptr(r, s, 0) + first * cols * share * r.item
    cdef char *dx = ptr(r, s, 2) + first * cols * r.item
    cdef const int32_t *members = <const int32_t *>ptr(r, s, 1)
    if r.item == 8:
        untake(span(s, block), cols, share, <const double *>dy, members, <double *>dx)
    else:
        untake(span(s, block), cols, share, <const float *>dy, members, <float *>dx)


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


cdef void unit_rows(ssize_t rows, ssize_t cols, double eps, const real *x, real *y, double *inverse) noexcept nogil:
    """y = x times inverse, which is 1 / max(|x|, eps) for each row."""
    cdef ssize_t i, j
    cdef double total, norm
    for i in range(rows):
        total = 0
        for j in range(cols):
            total += <double>x[i * cols + j] * x[i * cols + j]
        norm = sqrt(total)
        inverse[i] = 1 / (eps if norm < eps else norm)
        for j in range(cols):
            y[i * cols + j] = <real>(x[i * cols + j] * inverse[i])


cdef void unit_rows_backward(ssize_t rows, ssize_t cols, double eps, const real *dy, const real *y,
                             const double *inverse, real *dx) noexcept nogil:
    cdef ssize_t i, j
    cdef double along
    for i in range(rows):
        along = 0
        if inverse[i] < 1 / eps:                         # where the norm was held at eps it is a constant
            for j in range(cols):
                along += <double>dy[i * cols + j] * y[i * cols + j]
        for j in range(cols):
            dx[i * cols + j] = <real>((dy[i * cols + j] - along * y[i * cols + j]) * inverse[i])


cdef void do_unit_rows(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    cdef char *x = ptr(r, s, 0) + at
    cdef char *y = ptr(r, s, 1) + at
    cdef double *inverse = <double *>ptr(r, s, 2) + first
    if r.item == 8:
        unit_rows(span(s, block), s.ints[1], s.reals[0], <const double *>x, <double *>y, inverse)
    else:
        unit_rows(span(s, block), s.ints[1], s.reals[0], <const float *>x, <float *>y, inverse)


cdef void do_unit_rows_backward(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    cdef char *dy = ptr(r, s, 0) + at
    cdef char *y = ptr(r, s, 1) + at
    cdef char *dx = ptr(r, s, 3) + at
    cdef const double *inverse = <const double *>ptr(r, s, 2) + first
    if r.item == 8:
        unit_rows_backward(span(s, block), s.ints[1], s.reals[0], <const double *>dy, <const double *>y, inverse,
                           <double *>dx)
    else:
        unit_rows_backward(span(s, block), s.ints[1], s.reals[0], <const float *>dy, <const float *>y, inverse,
                           <float *>dx)


define("blend", do_blend, BY_ELEMENTS, 3)
define("choose", do_choose, BY_ELEMENTS, 3)
define("choose_backward", do_choose_backward, BY_ELEMENTS, 5)
define("copy_columns", do_copy_columns, BY_ROWS, 2)
define("take", do_take, BY_ROWS, 3)
define("untake", do_untake, BY_ROWS, 3)
define("products", do_products, BY_ROWS, 3)
define("unit_rows", do_unit_rows, BY_ROWS, 3)
define("unit_rows_backward", do_unit_rows_backward, BY_ROWS, 4)
