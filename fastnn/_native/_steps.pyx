"""The step functions of the native executor: one for every operation that a plan can name (fastnn/engine/plan.py).

Here are those of layers, and the table; others stand in _loss_steps.pyx, _update_steps.pyx and beside their kernels.

A step function does one block of one step of one mini-batch: it finds its buffers and calls a kernel, without the GIL.
The exception is `call`, a step written in Python.  Adding an operation: a function and a line of `define` here, its
twin in fastnn/reference/program.py, and a line in the table of fastnn/engine/plan.py.
"""
cimport numpy as cnp
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from fastnn._native._core cimport fastnn_conv_args, flush_denormals, gemm_block, gemm_task, restore_denormals

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
    g.a, g.b, g.c, g.terms = ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 3), r.scratch
    gemm_block(&g, block)
    if g.by_depth:
        return
    if g.by_rows:
        rows = min(<ssize_t>g.block_size, rows - first)
        at = first * cols * r.item
    else:
        cols = min(<ssize_t>g.block_size, cols - first)
        at = first * r.item
        if bias != NULL:
            bias += at
    r.k.bias_forward(s.row, rows, cols, s.ints[2], bias, g.c + at, NULL if z == NULL else z + at, s.reals)


cdef void end_affine(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    """Add up the terms of a product that was cut that way."""
    cdef ssize_t rows = s.ints[0], cols = s.ints[2], i
    cdef char *y = ptr(r, s, 3)
    for i in range(s.blocks - 1):
        r.k.blend(rows * cols, 1, y, 1, r.scratch + i * rows * cols * r.item, y)
    r.k.bias_forward(s.row, rows, cols, cols, ptr(r, s, 2), y, ptr(r, s, 4), s.reals)


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
define("call", do_call, WHOLE, -1)
