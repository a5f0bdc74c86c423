"""The kernel protocol of fastnn.backend over the compiled table.

Protocol functions trust their callers (fastnn.ops checks): C-contiguous arrays of one real dtype.  They cut large
arrays into chunks for the threads and release the GIL when the work is worth it.  Short cuts for small calls, which
check by themselves, stand in _fast_*.pyx.
"""
cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from fastnn._native._core cimport (
    FASTNN_COMMON_SCALARS, FASTNN_F32, FASTNN_F64, FASTNN_GROUP_SCRATCH, FASTNN_MAX_PARAMS, FASTNN_MAX_SLOTS, block_fn,
    fastnn_adafactor, fastnn_ctc_scratch, fastnn_dtype_kernels, fastnn_loss_args, gemm_block, gemm_task, kernels,
    map_backward_fn, map_fn, parallel_for, plan_gemm, rows_backward_fn, rows_fn, thread_limit,
)
from fastnn._native import _core

cnp.import_array()

name = "native"

cdef dict ACTIVATION_ROW = {row[0]: i for i, row in enumerate(_core.tables()["activations"])}
cdef dict LOSS_ROW = {row[0]: i for i, row in enumerate(_core.tables()["losses"])}
cdef dict ROW_LOSS_ROW = {row[0]: i for i, row in enumerate(_core.tables()["row_losses"])}
cdef frozenset GROUP_LOSSES = frozenset(row[0] for row in _core.tables()["row_losses"] if row[1] == "groups")
cdef dict OPTIMIZER_ROW = {row[0]: i for i, row in enumerate(_core.tables()["optimizers"])}

cdef enum:
    STAGED = 16384           # bytes that a block computes before it sends them past the caches

# Bytes of a result from which it is written past the caches: it would not stay there.
cdef ssize_t STREAM_BYTES = 16 * 2**20


# ------------------------------------------------------------------------------------------------------- element-wise

ctypedef struct map_task:
    map_fn one                 # y = f(x)
    map_backward_fn two        # y = f(x, z); used when `one` is NULL
    const char *x
    const char *z
    char *y
    ssize_t n
    ssize_t item
    const double *params


cdef inline void map_span(map_task *t, ssize_t n, ssize_t at, char *y) noexcept nogil:
    if t.one != NULL:
        t.one(n, t.x + at, y, t.params)
    else:
        t.two(n, t.x + at, t.z + at, y, t.params)


cdef void map_block(void *task, ssize_t block) noexcept nogil:
    cdef map_task *t = <map_task *>task
    cdef ssize_t first = block * CHUNK
    cdef ssize_t n = min(<ssize_t>CHUNK, t.n - first)
    map_span(t, n, first * t.item, t.y + first * t.item)


cdef void map_block_past_caches(void *task, ssize_t block) noexcept nogil:
    cdef map_task *t = <map_task *>task
    cdef char staged[STAGED]
    cdef ssize_t at = block * CHUNK * t.item
    cdef ssize_t end = min(at + CHUNK * t.item, t.n * t.item)
    cdef ssize_t size
    while at < end:
        size = min(<ssize_t>STAGED, end - at)
        map_span(t, size // t.item, at, staged)
        kernels().stream(size, staged, t.y + at)
        at += size


cdef void begin_at_a_cache_line(map_task *t) noexcept nogil:
    """The elements before the result's first cache line; a vector stored across two lines costs a tenth of the time."""
    cdef ssize_t n = (-<ssize_t>t.y & 63) // t.item
    map_span(t, n, 0, t.y)
    t.n -= n
    t.x += n * t.item
    t.y += n * t.item
    if t.z != NULL:
        t.z += n * t.item


cdef int run_map(map_task *t) except -1:
    cdef int threads
    cdef block_fn run = map_block
    if t.n < RELEASE_GIL:
        map_span(t, t.n, 0, t.y)
    else:
        threads = thread_limit() if t.n >= PARALLEL else 1
        if t.n * t.item >= STREAM_BYTES and t.y != t.x and t.y != t.z:
            run = map_block_past_caches
        with nogil:
            begin_at_a_cache_line(t)
            parallel_for(run, t, (t.n + CHUNK - 1) // CHUNK, threads)
    return 0


cdef int map_arrays(map_fn one, map_backward_fn two, cnp.ndarray x, object z, cnp.ndarray y, object params) except -1:
    cdef double values[FASTNN_MAX_PARAMS]
    cdef map_task t
    read_params(params, values)
    t.one, t.two, t.params = one, two, values
    t.x, t.z, t.y = <const char *>data_of(x), <const char *>data_of(z), <char *>data_of(y)
    t.n, t.item = cnp.PyArray_SIZE(x), cnp.PyArray_ITEMSIZE(x)
    return run_map(&t)


def activation_forward(row, cnp.ndarray x, cnp.ndarray y, tuple params):
    map_arrays(table_of(x).activation[<int>ACTIVATION_ROW[row]].forward, NULL, x, None, y, params)


def activation_backward(row, cnp.ndarray dy, cnp.ndarray kept, cnp.ndarray dx, tuple params):
    map_arrays(NULL, table_of(dy).activation[<int>ACTIVATION_ROW[row]].backward, dy, kept, dx, params)


def activation_derivative(row, cnp.ndarray x, cnp.ndarray dx, tuple params):
    map_arrays(table_of(x).activation[<int>ACTIVATION_ROW[row]].derivative, NULL, x, None, dx, params)


# ----------------------------------------------------------------------------------------------------- rows of softmax

ctypedef struct rows_task:
    rows_fn one
    rows_backward_fn two
    const char *x
    const char *z
    char *y
    ssize_t rows
    ssize_t cols
    ssize_t out_cols
    ssize_t item
    ssize_t per_block


cdef void rows_block(void *task, ssize_t block) noexcept nogil:
    cdef rows_task *t = <rows_task *>task
    cdef ssize_t first = block * t.per_block
    cdef ssize_t rows = min(t.per_block, t.rows - first)
    cdef ssize_t at = first * t.cols * t.item
    if t.one != NULL:
        t.one(rows, t.cols, t.x + at, t.y + first * t.out_cols * t.item)
    else:
        t.two(rows, t.cols, t.x + at, t.z + at, t.y + at)


cdef int run_rows(rows_fn one, rows_backward_fn two, cnp.ndarray x, object z, cnp.ndarray y, ssize_t rows,
                  ssize_t cols, ssize_t out_cols) except -1:
    cdef rows_task t
    cdef ssize_t blocks, n = rows * cols
    cdef int threads
    if n == 0:
        return 0
    t.one, t.two, t.x, t.z, t.y = one, two, <const char *>data_of(x), <const char *>data_of(z), <char *>data_of(y)
    t.rows, t.cols, t.out_cols, t.item = rows, cols, out_cols, cnp.PyArray_ITEMSIZE(x)
    t.per_block = max(<ssize_t>1, CHUNK // cols)
    blocks = (rows + t.per_block - 1) // t.per_block
    if n < RELEASE_GIL:
        parallel_for(rows_block, &t, blocks, 1)
        return 0
    threads = thread_limit() if n >= PARALLEL else 1
    with nogil:
        parallel_for(rows_block, &t, blocks, threads)
    return 0


cdef int map_rows(rows_fn one, rows_backward_fn two, cnp.ndarray x, object z, cnp.ndarray y) except -1:
    cdef ssize_t cols = cnp.PyArray_DIM(x, 1)
    return run_rows(one, two, x, z, y, cnp.PyArray_DIM(x, 0), cols, cols if cnp.PyArray_NDIM(y) == 2 else 1)


def softmax(cnp.ndarray x, cnp.ndarray y):
    map_rows(table_of(x).softmax, NULL, x, None, y)


def log_softmax(cnp.ndarray x, cnp.ndarray y):
    map_rows(table_of(x).log_softmax, NULL, x, None, y)


def logsumexp(cnp.ndarray x, cnp.ndarray y):
    map_rows(table_of(x).logsumexp, NULL, x, None, y)


def softmax_backward(cnp.ndarray dy, cnp.ndarray y, cnp.ndarray dx):
    map_rows(NULL, table_of(dy).softmax_backward, dy, y, dx)


def log_softmax_backward(cnp.ndarray dy, cnp.ndarray y, cnp.ndarray dx):
    map_rows(NULL, table_of(dy).log_softmax_backward, dy, y, dx)


# -------------------------------------------------------------------------------------------------------------- dense

cdef int run_gemm(gemm_task *t) except -1:
    cdef int threads
    if t.m == 0 or t.n == 0:
        return 0
    plan_gemm(t)
    if t.blocks == 1 and <double>t.m * t.n * t.k < RELEASE_GIL:
        gemm_block(t, 0)
        return 0
    threads = thread_limit() if t.blocks > 1 else 1
    with nogil:
        parallel_for(gemm_block, t, t.blocks, threads)
    return 0


def gemm(cnp.ndarray a, cnp.ndarray b, cnp.ndarray c, bint transpose_a, bint transpose_b, double alpha, double beta):
    cdef gemm_task t
    t.dtype = FASTNN_F64 if cnp.PyArray_TYPE(c) == cnp.NPY_DOUBLE else FASTNN_F32
    t.transpose_a, t.transpose_b, t.alpha, t.beta = transpose_a, transpose_b, alpha, beta
    t.m, t.n = <int>cnp.PyArray_DIM(c, 0), <int>cnp.PyArray_DIM(c, 1)
    t.k = <int>cnp.PyArray_DIM(a, 0 if transpose_a else 1)
    # BLAS wants a leading dimension of at least 1 even for empty operands
    t.lda, t.ldb, t.ldc = max(1, <int>cnp.PyArray_DIM(a, 1)), max(1, <int>cnp.PyArray_DIM(b, 1)), max(1, t.n)
    t.a, t.b, t.c = <const char *>data_of(a), <const char *>data_of(b), <char *>data_of(c)
    run_gemm(&t)


def bias_forward(row, cnp.ndarray y, bias, z, tuple params):
    cdef double values[FASTNN_MAX_PARAMS]
    cdef size_t rows = cnp.PyArray_DIM(y, 0), cols = cnp.PyArray_DIM(y, 1)
    cdef const fastnn_dtype_kernels *k = table_of(y)
    cdef int act = ACTIVATION_ROW[row]
    cdef void *py = data_of(y)
    cdef void *pb = data_of(bias)
    cdef void *pz = data_of(z)
    read_params(params, values)
    with nogil:
        k.bias_forward(act, rows, cols, cols, pb, py, pz, values)


def bias_backward(row, cnp.ndarray dy, cnp.ndarray kept, cnp.ndarray dz, db, tuple params):
    cdef double values[FASTNN_MAX_PARAMS]
    cdef size_t rows = cnp.PyArray_DIM(dy, 0), cols = cnp.PyArray_DIM(dy, 1)
    cdef const fastnn_dtype_kernels *k = table_of(dy)
    cdef int act = ACTIVATION_ROW[row]
    cdef void *pdy = data_of(dy)
    cdef void *pk = data_of(kept)
    cdef void *pdz = data_of(dz)
    cdef void *pdb = data_of(db)
    read_params(params, values)
    with nogil:
        k.bias_backward(act, rows, cols, cols, pdy, pk, pdz, pdb, values)


def column_sums(cnp.ndarray x, cnp.ndarray sums):
    cdef size_t rows = cnp.PyArray_DIM(x, 0), cols = cnp.PyArray_DIM(x, 1)
    table_of(x).column_sums(rows, cols, cols, data_of(x), data_of(sums))


# ------------------------------------------------------------------------------------------------- losses and metrics

def elementwise_loss(row, cnp.ndarray pred, cnp.ndarray target, row_weight, double grad_scale, grad, row_loss,
                     tuple params):
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    cdef const fastnn_dtype_kernels *k = table_of(pred)
    cdef int loss = LOSS_ROW[row]
    read_params(params, values)
    memset(&a, 0, sizeof(a))
    a.rows, a.cols = cnp.PyArray_DIM(pred, 0), cnp.PyArray_DIM(pred, 1)
    a.pred, a.target, a.grad = data_of(pred), data_of(target), data_of(grad)
    a.row_weight, a.row_loss = <const double *>data_of(row_weight), <double *>data_of(row_loss)
    a.grad_scale, a.params = grad_scale, values
    with nogil:
        k.elementwise_loss(loss, &a)


cdef enum:
    LOSS_BLOCK = 4096        # elements whose losses one thread adds up before the sums of all blocks are added
    FEW_BLOCKS = 64          # whose sums are on the stack

ctypedef struct loss_task:
    const fastnn_dtype_kernels *k
    int row
    fastnn_loss_args args    # of the whole array; grad_scale: of each element
    ssize_t n
    ssize_t item
    double *sums


cdef void loss_block(void *task, ssize_t block) noexcept nogil:
    cdef loss_task *t = <loss_task *>task
    cdef fastnn_loss_args a = t.args
    cdef ssize_t first = block * LOSS_BLOCK
    cdef double divisor
    a.rows, a.cols = 1, min(<ssize_t>LOSS_BLOCK, t.n - first)
    divisor = 1 if t.k.loss[t.row].sums else <double>a.cols
    a.pred, a.target = <const char *>a.pred + first * t.item, <const char *>a.target + first * t.item
    if a.grad != NULL:
        a.grad = <char *>a.grad + first * t.item
    a.row_loss = t.sums + block
    a.grad_scale *= divisor
    t.k.elementwise_loss(t.row, &a)
    t.sums[block] *= divisor


cdef double run_loss_sum(int row, fastnn_loss_args *args, cnp.ndarray pred) except? -1:
    """The sum of the losses of all elements of contiguous arrays."""
    cdef double few[FEW_BLOCKS]
    cdef double sum
    cdef loss_task t
    cdef ssize_t blocks
    cdef int threads
    t.k, t.row, t.args, t.sums = table_of(pred), row, args[0], few
    t.n, t.item = cnp.PyArray_SIZE(pred), cnp.PyArray_ITEMSIZE(pred)
    t.args.row_weight = NULL
    blocks = (t.n + LOSS_BLOCK - 1) // LOSS_BLOCK
    if blocks > FEW_BLOCKS:
        t.sums = <double *>PyMem_Malloc(blocks * sizeof(double))
        if t.sums == NULL:
            raise MemoryError
    if t.n < RELEASE_GIL:
        if blocks:
            loss_block(&t, 0)
    else:
        threads = thread_limit() if t.n >= PARALLEL else 1
        with nogil:
            parallel_for(loss_block, &t, blocks, threads)
    sum = sum_in_order(t.sums, blocks)
    if t.sums != few:
        PyMem_Free(t.sums)
    return sum


cdef double sum_in_order(const double *x, ssize_t n) noexcept nogil:
    """Pairwise, eight lanes at the bottom."""
    cdef double lane[8]
    cdef double few = 0
    cdef ssize_t i, j, half
    if n > 128:
        half = n // 16 * 8
        return sum_in_order(x, half) + sum_in_order(x + half, n - half)
    for j in range(8):
        lane[j] = 0
    for i in range(n // 8):
        for j in range(8):
            lane[j] += x[8 * i + j]
    for i in range(n // 8 * 8, n):
        few += x[i]
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7])) + few


def loss_sum(row, cnp.ndarray pred, cnp.ndarray target, double grad_scale, grad, tuple params):
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    read_params(params, values)
    a.pred, a.target, a.grad = data_of(pred), data_of(target), data_of(grad)
    a.grad_scale, a.params = grad_scale, values
    return run_loss_sum(<int>LOSS_ROW[row], &a, pred)


def row_loss(row, tuple inputs, target, row_weight, double grad_scale, grads, row_loss, tuple params, int ignore=-1,
             class_weight=None, double smoothing=0, probs=None, lengths=None):
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    cdef cnp.ndarray pred = inputs[0]
    cdef const fastnn_dtype_kernels *k = table_of(pred)
    cdef int loss = ROW_LOSS_ROW[row], i
    cdef cnp.npy_intp numbers = 0
    read_params(params, values)
    memset(&a, 0, sizeof(a))
    a.rows, a.cols, a.ld = cnp.PyArray_DIM(pred, 0), cnp.PyArray_DIM(pred, 1), cnp.PyArray_DIM(pred, 1)
    a.pred = data_of(pred)
    a.grad = NULL if grads is None else data_of(grads[0])
    for i in range(1, len(inputs)):
        a.more[i - 1] = data_of(inputs[i])
        a.more_grad[i - 1] = NULL if grads is None else data_of(grads[i])
    if target is not None and cnp.PyArray_TYPE(<cnp.ndarray>target) == cnp.NPY_INT32:
        a.labels = <const int32_t *>data_of(target)
        if cnp.PyArray_NDIM(<cnp.ndarray>target) == 2:          # several labels for each row
            a.target_cols = cnp.PyArray_DIM(<cnp.ndarray>target, 1)
            numbers = a.rows * fastnn_ctc_scratch(a.cols // <size_t>values[0], a.target_cols)
        elif row in GROUP_LOSSES:
            numbers = a.rows * FASTNN_GROUP_SCRATCH
        if numbers:
            scratch = cnp.PyArray_SimpleNew(1, &numbers, cnp.NPY_DOUBLE)
            a.scratch = <double *>data_of(scratch)
    else:
        a.target = data_of(target)
    a.class_weight, a.lengths, a.smoothing = data_of(class_weight), <const int32_t *>data_of(lengths), smoothing
    a.row_weight, a.row_loss = <const double *>data_of(row_weight), <double *>data_of(row_loss)
    a.grad_scale, a.probs, a.params, a.ignore = grad_scale, data_of(probs), values, ignore
    with nogil:
        k.row_loss[loss].run(&a)


def label_hits(cnp.ndarray pred, cnp.ndarray labels, cnp.ndarray hits):
    table_of(pred).label_hits(cnp.PyArray_DIM(pred, 0), cnp.PyArray_DIM(pred, 1), data_of(pred),
                              <const int32_t *>data_of(labels), <double *>data_of(hits))


def argmax_hits(cnp.ndarray pred, cnp.ndarray target, cnp.ndarray hits):
    table_of(pred).argmax_hits(cnp.PyArray_DIM(pred, 0), cnp.PyArray_DIM(pred, 1), data_of(pred), data_of(target),
                               <double *>data_of(hits))


def threshold_hits(cnp.ndarray pred, cnp.ndarray target, double threshold, cnp.ndarray hits):
    table_of(pred).threshold_hits(cnp.PyArray_DIM(pred, 0), cnp.PyArray_DIM(pred, 1), data_of(pred), data_of(target),
                                  threshold, <double *>data_of(hits))


# --------------------------------------------------------------------------------------------------------- optimizers

cdef void update_block(void *task, ssize_t block) noexcept nogil:
    cdef update_task *t = <update_task *>task
    cdef ssize_t first = block * CHUNK
    cdef ssize_t at = first * t.item
    cdef void *slots[FASTNN_MAX_SLOTS]
    cdef int i
    for i in range(t.slots):
        slots[i] = t.slot[i] + at
    t.k.optimizer[t.row].update(min(<ssize_t>CHUNK, t.n - first), t.p + at, t.g + at, slots, t.scalars)


cdef int run_update(update_task *t) except -1:
    cdef int threads
    if t.n <= RELEASE_GIL:
        update_block(t, 0)
        return 0
    threads = thread_limit() if t.n >= PARALLEL else 1
    with nogil:
        parallel_for(update_block, t, (t.n + CHUNK - 1) // CHUNK, threads)
    return 0


cdef int read_scalars(object scalars, double *values) except -1:
    cdef int i = 0
    for value in scalars:
        if i == FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS:
            raise ValueError(f"expected at most {i} scalars. Received {len(scalars)}")
        values[i] = value
        i += 1
    return 0


def optimizer_update(row, cnp.ndarray p, cnp.ndarray g, tuple slots, scalars):
    cdef update_task t
    cdef double values[FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS]
    cdef int i
    read_scalars(scalars, values)
    t.k, t.row, t.slots, t.scalars = table_of(p), OPTIMIZER_ROW[row], len(slots), values
    t.n, t.item, t.p, t.g = cnp.PyArray_SIZE(p), cnp.PyArray_ITEMSIZE(p), <char *>data_of(p), <const char *>data_of(g)
    for i in range(t.slots):
        t.slot[i] = <char *>data_of(slots[i])
    run_update(&t)


# ------------------------------------------------------------------------------------------ randomness and inspection

def dropout(cnp.ndarray x, cnp.ndarray y, cnp.ndarray mask, uint64_t seed, uint32_t stream, uint32_t step, double rate):
    cdef const fastnn_dtype_kernels *k = table_of(x)
    cdef size_t n = cnp.PyArray_SIZE(x)
    cdef void *px = data_of(x)
    cdef void *py = data_of(y)
    cdef uint8_t *pm = <uint8_t *>data_of(mask)
    with nogil:
        k.dropout(n, px, py, pm, seed, stream, step, 0, rate, 1 / (1 - rate))


def masked_scale(cnp.ndarray x, cnp.ndarray mask, cnp.ndarray y, double scale):
    table_of(x).masked_scale(cnp.PyArray_SIZE(x), data_of(x), <const uint8_t *>data_of(mask), data_of(y), scale)


def random_bits(cnp.ndarray out, uint64_t seed, uint32_t stream, uint32_t step):
    kernels().random_bits(cnp.PyArray_SIZE(out), <uint32_t *>data_of(out), seed, stream, step, 0)


def adafactor(cnp.ndarray p, cnp.ndarray g, cnp.ndarray r, c, double gradient_scale, double decay, double rate,
              double beta, double eps1, double eps2, double threshold):
    cdef fastnn_adafactor a
    cdef const fastnn_dtype_kernels *k = table_of(p)
    a.matrices, a.rows, a.cols = cnp.PyArray_DIM(p, 0), cnp.PyArray_DIM(p, 1), cnp.PyArray_DIM(p, 2)
    a.p, a.g, a.r, a.c = data_of(p), data_of(g), data_of(r), data_of(c)
    a.gradient_scale, a.decay, a.rate, a.beta, a.eps1, a.eps2 = gradient_scale, decay, rate, beta, eps1, eps2
    a.threshold = threshold
    with nogil:
        k.adafactor(&a)


def sum_of_squares(cnp.ndarray x):
    return table_of(x).sum_of_squares(cnp.PyArray_SIZE(x), data_of(x))


def first_nonfinite(cnp.ndarray x):
    cdef const fastnn_dtype_kernels *k = table_of(x)
    cdef size_t n = cnp.PyArray_SIZE(x), found
    cdef void *px = data_of(x)
    with nogil:
        found = k.first_nonfinite(n, px)
    return found
