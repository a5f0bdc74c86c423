"""The native executor: runs a plan over many mini-batches in one call without the GIL.

A `Program` is a plan turned into C structures: pointers, numbers and, for each step, into how many blocks its work is
cut.  The number of blocks follows from shapes alone and every block is computed by one thread, so results do not depend
on how many threads there are; which thread takes which block is left to chance (src_c/team.h).  In steady state nothing
is allocated and no Python object is touched.  Denormals are flushed to zero on the threads of a run while it lasts, and
nowhere else.
"""
cimport numpy as cnp
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from fastnn._native._core cimport (
    FASTNN_ACT_identity, FASTNN_COMMON_SCALARS, FASTNN_F32, FASTNN_F64, FASTNN_MAX_PARAMS, FASTNN_MAX_SLOTS,
    fastnn_claim, fastnn_dtype_kernels, fastnn_finish, fastnn_loss_args, fastnn_ticket, fastnn_wait, flush_denormals,
    gemm_block, gemm_task, kernels, plan_gemm, restore_denormals, run_team, seconds_now, thread_limit,
)
from fastnn._native import _core

import numpy as np

cnp.import_array()

cdef enum:
    MAX_BUFFERS = 6
    MAX_INTS = 5
    MAX_REALS = 8
    MAX_INPUTS = 8
    SMALLEST_BLOCK = 8192    # elements of an element-wise step that are worth a thread
    COLUMN_BLOCK = 128

# Work per mini-batch, in steps that are cut into blocks, from which a team of threads pays.
cdef double TEAM_FLOPS = 3e6

ctypedef struct step_t:
    int op
    int row
    int buffers[MAX_BUFFERS]
    ssize_t ints[MAX_INTS]
    double reals[MAX_REALS]
    ssize_t rows             # units that blocks divide: rows, columns or elements
    ssize_t per_block
    ssize_t blocks
    gemm_task gemm
    fastnn_ticket ticket

ctypedef struct segment_t:
    char *p
    const char *g
    char *slots[FASTNN_MAX_SLOTS]
    ssize_t n
    double l2
    double decay
    ssize_t first_block

ctypedef struct source_t:
    const char *data
    int kind                 # FASTNN_SRC_*, or -1: labels and weights, copied as they are
    ssize_t item
    ssize_t per_sample
    bint direct              # the dtype is already that of the buffer

ctypedef struct run_t:
    step_t *steps
    int count
    char **at                # buffer pointers
    const fastnn_dtype_kernels *k
    ssize_t item
    ssize_t batch
    # inputs and outputs
    int inputs
    source_t sources[MAX_INPUTS]
    int input_buffers[MAX_INPUTS]
    char *input_workspace[MAX_INPUTS]
    int outputs
    int output_buffers[MAX_INPUTS]
    char *output_data[MAX_INPUTS]
    ssize_t output_bytes[MAX_INPUTS]
    # this run
    const int64_t *order
    int64_t *sequence        # 0, 1, 2 ... for sources that are converted but not shuffled
    ssize_t first_sample
    ssize_t batches
    ssize_t done
    double deadline
    uint64_t seed
    uint32_t step
    double *totals
    const double *scalars
    ssize_t scalars_per_step
    segment_t *segments
    int segment_count
    int slots
    fastnn_ticket begin      # one block a batch: look at the clock, bind the batch's data
    ssize_t stopped_at

ctypedef void (*step_fn)(run_t *r, step_t *s, ssize_t block) noexcept nogil


# ------------------------------------------------------------------------------------- steps: one function an operation

cdef inline char *ptr(run_t *r, step_t *s, int i) noexcept nogil:
    return NULL if s.buffers[i] < 0 else r.at[s.buffers[i]]


cdef inline ssize_t span(step_t *s, ssize_t block) noexcept nogil:
    return min(s.per_block, s.rows - block * s.per_block)


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
    r.k.bias_forward(s.row, rows, cols, s.ints[2], bias, g.c + at, NULL if z == NULL else z + at, s.reals)


cdef void do_gemm(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef gemm_task g = s.gemm
    g.a, g.b, g.c = ptr(r, s, 0), ptr(r, s, 1), ptr(r, s, 2)
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


cdef double divide_by(int mode, const char *counted, ssize_t rows, int32_t ignore) noexcept nogil:
    """1 / the divisor that a batch brings along: the sum of its weights (1) or its number of labels that count (2)."""
    cdef double total = 0
    cdef ssize_t i
    for i in range(rows):
        if mode == 1:
            total += (<const double *>counted)[i]
        elif (<const int32_t *>counted)[i] != ignore:
            total += 1
    return 1 / total if total != 0 else 0


cdef ssize_t fill_loss(run_t *r, step_t *s, ssize_t block, fastnn_loss_args *a, int row_loss) noexcept nogil:
    """What the three losses share; returns the byte offset of the block's first row."""
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    cdef const double *weight = <const double *>ptr(r, s, 2)
    cdef char *grad = ptr(r, s, 3)
    memset(a, 0, sizeof(fastnn_loss_args))
    a.rows, a.cols, a.pred = span(s, block), s.ints[1], ptr(r, s, 0) + at
    a.target = ptr(r, s, 1) + at
    a.grad_scale = s.reals[0]
    if s.ints[2]:
        a.grad_scale = divide_by(<int>s.ints[2], ptr(r, s, 2 if s.ints[2] == 1 else 1), s.ints[0], <int32_t>s.ints[3])
    if weight != NULL:
        a.row_weight = weight + first
    a.grad = NULL if grad == NULL else grad + at
    a.row_loss = <double *>ptr(r, s, row_loss) + first
    a.params = s.reals + 1
    return at


cdef void use_labels(run_t *r, step_t *s, ssize_t block, fastnn_loss_args *a) noexcept nogil:
    if s.ints[4]:
        a.target, a.labels = NULL, <const int32_t *>ptr(r, s, 1) + block * s.per_block
    a.ignore = <int32_t>s.ints[3]


cdef void do_elementwise_loss(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_loss_args a
    fill_loss(r, s, block, &a, 4)
    r.k.elementwise_loss(s.row, &a)


cdef void do_softmax_cross_entropy(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_loss_args a
    cdef ssize_t at = fill_loss(r, s, block, &a, 5)
    use_labels(r, s, block, &a)
    if s.buffers[4] >= 0:
        a.probs = ptr(r, s, 4) + at
    r.k.softmax_cross_entropy(&a)


cdef void do_categorical_cross_entropy(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef fastnn_loss_args a
    fill_loss(r, s, block, &a, 4)
    use_labels(r, s, block, &a)
    r.k.categorical_cross_entropy(&a)


cdef void do_label_hits(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block
    r.k.label_hits(span(s, block), s.ints[1], ptr(r, s, 0) + first * s.ints[1] * r.item,
                   <const int32_t *>ptr(r, s, 1) + first, <double *>ptr(r, s, 2) + first)


cdef void do_argmax_hits(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    r.k.argmax_hits(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at, <double *>ptr(r, s, 2) + first)


cdef void do_threshold_hits(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef ssize_t first = block * s.per_block, at = first * s.ints[1] * r.item
    r.k.threshold_hits(span(s, block), s.ints[1], ptr(r, s, 0) + at, ptr(r, s, 1) + at, s.reals[0],
                       <double *>ptr(r, s, 2) + first)


cdef void do_score(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef const double *values = <const double *>ptr(r, s, 0)
    cdef double factor = s.reals[0], total = 0
    cdef ssize_t i
    if s.ints[2]:
        factor = r.batch * divide_by(<int>s.ints[2], ptr(r, s, 1), s.ints[0], <int32_t>s.ints[3])
    for i in range(s.ints[0]):
        total += values[i]
    r.totals[s.ints[1]] += factor * total


cdef void do_update(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef double scalars[FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS]
    cdef const double *given = r.scalars + r.done * r.scalars_per_step
    cdef void *slots[FASTNN_MAX_SLOTS]
    cdef segment_t *segment = r.segments
    cdef int i
    while segment + 1 < r.segments + r.segment_count and (segment + 1).first_block <= block:
        segment += 1
    cdef ssize_t first = (block - segment.first_block) * s.per_block
    cdef ssize_t at = first * r.item
    for i in range(r.scalars_per_step):
        scalars[i] = given[i]
    scalars[1] += segment.l2
    scalars[2] *= segment.decay
    for i in range(r.slots):
        slots[i] = segment.slots[i] + at
    r.k.optimizer[s.row].update(min(s.per_block, segment.n - first), segment.p + at, segment.g + at, slots, scalars)


# ---------------------------------------------------------------------------------------------------- how work is cut

cdef enum:
    BY_ROWS                 # ints: rows, cols
    BY_COLUMNS              # ints: rows, cols
    BY_ELEMENTS             # ints: n
    BY_GEMM
    BY_SAMPLES              # the whole batch, `per_sample` of an input slot
    BY_SEGMENTS             # the optimizer
    WHOLE

ctypedef struct op_t:
    step_fn run
    int cut

cdef op_t OPS[32]
cdef dict OP_NUMBER = {}
cdef dict OP_BUFFERS = {}


cdef void define(str name, step_fn run, int cut, int buffers):
    OPS[len(OP_NUMBER)] = op_t(run, cut)
    OP_BUFFERS[name] = buffers
    OP_NUMBER[name] = len(OP_NUMBER)


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
define("elementwise_loss", do_elementwise_loss, BY_ROWS, 5)
define("softmax_cross_entropy", do_softmax_cross_entropy, BY_ROWS, 6)
define("categorical_cross_entropy", do_categorical_cross_entropy, BY_ROWS, 5)
define("label_hits", do_label_hits, BY_ROWS, 3)
define("argmax_hits", do_argmax_hits, BY_ROWS, 3)
define("threshold_hits", do_threshold_hits, BY_ROWS, 3)
define("score", do_score, WHOLE, 2)
define("update", do_update, BY_SEGMENTS, 0)


cdef void cut_evenly(step_t *s, ssize_t units, ssize_t per_block) noexcept:
    s.rows, s.per_block = units, max(<ssize_t>1, per_block)
    s.blocks = (units + s.per_block - 1) // s.per_block


# -------------------------------------------------------------------------------------------------------------- running

cdef void bind_batch(run_t *r) noexcept nogil:
    """Point the batch's inputs and outputs at their data."""
    cdef int i
    cdef ssize_t first = r.first_sample + r.done * r.batch
    cdef source_t *source
    for i in range(r.inputs):
        source = &r.sources[i]
        if source.direct and r.order == NULL:
            r.at[r.input_buffers[i]] = <char *>source.data + first * source.per_sample * source.item
        else:
            r.at[r.input_buffers[i]] = r.input_workspace[i]
    for i in range(r.outputs):
        r.at[r.output_buffers[i]] = r.output_data[i] + first * r.output_bytes[i]


cdef void begin_batch(run_t *r, ssize_t batch) noexcept nogil:
    r.done = batch
    if batch >= r.batches or (batch > 0 and seconds_now() > r.deadline):
        r.stopped_at = batch
    else:
        bind_batch(r)


cdef void run_alone(run_t *r) noexcept nogil:
    cdef ssize_t batch = 0, block
    cdef step_t *s
    cdef int i
    while True:
        begin_batch(r, batch)
        if r.stopped_at == batch:
            return
        for i in range(r.count):
            s = &r.steps[i]
            for block in range(s.blocks):
                OPS[s.op].run(r, s, block)
        batch += 1


cdef void run_together(run_t *r) noexcept nogil:
    """One thread's part.  Blocks are numbered over the whole run: number n of step s is block n % s.blocks."""
    cdef ssize_t batch = 0
    cdef int64_t number
    cdef step_t *s
    cdef int i
    while True:
        if fastnn_claim(&r.begin, batch + 1) >= 0:
            begin_batch(r, batch)
            fastnn_finish(&r.begin)
        fastnn_wait(&r.begin, batch + 1)
        if r.stopped_at == batch:
            return
        for i in range(r.count):
            s = &r.steps[i]
            while True:
                number = fastnn_claim(&s.ticket, (batch + 1) * s.blocks)
                if number < 0:
                    break
                OPS[s.op].run(r, s, number - batch * s.blocks)
                fastnn_finish(&s.ticket)
            fastnn_wait(&s.ticket, (batch + 1) * s.blocks)
        batch += 1


cdef void run_member(void *arg, int member, int team) noexcept nogil:
    cdef unsigned long old = flush_denormals()
    if team == 1:
        run_alone(<run_t *>arg)
    else:
        run_together(<run_t *>arg)
    restore_denormals(old)


cdef class Program:
    """A plan bound to memory.

    Parameters:
        plan: fastnn.engine.plan.Plan
        segments: for training, the optimizer's ranges: (p, g, slots, l2, decay) with flat arrays; decay multiplies the
            optimizer's own decoupled decay (0 excludes the range from it).
    """

    cdef run_t r
    cdef readonly object plan
    cdef list keep                # arrays whose memory the pointers name
    cdef object workspace
    cdef object totals_array
    cdef object sequence_array
    cdef double divisible_flops
    cdef list held_data
    cdef list held_outputs

    def __cinit__(self):
        memset(&self.r, 0, sizeof(run_t))

    def __init__(self, plan, segments=()):
        cdef int i
        cdef char *base
        self.plan = plan
        self.keep = []
        self.held_data = []
        self.held_outputs = []
        self.r.item = plan.dtype.itemsize
        self.r.k = &kernels().dtype[FASTNN_F64 if plan.dtype == np.float64 else FASTNN_F32]
        self.r.batch = plan.batch

        size, offsets = plan.memory()
        self.workspace = np.zeros(size + 64, np.uint8)
        base = <char *>cnp.PyArray_DATA(<cnp.ndarray>self.workspace)
        base += -(<size_t>base) % 64
        self.r.at = <char **>calloc(max(1, len(plan.buffers)), sizeof(char *))
        if self.r.at == NULL:
            raise MemoryError("a program's buffer table")
        for i, buffer in enumerate(plan.buffers):
            if buffer.array is not None:
                self.r.at[i] = <char *>cnp.PyArray_DATA(<cnp.ndarray>buffer.array)
                self.keep.append(buffer.array)
            elif i in offsets:
                self.r.at[i] = base + <ssize_t>offsets[i]

        if len(plan.inputs) > MAX_INPUTS or len(plan.outputs) > MAX_INPUTS:
            raise ValueError(f"a plan has at most {MAX_INPUTS} inputs and outputs. "
                             f"Received {len(plan.inputs)} and {len(plan.outputs)}")
        self.r.inputs, self.r.outputs = len(plan.inputs), len(plan.outputs)
        for i, entry in enumerate(plan.inputs):
            self.r.input_buffers[i] = entry.buffer
            self.r.input_workspace[i] = self.r.at[<int>entry.buffer]
            self.r.sources[i].per_sample = entry.per_sample
        for i, entry in enumerate(plan.outputs):
            self.r.output_buffers[i] = entry.buffer
            self.r.output_bytes[i] = entry.per_sample * self.r.item

        self.set_segments(segments)
        self.r.count = len(plan.steps)
        self.r.steps = <step_t *>calloc(max(1, self.r.count), sizeof(step_t))
        if self.r.steps == NULL:
            raise MemoryError("a program's steps")
        for i, step in enumerate(plan.steps):
            self._compile(&self.r.steps[i], step)
        self.totals_array = np.zeros(max(1, plan.scores))
        self.r.totals = <double *>cnp.PyArray_DATA(<cnp.ndarray>self.totals_array)

    def __dealloc__(self):
        free(self.r.at)
        free(self.r.steps)
        free(self.r.segments)

    cdef set_segments(self, segments):
        cdef segment_t *segment
        cdef cnp.ndarray p
        cdef int i, j
        self.r.segment_count = len(segments)
        if not segments:
            return
        self.r.segments = <segment_t *>calloc(len(segments), sizeof(segment_t))
        if self.r.segments == NULL:
            raise MemoryError("a program's optimizer ranges")
        self.keep.append(segments)
        for i, (p_array, g_array, slots, l2, decay) in enumerate(segments):
            segment = &self.r.segments[i]
            p = p_array
            segment.p, segment.n = <char *>cnp.PyArray_DATA(p), cnp.PyArray_SIZE(p)
            segment.g = <const char *>cnp.PyArray_DATA(<cnp.ndarray>g_array)
            segment.l2, segment.decay = l2, decay
            self.r.slots = len(slots)
            for j in range(self.r.slots):
                segment.slots[j] = <char *>cnp.PyArray_DATA(<cnp.ndarray>slots[j])

    cdef _compile(self, step_t *s, step):
        cdef int i, cut
        cdef ssize_t blocks = 0
        cdef double flops = 0        # an element-wise step counts ten an element
        cdef gemm_task *g = &s.gemm
        if step.op not in OP_NUMBER:
            raise ValueError(f"the native executor knows no such step. Expected one of {list(OP_NUMBER)}. "
                             f"Received {step.op!r}")
        if len(step.buffers) != OP_BUFFERS[step.op] or len(step.ints) > MAX_INTS or len(step.reals) > MAX_REALS:
            raise ValueError(f"step {step.op}: expected {OP_BUFFERS[step.op]} buffers. Received {step}")
        s.op = OP_NUMBER[step.op]
        s.row = self._row(step)
        for i in range(MAX_BUFFERS):
            s.buffers[i] = step.buffers[i] if i < len(step.buffers) else -1
        for i, value in enumerate(step.ints):
            s.ints[i] = value
        for i, real in enumerate(step.reals):
            s.reals[i] = real
        cut = OPS[s.op].cut
        if cut == BY_ROWS:
            cut_evenly(s, s.ints[0], SMALLEST_BLOCK // max(<ssize_t>1, s.ints[1]))
            if step.op in ("softmax_cross_entropy", "categorical_cross_entropy"):
                s.ints[4] = self.plan.buffers[step.buffers[1]].dtype == np.int32
            flops = 20.0 * s.ints[0] * s.ints[1]
        elif cut == BY_COLUMNS:
            cut_evenly(s, s.ints[1], COLUMN_BLOCK if s.ints[0] * s.ints[1] >= 2 * SMALLEST_BLOCK else s.ints[1])
            flops = 10.0 * s.ints[0] * s.ints[1]
        elif cut == BY_ELEMENTS:
            cut_evenly(s, s.ints[0], SMALLEST_BLOCK)
            flops = 10.0 * s.ints[0]
        elif cut == BY_SAMPLES:
            entry = self.plan.inputs[step.ints[0]]
            cut_evenly(s, self.r.batch, SMALLEST_BLOCK // max(<ssize_t>1, <ssize_t>entry.per_sample))
        elif cut == BY_GEMM:
            g.dtype = FASTNN_F64 if self.r.item == 8 else FASTNN_F32
            g.alpha, g.beta = 1, 0
            if step.op == "affine":
                g.m, g.k, g.n = step.ints
            else:
                g.transpose_a, g.transpose_b, g.m, g.n, g.k = step.ints
            g.lda, g.ldb, g.ldc = g.m if g.transpose_a else g.k, g.k if g.transpose_b else g.n, g.n
            plan_gemm(g)
            s.blocks = g.blocks
            flops = 2.0 * g.m * g.n * g.k
        elif cut == BY_SEGMENTS:
            s.per_block = 2 * SMALLEST_BLOCK
            for i in range(self.r.segment_count):
                self.r.segments[i].first_block = blocks
                blocks += (self.r.segments[i].n + s.per_block - 1) // s.per_block
                flops += 10.0 * self.r.segments[i].n
            s.blocks = blocks
        else:
            s.blocks = 1
        if s.blocks > 1:
            self.divisible_flops += flops

    def _row(self, step):
        if not step.row:
            return FASTNN_ACT_identity
        kind = {"update": "optimizers", "elementwise_loss": "losses"}.get(step.op, "activations")
        return [row[0] for row in _core.tables()[kind]].index(step.row)

    def bind(self, inputs, outputs=()):
        """Name the arrays that the next runs read and write; C-contiguous, samples along the first axis."""
        cdef int i
        cdef source_t *source
        cdef cnp.ndarray array
        if len(inputs) != self.r.inputs or len(outputs) != self.r.outputs:
            raise ValueError(f"expected {self.r.inputs} inputs and {self.r.outputs} outputs. "
                             f"Received {len(inputs)} and {len(outputs)}")
        for i in range(self.r.inputs):
            array = inputs[i]
            source = &self.r.sources[i]
            buffer = self.plan.buffers[self.r.input_buffers[i]]
            source.data = <const char *>cnp.PyArray_DATA(array)
            source.item = cnp.PyArray_ITEMSIZE(array)
            source.direct = array.dtype == buffer.dtype
            # labels and weights are copied as they are; what the layers read is converted on the way
            source.kind = SOURCE_KIND.get(array.dtype.num, -2) if buffer.dtype == self.plan.dtype else -1
            if source.kind == -2 or (source.kind == -1 and not source.direct):
                raise TypeError(f"an input of the plan must be one of {sorted(map(str, GATHERED))} "
                                f"or exactly {buffer.dtype}. Received {array.dtype}")
        for i in range(self.r.outputs):
            self.r.output_data[i] = <char *>cnp.PyArray_DATA(<cnp.ndarray>outputs[i])
        self.held_data, self.held_outputs = list(inputs), list(outputs)

    def run(self, Py_ssize_t first_sample, Py_ssize_t batches, order=None, scalars=None, uint64_t seed=0,
            uint32_t step=0, double seconds=1e9):
        """Run up to `batches` mini-batches from `first_sample` on, at least one, stopping after about `seconds`.

        order: int64 indices of samples (a shuffle), or None to take them as they lie.  scalars: float64 (batches, k),
        the optimizer's numbers for each step.  seed, step: where the random streams of dropout stand.
        Returns the number of batches done; scores are added to `totals`.
        """
        cdef run_t *r = &self.r
        cdef int threads = 1, i
        cdef Py_ssize_t last = first_sample + batches * r.batch
        for data in self.held_data if order is None else (order,):
            if first_sample < 0 or batches < 0 or last > len(data):
                raise ValueError(f"run: samples {first_sample} to {last} are not all there. Received: {len(data)}")
        if scalars is not None and len(scalars) < batches:
            raise ValueError(f"run: expected scalars for {batches} steps. Received: {len(scalars)}")
        r.first_sample, r.batches, r.done, r.seed, r.step = first_sample, batches, 0, seed, step
        r.order = NULL
        if order is not None:
            r.order = <const int64_t *>cnp.PyArray_DATA(<cnp.ndarray>order)
        else:
            self._prepare_sequence(first_sample + batches * r.batch)
        if scalars is not None:
            r.scalars = <const double *>cnp.PyArray_DATA(<cnp.ndarray>scalars)
            r.scalars_per_step = cnp.PyArray_DIM(<cnp.ndarray>scalars, 1)
        if self.divisible_flops >= TEAM_FLOPS:
            threads = thread_limit()
        memset(&r.begin, 0, sizeof(fastnn_ticket))
        for i in range(r.count):
            memset(&r.steps[i].ticket, 0, sizeof(fastnn_ticket))
        r.stopped_at = -1
        with nogil:
            r.deadline = seconds_now() + seconds
            run_team(run_member, r, threads)
        return r.done

    cdef _prepare_sequence(self, Py_ssize_t samples):
        cdef int i
        for i in range(self.r.inputs):
            if not self.r.sources[i].direct:
                if self.sequence_array is None or len(self.sequence_array) < samples:
                    self.sequence_array = np.arange(samples, dtype=np.int64)
                self.r.sequence = <int64_t *>cnp.PyArray_DATA(<cnp.ndarray>self.sequence_array)
                return

    @property
    def totals(self):
        """Accumulated scores, float64, one a slot; the caller clears them."""
        return self.totals_array

    @property
    def workspace_bytes(self):
        return self.workspace.nbytes


GATHERED = {np.dtype(t) for t in (np.float32, np.float64, np.uint8, np.int32, np.int64)}
cdef dict SOURCE_KIND = {
    np.dtype(np.float32).num: 0, np.dtype(np.float64).num: 1, np.dtype(np.uint8).num: 2, np.dtype(np.int32).num: 3,
    np.dtype(np.int64).num: 4,
}
