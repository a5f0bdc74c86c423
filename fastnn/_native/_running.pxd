"""How threads go through the steps of a run."""
from fastnn._native._steps cimport run_t

cdef void run_batches(run_t *r, int threads) noexcept nogil
