"""The kernel table of this machine, the one door to threads, and the door to BLAS.

The table is chosen once, at import: the best ISA level that the processor and the operating system support, or the one
that FASTNN_ISA names.  Everything parallel in the package passes through `parallel_for` or `run_team`.
"""
import os
import warnings

from cython.parallel cimport parallel, prange

from fastnn._native.limits import limits

cdef extern from "fastnn_openmp.h" nogil:
    int omp_get_thread_num()
    int omp_get_num_threads()
    const int FASTNN_OPENMP_VERSION
    const char *FASTNN_BUILD_FLAGS
    const char *__VERSION__

cdef extern from "cpu.h" nogil:
    int fastnn_isa_count()
    const char *fastnn_isa_name(int)
    int fastnn_isa_supported(int)
    const fastnn_kernels *fastnn_isa_table(int)
    unsigned long fastnn_flush_denormals()
    void fastnn_restore_denormals(unsigned long)
    double fastnn_seconds()

cdef const fastnn_kernels *_table = NULL


# ---------------------------------------------------------------------------------------------------- instruction set

def isas():
    """Names of the ISA levels compiled in, with whether this machine supports each, lowest first."""
    cdef int i
    return {fastnn_isa_name(i).decode(): bool(fastnn_isa_supported(i)) for i in range(fastnn_isa_count())}


def _choose_isa(wanted):
    global _table
    supported = [name for name, usable in isas().items() if usable]
    if not supported:
        raise ImportError("fastnn: this processor supports none of the compiled instruction sets. "
                          f"Expected at least x86-64-v2. Received {list(isas())}")
    if wanted and wanted not in isas():
        raise ImportError(f"FASTNN_ISA: unknown instruction set. Expected one of {list(isas())}. Received {wanted!r}")
    if wanted and wanted not in supported:
        raise ImportError("FASTNN_ISA: this processor does not support that instruction set. "
                          f"Expected one of {supported}. Received {wanted!r}")
    _table = fastnn_isa_table(list(isas()).index(wanted or supported[len(supported) - 1]))


_choose_isa(os.environ.get("FASTNN_ISA"))


def isa():
    """The ISA level in use."""
    return _table.isa.decode()


def build_info():
    """How the compiled layer was built."""
    return {"compiler": __VERSION__.decode(), "flags": FASTNN_BUILD_FLAGS.decode(), "openmp": FASTNN_OPENMP_VERSION}


cdef const fastnn_kernels *kernels() noexcept nogil:
    return _table


def _names(const char *row_list):
    return tuple(name.strip() for name in row_list.decode().strip("()").split(",") if name.strip())


def tables():
    """The rows of src_c/*.def, in order: names, what they keep, parameters, slots and scalars, sums of pieces."""
    cdef int i
    cdef const fastnn_dtype_kernels *k = &_table.dtype[FASTNN_F32]
    return {
        "activations": [
            (k.activation[i].name.decode(), k.activation[i].keeps.decode(), _names(k.activation[i].params))
            for i in range(FASTNN_ACTIVATIONS)
        ],
        "losses": [
            (k.loss[i].name.decode(), k.loss[i].reduce.decode(), _names(k.loss[i].params)) for i in range(FASTNN_LOSSES)
        ],
        "row_losses": [
            (k.row_loss[i].name.decode(), k.row_loss[i].target.decode(), _names(k.row_loss[i].inputs),
             _names(k.row_loss[i].params))
            for i in range(FASTNN_ROW_LOSSES)
        ],
        "optimizers": [
            (k.optimizer[i].name.decode(), _names(k.optimizer[i].slots), _names(k.optimizer[i].scalars))
            for i in range(FASTNN_OPTIMIZERS)
        ],
        "learned": [
            (k.learned[i].name.decode(), _names(k.learned[i].params), bool(k.learned[i].sum))
            for i in range(FASTNN_LEARNED)
        ],
    }


def ctc_scratch(size_t steps, size_t labels):
    """Numbers of scratch that the row loss ctc needs for every sample."""
    return fastnn_ctc_scratch(steps, labels)


def group_scratch():
    """Numbers of scratch that a row loss of groups needs for every row."""
    return FASTNN_GROUP_SCRATCH


# ------------------------------------------------------------------------------------------------------------ threads

cdef int _threads = 1
cdef bint _team_was_used = False
cdef bint _forked = False
cdef bint _told_of_fork = False


def set_num_threads(int count):
    global _threads
    _threads = count


def get_num_threads():
    return _threads


def _after_fork_in_child():
    # an OpenMP team does not survive fork: a region in the child would wait for threads that are not there
    global _forked
    _forked = _team_was_used


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


cdef int thread_limit() except -1:
    """Threads that a region may use now: the setting, or 1 in a forked child of a process that had a team."""
    global _told_of_fork, _team_was_used
    if _threads < 2 or FASTNN_OPENMP_VERSION == 0:
        return 1
    if _forked:
        if not _told_of_fork:
            _told_of_fork = True
            warnings.warn("fastnn runs with one thread in this process: it was forked from a process that had already "
                          "used threads. The 'spawn' start method keeps them.", RuntimeWarning, stacklevel=2)
        return 1
    _team_was_used = True
    return _threads


cdef void parallel_for(block_fn run, void *task, ssize_t blocks, int threads) noexcept nogil:
    cdef ssize_t b
    if threads < 2 or blocks < 2:
        for b in range(blocks):
            run(task, b)
    else:
        for b in prange(blocks, num_threads=threads, schedule="static"):
            run(task, b)


cdef void run_team(member_fn run, void *task, int threads) noexcept nogil:
    if threads < 2:
        run(task, 0, 1)
    else:
        with parallel(num_threads=threads):
            run(task, omp_get_thread_num(), omp_get_num_threads())


cdef unsigned long flush_denormals() noexcept nogil:
    return fastnn_flush_denormals()


cdef void restore_denormals(unsigned long old) noexcept nogil:
    fastnn_restore_denormals(old)


cdef double seconds_now() noexcept nogil:
    return fastnn_seconds()


# --------------------------------------------------------------------------------------------------------------- BLAS

ctypedef void (*sgemm_fn)(int, int, int, int, int, int, float, const void *, int, const void *, int, float,
                          void *, int) noexcept nogil
ctypedef void (*dgemm_fn)(int, int, int, int, int, int, double, const void *, int, const void *, int, double,
                          void *, int) noexcept nogil
ctypedef void (*sgemv_fn)(int, int, int, int, float, const void *, int, const void *, int, float, void *,
                          int) noexcept nogil
ctypedef void (*dgemv_fn)(int, int, int, int, double, const void *, int, const void *, int, double, void *,
                          int) noexcept nogil
cdef sgemm_fn _sgemm = NULL
cdef dgemm_fn _dgemm = NULL
cdef sgemv_fn _sgemv = NULL
cdef dgemv_fn _dgemv = NULL

# Cutting a product costs efficiency: about 5 % for halves, 20 % for eighths of a middle-sized one, so below HALVE_FLOPS
# it stays whole, above it is halved, and finer cuts keep blocks of a good width and of BLOCK_FLOPS.
cdef double HALVE_FLOPS = 1e6
cdef double BLOCK_FLOPS = 4e6
cdef int GOOD_WIDTH = 128
cdef int MOST_BLOCKS = 8
cdef int BLOCK_MULTIPLE = 8
cdef int LARGEST_SUM = 16384

# Below so many operations our own kernel (src_c/gemm.h) takes the product.
cdef double _own_flops = limits(isa()).own_gemm


def set_own_gemm(double flops):
    """Products of fewer operations go to our own kernel from now on; returns the limit so far.  For measurements."""
    global _own_flops
    before, _own_flops = _own_flops, flops
    return before


def set_blas(size_t sgemm, size_t dgemm, size_t sgemv, size_t dgemv):
    """Take the addresses of the functions of CBLAS."""
    global _sgemm, _dgemm, _sgemv, _dgemv
    _sgemm = <sgemm_fn>sgemm
    _dgemm = <dgemm_fn>dgemm
    _sgemv = <sgemv_fn>sgemv
    _dgemv = <dgemv_fn>dgemv


cdef void plan_gemm(gemm_task *t) noexcept nogil:
    """Cut C along its longer side; by shape only, so that the bits do not depend on the number of threads."""
    cdef int blocks = 1, longer
    t.own = t.alpha == 1 and t.beta == 0 and 2.0 * t.m * t.n * t.k < _own_flops
    t.by_depth = False
    t.by_rows = t.m >= t.n
    longer = t.m if t.by_rows else t.n
    if 2.0 * t.m * t.n * t.k >= HALVE_FLOPS and longer >= 2 * BLOCK_MULTIPLE:
        blocks = min(MOST_BLOCKS, max(2, longer // GOOD_WIDTH))
        # every block of a finer cut is still worth a thread
        blocks = min(blocks, max(2, <int>(2.0 * t.m * t.n * t.k / BLOCK_FLOPS)))
    t.block_size = longer
    if blocks > 1:
        t.block_size = ((longer + blocks - 1) // blocks + BLOCK_MULTIPLE - 1) // BLOCK_MULTIPLE * BLOCK_MULTIPLE
    t.blocks = (longer + t.block_size - 1) // t.block_size if longer else 0


cdef void cut_depth(gemm_task *t) noexcept nogil:
    """Cut a planned product of a low A and a large B into sums over parts of k, where that saves traffic.

    Each block then reads some rows of B and no others: with weights, those that the same thread has updated (team.h),
    while a cut of C sends half of B to another core.  What travels instead are sums as large as C; the caller adds
    them up.  By shape only.
    """
    cdef int blocks = 2
    if t.blocks < 2 or t.transpose_a or t.transpose_b or t.m < 2 or t.k < 4 * t.m or t.m * t.n > LARGEST_SUM:
        return
    while 2 * blocks <= min(MOST_BLOCKS, t.k // (2 * t.m)) and 2.0 * t.m * t.n * t.k >= 2 * blocks * BLOCK_FLOPS:
        blocks *= 2
    t.by_depth = True
    t.block_size = ((t.k + blocks - 1) // blocks + BLOCK_MULTIPLE - 1) // BLOCK_MULTIPLE * BLOCK_MULTIPLE
    t.blocks = (t.k + t.block_size - 1) // t.block_size


cdef void row_by_matrix(gemm_task *t, int n, const char *a, const char *b, char *c) noexcept nogil:
    """One row of C: a single sample through a dense layer."""
    cdef int rows = n if t.transpose_b else t.k, cols = t.k if t.transpose_b else n
    cdef int trans = 111 if t.transpose_b else 112
    if t.dtype == FASTNN_F64:
        _dgemv(101, trans, rows, cols, t.alpha, b, t.ldb, a, 1, t.beta, c, 1)
    else:
        _sgemv(101, trans, rows, cols, <float>t.alpha, b, t.ldb, a, 1, <float>t.beta, c, 1)


cdef void gemm_block(void *task, ssize_t block) noexcept nogil:
    cdef gemm_task *t = <gemm_task *>task
    cdef ssize_t item = 8 if t.dtype == FASTNN_F64 else 4
    cdef ssize_t first = block * t.block_size
    cdef int m = t.m, n = t.n, k = t.k
    cdef const char *a = t.a
    cdef const char *b = t.b
    cdef char *c = t.c
    if t.by_depth:
        k = <int>min(<ssize_t>t.block_size, k - first)
        a += item * first
        b += item * first * t.ldb
        if block > 0:
            c = t.terms + item * (block - 1) * m * n
    elif t.by_rows:
        m = <int>min(<ssize_t>t.block_size, t.m - first)
        a += item * first * (1 if t.transpose_a else t.lda)
        c += item * first * t.ldc
    else:
        n = <int>min(<ssize_t>t.block_size, t.n - first)
        b += item * first * (t.ldb if t.transpose_b else 1)
        c += item * first
    # CblasRowMajor 101, NoTrans 111, Trans 112
    if m == 1 and not t.transpose_a and t.k > 0 and (t.transpose_b or not t.own):
        # a matrix product would first copy all of B into another layout
        row_by_matrix(t, n, a, b, c)
    elif t.own:
        kernels().dtype[t.dtype].small_gemm(t.transpose_a, t.transpose_b, m, n, k, a, t.lda, b, t.ldb, c, t.ldc)
    elif t.dtype == FASTNN_F64:
        _dgemm(101, 112 if t.transpose_a else 111, 112 if t.transpose_b else 111, m, n, k, t.alpha, a, t.lda,
               b, t.ldb, t.beta, c, t.ldc)
    else:
        _sgemm(101, 112 if t.transpose_a else 111, 112 if t.transpose_b else 111, m, n, k, <float>t.alpha, a, t.lda,
               b, t.ldb, <float>t.beta, c, t.ldc)
