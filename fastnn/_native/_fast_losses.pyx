"""Short cuts of fastnn.ops for small calls: losses and their gradients, as _fast_maps.pyx has them for others."""
cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, int64_t

from fastnn._native._core cimport (
    FASTNN_MAX_PARAMS, FASTNN_ROW_LOSS_categorical_cross_entropy, FASTNN_ROW_LOSS_cross_entropy_of_softmax,
    FASTNN_ROW_LOSS_softmax_cross_entropy, FASTNN_ROW_LOSSES, fastnn_loss_args,
)
from fastnn._native import _core
from fastnn._native._ops cimport RELEASE_GIL, data_of, read_params, run_loss_sum, sum_in_order, table_of
from fastnn._native._simple cimport fresh_or, is_simple, overlap, same_kind

cdef enum:
    LONGEST = 2147483647     # labels are int32
    MOST_ROWS = 256          # of a loss whose working memory is on the stack

cnp.import_array()


def total(cnp.ndarray losses) -> float:
    """The sum of the losses of the rows (contiguous float64), in the order in which the short cuts add."""
    return sum_in_order(<const double *>cnp.PyArray_DATA(losses), cnp.PyArray_SIZE(losses))


ctypedef void (*loss_fn)(const fastnn_loss_args *) noexcept nogil


cdef inline loss_fn row_loss_of(object x, int row) noexcept:
    return table_of(<cnp.ndarray>x).row_loss[row].run


cdef inline int reduction_of(object reduction) noexcept:
    """0 for the sum, 1 for the mean; -1 for what is not reduced, or no reduction."""
    if type(reduction) is not str:
        return -1
    return 1 if <str>reduction == "mean" else 0 if <str>reduction == "sum" else -1


cdef bint read_labels(cnp.ndarray labels, ssize_t rows, ssize_t classes, int32_t *result) noexcept:
    """Labels of a usual integer dtype as int32; False if one of them is out of range."""
    cdef const int64_t *wide = <const int64_t *>cnp.PyArray_DATA(labels)
    cdef const int32_t *narrow = <const int32_t *>cnp.PyArray_DATA(labels)
    cdef ssize_t i
    cdef bint wrong = classes > LONGEST
    if cnp.PyArray_ITEMSIZE(labels) == 8:
        for i in range(rows):
            wrong |= wide[i] < 0 or wide[i] >= classes
            result[i] = <int32_t>wide[i]
    else:
        for i in range(rows):
            wrong |= narrow[i] < 0 or narrow[i] >= classes
            result[i] = narrow[i]
    return not wrong


cdef inline bint is_labels(cnp.ndarray t, cnp.ndarray p) noexcept:
    """Signed integers of 32 or 64 bits, one for each row of p."""
    cdef int d, size = <int>cnp.PyArray_ITEMSIZE(t)
    if not cnp.PyTypeNum_ISSIGNED(cnp.PyArray_TYPE(t)) or not cnp.PyTypeNum_ISINTEGER(cnp.PyArray_TYPE(t)):
        return False
    if (size != 4 and size != 8) or not cnp.PyArray_ISCARRAY_RO(t):
        return False
    if cnp.PyArray_NDIM(t) != cnp.PyArray_NDIM(p) - 1 or cnp.PyArray_NDIM(t) == 0:
        return False
    for d in range(cnp.PyArray_NDIM(t)):
        if cnp.PyArray_DIM(t, d) != cnp.PyArray_DIM(p, d):
            return False
    return True


cdef bint run_elements(int row, fastnn_loss_args *a, cnp.ndarray p, object targets, double *sum) except -1:
    """Apply an element-wise row to p and targets; False if the targets are no simple case.

    grad, grad_scale and params are the caller's.
    """
    if not cnp.PyArray_CheckExact(targets) or not is_simple(targets) or not same_kind(p, <cnp.ndarray>targets):
        return False
    a.pred, a.target = cnp.PyArray_DATA(p), cnp.PyArray_DATA(<cnp.ndarray>targets)
    sum[0] = run_loss_sum(row, a, p)
    return True


cdef inline bint are_signs(cnp.ndarray t, cnp.ndarray p) noexcept:
    """One number for each row of p, of its dtype."""
    cdef int d
    if not is_simple(t) or cnp.PyArray_TYPE(t) != cnp.PyArray_TYPE(p) or cnp.PyArray_NDIM(t) != cnp.PyArray_NDIM(p) - 1:
        return False
    for d in range(cnp.PyArray_NDIM(t)):
        if cnp.PyArray_DIM(t, d) != cnp.PyArray_DIM(p, d):
            return False
    return True


cdef enum:
    ROWS_OR_LABELS
    ROWS
    LABELS
    SIGNS
    NOTHING
    OTHERS

# what the targets of each row loss are
cdef dict KINDS = {"classes": ROWS_OR_LABELS, "labels": LABELS, "signs": SIGNS, "none": NOTHING, "groups": OTHERS,
                   "sequences": OTHERS}
cdef int[FASTNN_ROW_LOSSES] TARGETS
for _position, (_, _kind, *_) in enumerate(_core.tables()["row_losses"]):
    TARGETS[_position] = KINDS.get(_kind, ROWS)


cdef bint run_rows_loss(loss_fn by_rows, fastnn_loss_args *a, cnp.ndarray p, object targets, double *sum,
                        int wanted=ROWS_OR_LABELS) except -1:
    """Apply a loss of whole rows to p and targets, once the gradient's memory is known.

    False if the targets are no simple case. grad, probs, grad_scale, params and the gradients of further inputs are the
    caller's.
    """
    cdef double losses[MOST_ROWS]
    cdef int32_t few_labels[MOST_ROWS]
    cdef int32_t *labels = few_labels
    cdef cnp.ndarray t
    cdef char *memory = NULL
    cdef bint sparse = False, done = True
    if cnp.PyArray_SIZE(p) == 0 or wanted == OTHERS:
        return False
    if wanted == NOTHING:
        t = p
    elif not cnp.PyArray_CheckExact(targets):
        return False
    else:
        t = <cnp.ndarray>targets
        if wanted == SIGNS:
            if not are_signs(t, p):
                return False
        elif wanted == LABELS or not (is_simple(t) and same_kind(p, t)):
            if wanted == ROWS or not is_labels(t, p):
                return False
            sparse = True
    a.cols = cnp.PyArray_DIM(p, cnp.PyArray_NDIM(p) - 1)
    a.rows = cnp.PyArray_SIZE(p) // <ssize_t>a.cols
    a.pred, a.target, a.row_weight, a.ignore = cnp.PyArray_DATA(p), cnp.PyArray_DATA(t), NULL, -1
    a.row_loss, a.labels = losses, NULL
    a.ld, a.class_weight, a.smoothing = a.cols, NULL, 0
    if a.grad == NULL:
        a.more_grad[0], a.more_grad[1] = NULL, NULL
    if a.rows > MOST_ROWS:
        memory = <char *>PyMem_Malloc(a.rows * (sizeof(double) + sizeof(int32_t)))
        if memory == NULL:
            return False
        a.row_loss, labels = <double *>memory, <int32_t *>(memory + a.rows * sizeof(double))
    if sparse:
        a.labels, a.target = labels, NULL
        done = read_labels(t, a.rows, a.cols, labels)
    if done:
        if cnp.PyArray_SIZE(p) < RELEASE_GIL:
            by_rows(a)
        else:
            with nogil:
                by_rows(a)
        if sum != NULL:
            sum[0] = sum_in_order(a.row_loss, a.rows)
    PyMem_Free(memory)
    return done


cdef object grad_for(object p, object t, object out):
    """Memory for the gradient of p, which it may be; it may be an element-wise target too, but no other part of one."""
    if not is_simple(p) or not cnp.PyArray_CheckExact(t):
        return None
    if out is not None and cnp.PyArray_CheckExact(out) and overlap(out, t):
        return None
    return fresh_or(out, <cnp.ndarray>p, None)


cdef inline ssize_t loss_count(int row, cnp.ndarray p) noexcept:
    """How many losses a mean is taken over: elements, or samples where a sample's loss is a sum; p is not empty."""
    if not table_of(p).loss[row].sums:
        return cnp.PyArray_SIZE(p)
    return cnp.PyArray_SIZE(p) // cnp.PyArray_DIM(p, cnp.PyArray_NDIM(p) - 1)


def loss(int row, p, t, tuple params, reduction):
    """An element-wise loss."""
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction)
    if mean < 0 or not is_simple(p):
        return None
    read_params(params, values)
    if cnp.PyArray_SIZE(<cnp.ndarray>p) == 0:
        return None
    a.grad, a.grad_scale, a.params = NULL, 0, values
    if not run_elements(row, &a, <cnp.ndarray>p, t, &sum):
        return None
    return sum * (1.0 / loss_count(row, <cnp.ndarray>p) if mean else 1.0)


def loss_backward(int row, p, t, tuple params, scale, out):
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    cdef double sum
    if scale is not None and type(scale) is not float:
        return None
    grad = grad_for(p, t, out)
    if grad is None or cnp.PyArray_SIZE(<cnp.ndarray>p) == 0:
        return None
    read_params(params, values)
    a.grad, a.params = data_of(grad), values
    a.grad_scale = 1.0 / loss_count(row, <cnp.ndarray>p) if scale is None else <double>scale
    return grad if run_elements(row, &a, <cnp.ndarray>p, t, &sum) else None


def loss_with_grad(int row, p, t, tuple params, reduction, out):
    """(loss, grad)"""
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    cdef double sum, factor
    cdef int mean = reduction_of(reduction)
    if mean < 0:
        return None
    grad = grad_for(p, t, out)
    if grad is None or cnp.PyArray_SIZE(<cnp.ndarray>p) == 0:
        return None
    factor = 1.0 / loss_count(row, <cnp.ndarray>p) if mean else 1.0
    read_params(params, values)
    a.grad, a.params, a.grad_scale = data_of(grad), values, factor
    if not run_elements(row, &a, <cnp.ndarray>p, t, &sum):
        return None
    return sum * factor, grad


cdef inline double row_factor(cnp.ndarray p, bint mean) noexcept:
    """What the losses of the rows of a simple array are multiplied by."""
    cdef ssize_t size = cnp.PyArray_SIZE(p)
    return 1.0 / (size // cnp.PyArray_DIM(p, cnp.PyArray_NDIM(p) - 1)) if mean and size else 1.0


cdef bint read_inputs(tuple inputs, fastnn_loss_args *a) noexcept:
    """Whether the inputs of a row loss are simple and of one kind; sets those after the first."""
    cdef Py_ssize_t i
    a.more[0], a.more[1], a.more_grad[0], a.more_grad[1] = NULL, NULL, NULL, NULL
    for i in range(len(inputs)):
        if not is_simple(inputs[i]) or not same_kind(<cnp.ndarray>inputs[0], <cnp.ndarray>inputs[i]):
            return False
        if i:
            a.more[i - 1] = cnp.PyArray_DATA(<cnp.ndarray>inputs[i])
    return cnp.PyArray_SIZE(<cnp.ndarray>inputs[0]) > 0


cdef bint is_apart(cnp.ndarray grad, tuple inputs, object target, list grads) noexcept:
    """Whether a gradient shares no memory with what is read, nor with the gradients before it."""
    for other in inputs:
        if overlap(grad, <cnp.ndarray>other):
            return False
    for other in grads:
        if overlap(grad, <cnp.ndarray>other):
            return False
    return target is None or (cnp.PyArray_CheckExact(target) and not overlap(grad, <cnp.ndarray>target))


cdef list places_for(tuple inputs, object target, object out):
    """Memory for the gradients of several inputs, which are simple; None if what is given is no simple case."""
    cdef list grads = []
    cdef Py_ssize_t i, n = len(inputs)
    if out is not None and (type(out) is not tuple or len(<tuple>out) != n):
        return None
    for i in range(n):
        given = None if out is None else (<tuple>out)[i]
        grad = fresh_or(given, <cnp.ndarray>inputs[0], None)
        if grad is None or (given is not None and not is_apart(<cnp.ndarray>grad, inputs, target, grads)):
            return None
        grads.append(grad)
    return grads


cdef object gradients(int row, tuple inputs, object target, tuple params, double scale, object out, double *sum):
    """The gradient of a row loss, or a list of those for several inputs; None if this is no simple case."""
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    cdef cnp.ndarray p
    cdef Py_ssize_t i, n = len(inputs)
    cdef int wanted = TARGETS[row]
    if wanted == OTHERS or not read_inputs(inputs, &a):
        return None
    p = <cnp.ndarray>inputs[0]
    if n == 1:
        first = grads = grad_for(p, p if wanted == NOTHING else target, out)
    else:
        grads = places_for(inputs, None if wanted == NOTHING else target, out)
        first = None if grads is None else (<list>grads)[0]
    # some kernels read the input again after they have written a part of the gradient
    if first is None or cnp.PyArray_DATA(<cnp.ndarray>first) == cnp.PyArray_DATA(p):
        return None
    for i in range(1, n):
        a.more_grad[i - 1] = data_of((<list>grads)[i])
    read_params(params, values)
    a.grad, a.probs, a.grad_scale, a.params = data_of(first), NULL, scale, values
    return grads if run_rows_loss(row_loss_of(p, row), &a, p, target, sum, wanted) else None


def row_loss(int row, tuple inputs, target, tuple params, reduction):
    """A loss of whole rows; nothing is ignored or weighted."""
    cdef double values[FASTNN_MAX_PARAMS]
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction), wanted
    if mean < 0 or not read_inputs(inputs, &a):
        return None
    read_params(params, values)
    a.grad, a.probs, a.grad_scale, a.params = NULL, NULL, 1, values
    wanted = TARGETS[row]
    if not run_rows_loss(row_loss_of(inputs[0], row), &a, <cnp.ndarray>inputs[0], target, &sum, wanted):
        return None
    return sum * row_factor(<cnp.ndarray>inputs[0], mean)


def row_loss_backward(int row, tuple inputs, target, tuple params, scale, out):
    if (scale is not None and type(scale) is not float) or not is_simple(inputs[0]):
        return None
    factor = row_factor(<cnp.ndarray>inputs[0], True) if scale is None else <double>scale
    grads = gradients(row, inputs, target, params, factor, out, NULL)
    return tuple(<list>grads) if grads is not None and len(inputs) > 1 else grads


def row_loss_with_grad(int row, tuple inputs, target, tuple params, reduction, out):
    """(loss, a gradient for each input)"""
    cdef double sum, factor
    cdef int mean = reduction_of(reduction)
    if mean < 0 or not is_simple(inputs[0]):
        return None
    factor = row_factor(<cnp.ndarray>inputs[0], mean)
    grads = gradients(row, inputs, target, params, factor, out, &sum)
    if grads is None:
        return None
    return (sum * factor, grads) if len(inputs) == 1 else (sum * factor, *<list>grads)


def softmax_cross_entropy(logits, targets, reduction):
    """(loss, probs)"""
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction)
    if mean < 0 or not is_simple(logits):
        return None
    probs = fresh_or(None, <cnp.ndarray>logits, None)
    a.grad, a.probs, a.grad_scale, a.params = NULL, data_of(probs), 1, NULL
    if not run_rows_loss(row_loss_of(logits, FASTNN_ROW_LOSS_softmax_cross_entropy), &a, <cnp.ndarray>logits, targets,
                         &sum):
        return None
    return sum * row_factor(<cnp.ndarray>logits, mean), probs


def softmax_cross_entropy_with_grad(logits, targets, reduction, out):
    """(loss, grad)"""
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction)
    if mean < 0:
        return None
    grad = grad_for(logits, targets, out)
    if grad is None:
        return None
    a.more_grad[0], a.more_grad[1] = NULL, NULL
    a.grad, a.probs, a.params = data_of(grad), NULL, NULL
    a.grad_scale = row_factor(<cnp.ndarray>logits, mean)
    if not run_rows_loss(row_loss_of(logits, FASTNN_ROW_LOSS_softmax_cross_entropy), &a, <cnp.ndarray>logits, targets,
                         &sum):
        return None
    return sum * a.grad_scale, grad


def softmax_cross_entropy_backward(probs, targets, scale, out):
    cdef fastnn_loss_args a
    if scale is not None and type(scale) is not float:
        return None
    grad = grad_for(probs, targets, out)
    if grad is None:
        return None
    a.more_grad[0], a.more_grad[1] = NULL, NULL
    a.grad, a.probs, a.params = data_of(grad), NULL, NULL
    a.grad_scale = row_factor(<cnp.ndarray>probs, True) if scale is None else <double>scale
    if not run_rows_loss(row_loss_of(probs, FASTNN_ROW_LOSS_cross_entropy_of_softmax), &a, <cnp.ndarray>probs, targets,
                         NULL):
        return None
    return grad


def cross_entropy(probs, targets, double eps, reduction):
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction)
    if mean < 0 or not is_simple(probs):
        return None
    a.grad, a.probs, a.grad_scale, a.params = NULL, NULL, 1, &eps
    if not run_rows_loss(row_loss_of(probs, FASTNN_ROW_LOSS_categorical_cross_entropy), &a, <cnp.ndarray>probs, targets,
                         &sum):
        return None
    return sum * row_factor(<cnp.ndarray>probs, mean)


def cross_entropy_backward(probs, targets, double eps, scale, out):
    cdef fastnn_loss_args a
    if scale is not None and type(scale) is not float:
        return None
    grad = grad_for(probs, targets, out)
    if grad is None:
        return None
    a.more_grad[0], a.more_grad[1] = NULL, NULL
    a.grad, a.probs, a.params = data_of(grad), NULL, &eps
    a.grad_scale = row_factor(<cnp.ndarray>probs, True) if scale is None else <double>scale
    if not run_rows_loss(row_loss_of(probs, FASTNN_ROW_LOSS_categorical_cross_entropy), &a, <cnp.ndarray>probs, targets,
                         NULL):
        return None
    return grad


def cross_entropy_with_grad(probs, targets, double eps, reduction, out):
    """(loss, grad)"""
    cdef fastnn_loss_args a
    cdef double sum
    cdef int mean = reduction_of(reduction)
    if mean < 0:
        return None
    grad = grad_for(probs, targets, out)
    if grad is None:
        return None
    a.more_grad[0], a.more_grad[1] = NULL, NULL
    a.grad, a.probs, a.params = data_of(grad), NULL, &eps
    a.grad_scale = row_factor(<cnp.ndarray>probs, mean)
    if not run_rows_loss(row_loss_of(probs, FASTNN_ROW_LOSS_categorical_cross_entropy), &a, <cnp.ndarray>probs, targets,
                         &sum):
        return None
    return sum * a.grad_scale, grad
