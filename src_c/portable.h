/* What every kernel header needs from the compiler, whatever the dtype. */
#ifndef FASTNN_PORTABLE_H
#define FASTNN_PORTABLE_H
#include <stddef.h>
#include <stdint.h>
#define select(c, a, b) ((c) ? (a) : (b))
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define INLINE static inline __attribute__((always_inline, unused))
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define HAVE_FMA 1
#else
#define HAVE_FMA 0
#endif
/* a vector register */
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#endif
