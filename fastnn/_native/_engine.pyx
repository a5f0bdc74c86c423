"""The native executor: runs a plan over many mini-batches in one call without the GIL.

A `Program` is a plan turned into C structures: pointers, numbers and, for each step, into how many blocks its work is
cut.  The number of blocks follows from shapes alone and every block is computed by one thread, so results do not depend
on how many threads there are.  In steady state nothing is allocated and no Python object is touched, unless the plan
has steps written in Python.  How threads go through the steps stands in _running.pyx, what the steps do in _steps.pyx.
"""
cimport numpy as cnp
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from fastnn._native._core cimport (
    FASTNN_ACT_identity, FASTNN_COMMON_SCALARS, FASTNN_CONV_FORWARD, FASTNN_CONV_INPUT, FASTNN_CONV_WEIGHTS, FASTNN_F32,
    FASTNN_F64, fastnn_axis, fastnn_conv, fastnn_window, flush_denormals, gemm_task, kernels, plan_gemm,
    cut_depth, restore_denormals, seconds_now, thread_limit,
)
from fastnn._native._running cimport run_batches
from fastnn._native._steps cimport (
    AT_ONCE, BY_COLUMNS, BY_CONV, BY_ELEMENTS, BY_GEMM, BY_IMAGES, BY_OUTPUT_ROWS, BY_PARTS, BY_ROWS, BY_SAMPLES,
    BY_SEGMENTS, MAX_BUFFERS, MAX_INPUTS, MAX_INTS, MAX_REALS, SEGMENT_BLOCK, SMALLEST_BLOCK, end_affine, find_op, op_t,
    run_t, segment_t, source_t, step_t,
)
from fastnn._native import _core
from fastnn._native.limits import limits
from fastnn._native import _shapes  # no-cython-lint - defines its steps

import numpy as np

cnp.import_array()

cdef enum:
    COLUMN_BLOCK = 128
    EVEN = 16                # units: a block begins at a cache line, and at a whole number of random draws

# Work per mini-batch, in steps that are cut into blocks, from which a team of threads pays.
cdef double _team_flops = limits(_core.isa()).team


def set_team(double flops):
    """Mini-batches of fewer operations are computed by one thread from now on; returns the limit so far.
    For measurements."""
    global _team_flops
    before, _team_flops = _team_flops, flops
    return before


cdef void cut_by(step_t *s, ssize_t units, ssize_t per_block) noexcept:
    s.rows, s.per_block = units, max(<ssize_t>1, per_block)
    s.blocks = (units + s.per_block - 1) // s.per_block


cdef void cut_evenly(step_t *s, ssize_t units, ssize_t most) noexcept:
    """Into as few blocks of at most so many units as can be, all of about the same size."""
    cut_by(s, units, most)
    if s.blocks > 1:
        most = (units + s.blocks - 1) // s.blocks
        cut_by(s, units, min(s.per_block, (most + EVEN - 1) // EVEN * EVEN))


cdef double window_flops(const fastnn_window *w) noexcept:
    """Of a convolution with that window."""
    return (2.0 * w.images * w.y.output * w.x.output * w.filters
            * w.y.kernel * w.x.kernel * (w.channels // w.groups))


cdef class Program:
    """A plan bound to memory.

    Parameters:
        plan: fastnn.engine.plan.Plan
        segments: for training, the optimizer's ranges: (p, g, slots, l2, decay) with flat arrays; decay multiplies the
            optimizer's own weight decay, coupled or not (0 excludes the range from it), l2 is added to the coupled one.
    """

    cdef run_t r
    cdef readonly object plan
    cdef list keep                # arrays whose memory the pointers name
    cdef object workspace
    cdef object scratch           # of convolutions and products, one after the other
    cdef object totals_array
    cdef object sequence_array
    cdef double divisible_flops
    cdef ssize_t columns          # numbers of an optimizer step that the plan reads
    cdef int real                 # number of the plan's dtype
    cdef bint plain               # one input of that dtype, one output
    cdef list held_data
    cdef list held_outputs
    cdef object error             # what a Python step raised

    def __cinit__(self):
        memset(&self.r, 0, sizeof(run_t))

    def __init__(self, plan, segments=()):
        cdef int i
        cdef char *base
        self.plan = plan
        self.keep = []
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

        self.real = plan.dtype.num
        self.plain = (self.r.inputs == 1 and self.r.outputs == 1
                      and plan.buffers[plan.inputs[0].buffer].dtype == plan.dtype)

        self.set_segments(segments)
        self.r.count = len(plan.steps)
        self.r.steps = <step_t *>calloc(max(1, self.r.count), sizeof(step_t))
        if self.r.steps == NULL:
            raise MemoryError("a program's steps")
        for i, step in enumerate(plan.steps):
            self._compile(i, &self.r.steps[i], step)
        self.totals_array = np.zeros(max(1, plan.scores))
        self.r.totals = <double *>cnp.PyArray_DATA(<cnp.ndarray>self.totals_array)

    def __dealloc__(self):
        cdef int i
        free(self.r.at)
        if self.r.steps != NULL:
            for i in range(self.r.count):
                free(self.r.steps[i].conv)
        free(self.r.steps)
        free(self.r.segments)

    cdef set_segments(self, segments):
        cdef segment_t *segment
        cdef cnp.ndarray p
        cdef int i, j
        cdef ssize_t blocks = 0
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
            segment.l2, segment.decay, segment.first_block = l2, decay, blocks
            blocks += (segment.n + SEGMENT_BLOCK - 1) // SEGMENT_BLOCK
            self.r.slots = len(slots)
            for j in range(self.r.slots):
                segment.slots[j] = <char *>cnp.PyArray_DATA(<cnp.ndarray>slots[j])

    cdef _compile(self, int number, step_t *s, step):
        cdef int i, cut
        cdef op_t op
        cdef ssize_t blocks = 0
        cdef double flops = 0        # an element-wise step counts ten an element
        cdef gemm_task *g = &s.gemm
        find_op(step.op, &op)
        if op.buffers >= 0 and len(step.buffers) != op.buffers:
            raise ValueError(f"step {step.op}: expected {op.buffers} buffers. Received {step}")
        if len(step.ints) > MAX_INTS or len(step.reals) > MAX_REALS:
            raise ValueError(f"step {step.op}: expected at most {MAX_INTS} ints and {MAX_REALS} reals. Received {step}")
        s.run, s.when = op.run, step.when
        s.row = FASTNN_ACT_identity
        if step.row:
            names = [row[0] for row in _core.tables()[op.table.decode()]]
            rows = [names.index(row) for row in step.row.split()]
            s.row, s.second_row = rows[0], rows[len(rows) - 1]
        for i in range(MAX_BUFFERS):
            s.buffers[i] = step.buffers[i] if i < len(step.buffers) else -1
        for i, value in enumerate(step.ints):
            s.ints[i] = value
        for i, real in enumerate(step.reals):
            s.reals[i] = real
        if step.op == "call":
            s.ints[0] = number
        if step.op.startswith(("conv2d", "max_pool", "average_pool")):
            self._window(s, step.op)
        self.columns = max(self.columns, step.when + 1)
        if step.op == "combine":
            self.columns = max(self.columns, s.ints[1] + 1, s.ints[2] + 1)
        elif step.op == "update":
            self.columns = max(self.columns, s.ints[0] + FASTNN_COMMON_SCALARS)
        elif step.op == "adafactor":
            self.columns = max(self.columns, s.ints[4] + FASTNN_COMMON_SCALARS + 2)
        cut = op.cut
        if cut == BY_ROWS:
            cut_evenly(s, s.ints[0], SMALLEST_BLOCK // max(<ssize_t>1, s.ints[1]))
            flops = 20.0 * s.ints[0] * s.ints[1]
        elif cut == AT_ONCE:
            cut_by(s, s.ints[0], s.ints[0])
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
            if step.op == "gemm" and step.reals:
                g.alpha, g.beta = step.reals
            if step.op == "affine":
                g.m, g.k, g.n = step.ints[:3]
                g.transpose_b = len(step.ints) > 3      # weights that are stored (units, inputs)
            else:
                g.transpose_a, g.transpose_b, g.m, g.n, g.k = step.ints[:5]
            g.lda, g.ldb, g.ldc = g.m if g.transpose_a else g.k, g.k if g.transpose_b else g.n, g.n
            if step.op == "gemm" and len(step.ints) > 5:
                g.lda, g.ldb, g.ldc = step.ints[5:8]
            plan_gemm(g)
            if step.op == "affine" and self.r.segment_count:
                cut_depth(g)        # weights that are updated here
            if g.by_depth:
                s.conclude = end_affine
                self._reserve(<ssize_t>(g.blocks - 1) * g.m * g.n * self.r.item)
            s.blocks = g.blocks
            flops = 2.0 * g.m * g.n * g.k
        elif cut == BY_CONV:
            s.blocks = s.conv.blocks
            flops = window_flops(&s.conv.window)
        elif cut == BY_OUTPUT_ROWS or cut == BY_IMAGES:
            # elements that the windows read
            flops = window_flops(&s.conv.window) / 2
            blocks = s.conv.window.images * (s.conv.window.y.output if cut == BY_OUTPUT_ROWS else 1)
            cut_evenly(s, blocks, SMALLEST_BLOCK // max(<ssize_t>1, <ssize_t>(flops / max(<ssize_t>1, blocks))))
            flops *= 5
        elif cut == BY_PARTS:
            cut_by(s, s.ints[0], s.ints[1])
            flops = 1.0 * s.ints[0] * s.ints[2]
        elif cut == BY_SEGMENTS:
            if not 0 <= s.ints[1] <= s.ints[2] <= self.r.segment_count:
                raise ValueError(f"step {step.op}: there are {self.r.segment_count} segments. Received {step}")
            for i in range(<int>s.ints[1], <int>s.ints[2]):
                blocks += (self.r.segments[i].n + SEGMENT_BLOCK - 1) // SEGMENT_BLOCK
                flops += 10.0 * self.r.segments[i].n
            s.blocks = blocks
        else:
            s.blocks = 1
        if s.blocks > 1:
            self.divisible_flops += flops

    cdef _window(self, step_t *s, op):
        """The window of a convolution or pooling, and the plan of a convolution."""
        cdef fastnn_window window
        cdef fastnn_axis *axes[2]
        cdef int i, direction = FASTNN_CONV_FORWARD
        axes[0], axes[1] = &window.y, &window.x
        window.images, window.channels, window.filters, window.groups = s.ints[0], s.ints[3], s.ints[6], s.ints[15]
        for i in range(2):
            axes[i].input, axes[i].output, axes[i].kernel = s.ints[1 + i], s.ints[4 + i], s.ints[7 + i]
            axes[i].stride, axes[i].pad, axes[i].dilation = s.ints[9 + i], s.ints[11 + i], s.ints[13 + i]
        s.conv = <fastnn_conv *>calloc(1, sizeof(fastnn_conv))
        if s.conv == NULL:
            raise MemoryError("the plan of a convolution")
        if not op.startswith("conv2d"):
            s.conv.window = window
            return
        if op.startswith("conv2d_input"):
            direction = FASTNN_CONV_INPUT
        elif op.startswith("conv2d_weights"):
            direction = FASTNN_CONV_WEIGHTS
        self.r.k.conv_plan(&window, direction, s.conv)
        self._reserve(s.conv.workspace)

    cdef _reserve(self, size_t bytes):
        """Scratch of one step, which the next may overwrite."""
        if self.scratch is None or self.scratch.nbytes < bytes + 64:
            self.scratch = np.zeros(bytes + 64, np.uint8)
            self.r.scratch = <char *>cnp.PyArray_DATA(<cnp.ndarray>self.scratch)
            self.r.scratch += -(<size_t>self.r.scratch) % 64

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
        self.r.done = 0

    def infer(self, inputs, outputs):
        """One mini-batch from exactly these arrays; the program keeps none of them."""
        self.bind(inputs, outputs)
        try:
            self.run(0, 1)
        finally:
            self.unbind()

    def infer_one(self, cnp.ndarray x, tuple sample, tuple output):
        """The only output, a new array (batch, *output), for the only input, x (batch, *sample) of the plan's dtype.

        None where there are several, and for every other array: `infer` takes more.
        """
        cdef cnp.npy_intp shape[cnp.NPY_MAXDIMS]
        cdef int i
        if (not self.plain or cnp.PyArray_TYPE(x) != self.real or not cnp.PyArray_ISCARRAY_RO(x)
                or cnp.PyArray_NDIM(x) != 1 + len(sample) or cnp.PyArray_DIM(x, 0) != self.r.batch):
            return None
        for i in range(<int>len(sample)):
            if cnp.PyArray_DIM(x, i + 1) != <cnp.npy_intp>sample[i]:
                return None
        shape[0] = self.r.batch
        for i in range(<int>len(output)):
            shape[i + 1] = output[i]
        y = cnp.PyArray_EMPTY(1 + <int>len(output), shape, self.real, 0)
        self.r.sources[0].data = <const char *>cnp.PyArray_DATA(x)
        self.r.sources[0].item, self.r.sources[0].direct = self.r.item, True
        self.r.output_data[0] = <char *>cnp.PyArray_DATA(<cnp.ndarray>y)
        self.held_data, self.held_outputs = [x], [y]
        try:
            self.run(0, 1)
        finally:
            self.unbind()
        return y

    def unbind(self):
        """Let the arrays of the last run go."""
        self.held_data = self.held_outputs = None

    def run(self, Py_ssize_t first_sample, Py_ssize_t batches, order=None, scalars=None, uint64_t seed=0,
            uint32_t step=0, double seconds=1e9):
        """Run up to `batches` mini-batches from `first_sample` on, at least one, stopping after about `seconds`.

        order: int64 indices of samples (a shuffle), or None to take them as they lie.  scalars: float64 (batches, k),
        the optimizer's numbers for each step.  seed, step: where the random streams of dropout stand.
        Returns the number of batches done; scores are added to `totals`.
        """
        cdef run_t *r = &self.r
        cdef int threads = 1
        cdef Py_ssize_t last = first_sample + batches * r.batch
        if self.held_data is None and (r.inputs or r.outputs):
            raise ValueError("run: expected a program that is bound to data. Received: none")
        for data in self.held_data or () if order is None else (order,):
            if first_sample < 0 or batches < 0 or last > len(data):
                raise ValueError(f"run: samples {first_sample} to {last} are not all there. Received: {len(data)}")
        if scalars is not None and len(scalars) < batches:
            raise ValueError(f"run: expected scalars for {batches} steps. Received: {len(scalars)}")
        if self.columns and (scalars is None or scalars.shape[1] < self.columns):
            raise ValueError(f"run: expected {self.columns} scalars for each step. "
                             f"Received: {None if scalars is None else scalars.shape}")
        r.first_sample, r.batches, r.done, r.seed, r.step = first_sample, batches, 0, seed, step
        r.order = NULL
        if order is not None:
            r.order = <const int64_t *>cnp.PyArray_DATA(<cnp.ndarray>order)
        else:
            self._prepare_sequence(first_sample + batches * r.batch)
        if scalars is not None:
            r.scalars = <const double *>cnp.PyArray_DATA(<cnp.ndarray>scalars)
            r.scalars_per_step = cnp.PyArray_DIM(<cnp.ndarray>scalars, 1)
        if self.divisible_flops >= _team_flops:
            threads = thread_limit()
        r.program, r.failed = <PyObject *>self, False
        r.ieee = flush_denormals()
        restore_denormals(r.ieee)
        with nogil:
            r.deadline = seconds_now() + seconds
            run_batches(r, threads)
        if r.failed:
            error, self.error = self.error, None
            raise error
        return r.done

    def _call(self, int number, uint32_t step):
        """Run a Python step: its function gets the number of the optimizer step and the buffers as flat arrays."""
        entry = self.plan.steps[number]
        entry.call(step, *[None if index < 0 else self._view(index) for index in entry.buffers])

    def _fail(self, error):
        self.error = error

    cdef object _view(self, int index):
        cdef object buffer = self.plan.buffers[index]
        cdef cnp.npy_intp size = buffer.size
        cdef cnp.ndarray view = cnp.PyArray_SimpleNewFromData(1, &size, buffer.dtype.num, self.r.at[index])
        # whoever keeps the view keeps its memory, but no program
        cnp.set_array_base(view, (self.workspace, buffer.array, self.held_data, self.held_outputs))
        return view

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

    def time_steps(self, bint on):
        """Whether to take the time of every step of the runs to come; those so far are forgotten."""
        cdef int i
        self.r.timed = on
        for i in range(self.r.count):
            self.r.steps[i].seconds = 0

    @property
    def step_seconds(self):
        """Seconds that every step has taken since `time_steps`, float64."""
        return np.array([self.r.steps[i].seconds for i in range(self.r.count)])

    @property
    def done(self):
        """Mini-batches that the last run has finished, also if an exception ended it; 0 after `bind`."""
        return self.r.done

    @property
    def workspace_bytes(self):
        return self.workspace.nbytes + (0 if self.scratch is None else self.scratch.nbytes)


GATHERED = {np.dtype(t) for t in (np.float32, np.float64, np.uint8, np.int32, np.int64)}
cdef dict SOURCE_KIND = {
    np.dtype(np.float32).num: 0, np.dtype(np.float64).num: 1, np.dtype(np.uint8).num: 2, np.dtype(np.int32).num: 3,
    np.dtype(np.int64).num: 4,
}
