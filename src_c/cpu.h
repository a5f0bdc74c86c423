/* What this processor and operating system support, and the two per-thread switches that the engine touches. */
#ifndef FASTNN_CPU_H
#define FASTNN_CPU_H
#include "fastnn_kernels.h"

/* Number of ISA tables compiled in, best last; supported: 1 if this machine can run it. */
int fastnn_isa_count(void);
const char *fastnn_isa_name(int i);
int fastnn_isa_supported(int i);
const fastnn_kernels *fastnn_isa_table(int i);

/* Flush-to-zero and denormals-are-zero for the calling thread: returns the old state, which restore puts back. */
unsigned long fastnn_flush_denormals(void);
void fastnn_restore_denormals(unsigned long old);

double fastnn_seconds(void); /* monotonic clock */
#endif
