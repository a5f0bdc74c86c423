"""How the short cuts look at arrays.

The simple case: exact ndarrays, aligned, native, of one real dtype, C-contiguous (for matrix products also transposed),
with shapes that fit and results that share no memory with an input except by being exactly it.
"""
cimport numpy as cnp


cdef inline bint is_real(object x) noexcept:
    """An exact ndarray of a real dtype; its memory may be of any kind."""
    cdef int type_number
    if not cnp.PyArray_CheckExact(x):
        return False
    type_number = cnp.PyArray_TYPE(<cnp.ndarray>x)
    return type_number == cnp.NPY_FLOAT or type_number == cnp.NPY_DOUBLE


cdef inline bint is_simple(object x) noexcept:
    """An exact, aligned, native, C-contiguous ndarray of a real dtype with dimensions."""
    return is_real(x) and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>x) and cnp.PyArray_NDIM(<cnp.ndarray>x) > 0


cdef inline bint same_shape(cnp.ndarray a, cnp.ndarray b) noexcept:
    cdef int d
    if cnp.PyArray_NDIM(a) != cnp.PyArray_NDIM(b):
        return False
    for d in range(cnp.PyArray_NDIM(a)):
        if cnp.PyArray_DIM(a, d) != cnp.PyArray_DIM(b, d):
            return False
    return True


cdef inline bint same_kind(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Equal dtype and shape."""
    return cnp.PyArray_TYPE(a) == cnp.PyArray_TYPE(b) and same_shape(a, b)


cdef inline bint overlap(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Shared memory of two contiguous arrays."""
    cdef char *p = <char *>cnp.PyArray_DATA(a)
    cdef char *q = <char *>cnp.PyArray_DATA(b)
    return p < q + cnp.PyArray_NBYTES(b) and q < p + cnp.PyArray_NBYTES(a)


cdef inline bint shifted_overlap(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Shared memory, but not the same start (both contiguous and of one size)."""
    return cnp.PyArray_DATA(a) != cnp.PyArray_DATA(b) and overlap(a, b)


cdef inline bint fits(object out, int type_number, int ndim, const cnp.npy_intp *shape) noexcept:
    """Whether a result of that dtype and shape can be written into `out`."""
    cdef int d
    if not is_simple(out) or not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out):
        return False
    if cnp.PyArray_TYPE(<cnp.ndarray>out) != type_number or cnp.PyArray_NDIM(<cnp.ndarray>out) != ndim:
        return False
    for d in range(ndim):
        if cnp.PyArray_DIM(<cnp.ndarray>out, d) != shape[d]:
            return False
    return True


cdef inline object fresh_or(object out, cnp.ndarray x, object other):
    """An output like x, which it may be: new, or `out` where that is a simple case; None otherwise."""
    if out is None:
        return cnp.PyArray_SimpleNew(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x))
    if not fits(out, cnp.PyArray_TYPE(x), cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x)):
        return None
    if shifted_overlap(x, <cnp.ndarray>out) or (other is not None and shifted_overlap(<cnp.ndarray>other, out)):
        return None
    return out


cdef inline object separate(object out, int type_number, int ndim, cnp.npy_intp *shape, object a, object b, object c):
    """An output that shares no memory with the inputs: new, or `out` where that is a simple case; None otherwise."""
    if out is None:
        return cnp.PyArray_SimpleNew(ndim, shape, type_number)
    if not fits(out, type_number, ndim, shape) or overlap(<cnp.ndarray>out, <cnp.ndarray>a):
        return None
    if (b is not None and overlap(<cnp.ndarray>out, <cnp.ndarray>b)) or (
            c is not None and overlap(<cnp.ndarray>out, <cnp.ndarray>c)):
        return None
    return out
