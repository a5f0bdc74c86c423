"""How one thread, or a team, goes through the steps of every mini-batch of a run.

A team meets at the steps that are cut into blocks (src_c/team.h says how they are shared); everything between two of
them, up to the beginning of the next mini-batch, is done by whoever finished the last block, while the others wait.
So a step of a small network costs a meeting for each of its large products, and not for each of its steps.  Denormals
are flushed to zero on the threads of a run while it lasts, and nowhere else.
"""
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastnn._native._core cimport flush_denormals, restore_denormals, run_team, seconds_now
from fastnn._native._steps cimport fastnn_counter, fastnn_ticket, run_t, source_t, step_t


cdef extern from "team.h" nogil:
    int64_t fastnn_claim(fastnn_ticket *, int64_t blocks, int64_t round, int member, int team)
    bint fastnn_finish(fastnn_ticket *, int64_t count, int64_t blocks, int64_t round)
    void fastnn_tell(fastnn_counter *, int64_t)
    void fastnn_wait(const fastnn_counter *, int64_t)


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
    if batch >= r.batches or (batch > 0 and seconds_now() > r.deadline):
        r.stopped_at = batch
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


cdef void run_together(run_t *r, int member, int team) noexcept nogil:
    cdef int64_t batch = 0, meetings = 0, block, mine
    cdef step_t *s
    cdef int i
    while True:
        for i in range(r.count):
            s = &r.steps[i]
            if s.blocks <= 1:
                continue
            mine = 0
            while True:
                block = fastnn_claim(&s.ticket, s.blocks, batch, member, team)
                if block < 0:
                    break
                perform(r, s, block)
                mine += 1
            meetings += 1
            if mine and fastnn_finish(&s.ticket, mine, s.blocks, batch):
                conclude(r, s)
                if r.timed:
                    s.seconds += seconds_now() - r.began
                go_on(r, i + 1, False)
                fastnn_tell(&r.reached, meetings)
            else:
                fastnn_wait(&r.reached, meetings)
            if over(r):
                return
        batch += 1


cdef void run_member(void *arg, int member, int team) noexcept nogil:
    cdef unsigned long old = flush_denormals()
    run_together(<run_t *>arg, member, team)
    restore_denormals(old)


cdef void run_batches(run_t *r, int threads) noexcept nogil:
    """Run the mini-batches; `threads` > 1 only if a step is cut into several blocks."""
    cdef unsigned long old = flush_denormals()
    cdef int i
    r.stopped_at = -1
    begin_batch(r, 0)
    go_on(r, 0, threads == 1)
    restore_denormals(old)
    if over(r):
        return
    memset(&r.reached, 0, sizeof(fastnn_counter))
    for i in range(r.count):
        memset(&r.steps[i].ticket, 0, sizeof(fastnn_ticket))
    run_team(run_member, r, threads)
