"""The step of weights that are used backwards: act(x W' + b), for RBMs and tied decoders; see _steps.pyx."""
from fastnn._native._core cimport gemm_block, gemm_task
from fastnn._native._steps cimport BY_GEMM, define, ptr, run_t, step_t


cdef void do_affine_transposed(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef gemm_task g = s.gemm
    cdef ssize_t first = block * g.block_size
    cdef ssize_t rows = g.m, cols = g.n, at
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
    r.k.bias_forward(s.row, rows, cols, g.n, bias, g.c + at, NULL if z == NULL else z + at, s.reals)


define("affine_transposed", do_affine_transposed, BY_GEMM, 5)
