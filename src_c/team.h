/* How the threads of a run share the blocks of a step without locks, and without waiting for each other's presence.
 *
 * Every step has a ticket counter: a thread claims the next block, works, and counts it finished.  A step is over when
 * all of its blocks are finished - not when all threads have come by.  So a thread that the operating system has put
 * aside (a busy machine, more threads than processors) delays nobody unless it holds a block, and catches up by finding
 * nothing left to claim.  Counters only ever grow: `limit` is the number of blocks that have been due up to now.
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

/* Each counter on a cache line of its own. */
typedef struct {
    int64_t next;
    char apart[56];
    int64_t finished;
    char apart_too[56];
} fastnn_ticket;

/* The number of a block (counted over the whole run), or -1 if none is left below the limit. */
static inline int64_t fastnn_claim(fastnn_ticket *ticket, int64_t limit) {
    int64_t at = __atomic_load_n(&ticket->next, __ATOMIC_RELAXED);
    while (at < limit)
        if (__atomic_compare_exchange_n(&ticket->next, &at, at + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return at;
    return -1;
}

static inline void fastnn_finish(fastnn_ticket *ticket) { __atomic_add_fetch(&ticket->finished, 1, __ATOMIC_RELEASE); }

/* Spins for about the length of a small block, then gives the processor away. */
static inline void fastnn_wait(const fastnn_ticket *ticket, int64_t limit) {
    for (int spins = 0; __atomic_load_n(&ticket->finished, __ATOMIC_ACQUIRE) < limit; spins++) {
        if (spins < 1000)
            FASTNN_PAUSE();
        else
            FASTNN_YIELD();
    }
}
#endif
