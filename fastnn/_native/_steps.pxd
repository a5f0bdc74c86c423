"""What the executor and its step functions share: a step, a run, and how a step's work is cut into blocks."""
from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from fastnn._native._core cimport FASTNN_MAX_SLOTS, fastnn_conv, fastnn_dtype_kernels, gemm_task

cdef extern from "team.h" nogil:
    ctypedef struct fastnn_counter:
        pass
    ctypedef struct fastnn_ticket:
        pass

cdef enum:
    MAX_BUFFERS = 16
    MAX_INTS = 32
    MAX_REALS = 8
    MAX_INPUTS = 64
    SMALLEST_BLOCK = 8192    # elements of an element-wise step that are worth a thread; fastnn.engine.plan.BLOCK
    SEGMENT_BLOCK = 8192    # elements of an optimizer step; fastnn.engine.plan.SEGMENT_BLOCK

cdef struct step_t
cdef struct run_t

ctypedef void (*step_fn)(run_t *r, step_t *s, ssize_t block) noexcept nogil

cdef struct step_t:
    step_fn run
    step_fn conclude         # once, when all blocks are done; NULL: nothing
    int row
    int second_row           # of a step with two: "tanh sigmoid"
    int when                 # the column of the optimizer's numbers that says whether the step is done; -1: always
    int buffers[MAX_BUFFERS]
    ssize_t ints[MAX_INTS]
    double reals[MAX_REALS]
    ssize_t rows             # units that blocks divide: rows, columns or elements
    ssize_t per_block
    ssize_t blocks
    gemm_task gemm
    fastnn_conv *conv        # of a convolution; pooling has its window only
    fastnn_ticket ticket
    double seconds           # taken so far, while the run is timed

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

cdef struct run_t:
    step_t *steps
    int count
    char **at                # buffer pointers
    const fastnn_dtype_kernels *k
    char *scratch            # of the convolution or product that is under way, from its first step to its end
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
    ssize_t stopped_at       # the batch that was not begun any more; -1 before
    fastnn_counter reached   # divided steps, and what follows them up to the next, that are over
    double stopped           # when
    double lost              # seconds that waiting for threads has cost which were not running
    bint crowded             # too many: the team stops after this batch
    bint timed               # steps add up their seconds
    double began             # the divided step that is under way, while the run is timed
    # steps in Python
    PyObject *program        # borrowed: the Program of this run
    unsigned long ieee       # the floating-point mode outside of the run
    bint failed              # a Python step raised; its exception waits in the Program

cdef enum:
    BY_ROWS                  # ints: rows, cols
    BY_COLUMNS               # ints: rows, cols
    BY_ELEMENTS              # ints: n
    BY_GEMM
    BY_SAMPLES               # the whole batch, `per_sample` of an input slot
    BY_SEGMENTS              # the optimizer; ints: any, first segment, end
    BY_CONV                  # ints: a window (fastnn/engine/plan.py)
    BY_OUTPUT_ROWS           # ints: a window; pooling
    BY_IMAGES                # ints: a window; pooling backward
    AT_ONCE                  # ints: rows, cols; all rows in one block
    BY_PARTS                 # ints: units, units of a block, operations of a unit
    WHOLE

# Everything that a plan may name: the function, how its work is cut, how many buffers it has (-1: any number).
ctypedef struct op_t:
    step_fn run
    int cut
    int buffers
    const char *table        # of fastnn._native.tables(), in which the step's row stands

cdef void end_affine(run_t *r, step_t *s, ssize_t block) noexcept nogil
cdef bint find_op(object name, op_t *op) except -1
cdef int define(str name, step_fn run, int cut, int buffers, const char *table=*) except -1


cdef inline char *ptr(run_t *r, step_t *s, int i) noexcept nogil:
    return NULL if s.buffers[i] < 0 else r.at[s.buffers[i]]


cdef inline ssize_t span(step_t *s, ssize_t block) noexcept nogil:
    return min(s.per_block, s.rows - block * s.per_block)
