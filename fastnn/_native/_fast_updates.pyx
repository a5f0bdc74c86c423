"""Short cuts of fastnn.ops for small calls: what changes arrays in place - optimizer steps, clipping.

As in _fast_maps.pyx; updates return whether they did it.
"""
cimport numpy as cnp
from libc.math cimport sqrt

from fastnn._native._core cimport FASTNN_COMMON_SCALARS, FASTNN_MAX_PARAMS, FASTNN_MAX_SLOTS
from fastnn._native._ops cimport data_of, read_scalars, run_update, table_of, update_task
from fastnn._native._simple cimport is_simple, overlap, same_kind

cnp.import_array()


# -------------------------------------------------------------------------------------------------------- optimizers

cdef bint is_group(tuple arrays) noexcept:
    """Whether parameter, gradient and slots can be updated together: simple, of one kind, each with its own memory."""
    cdef cnp.ndarray p
    cdef Py_ssize_t i, j, n = len(arrays)
    if n > FASTNN_MAX_SLOTS + 2 or not is_simple(arrays[0]):
        return False
    p = <cnp.ndarray>arrays[0]
    if cnp.PyArray_SIZE(p) == 0:
        return False
    for i in range(n):
        if not is_simple(arrays[i]) or not same_kind(p, <cnp.ndarray>arrays[i]):
            return False
        if i != 1 and not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>arrays[i]):
            return False
        for j in range(i):
            if overlap(<cnp.ndarray>arrays[i], <cnp.ndarray>arrays[j]):
                return False
    return True


cdef int update_group(int row, const double *values, tuple arrays) except -1:
    cdef update_task t
    cdef cnp.ndarray p = <cnp.ndarray>arrays[0]
    cdef Py_ssize_t i, slots = len(arrays) - 2
    t.k, t.row, t.slots, t.scalars = table_of(p), row, <int>slots, values
    t.n, t.item, t.p, t.g = cnp.PyArray_SIZE(p), cnp.PyArray_ITEMSIZE(p), <char *>data_of(p), <char *>data_of(arrays[1])
    for i in range(slots):
        t.slot[i] = <char *>data_of(arrays[i + 2])
    return run_update(&t)


def update(int row, tuple scalars, tuple arrays):
    """One parameter: arrays are parameter, gradient and slots. Whether it is done."""
    cdef double values[FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS]
    if not is_group(arrays):
        return False
    read_scalars(scalars, values)
    update_group(row, values, arrays)
    return True


def update_many(int row, tuple scalars, tuple collections):
    """Parameters, gradients and slots in dicts, or in lists or tuples. Whether it is done: all or none."""
    cdef double values[FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS]
    cdef list groups
    cdef tuple group
    cdef Py_ssize_t n = -1
    cdef bint named = type(collections[0]) is dict
    for collection in collections:
        if type(collection) is not dict if named else type(collection) is not list and type(collection) is not tuple:
            return False
        if n >= 0 and len(collection) != n:
            return False
        n = len(collection)
    if named:
        groups = []
        for key in <dict>collections[0]:
            group = tuple([(<dict>collection).get(key) for collection in collections])
            groups.append(group)
    else:
        groups = list(zip(*collections))
    for group in groups:
        if not is_group(group):
            return False
    read_scalars(scalars, values)
    for group in groups:
        update_group(row, values, group)
    return True


# ---------------------------------------------------------------------------------------------------------- clipping

ctypedef fused real:
    float
    double


cdef void multiply(ssize_t n, real *x, real factor) noexcept nogil:
    cdef ssize_t i
    for i in range(n):
        x[i] *= factor


cdef void limit(ssize_t n, real *x, real low, real high) noexcept nogil:
    cdef ssize_t i
    for i in range(n):
        x[i] = low if x[i] < low else x[i]  # NaN is not less
        x[i] = high if x[i] > high else x[i]


cdef object listed(object arrays):
    """The arrays of a dict, list or tuple; None for anything else."""
    if type(arrays) is tuple or type(arrays) is list:
        return arrays
    return list((<dict>arrays).values()) if type(arrays) is dict else None


cdef double squares(object arrays) except? -1:
    cdef cnp.ndarray x
    cdef double total = 0
    for array in arrays:
        x = <cnp.ndarray>array
        total += table_of(x).sum_of_squares(cnp.PyArray_SIZE(x), cnp.PyArray_DATA(x))
    return total


def sum_of_squares(arrays):
    """Of all elements of the arrays in a collection."""
    arrays = listed(arrays)
    if arrays is None:
        return None
    for array in arrays:
        if not is_simple(array):
            return None
    return squares(arrays)


def clip_by_norm(arrays, max_norm, eps):
    """Scale writable arrays in place; their common norm."""
    cdef cnp.ndarray x
    cdef double norm, factor
    arrays = listed(arrays)
    if arrays is None or type(max_norm) is not float or type(eps) is not float or not (max_norm >= 0 and eps >= 0):
        return None
    for array in arrays:
        if not is_simple(array) or not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>array):
            return None
    if len(arrays) > 1 and len({id(array) for array in arrays}) < len(arrays):
        return None
    norm = sqrt(squares(arrays))
    if not norm + <double>eps <= <double>max_norm:
        factor = <double>max_norm / (norm + <double>eps)
        for array in arrays:
            x = <cnp.ndarray>array
            if cnp.PyArray_TYPE(x) == cnp.NPY_DOUBLE:
                multiply(cnp.PyArray_SIZE(x), <double *>cnp.PyArray_DATA(x), factor)
            else:
                multiply(cnp.PyArray_SIZE(x), <float *>cnp.PyArray_DATA(x), <float>factor)
    return norm


def clip(g, double low, double high):
    """Limit the elements of a writable array in place. Whether it is done."""
    if not is_simple(g) or not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>g):
        return False
    if cnp.PyArray_TYPE(<cnp.ndarray>g) == cnp.NPY_DOUBLE:
        limit(cnp.PyArray_SIZE(<cnp.ndarray>g), <double *>data_of(g), low, high)
    else:
        limit(cnp.PyArray_SIZE(<cnp.ndarray>g), <float *>data_of(g), <float>low, <float>high)
    return True
