"""Convolution, pooling and patches: the part of the kernel protocol (fastnn.backend) that slides windows over images.

Images are channels-last, weights (kernel height, kernel width, channels / groups, filters).  A geometry is the tuple
(kernel, stride, padding, dilation, groups) of pairs (down, across), padding that at the near end, and one number.
"""
cimport numpy as cnp
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t

from fastnn._native._ops cimport CHUNK, PARALLEL, data_of, read_params, table_of
from fastnn._native._core cimport (
    FASTNN_CONV_FORWARD, FASTNN_CONV_INPUT, FASTNN_CONV_WEIGHTS, FASTNN_MAX_PARAMS, fastnn_axis,
    fastnn_conv, fastnn_conv_args, fastnn_dtype_kernels, fastnn_patches, fastnn_window, parallel_for, thread_limit,
)
from fastnn._native import _core

import numpy as np

cnp.import_array()

cdef dict ACTIVATION_ROW = {row[0]: i for i, row in enumerate(_core.tables()["activations"])}


cdef int fill_window(fastnn_window *w, cnp.ndarray x, cnp.ndarray y, tuple geometry) except -1:
    """The window between an input and an output, both (images, height, width, channels)."""
    cdef fastnn_axis *axes[2]
    cdef int i
    kernel, stride, padding, dilation, groups = geometry
    axes[0], axes[1] = &w.y, &w.x
    w.images, w.groups = cnp.PyArray_DIM(x, 0), groups
    w.channels, w.filters = cnp.PyArray_DIM(x, 3), cnp.PyArray_DIM(y, 3)
    for i in range(2):
        axes[i].input, axes[i].output = cnp.PyArray_DIM(x, 1 + i), cnp.PyArray_DIM(y, 1 + i)
        axes[i].kernel, axes[i].stride, axes[i].dilation = kernel[i], stride[i], dilation[i]
        axes[i].pad = padding[i]
    return 0


# -------------------------------------------------------------------------------------------------------- convolution

ctypedef struct conv_task:
    const fastnn_dtype_kernels *k
    fastnn_conv plan
    fastnn_conv_args args
    void *workspace


cdef void conv_block(void *task, ssize_t block) noexcept nogil:
    cdef conv_task *t = <conv_task *>task
    t.k.conv_block(&t.plan, t.workspace, block, &t.args)


cdef object scratch(object workspace, size_t size):
    """Memory for a plan: the one kept in `workspace` (a dict) where it is large enough."""
    memory = None if workspace is None else workspace.get("scratch")
    if memory is None or <size_t>cnp.PyArray_NBYTES(<cnp.ndarray>memory) < size + 64:
        memory = np.empty(size + 64, np.uint8)
        if workspace is not None:
            workspace["scratch"] = memory
    return memory


cdef int run_conv(conv_task *t, object w, object bias, object dw, object workspace) except -1:
    cdef int threads
    cdef const void *weights = data_of(w)
    cdef const void *biases = data_of(bias)
    cdef void *gradient = data_of(dw)
    memory = scratch(workspace, t.plan.workspace)
    t.workspace = <char *>data_of(memory) + (-<size_t>data_of(memory)) % 64
    threads = thread_limit() if t.plan.blocks > 1 else 1
    with nogil:
        t.k.conv_prepare(&t.plan, weights, biases, t.workspace)
        parallel_for(conv_block, t, t.plan.blocks, threads)
        if gradient != NULL:
            t.k.conv_finish(&t.plan, t.workspace, gradient)
    return 0


def conv2d(row, cnp.ndarray x, cnp.ndarray w, bias, cnp.ndarray y, z, tuple params, tuple geometry, workspace):
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_window window
    cdef conv_task t
    read_params(params, values)
    fill_window(&window, x, y, geometry)
    t.k = table_of(x)
    t.k.conv_plan(&window, FASTNN_CONV_FORWARD, &t.plan)
    t.args.source, t.args.target, t.args.kept = data_of(x), data_of(y), data_of(z)
    t.args.activation, t.args.params = ACTIVATION_ROW[row], values
    run_conv(&t, w, bias, None, workspace)


def conv2d_input(row, cnp.ndarray dy, cnp.ndarray w, bias, cnp.ndarray dx, z, tuple params, tuple geometry, workspace):
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_window window
    cdef conv_task t
    read_params(params, values)
    fill_window(&window, dx, dy, geometry)
    t.k = table_of(dy)
    t.k.conv_plan(&window, FASTNN_CONV_INPUT, &t.plan)
    t.args.source, t.args.target, t.args.kept = data_of(dy), data_of(dx), data_of(z)
    t.args.activation, t.args.params = ACTIVATION_ROW[row], values
    run_conv(&t, w, bias, None, workspace)


def conv2d_weights(cnp.ndarray x, cnp.ndarray dy, cnp.ndarray dw, tuple geometry, workspace):
    cdef fastnn_window window
    cdef conv_task t
    fill_window(&window, x, dy, geometry)
    t.k = table_of(x)
    t.k.conv_plan(&window, FASTNN_CONV_WEIGHTS, &t.plan)
    t.args.source, t.args.dy = data_of(x), data_of(dy)
    run_conv(&t, None, None, dw, workspace)


# ------------------------------------------------------------------------------------------------------------ pooling

cdef enum:
    MAX_FORWARD
    MAX_BACKWARD
    MAX_SPLIT
    AVERAGE_FORWARD
    AVERAGE_BACKWARD

ctypedef struct pool_task:
    const fastnn_dtype_kernels *k
    fastnn_window window
    int what
    int padded
    ssize_t units            # rows of y over all images, or images
    ssize_t per_block
    const void *source
    const void *x
    const void *y
    int32_t *argmax
    void *target


cdef void pool_block(void *task, ssize_t block) noexcept nogil:
    cdef pool_task *t = <pool_task *>task
    cdef size_t first = block * t.per_block
    cdef size_t units = min(t.per_block, t.units - <ssize_t>first)
    if t.what == MAX_FORWARD:
        t.k.max_pool(&t.window, first, units, t.source, t.target, t.argmax)
    elif t.what == MAX_BACKWARD:
        t.k.max_pool_backward(&t.window, first, units, t.source, t.argmax, t.target)
    elif t.what == MAX_SPLIT:
        t.k.max_pool_split_backward(&t.window, first, units, t.source, t.x, t.y, t.target)
    elif t.what == AVERAGE_FORWARD:
        t.k.average_pool(&t.window, t.padded, first, units, t.source, t.target)
    else:
        t.k.average_pool_backward(&t.window, t.padded, first, units, t.source, t.target)


cdef int run_pool(pool_task *t, int what, cnp.ndarray x, cnp.ndarray y, tuple geometry) except -1:
    cdef ssize_t work
    cdef int threads
    fill_window(&t.window, x, y, geometry)
    t.k, t.what = table_of(x), what
    # elements of x that the windows read
    work = cnp.PyArray_SIZE(y) * <ssize_t>(t.window.y.kernel * t.window.x.kernel)
    t.units = t.window.images
    if what == MAX_FORWARD or what == AVERAGE_FORWARD:
        t.units *= t.window.y.output
    t.per_block = max(<ssize_t>1, CHUNK // max(<ssize_t>1, work // t.units))
    threads = thread_limit() if work >= PARALLEL else 1
    with nogil:
        parallel_for(pool_block, t, (t.units + t.per_block - 1) // t.per_block, threads)
    return 0


def max_pool(cnp.ndarray x, cnp.ndarray y, argmax, tuple geometry):
    cdef pool_task t
    t.source, t.target, t.argmax = data_of(x), data_of(y), <int32_t *>data_of(argmax)
    run_pool(&t, MAX_FORWARD, x, y, geometry)


def max_pool_backward(cnp.ndarray dy, cnp.ndarray argmax, cnp.ndarray dx, tuple geometry):
    cdef pool_task t
    t.source, t.target, t.argmax = data_of(dy), data_of(dx), <int32_t *>data_of(argmax)
    run_pool(&t, MAX_BACKWARD, dx, dy, geometry)


def max_pool_split_backward(cnp.ndarray dy, cnp.ndarray x, cnp.ndarray y, cnp.ndarray dx, tuple geometry):
    cdef pool_task t
    t.source, t.target, t.x, t.y = data_of(dy), data_of(dx), data_of(x), data_of(y)
    run_pool(&t, MAX_SPLIT, dx, dy, geometry)


def average_pool(cnp.ndarray x, cnp.ndarray y, bint padded, tuple geometry):
    cdef pool_task t
    t.source, t.target, t.padded = data_of(x), data_of(y), padded
    run_pool(&t, AVERAGE_FORWARD, x, y, geometry)


def average_pool_backward(cnp.ndarray dy, cnp.ndarray dx, bint padded, tuple geometry):
    cdef pool_task t
    t.source, t.target, t.padded = data_of(dy), data_of(dx), padded
    run_pool(&t, AVERAGE_BACKWARD, dx, dy, geometry)


# ------------------------------------------------------------------------------------------------ patches and layouts

ctypedef struct patches_task:
    const fastnn_dtype_kernels *k
    fastnn_patches patches
    bint back
    void *x
    void *columns


cdef void patches_block(void *task, ssize_t block) noexcept nogil:
    cdef patches_task *t = <patches_task *>task
    if t.back:
        t.k.col2im(&t.patches, block, t.columns, t.x)
    else:
        t.k.im2col(&t.patches, block, t.x, t.columns)


cdef int run_patches(cnp.ndarray x, cnp.ndarray columns, tuple geometry, bint back) except -1:
    """x (images, height, width, channels) and columns (images, oh, ow, kh, kw, channels), both views of any order."""
    cdef patches_task t
    cdef fastnn_patches *p = &t.patches
    cdef ptrdiff_t item = cnp.PyArray_ITEMSIZE(x)
    cdef int i, threads
    t.k, t.back, t.x, t.columns = table_of(x), back, data_of(x), data_of(columns)
    fill_window(&p.window, x, columns, geometry)      # reads output sizes where an image has them
    p.image, p.column_image = cnp.PyArray_STRIDE(x, 0) // item, cnp.PyArray_STRIDE(columns, 0) // item
    for i in range(3):
        p.pixel[i] = cnp.PyArray_STRIDE(x, 1 + i) // item
    for i in range(5):
        p.column[i] = cnp.PyArray_STRIDE(columns, 1 + i) // item
    threads = thread_limit() if cnp.PyArray_SIZE(columns) >= PARALLEL else 1
    with nogil:
        parallel_for(patches_block, &t, p.window.images, threads)
    return 0


def im2col(cnp.ndarray x, tuple x_axes, cnp.ndarray columns, tuple axes, tuple geometry):
    run_patches(x.transpose(x_axes), columns.transpose(axes), geometry, False)


def col2im(cnp.ndarray columns, tuple axes, cnp.ndarray x, tuple x_axes, tuple geometry):
    run_patches(x.transpose(x_axes), columns.transpose(axes), geometry, True)


ctypedef struct transpose_task:
    const fastnn_dtype_kernels *k
    size_t rows
    size_t cols
    const char *x
    char *y
    ssize_t size


cdef void transpose_block(void *task, ssize_t block) noexcept nogil:
    cdef transpose_task *t = <transpose_task *>task
    t.k.transpose(t.rows, t.cols, t.x + block * t.size, t.y + block * t.size)


def transpose(cnp.ndarray x, cnp.ndarray y):
    """y (n, cols, rows) = x (n, rows, cols) with the last two axes swapped."""
    cdef transpose_task t
    cdef ssize_t images = cnp.PyArray_DIM(x, 0)
    cdef int threads = thread_limit() if cnp.PyArray_SIZE(x) >= PARALLEL else 1
    t.k, t.rows, t.cols = table_of(x), cnp.PyArray_DIM(x, 1), cnp.PyArray_DIM(x, 2)
    t.x, t.y = <const char *>data_of(x), <char *>data_of(y)
    t.size = <ssize_t>(t.rows * t.cols) * cnp.PyArray_ITEMSIZE(x)
    with nogil:
        parallel_for(transpose_block, &t, images, threads)
