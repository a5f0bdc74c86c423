/* How the threads of a run share the blocks of a step without locks, and without waiting for each other's presence.
 *
 * A step's blocks are dealt out in shares of neighbours, one for every thread: the part of the weights that a thread
 * wrote in the last step lies in its own cache, and a line that another core has written takes up to half a
 * microsecond.  Who is done with its own share claims what the others have left.  A step is over when all of its blocks
 * are finished - not when all threads have come by.  So a thread that the operating system has put aside (a busy
 * machine, more threads than processors) delays nobody unless it holds a block, and catches up by finding nothing left
 * to claim.  Who finishes the last block goes on alone with what is not divided, and then lets the others know.
 * Counters only ever grow: in round n of the run, n times the blocks of a share have been claimed before.
 */
#ifndef FASTNN_TEAM_H
#define FASTNN_TEAM_H
#include <stdint.h>
#if defined(_WIN32)
#include <windows.h>
#define FASTNN_YIELD() SwitchToThread()
#else
#include <sched.h>
#define FASTNN_YIELD() sched_yield()
#endif
#if defined(__x86_64__)
#define FASTNN_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define FASTNN_PAUSE() __asm__ volatile("yield")
#else
#define FASTNN_PAUSE() ((void)0)
#endif

#define FASTNN_SHARES 8    /* threads beyond them help */
#define FASTNN_SPINS 200   /* pauses before a thread that waits gives its processor to others */
#define FASTNN_PATIENCE 60 /* pauses: one or two microseconds, longer than a claim takes to be seen */

/* Each counter on a cache line of its own. */
typedef struct {
    int64_t value;
    char apart[56];
} fastnn_counter;

typedef struct {
    fastnn_counter claimed[FASTNN_SHARES];
    fastnn_counter finished;
} fastnn_ticket;

static inline int64_t fastnn_first(int64_t blocks, int share, int shares) { return blocks * share / shares; }

/* Whether some block of the share is not claimed. */
static inline int fastnn_left(const fastnn_ticket *ticket, int64_t blocks, int64_t round, int share, int shares) {
    int64_t count = fastnn_first(blocks, share + 1, shares) - fastnn_first(blocks, share, shares);
    return __atomic_load_n(&ticket->claimed[share].value, __ATOMIC_RELAXED) < (round + 1) * count;
}

/* A block of one share that nobody has claimed in this round, or -1. */
static inline int64_t fastnn_claim_of(fastnn_ticket *ticket, int64_t blocks, int64_t round, int share, int shares) {
    int64_t first = fastnn_first(blocks, share, shares), count = fastnn_first(blocks, share + 1, shares) - first;
    int64_t *claimed = &ticket->claimed[share].value, at = __atomic_load_n(claimed, __ATOMIC_RELAXED);
    while (at < (round + 1) * count)
        if (__atomic_compare_exchange_n(claimed, &at, at + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return first + at - round * count;
    return -1;
}

/* A block for this member of the team, of its own share while there is one, or -1 if none is left in this round.
 * What belongs to others is taken after a moment, in which an owner that is at work claims it; `patience`, which the
 * caller sets to FASTNN_PATIENCE for every step, is used up once. */
static inline int64_t fastnn_claim(fastnn_ticket *ticket, int64_t blocks, int64_t round, int member, int team,
                                   int *patience) {
    int shares = team < FASTNN_SHARES ? team : FASTNN_SHARES;
    int64_t block = fastnn_claim_of(ticket, blocks, round, member % shares, shares);
    for (int i = 1; block < 0 && i < shares; i++) {
        int share = (member + i) % shares;
        while (*patience > 0 && fastnn_left(ticket, blocks, round, share, shares)) {
            FASTNN_PAUSE();
            --*patience;
        }
        block = fastnn_claim_of(ticket, blocks, round, share, shares);
    }
    return block;
}

/* Say that `count` claimed blocks are finished; whether they were the last of this round. */
static inline int fastnn_finish(fastnn_ticket *ticket, int64_t count, int64_t blocks, int64_t round) {
    return __atomic_add_fetch(&ticket->finished.value, count, __ATOMIC_ACQ_REL) == (round + 1) * blocks;
}

static inline void fastnn_tell(fastnn_counter *reached, int64_t value) {
    __atomic_store_n(&reached->value, value, __ATOMIC_RELEASE);
}

/* Whether the blocks of this round are finished. */
static inline int fastnn_finished(const fastnn_ticket *ticket, int64_t blocks, int64_t round) {
    return __atomic_load_n(&ticket->finished.value, __ATOMIC_ACQUIRE) >= (round + 1) * blocks;
}

static inline int fastnn_told(const fastnn_counter *reached, int64_t value) {
    return __atomic_load_n(&reached->value, __ATOMIC_ACQUIRE) >= value;
}

/* Spins for a moment; whether the others got there meanwhile. */
static inline int fastnn_wait(const fastnn_counter *reached, int64_t value) {
    for (int spins = 0; spins < FASTNN_SPINS; spins++) {
        if (fastnn_told(reached, value)) return 1;
        FASTNN_PAUSE();
    }
    return 0;
}

/* Gives the processor away, for a moment. */
static inline void fastnn_yield(void) { FASTNN_YIELD(); }
#endif
