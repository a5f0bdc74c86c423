/* The float-or-double switch.
 *
 * kernels.h is included twice by every ISA stub: once with REAL_BITS 32, once with 64.  This header gives the
 * names that all formulas are written in, so that no row mentions a dtype:
 *
 *   real, real_int        the number and the integer of the same width
 *   K(1.5)                a constant in that dtype
 *   FN(name)              the symbol of this dtype (name_f32 / name_f64)
 *   BLOCK                 elements per inner loop: two AVX-512, four AVX2, eight SSE registers
 *   select(c, a, b)       branch-free choice; both sides are evaluated
 *   fabs_, fsqrt          exact operations without errno
 *   fclamp(x, a, b)       x held between two bounds
 *   fblocked(dy)          what a slope of zero lets through: 0, or NaN
 *   fscaled(x, a)         x * a, where a slope a of zero gives 0 also for infinite x; a is the same for all elements
 *   ftimes(a, x)          the same for an a of each element
 *
 * There is no include guard around the dtype part: it is meant to be included once per dtype.
 */
#include "portable.h"

#undef real
#undef real_int
#undef real_uint
#undef K
#undef FN
#undef BLOCK
#undef fabs_
#undef fsqrt
#undef REAL_MAX
#undef REAL_MIN
#undef REAL_INF
#undef fclamp
#undef fblocked
#undef fscaled
#undef ftimes

#if REAL_BITS == 64
#define real double
#define real_int int64_t
#define real_uint uint64_t
#define K(c) ((real)(c))
#define FN(name) CAT(name, _f64)
#define BLOCK 16
#define fabs_(x) __builtin_fabs(x)
#define fsqrt(x) __builtin_sqrt(x)
#define REAL_MAX __DBL_MAX__
#define REAL_MIN __DBL_MIN__
#define REAL_INF __builtin_inf()
#else
#define real float
#define real_int int32_t
#define real_uint uint32_t
#define K(c) ((real)(c))
#define FN(name) CAT(name, _f32)
#define BLOCK 32
#define fabs_(x) __builtin_fabsf(x)
#define fsqrt(x) __builtin_sqrtf(x)
#define REAL_MAX __FLT_MAX__
#define REAL_MIN __FLT_MIN__
#define REAL_INF __builtin_inff()
#endif

/* The same bits as an integer, and back. */
INLINE real_int FN(bits)(real x) {
    real_int i;
    __builtin_memcpy(&i, &x, sizeof i);
    return i;
}
INLINE real FN(from_bits)(real_int i) {
    real x;
    __builtin_memcpy(&x, &i, sizeof x);
    return x;
}

/* x held between two bounds; NaN passes. */
#define fclamp FN(clamp_)
INLINE real FN(clamp_)(real x, real low, real high) { return select(x < low, low, select(x > high, high, x)); }

/* Zero; NaN passes. */
#define fblocked FN(blocked_)
INLINE real FN(blocked_)(real x) { return select(x == x, K(0), x); }

/* x * a for a finite a: 0 * a where inf * 0 would give NaN; NaN passes. */
#define fscaled FN(scaled_)
INLINE real FN(scaled_)(real x, real a) {
    const real product = x * a;
    return select(product == product, product, fblocked(x));
}

/* a * x, but 0 where a is 0 and x infinite: what has no weight counts nothing. */
#define ftimes FN(times_)
INLINE real FN(times_)(real a, real x) {
    const real product = a * x; /* as a sum of conditions it would not be vectorised everywhere */
    return select(a == K(0), select(x == x, a, x), product);
}
