/* The elementary functions that all formulas are built from.
 *
 * Branch-free and without calls, so that the compiler turns a loop over them into vector code on every ISA; include it
 * after real.h, once per dtype.  Rows use the lower-case names (fexp, ftanh ...), which stand for the function of the
 * current dtype.  NaN gives NaN, infinities and signed zeros are as in C's libm, and results underflow gradually.
 *
 * Refuses: <math.h> in the same file (fmax, fmin are names here), flags that assume finite numbers (-ffast-math).
 *
 * "ULP f32/f64": the largest error in units in the last place with and without FMA, found by tools/ulp_sweep.py over
 * all 2^32 float32 inputs and over dense float64 samples.  Polynomials: real_math_coefficients.h.
 */
#ifndef FASTNN_REAL_MATH_ONCE
#define FASTNN_REAL_MATH_ONCE
#define fmax FN(max_)
#define fmin FN(min_)
#define fcopysign FN(copysign_)
#define frint FN(rint_)
#define two_prod FN(two_prod_)
#define fexp FN(exp_)
#define fexp_hilo FN(exp_hilo_)
#define fexpm1 FN(expm1_)
#define flog FN(log_)
#define flog1p FN(log1p_)
#define ftanh FN(tanh_)
#define ferf FN(erf_)
#define fsigmoid FN(sigmoid_)
#define fsilu FN(silu_)
#define fsoftplus FN(softplus_)
#define ftanh_softplus FN(tanh_softplus_)
#define fmish FN(mish_)
#define fnormpdf FN(normpdf_)
#define fnormcdf FN(normcdf_)
#define fgelu FN(gelu_)
#define fgelu_tanh_gate FN(gelu_tanh_gate_)
#define fgelu_tanh FN(gelu_tanh_)
#endif

#undef MANTISSA
#undef BIAS
#undef MAGIC
#undef SIGN_BIT
#undef HIGH_HALF
#undef TINY
#undef LN2_HI
#undef LN2_LO
#undef EXP_LOWEST
#undef EXP_HIGHEST
#undef SILU_LOWEST
#undef TANH_HIGHEST
#undef EXPM1_LOWEST
#undef ERF_HIGHEST
#undef NORMAL_POLE
#undef NORMAL_ORIGIN
#undef NORMAL_HIGHEST
#undef GELU_TANH_LOWEST
#undef LINEAR_HI
#undef LINEAR_LO
#undef CUBIC_HI
#undef CUBIC_LO

#if REAL_BITS == 64
#define MANTISSA 52
#define BIAS 1023
#define SIGN_BIT INT64_MIN
#define HIGH_HALF ((real_int)0xfffffffff8000000) /* keeps 26 of 53 bits */
#define TINY 0x1p-54
#define LN2_HI 0x1.62e42fee00000p-1 /* 32 bits: times |n| < 2^21 is exact */
#define LN2_LO 0x1.a39ef35793c76p-33
#define EXP_LOWEST (-746.0) /* exp rounds to 0 */
#define EXP_HIGHEST 710.0   /* exp overflows */
#define SILU_LOWEST (-760.0)
#define TANH_HIGHEST 20.0 /* tanh rounds to 1 */
#define EXPM1_LOWEST (-38.0)
#define ERF_HIGHEST 5.95
#define NORMAL_POLE 4.0
#define NORMAL_ORIGIN 2.0625
#define NORMAL_HIGHEST 38.75
#define GELU_TANH_LOWEST (-22.0)
#define LINEAR_HI 0x1.9884533d43651p+0 /* 2 sqrt(2/pi) */
#define LINEAR_LO -0x1.cbc0d30ebfd15p-54
#define CUBIC_HI 0x1.2444f2a4d8b4bp-4 /* 2 sqrt(2/pi) 0.044715 */
#define CUBIC_LO -0x1.6c843a29d1c70p-61
#else
#define MANTISSA 23
#define BIAS 127
#define SIGN_BIT INT32_MIN
#define HIGH_HALF ((real_int)0xfffff000) /* keeps 12 of 24 bits */
#define TINY 0x1p-25
#define LN2_HI 0x1.62e4p-1 /* 15 bits: times |n| < 2^9 is exact */
#define LN2_LO 0x1.7f7d1cp-20
#define EXP_LOWEST (-104.0)
#define EXP_HIGHEST 89.0
#define SILU_LOWEST (-110.0)
#define TANH_HIGHEST 10.0
#define EXPM1_LOWEST (-18.0)
#define ERF_HIGHEST 3.95
#define NORMAL_POLE 3.0
#define NORMAL_ORIGIN 1.5
#define NORMAL_HIGHEST 14.5
#define GELU_TANH_LOWEST (-11.0)
#define LINEAR_HI 0x1.988454p+0
#define LINEAR_LO -0x1.857936p-25
#define CUBIC_HI 0x1.2444f2p-4
#define CUBIC_LO 0x1.49b16ap-29
#endif
/* Adding 1.5 * 2^MANTISSA rounds to an integer, which then stands in the low bits of the sum. */
#define MAGIC K(((real_int)3 << (MANTISSA - 1)))

#include "real_math_coefficients.h"

/* ---- exact helpers ------------------------------------------------------------------------------------------- */

/* The larger (smaller) argument; NaN if either is NaN. */
INLINE real FN(max_)(real a, real b) { return select(a > b || a != a, a, b); }
INLINE real FN(min_)(real a, real b) { return select(a < b || a != a, a, b); }

/* x cut off at a constant; NaN stays NaN. */
INLINE real FN(at_least)(real low, real x) { return select(low > x, low, x); }
INLINE real FN(at_most)(real high, real x) { return select(high < x, high, x); }

/* |magnitude| with the sign of sign. */
INLINE real FN(copysign_)(real magnitude, real sign) {
    return FN(from_bits)((FN(bits)(magnitude) & ~SIGN_BIT) | (FN(bits)(sign) & SIGN_BIT));
}

/* 2^(low bits of i), where i = bits(n + MAGIC + BIAS). */
INLINE real FN(power_of_two)(real shifted) {
    return FN(from_bits)((real_int)((real_uint)FN(bits)(shifted) << MANTISSA));
}

/* Nearest integer, ties to even; |x| < 2^(MANTISSA - 1). */
INLINE real FN(rint_)(real x) { return (x + MAGIC) - MAGIC; }

/* a*b = result + *low exactly, barring over- and underflow (Dekker 1971, Numer. Math. 18).  Without FMA the factors
 * are cut in halves by a bit mask instead of Veltkamp's multiplication, which could overflow. */
INLINE real FN(two_prod_)(real a, real b, real *low) {
    real product = a * b;
#if HAVE_FMA && REAL_BITS == 64
    *low = __builtin_fma(a, b, -product);
#elif HAVE_FMA
    *low = __builtin_fmaf(a, b, -product);
#else
    real a1 = FN(from_bits)(FN(bits)(a) & HIGH_HALF), a2 = a - a1;
    real b1 = FN(from_bits)(FN(bits)(b) & HIGH_HALF), b2 = b - b1;
    *low = a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2);
#endif
    return product;
}

/* ---- exponential --------------------------------------------------------------------------------------------- */

/* exp(x + low) = result * scale * scale, for EXP_LOWEST * 1.5 < x < EXP_HIGHEST * 1.5 and |low| << |x|.
 * x = 2 n ln 2 + r with |r| <= ln 2.  An even power of two lets the two multiplications by scale = 2^n reach both
 * overflow and the denormals with one rounding; it costs one more term than odd and even powers
 * (Cody and Waite 1980, Software Manual for the Elementary Functions, chapter 6). */
INLINE real FN(exp_scaled)(real x, real low, real *scale) {
    real shifted = x * K(0.72134752044448170368) + K(MAGIC + BIAS);
    real n = shifted - K(MAGIC + BIAS);
    real high = x - n * K(2 * LN2_HI);
    low = low - n * K(2 * LN2_LO);
    real r = high + low;
    low = low - (r - high);
    *scale = FN(power_of_two)(shifted);
    return (r + (r * r * FN(exp_tail)(r) + low)) + K(1);
}

INLINE real FN(exp_hilo_)(real high, real low) {
    real scale;
    high = FN(at_least)(K(EXP_LOWEST), FN(at_most)(K(EXP_HIGHEST), high));
    real p = FN(exp_scaled)(high, low, &scale);
    return p * scale * scale;
}

INLINE real FN(exp_)(real x) { return FN(exp_hilo_)(x, K(0)); }

/* (exp(r) - 1, 2^(n-1)) with x = n ln 2 + r, |r| <= ln 2 / 2. */
INLINE real FN(expm1_scaled)(real x, real *half_scale) {
    real shifted = x * K(1.4426950408889634074) + K(MAGIC + BIAS - 1);
    real n = shifted - K(MAGIC + BIAS - 1);
    real high = x - n * K(LN2_HI), low = n * K(-LN2_LO);
    real r = high + low;
    low = low - (r - high);
    *half_scale = FN(power_of_two)(shifted);
    return r + (r * r * FN(expm1_tail)(r) + low);
}

INLINE real FN(expm1_)(real x) {
    real half;
    real c = FN(at_least)(K(EXPM1_LOWEST), FN(at_most)(K(EXP_HIGHEST), x));
    real q = FN(expm1_scaled)(c, &half);
    real y = half * q + (half - K(0.5));
    return select(fabs_(x) < K(TINY), x, y + y);
}

/* ---- logarithm ----------------------------------------------------------------------------------------------- */

/* ln(1 + f) - f + f^2/2 for sqrt(1/2) <= 1 + f <= sqrt(2). */
INLINE real FN(log1p_correction)(real f, real half_square) {
#if REAL_BITS == 64
    real s = f / (K(2) + f);
    real z = s * s;
    return s * (half_square + z * FN(log1p_tail)(z));
#else
    return f * K(2) * half_square * FN(log1p_tail)(f);
#endif
}

INLINE real FN(log_assemble)(real f, real n) {
    real half_square = K(0.5) * f * f;
    real correction = FN(log1p_correction)(f, half_square) + n * K(LN2_LO);
    return n * K(LN2_HI) + (f - (half_square - correction));
}

/* x = 2^n m, sqrt(1/2) <= m < sqrt(2), for normal positive x: gives n and the exponent bits of 2^n. */
INLINE real FN(log_exponent)(real x, real_int *exponent) {
    real_int offset = FN(bits)(x) - FN(bits)(K(0.70710678118654752440));
    *exponent = offset & ~(((real_int)1 << MANTISSA) - 1);
    /* offset may be negative: moved up by the bias before the shift, and made a number by the mantissa trick */
    real_uint biased = (real_uint)(offset + ((real_int)BIAS << MANTISSA)) >> MANTISSA;
    real_int two_to_mantissa = FN(bits)(K((real_int)1 << MANTISSA));
    return FN(from_bits)((real_int)biased | two_to_mantissa) - K(((real_int)1 << MANTISSA) + BIAS);
}

INLINE real FN(log_)(real x) {
    real_int exponent;
    int denormal = x < REAL_MIN;
    real scaled = select(denormal, x * K((real_int)1 << MANTISSA), x);
    real n = FN(log_exponent)(scaled, &exponent);
    real f = FN(from_bits)(FN(bits)(scaled) - exponent) - K(1);
    n = n - select(denormal, K(MANTISSA), K(0));
    real y = FN(log_assemble)(f, n);
    y = select(x < REAL_INF, y, x);
    y = select(x < K(0), K(__builtin_nan("")), y);
    return select(x == K(0), -REAL_INF, y);
}

INLINE real FN(log1p_)(real x) {
    real_int exponent;
    real u = K(1) + x;
    real n = FN(log_exponent)(u, &exponent);
    real scale = FN(from_bits)(FN(bits)(K(4)) - exponent);
    real quarter = K(0.25) * scale;
    real f = (K(0.25) * x) * scale + (quarter - K(1));
    real y = FN(log_assemble)(f, n);
    y = select(x < REAL_INF, y, x);
    y = select(x < K(-1), K(__builtin_nan("")), y);
    y = select(x == K(-1), -REAL_INF, y);
    return select(fabs_(x) < K(TINY), x, y);
}

/* ---- functions of exp(-|x|) ---------------------------------------------------------------------------------- */

INLINE real FN(tanh_)(real x) {
    real half;
    real z = x * x;
    real small = x * (z * FN(tanh_small)(z)) + x;
    real q = FN(expm1_scaled)(K(2) * FN(at_most)(K(TANH_HIGHEST), fabs_(x)), &half);
    real large = K(1) - K(1) / (half * q + (half + K(0.5)));
    return FN(copysign_)(select(fabs_(x) < K(0.625), small, large), x);
}

INLINE real FN(sigmoid_)(real x) {
    real scale;
    real p = FN(exp_scaled)(-FN(at_most)(K(-EXP_LOWEST), fabs_(x)), K(0), &scale);
    real t = p * scale * scale;
    return select(x < K(0), t, K(1)) / (K(1) + t);
}

INLINE real FN(silu_)(real x) {
    real scale;
    real c = FN(at_least)(K(SILU_LOWEST), x);
    real p = FN(exp_scaled)(-FN(at_most)(K(-SILU_LOWEST), fabs_(x)), K(0), &scale) * scale;
    return select(x < K(0), c * p * scale, x) / (K(1) + p * scale);
}

/* ln(1 + t) for 0 <= t <= 1. */
INLINE real FN(log1p_unit_interval)(real t) {
#if REAL_BITS == 64
    int upper = t > K(0.41421356237309504880);
    return FN(log_assemble)(select(upper, K(0.5) * t - K(0.5), t), select(upper, K(1), K(0)));
#else
    return t * t * FN(log1p_unit)(t) + t;
#endif
}

INLINE real FN(softplus_)(real x) {
    real scale;
    real p = FN(exp_scaled)(-FN(at_most)(K(-EXP_LOWEST), fabs_(x)), K(0), &scale);
    return FN(at_least)(K(0), x) + FN(log1p_unit_interval)(p * scale * scale);
}

/* With t = exp(-|x|): 1 - tanh(ln(1 + exp(x))) = t * (1 - result) for x < 0, 1 - result otherwise. */
INLINE real FN(mish_gate_complement)(real x, real t) {
    real t2 = t + t;
    return select(x < K(0), t * t + t, t2 * t) / select(x < K(0), t * t + (t2 + K(2)), t2 * t + (t2 + K(1)));
}

INLINE real FN(tanh_softplus_)(real x) {
    real scale;
    real p = FN(exp_scaled)(-FN(at_most)(K(-EXP_LOWEST), fabs_(x)), K(0), &scale);
    real t = p * scale * scale;
    real first = select(x < K(0), t, K(1));
    return first - first * FN(mish_gate_complement)(x, t);
}

INLINE real FN(mish_)(real x) {
    real scale;
    real c = FN(at_least)(K(SILU_LOWEST), x);
    real p = FN(exp_scaled)(-FN(at_most)(K(-SILU_LOWEST), fabs_(x)), K(0), &scale) * scale;
    real first = select(x < K(0), c * p, x);
    return first * (K(1) - FN(mish_gate_complement)(x, p * scale)) * select(x < K(0), scale, K(1));
}

/* ---- error function, normal distribution ---------------------------------------------------------------------- */

INLINE real FN(erf_)(real x) {
    real magnitude = fabs_(x);
    real z = x * x;
    real small = x * FN(erf_small)(z) + x;
    real root = FN(erfc_root)(FN(at_most)(K(ERF_HIGHEST), magnitude) - K(1.5));
    real square = root * root;
    real large = FN(copysign_)(K(1) - square * square, x);
    return select(magnitude < K(1), small, large);
}

/* exp(-z^2/2) = result * scale, for 0 <= z <= NORMAL_HIGHEST. */
INLINE real FN(gaussian_scaled)(real z, real *scale) {
    real low;
    real square = two_prod(z, z, &low);
    return FN(exp_scaled)(K(-0.5) * square, K(-0.5) * low, scale) * *scale;
}

INLINE real FN(normpdf_)(real x) {
    real scale;
    real p = FN(gaussian_scaled)(FN(at_most)(K(NORMAL_HIGHEST), fabs_(x)), &scale);
    return K(0.39894228040143267794) * p * scale;
}

/* z Phi(-z) = result * scale, for 0.8 <= z <= NORMAL_HIGHEST. */
INLINE real FN(normal_tail_scaled)(real z, real *scale) {
    real w = (z - K(NORMAL_ORIGIN)) / (z + K(NORMAL_POLE));
    return FN(gaussian_scaled)(z, scale) * FN(normal_tail)(w);
}

INLINE real FN(normcdf_)(real x) {
    real scale;
    real z = FN(at_most)(K(NORMAL_HIGHEST), fabs_(x));
    real tail = FN(normal_tail_scaled)(z, &scale) / z * scale;
    real centre = x * FN(normcdf_small)(x * x) + K(0.5);
    return select(z < K(0.8), centre, select(x > K(0), K(1) - tail, tail));
}

INLINE real FN(gelu_)(real x) {
    real scale;
    real z = FN(at_most)(K(NORMAL_HIGHEST), fabs_(x));
    real tail = FN(normal_tail_scaled)(z, &scale) * scale;
    real centre = x * (x * FN(normcdf_small)(x * x) + K(0.5));
    return select(z < K(0.8), centre, select(x > K(0), x - tail, -tail));
}

/* 2 sqrt(2/pi) (z + 0.044715 z^3) = result + *low */
INLINE real FN(gelu_tanh_argument)(real z, real *low) {
    real square_low, cubic_low, linear_low;
    real square = two_prod(z, z, &square_low);
    real cubic = two_prod(square, K(CUBIC_HI), &cubic_low);
    cubic_low = cubic_low + (square_low * K(CUBIC_HI) + square * K(CUBIC_LO));
    real sum = K(LINEAR_HI) + cubic;
    real larger = FN(at_least)(K(LINEAR_HI), cubic), smaller = FN(at_most)(K(LINEAR_HI), cubic);
    real sum_low = (smaller - (sum - larger)) + (cubic_low + K(LINEAR_LO));
    real product = two_prod(z, sum, &linear_low);
    *low = linear_low + z * sum_low;
    return product;
}

INLINE real FN(gelu_tanh_gate_)(real x) {
    real scale, low;
    real z = FN(at_most)(K(-GELU_TANH_LOWEST), fabs_(x));
    real argument = FN(gelu_tanh_argument)(z, &low);
    real p = FN(exp_scaled)(-argument, -low, &scale);
    real t = p * scale * scale;
    return select(x < K(0), t, K(1)) / (K(1) + t);
}

INLINE real FN(gelu_tanh_)(real x) {
    real scale, low;
    real z = FN(at_most)(K(-GELU_TANH_LOWEST), fabs_(x));
    real argument = FN(gelu_tanh_argument)(z, &low);
    real p = FN(exp_scaled)(-argument, -low, &scale) * scale;
    real c = FN(at_least)(K(GELU_TANH_LOWEST), x);
    return select(x < K(0), c * p * scale, x) / (K(1) + p * scale);
}
