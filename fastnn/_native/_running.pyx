"""How one thread, or a team, goes through the steps of every mini-batch of a run.

A team meets at the steps that are cut into blocks (src_c/team.h says how they are shared); everything between two of
them, up to the beginning of the next mini-batch, is done by whoever finished the last block, while the others wait.
So a step of a small network costs a meeting for each of its large products, and not for each of its steps.

Where others use the processors - threads of OpenBLAS wait for work in a loop, for tens of milliseconds after the last
product of NumPy - a block can lie with a thread that is not running, and a team is slower than one thread.  Whoever
waits for such a block compares the time that the step took with what its own blocks tell about doing them all alone.
If too much is lost, twice in a row - threads that begin on one processor are soon moved apart - one thread goes on, for
a while that doubles as long as the team fares no better.

Denormals are flushed to zero on the threads of a run while it lasts, and nowhere else.
"""
from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastnn._native._core cimport flush_denormals, restore_denormals, run_team, seconds_now
from fastnn._native._steps cimport fastnn_counter, fastnn_ticket, run_t, source_t, step_t


cdef extern from "team.h" nogil:
    enum:
        FASTNN_PATIENCE
    int64_t fastnn_claim(fastnn_ticket *, int64_t blocks, int64_t round, int member, int team, int *patience)
    bint fastnn_finish(fastnn_ticket *, int64_t count, int64_t blocks, int64_t round)
    void fastnn_tell(fastnn_counter *, int64_t)
    bint fastnn_finished(const fastnn_ticket *, int64_t blocks, int64_t round)
    bint fastnn_told(const fastnn_counter *, int64_t)
    bint fastnn_wait(const fastnn_counter *, int64_t)
    void fastnn_yield()

cdef double LONG = 0.01          # seconds after which a run does not go on like that
cdef double CROWDED = 0.05       # seconds for which one thread computes then, at first
cdef int MOST_DOUBLINGS = 3
cdef double _crowded_until = 0
cdef int _losses = 0             # of teams in a row
cdef double _most_lost = 0.25    # of a run's time


def set_most_lost(double share):
    """Teams that lose more of a run's time by waiting give way to one thread from now on; returns the limit so far.
    For measurements."""
    global _most_lost
    before, _most_lost = _most_lost, share
    return before


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
    cdef double now = seconds_now()
    if batch >= r.batches or (batch > 0 and (r.crowded or now > r.deadline)):
        r.stopped, r.stopped_at = now, batch
    else:
        bind_batch(r)


cdef inline void perform(run_t *r, step_t *s, ssize_t block) noexcept nogil:
    if s.when < 0 or r.scalars[r.done * r.scalars_per_step + s.when] != 0:
        s.run(r, s, block)


cdef inline void conclude(run_t *r, step_t *s) noexcept nogil:
    if s.conclude != NULL:
        s.conclude(r, s, 0)


cdef inline bint over(run_t *r) noexcept nogil:
    return r.failed or r.stopped_at >= 0


cdef void go_on(run_t *r, int number, bint alone) noexcept nogil:
    """Do the steps from this number on, over the ends of mini-batches, up to one for the team, or to the end."""
    cdef ssize_t block
    cdef step_t *s
    while not over(r):
        if number == r.count:
            begin_batch(r, r.done + 1)
            number = 0
            continue
        s = &r.steps[number]
        if r.timed:
            r.began = seconds_now()
        if s.blocks > 1 and not alone:
            return
        for block in range(s.blocks):
            perform(r, s, block)
        conclude(r, s)
        if r.timed:
            s.seconds += seconds_now() - r.began
        number += 1


cdef double wait_long(run_t *r, step_t *s, int64_t batch, int64_t meetings, double began, double alone) noexcept nogil:
    """Wait for the others; the seconds that the step's blocks took longer than one thread would have needed."""
    cdef double took
    while not fastnn_finished(&s.ticket, s.blocks, batch):
        fastnn_yield()
    took = seconds_now() - began
    while not fastnn_told(&r.reached, meetings):
        fastnn_yield()
    return max(0.0, took - alone)


cdef void run_together(run_t *r, int member, int team) noexcept nogil:
    cdef int64_t batch = 0, meetings = 0, block, mine
    cdef double started = seconds_now(), began = started, alone, lost = 0
    cdef step_t *s
    cdef int i, patience
    while True:
        for i in range(r.count):
            s = &r.steps[i]
            if s.blocks <= 1:
                continue
            mine, patience = 0, FASTNN_PATIENCE
            while True:
                block = fastnn_claim(&s.ticket, s.blocks, batch, member, team, &patience)
                if block < 0:
                    break
                perform(r, s, block)
                mine += 1
            meetings += 1
            alone = (seconds_now() - began) * s.blocks / mine if mine else INFINITY
            if mine and fastnn_finish(&s.ticket, mine, s.blocks, batch):
                conclude(r, s)
                if r.timed:
                    s.seconds += seconds_now() - r.began
                go_on(r, i + 1, False)
                fastnn_tell(&r.reached, meetings)
            elif not fastnn_wait(&r.reached, meetings):
                lost += wait_long(r, s, batch, meetings, began, alone)
                if lost > _most_lost * max(LONG, seconds_now() - started):
                    r.crowded = True
                r.lost = max(r.lost, lost)
            if over(r):
                return
            began = seconds_now()
        batch += 1


cdef void run_member(void *arg, int member, int team) noexcept nogil:
    cdef unsigned long old = flush_denormals()
    run_together(<run_t *>arg, member, team)
    restore_denormals(old)


cdef void run_on(run_t *r, ssize_t batch, bint alone) noexcept nogil:
    """From the beginning of this mini-batch, up to a step for the team, or to the end."""
    cdef unsigned long old = flush_denormals()
    begin_batch(r, batch)
    go_on(r, 0, alone)
    restore_denormals(old)


cdef void run_batches(run_t *r, int threads) noexcept nogil:
    """Run the mini-batches; `threads` > 1 only if a step is cut into several blocks."""
    global _crowded_until, _losses
    cdef double started, ended, lost
    cdef ssize_t batch
    cdef int i
    r.stopped_at, r.crowded = -1, False
    run_on(r, 0, threads == 1 or seconds_now() < _crowded_until)
    if over(r):
        return
    memset(&r.reached, 0, sizeof(fastnn_counter))
    for i in range(r.count):
        memset(&r.steps[i].ticket, 0, sizeof(fastnn_ticket))
    r.lost, r.stopped, started = 0, INFINITY, seconds_now()
    run_team(run_member, r, threads)  # new threads inherit the floating-point mode of this one: that from outside
    ended = seconds_now()
    lost = r.lost + ended - r.stopped        # OpenMP, too, waits for whoever is not running
    _losses = _losses + 1 if lost > _most_lost * (ended - started) else 0
    if _losses > 1:
        _crowded_until = ended + CROWDED * (1 << min(_losses - 2, MOST_DOUBLINGS))
    if r.crowded and not r.failed:
        batch, r.stopped_at, r.crowded = r.stopped_at, -1, False
        run_on(r, batch, True)
