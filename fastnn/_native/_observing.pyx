"""Steps that look at the numbers of a training while it runs (fastnn/engine/observing.py); twins in fastnn/reference.

They stand in plans that somebody observes, and nowhere else.  A record is the caller's array, and every step here is
one block: what several blocks added to it would depend on their order.
"""
from fastnn._native._steps cimport WHOLE, define, ptr, run_t, step_t

ctypedef fused real:
    float
    double

# places in a record (fastnn/engine/observing.py)
cdef enum:
    BATCHES, COUNT, NOT_FINITE, MEAN, SQUARES, LEAST, MOST, ZEROS, NEAR_LOW, NEAR_HIGH, LOW, HIGH, FIRST_BIN
    BINS = 20


cdef void look(const real *x, ssize_t rows, ssize_t cols, const double *reals, double *record, double *active) \
        noexcept nogil:
    cdef ssize_t row, col, at, count = 0, zeros = 0, near_low = 0, near_high = 0, size = rows * cols
    cdef ssize_t bins[2 * BINS]
    cdef double value, total = 0, mean, squares = 0, least = 0, most = 0, before, low, high, scale, place, difference
    cdef double low_limit = reals[0] + reals[2], high_limit = reals[1] - reals[2]
    for at in range(size):
        value = x[at]
        if value - value != 0:
            continue
        total += value
        zeros += value == 0
        least = value if count == 0 or value < least else least
        most = value if count == 0 or value > most else most
        count += 1
    if active != NULL:
        for row in range(rows):
            for col in range(cols):
                active[col] += x[row * cols + col] != 0
    record[BATCHES] += 1
    record[NOT_FINITE] += size - count
    if count == 0:
        return
    record[ZEROS] += zeros
    before = record[COUNT]
    if before == 0:
        record[LEAST], record[MOST] = least, most
    record[LEAST], record[MOST] = min(record[LEAST], least), max(record[MOST], most)
    if record[LOW] == record[HIGH]:                      # the first batch says how wide the histogram is
        record[LOW], record[HIGH] = reals[0], reals[1]
        if record[LOW] == record[HIGH]:
            record[LOW], record[HIGH] = least, most
        if record[LOW] == record[HIGH]:
            record[LOW], record[HIGH] = least - 0.5, least + 0.5
    low, high, mean = record[LOW], record[HIGH], total / count
    scale = BINS / (high - low)
    for at in range(2 * BINS):
        bins[at] = 0
    for at in range(size):
        value = x[at]
        if value - value != 0:
            continue
        squares += (value - mean) * (value - mean)
        place = (value - low) * scale
        # neighbours count in histograms of their own: equal numbers would wait for each other
        bins[(at & 1) * BINS + <int>min(max(place, 0.0), BINS - 1.0)] += 1
        near_low += value <= low_limit
        near_high += value >= high_limit
    for at in range(BINS):
        record[FIRST_BIN + at] += bins[at] + bins[BINS + at]
    record[NEAR_LOW] += near_low
    record[NEAR_HIGH] += near_high
    difference = mean - record[MEAN]                     # Chan's formula joins the moments of two sets
    record[SQUARES] += squares + difference * difference * before * count / (before + count)
    record[MEAN] += difference * count / (before + count)
    record[COUNT] = before + count


cdef void do_statistics(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    if r.item == 8:
        look(<const double *>ptr(r, s, 0), s.ints[0], s.ints[1], s.reals, <double *>ptr(r, s, 1),
             <double *>ptr(r, s, 2))
    else:
        look(<const float *>ptr(r, s, 0), s.ints[0], s.ints[1], s.reals, <double *>ptr(r, s, 1),
             <double *>ptr(r, s, 2))


cdef void do_tally(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    cdef const double *values = <const double *>ptr(r, s, 0)
    cdef double total = 0
    cdef ssize_t i
    for i in range(s.ints[0]):
        total += values[i]
    (<double *>ptr(r, s, 1))[s.ints[1]] += s.reals[0] * total


define("statistics", do_statistics, WHOLE, 3)
define("tally", do_tally, WHOLE, 2)
