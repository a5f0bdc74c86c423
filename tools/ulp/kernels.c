/*
 * The functions of real_math.h in the loop in which rows use them, for float and double.  functions.def, written by
 * build.py, has a line FUNCTION(name, expression, oracle) for each.
 */
#include <stddef.h>

#define LOOP(name, expression)                                                                                         \
    static void FN(loop_##name)(const real *restrict a, real *restrict y, size_t count) {                              \
        for (size_t i = 0; i < count; i += BLOCK) {                                                                    \
            _Pragma("omp simd") for (int j = 0; j < BLOCK; j++) {                                                      \
                real x = a[i + j];                                                                                     \
                y[i + j] = expression;                                                                                 \
            }                                                                                                          \
        }                                                                                                              \
    }

#define REAL_BITS 32
#include "real.h"
#include "real_math.h"
#define FUNCTION(name, expression, oracle) LOOP(name, expression)
#include "functions.def"
#undef FUNCTION
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "real_math.h"
#define FUNCTION(name, expression, oracle) LOOP(name, expression)
#include "functions.def"
#undef FUNCTION

#define FUNCTION(name, expression, oracle) loop_##name##_f32,
void (*const kernels_f32[])(const float *restrict, float *restrict, size_t) = {
#include "functions.def"
};
#undef FUNCTION
#define FUNCTION(name, expression, oracle) loop_##name##_f64,
void (*const kernels_f64[])(const double *restrict, double *restrict, size_t) = {
#include "functions.def"
};

/* y = f(x); count: a multiple of BLOCK */
void apply_f32(int f, const float *x, float *y, size_t count) { kernels_f32[f](x, y, count); }
void apply_f64(int f, const double *x, double *y, size_t count) { kernels_f64[f](x, y, count); }
