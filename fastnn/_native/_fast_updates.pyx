"""Short cuts of fastnn.ops for small calls: what changes arrays in place - optimizer steps, clipping.

As in _fast_maps.pyx; updates return whether they did it.
"""
cimport numpy as cnp
from cpython.object cimport PyObject
from libc.math cimport sqrt

from fastnn._native._core cimport FASTNN_COMMON_SCALARS, FASTNN_MAX_PARAMS, FASTNN_MAX_SLOTS
from fastnn._native._ops cimport data_of, read_scalars, run_update, table_of, update_task
from fastnn._native._simple cimport is_simple, same_kind

cdef extern from "Python.h":
    PyObject **PySequence_Fast_ITEMS(object)

cnp.import_array()


# -------------------------------------------------------------------------------------------------------- optimizers

cdef class Remembered:
    """A function of numbers, flags and words that gives its last result again while its arguments are the same objects.

    The parameters of a model are updated one after the other with the same learning rate, step and so on: to look at
    them is quicker than to hash and compare them. Arguments that can change, such as arrays, are not remembered.
    """
    cdef object function
    cdef tuple last            # arguments, result

    def __init__(self, function):
        self.function = function

    def __call__(self, *args):
        cdef tuple last = self.last
        if last is not None and are_identical(args, <tuple>last[0]):
            return last[1]
        result = self.function(*args)
        for value in args:
            if not isinstance(value, (float, int, str)) and value is not None:
                return result
        self.last = (args, result)
        return result


cdef inline bint are_identical(tuple a, tuple b) noexcept:
    cdef Py_ssize_t i, n = len(a)
    if n != len(b):
        return False
    for i in range(n):
        if a[i] is not b[i]:
            return False
    return True


cdef bint is_group(PyObject **arrays, Py_ssize_t step, Py_ssize_t n) noexcept:
    """Whether parameter, gradient and slots can be updated together: simple, of one kind, each with its own memory.

    They are every step-th of the n * step arrays.
    """
    cdef char *start[FASTNN_MAX_SLOTS + 2]
    cdef cnp.ndarray p, array
    cdef ssize_t size
    cdef Py_ssize_t i, j
    if n > FASTNN_MAX_SLOTS + 2 or not is_simple(<object>arrays[0]):
        return False
    p = <cnp.ndarray>arrays[0]
    size = cnp.PyArray_NBYTES(p)
    if size == 0:
        return False
    for i in range(n):
        if not is_simple(<object>arrays[i * step]):
            return False
        array = <cnp.ndarray>arrays[i * step]
        if not same_kind(p, array) or (i != 1 and not cnp.PyArray_ISWRITEABLE(array)):
            return False
        start[i] = <char *>cnp.PyArray_DATA(array)
        for j in range(i):
            if start[i] < start[j] + size and start[j] < start[i] + size:
                return False
    return True


cdef int update_group(int row, const double *values, PyObject **arrays, Py_ssize_t step, Py_ssize_t n) except -1:
    cdef update_task t
    cdef cnp.ndarray p = <cnp.ndarray>arrays[0]
    cdef Py_ssize_t i
    t.k, t.row, t.slots, t.scalars = table_of(p), row, <int>n - 2, values
    t.n, t.item = cnp.PyArray_SIZE(p), cnp.PyArray_ITEMSIZE(p)
    t.p, t.g = <char *>cnp.PyArray_DATA(p), <char *>cnp.PyArray_DATA(<cnp.ndarray>arrays[step])
    for i in range(n - 2):
        t.slot[i] = <char *>cnp.PyArray_DATA(<cnp.ndarray>arrays[(i + 2) * step])
    return run_update(&t)


def update(int row, tuple scalars, tuple arrays):
    """One parameter: arrays are parameter, gradient and slots. Whether it is done."""
    cdef double values[FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS]
    if not is_group(PySequence_Fast_ITEMS(arrays), 1, len(arrays)):
        return False
    read_scalars(scalars, values)
    update_group(row, values, PySequence_Fast_ITEMS(arrays), 1, len(arrays))
    return True


cdef list flattened(tuple collections):
    """The arrays of collections of one kind, one collection behind the other; None if they do not go together."""
    cdef list flat = []
    cdef dict named
    cdef Py_ssize_t n = -1
    for collection in collections:
        if type(collections[0]) is dict:
            if type(collection) is not dict:
                return None
            named = <dict>collection
            # a key that is missing gives None, which is no array
            flat += named.values() if n < 0 else [named.get(key) for key in <dict>collections[0]]
        elif type(collection) is list or type(collection) is tuple:
            flat += collection
        else:
            return None
        if n >= 0 and len(collection) != n:
            return None
        n = len(collection)
    return flat


def update_many(int row, tuple scalars, tuple collections):
    """Parameters, gradients and slots in dicts, or in lists or tuples. Whether it is done: all or none."""
    cdef double values[FASTNN_COMMON_SCALARS + FASTNN_MAX_PARAMS]
    cdef list flat = flattened(collections)
    cdef Py_ssize_t i, groups, n = len(collections)
    if flat is None:
        return False
    groups = len(flat) // n
    for i in range(groups):
        if not is_group(PySequence_Fast_ITEMS(flat) + i, groups, n):
            return False
    read_scalars(scalars, values)
    for i in range(groups):
        update_group(row, values, PySequence_Fast_ITEMS(flat) + i, groups, n)
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
