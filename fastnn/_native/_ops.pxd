"""What the short cuts (_fast_*.pyx) share with _ops.pyx: looking at arrays, and running kernels over blocks of them."""
cimport numpy as cnp
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE

from fastnn._native._core cimport (
    FASTNN_F32, FASTNN_F64, FASTNN_MAX_PARAMS, FASTNN_MAX_SLOTS, fastnn_dtype_kernels, fastnn_loss_args, gemm_task,
    kernels, map_backward_fn, map_fn, rows_backward_fn, rows_fn,
)

cdef enum:
    CHUNK = 16384            # elements per block of an element-wise operation
    RELEASE_GIL = 4096       # elements from which the GIL is given up
    PARALLEL = 131072        # elements from which threads pay for waking them

ctypedef struct update_task:
    const fastnn_dtype_kernels *k
    int row
    int slots
    ssize_t n
    ssize_t item
    char *p
    const char *g
    char *slot[FASTNN_MAX_SLOTS]
    const double *scalars

cdef int map_arrays(map_fn one, map_backward_fn two, cnp.ndarray x, object z, cnp.ndarray y, object params) except -1
cdef int run_rows(rows_fn one, rows_backward_fn two, cnp.ndarray x, object z, cnp.ndarray y, ssize_t rows,
                  ssize_t cols, ssize_t out_cols) except -1
cdef double run_loss_sum(int row, fastnn_loss_args *args, cnp.ndarray pred) except? -1
cdef double sum_in_order(const double *x, ssize_t n) noexcept nogil
cdef int run_gemm(gemm_task *t) except -1
cdef int run_update(update_task *t) except -1
cdef int read_scalars(object scalars, double *values) except -1


cdef inline const fastnn_dtype_kernels *table_of(cnp.ndarray x) noexcept:
    return &kernels().dtype[FASTNN_F64 if cnp.PyArray_TYPE(x) == cnp.NPY_DOUBLE else FASTNN_F32]


cdef inline void *data_of(object x) noexcept:
    return NULL if x is None else cnp.PyArray_DATA(<cnp.ndarray>x)


cdef inline int read_params(object values, double *params) except -1:
    cdef Py_ssize_t i = 0
    if PyTuple_GET_SIZE(values) > FASTNN_MAX_PARAMS:
        raise ValueError(f"expected at most {FASTNN_MAX_PARAMS} parameters. Received {len(values)}")
    for i in range(PyTuple_GET_SIZE(values)):
        params[i] = <object>PyTuple_GET_ITEM(values, i)
    return 0
