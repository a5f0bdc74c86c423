/* OpenMP, or a team of one where the build found none. */
#ifndef FASTNN_OPENMP_H
#define FASTNN_OPENMP_H
#ifdef _OPENMP
#include <omp.h>
#define FASTNN_OPENMP_VERSION _OPENMP
#else
#define FASTNN_OPENMP_VERSION 0
static inline int omp_get_thread_num(void) { return 0; }
static inline int omp_get_num_threads(void) { return 1; }
#endif
#ifndef FASTNN_BUILD_FLAGS
#define FASTNN_BUILD_FLAGS "unknown"
#endif
#ifndef __VERSION__
#define __VERSION__ "unknown compiler"
#endif
#endif
