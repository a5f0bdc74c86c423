/* The elementary functions that all formulas are built from.
 *
 * Branch-free and without calls, so that the compiler turns a loop over them into vector code on every ISA; include it
 * after real.h, once per dtype.  Rows use the lower-case names (fexp, ftanh ...), which stand for the function of the
 * current dtype.  NaN gives NaN, infinities and signed zeros are as in C's libm, and results underflow gradually.
 *
 * Refuses: <math.h> in the same file (fmax and fmin are names here), flags that assume finite numbers (-ffast-math).
 *
 * "ULP a / b" is the largest error, in units in the last place, of float32 and of float64 that an earlier sweep of part
 * of the inputs found; those over all 2^32 float32 stand in docs/numerics.md.  Polynomials, with their intervals and
 * degrees: real_math_coefficients.h, made by tools/minimax.py.  Sine and its relatives stand in real_trig.h,
 * activations that take more than a line in real_activations.h.
 */
#ifndef FASTNN_REAL_MATH_ONCE
#define FASTNN_REAL_MATH_ONCE
#define fmax FN(max_)
#define fmin FN(min_)
#define ffinite FN(finite_)
#define fwithin FN(within_)
#define frelu6 FN(relu6_)
#define funit FN(unit_)
#define frelu_gradient FN(relu_gradient_)
#define fhard_silu_gradient FN(hard_silu_gradient_)
#define fcopysign FN(copysign_)
#define fsign FN(sign_)
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

/* A number that the compiler must not take for a constant.  GCC would evaluate a clamped function at the clamp's
 * constant and blend that result in, which takes three comparisons where one minimum does. */
#define OPAQUE(name, value) static real FN(name) __attribute__((used)) = K(value)
#endif

#undef MANTISSA
#undef BIAS
#undef SIGN_BIT
#undef HIGH_HALF
#undef TINY
#undef MARGIN
#undef LN2_HI
#undef LN2_LO
#undef NORMAL_POLE
#undef NORMAL_ORIGIN
#undef LINEAR_HI
#undef LINEAR_LO
#undef CUBIC_HI
#undef CUBIC_LO

#if REAL_BITS == 64
#define MANTISSA 52
#define BIAS 1023
#define SIGN_BIT INT64_MIN
#define HIGH_HALF (-((real_int)1 << 27)) /* keeps 26 of 53 bits */
#define TINY 0x1p-54                     /* where expm1(x) and ln(1 + x) round to x */
#define MARGIN 0x1p-42                   /* well above the error of n ln 2 */
#define LN2_HI 0x1.62e42fee00000p-1      /* 32 bits: n * LN2_HI is exact */
#define LN2_LO 0x1.a39ef35793c76p-33     /* ln 2 - LN2_HI */
#define NORMAL_POLE 4.0                  /* of normal_tail's argument */
#define NORMAL_ORIGIN 2.0625
#define LINEAR_HI 0x1.9884533d43651p+0 /* 2 sqrt(2 / pi) */
#define LINEAR_LO -0x1.cbc0d30ebfd15p-54
#define CUBIC_HI 0x1.2444f2a4d8b4bp-4 /* 2 sqrt(2 / pi) * 0.044715 */
#define CUBIC_LO -0x1.6c843a29d1c70p-61
OPAQUE(exp_lowest, -760.0); /* |x| exp(x) rounds to 0 */
OPAQUE(decay_highest, 760.0);
OPAQUE(exp_highest, 710.0);      /* exp(x) overflows */
OPAQUE(expm1_lowest, -38.0);     /* expm1(x) rounds to -1 */
OPAQUE(tanh_highest, 20.0);      /* tanh(x) rounds to 1 */
OPAQUE(erf_highest, 5.95);       /* erf(x) rounds to 1 */
OPAQUE(normal_highest, 38.75);   /* x Phi(-x) rounds to 0 */
OPAQUE(gelu_tanh_lowest, -22.0); /* gelu_tanh(x) rounds to 0 */
OPAQUE(gelu_tanh_highest, 22.0);
#else
#define MANTISSA 23
#define BIAS 127
#define SIGN_BIT INT32_MIN
#define HIGH_HALF (-((real_int)1 << 12)) /* keeps 12 of 24 bits */
#define TINY 0x1p-25
#define MARGIN 0x1p-15
#define LN2_HI 0x1.62e4p-1 /* 15 bits */
#define LN2_LO 0x1.7f7d1cp-20
#define NORMAL_POLE 3.0
#define NORMAL_ORIGIN 1.5
#define LINEAR_HI 0x1.988454p+0
#define LINEAR_LO -0x1.857936p-25
#define CUBIC_HI 0x1.2444f2p-4
#define CUBIC_LO 0x1.49b16ap-29
OPAQUE(exp_lowest, -110.0);
OPAQUE(decay_highest, 110.0);
OPAQUE(exp_highest, 89.0);
OPAQUE(expm1_lowest, -18.0);
OPAQUE(tanh_highest, 10.0);
OPAQUE(erf_highest, 3.95);
OPAQUE(normal_highest, 14.5);
OPAQUE(gelu_tanh_lowest, -11.0);
OPAQUE(gelu_tanh_highest, 11.0);
#endif

OPAQUE(minus_zero, -0.0);

#include "real_math_coefficients.h"

/* ---- exact helpers ------------------------------------------------------------------------------------------- */

/* The larger (smaller) argument; NaN if either is NaN. */
INLINE real FN(max_)(real a, real b) { return select(a > b || a != a, a, b); }
INLINE real FN(min_)(real a, real b) { return select(a < b || a != a, a, b); }

/* x cut off at a limit; NaN stays NaN. */
INLINE real FN(at_least)(real low, real x) { return select(low > x, low, x); }
INLINE real FN(at_most)(real high, real x) { return select(high < x, high, x); }

OPAQUE(lowest, -REAL_MAX);
OPAQUE(highest, REAL_MAX);

/* x held between two bounds that are parameters, by a minimum and a maximum; NaN stays NaN. */
INLINE real FN(within_)(real x, real low, real high) { return FN(at_least)(low, FN(at_most)(high, x)); }

/* x drawn in between the largest numbers; NaN stays NaN.  A constant (dy = 1 in a derivative) is finite; the limits are
 * opaque, and comparing them with it would be scalar code before the loop. */
INLINE real FN(finite_)(real x) {
    const real inside = FN(at_least)(FN(lowest), FN(at_most)(FN(highest), x));
    return __builtin_constant_p(x) ? x : inside;
}

OPAQUE(zero, 0);
OPAQUE(one, 1);
OPAQUE(six, 6);
OPAQUE(minus_three, -3);

/* min(max(x, 0), 6) and min(max(x, 0), 1). */
INLINE real FN(relu6_)(real x) { return fwithin(x, FN(zero), FN(six)); }
INLINE real FN(unit_)(real x) { return fwithin(x, FN(zero), FN(one)); }

/* dy, at_zero or 0 where y is positive, zero, negative; two comparisons of y with zero would become four. */
INLINE real FN(relu_gradient_)(real dy, real y, real at_zero) {
    const real passed = select(y < 0, K(0), dy);
    return select(fabs_(y) <= 0, at_zero, passed);
}

INLINE real FN(hard_silu_gradient_)(real dy, real x) {
    const real product = dy * (x * K(0.33333333333333333333) + K(0.5));
    const real blocked = select(dy == dy, K(0), dy);
    const real left = select(x <= -3, blocked, product);
    return select(x >= 3, dy, left);
}

/* 1, -1, or x itself where it is 0 or NaN. */
INLINE real FN(sign_)(real x) { return select(x > 0, K(1), select(x < 0, K(-1), x)); }

/* |magnitude| with the sign of sign. */
INLINE real FN(copysign_)(real magnitude, real sign) {
    return FN(from_bits)((FN(bits)(magnitude) & ~SIGN_BIT) | (FN(bits)(sign) & SIGN_BIT));
}

/* An odd function of x from its value at |x|, which must not be negative. */
INLINE real FN(odd)(real value, real x) { return FN(from_bits)(FN(bits)(value) | (FN(bits)(x) & SIGN_BIT)); }

/* Adding 1.5 * 2^MANTISSA rounds to an integer, which then stands in the low bits of the sum: a conversion to an
 * integer and back that every ISA has (AVX2 has none from double to int64). */
INLINE real FN(magic)(void) { return K((real_int)3 << (MANTISSA - 1)); }

/* 2^n, from a sum with magic() + BIAS that rounded to n. */
INLINE real FN(power_of_two)(real shifted) {
    return FN(from_bits)((real_int)((real_uint)FN(bits)(shifted) << MANTISSA));
}

/* Nearest integer, ties to even, for |x| < 2^(MANTISSA - 1). */
INLINE real FN(rint_)(real x) { return FN(copysign_)((x + FN(magic)()) - FN(magic)(), x); }

/* a * b = result + *low exactly, barring overflow and underflow.  Without FMA the factors are cut in halves
 * (T. J. Dekker 1971, Numer. Math. 18), by a bit mask, since Veltkamp's multiplication could overflow. */
INLINE real FN(two_prod_)(real a, real b, real *low) {
    const real product = a * b;
#if HAVE_FMA && REAL_BITS == 64
    *low = __builtin_fma(a, b, -product);
#elif HAVE_FMA
    *low = __builtin_fmaf(a, b, -product);
#else
    const real a1 = FN(from_bits)(FN(bits)(a) & HIGH_HALF), a2 = a - a1;
    const real b1 = FN(from_bits)(FN(bits)(b) & HIGH_HALF), b2 = b - b1;
    *low = a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2);
#endif
    return product;
}

/* ---- exponential ----------------------------------------------------------------------------------------------- */

/* exp(x + low) = (1 + result) * *scale * *scale, for x from 1.5 exp_lowest to 1.5 exp_highest and |low| far below |x|.
 * x = 2 n ln 2 + r with |r| <= ln 2, and *scale = 2^n: an even power of two can be multiplied in two equal steps,
 * which reach overflow and the denormals without special cases and with one rounding.  This costs one term more than
 * taking every power (W. J. Cody, W. Waite 1980, Software Manual for the Elementary Functions, chapter 6).
 * n is rounded from guide: x itself, or a little less to keep 1 + result from falling below 1/2 and losing a bit. */
INLINE real FN(exp_scaled)(real x, real low, real guide, real *scale) {
    const real shifted = guide * K(0.72134752044448170368) + (FN(magic)() + K(BIAS));
    const real n = shifted - (FN(magic)() + K(BIAS));
    const real high = x - n * K(2 * LN2_HI);
    low = low - n * K(2 * LN2_LO);
    const real r = high + low;
    low = low - (r - high);
    *scale = FN(power_of_two)(shifted);
    return r + (r * r * FN(exp_tail)(r) + low);
}

/* What exp_scaled took apart; and a times that, rounding once if it is denormal. */
INLINE real FN(exp_value)(real q, real scale) { return (q * scale + scale) * scale; }
INLINE real FN(exp_times)(real a, real q, real scale) { return (q * a + a) * scale * scale; }

/* exp(high + low) for |low| far below |high|. */
INLINE real FN(exp_hilo_)(real high, real low) {
    real scale;
    const real x = FN(at_least)(FN(exp_lowest), FN(at_most)(FN(exp_highest), high));
    const real q = FN(exp_scaled)(x, low, x - K(MARGIN), &scale);
    return FN(exp_value)(q, scale);
}

/* exp(x), all x.  See exp_scaled.  ULP 1.30 / 1.14 */
INLINE real FN(exp_)(real x) { return FN(exp_hilo_)(x, K(0)); }

/* exp(x) = 2 * *half * (1 + result): x = n ln 2 + r, |r| <= ln 2 / 2, *half = 2^(n - 1). */
INLINE real FN(expm1_scaled)(real x, real *half) {
    const real shifted = x * K(1.4426950408889634074) + (FN(magic)() + K(BIAS - 1));
    const real n = shifted - (FN(magic)() + K(BIAS - 1));
    const real high = x - n * K(LN2_HI);
    real low = n * K(-LN2_LO);
    const real r = high + low;
    low = low - (r - high);
    *half = FN(power_of_two)(shifted);
    return r + (r * r * FN(expm1_tail)(r) + low);
}

/* exp(x) - 1, all x.  2^n expm1(r) + (2^n - 1), halved against overflow (P. T. P. Tang 1992, ACM TOMS 18, without
 * his table).  ULP 1.77 / 1.67 */
INLINE real FN(expm1_)(real x) {
    real half;
    const real q = FN(expm1_scaled)(FN(at_least)(FN(expm1_lowest), FN(at_most)(FN(exp_highest), x)), &half);
    const real y = half * q + (half - K(0.5));
    return select(fabs_(x) < K(TINY), x, y + y);
}

/* ---- logarithm ------------------------------------------------------------------------------------------------- */

/* n ln 2 + ln(1 + f), for sqrt(1/2) <= 1 + f <= sqrt(2).  ln(1 + f) = f - f^2/2 + a correction: in float64
 * s (f^2/2 + s^2 P(s^2)) with s = f/(2 + f) (K. C. Ng 1993, e_log.c in fdlibm), in float32 f^3 P(f). */
INLINE real FN(log_assemble)(real f, real n) {
    const real half_square = K(0.5) * f * f;
#if REAL_BITS == 64
    const real s = f / (K(2) + f), z = s * s;
    const real correction = s * (half_square + z * FN(log1p_tail)(z));
#else
    const real correction = (f + f) * half_square * FN(log1p_tail)(f);
#endif
    return n * K(LN2_HI) + (f - (half_square - (correction + n * K(LN2_LO))));
}

/* The n of x = 2^n m, sqrt(1/2) <= m < sqrt(2), for normal positive x, and n in the exponent's place. */
INLINE real FN(log_exponent)(real x, real_uint *exponent) {
    const real_uint one = (real_uint)1 << MANTISSA;
    const real_uint offset = (real_uint)FN(bits)(x) - (real_uint)FN(bits)(K(0.70710678118654752440));
    *exponent = offset & -one;
    /* biased, so that a logical shift will do, and made a number by adding 2^MANTISSA in its bits */
    const real_uint biased = (offset + BIAS * one) >> MANTISSA;
    return FN(from_bits)((real_int)biased | FN(bits)(K(one))) - K(one + BIAS);
}

/* x / 2^n, given n in the exponent's place. */
INLINE real FN(unscale)(real x, real_uint exponent) {
    return FN(from_bits)((real_int)((real_uint)FN(bits)(x) - exponent));
}

/* ln x, all x; -inf at 0, NaN below.  Denormals are scaled up first.  ULP 0.83 / 0.82 */
INLINE real FN(log_)(real x) {
    real_uint exponent;
    const int denormal = x < REAL_MIN;
    const real scaled = select(denormal, x * K((real_int)1 << MANTISSA), x);
    const real places = select(denormal, K(MANTISSA), K(0));
    const real n = FN(log_exponent)(scaled, &exponent) - places;
    const real y = FN(log_assemble)(FN(unscale)(scaled, exponent) - K(1), n);
    const real limit = select(x == K(0), -REAL_INF, K(__builtin_nan("")));
    return select(x > K(0), select(x < REAL_INF, y, x), limit);
}

/* ln(1 + x), all x; -inf at -1, NaN below.  With 1 + x = 2^n (1 + f): f = x 2^-n + (2^-n - 1) has a single rounding,
 * and none at n = 0.  2^-n is built four times too large, since it may be denormal.  ULP 1.38 / 1.28 */
INLINE real FN(log1p_)(real x) {
    real_uint exponent;
    const real n = FN(log_exponent)(K(1) + x, &exponent);
    const real scale = FN(unscale)(K(4), exponent);
    const real y = FN(log_assemble)(K(0.25) * x * scale + (K(0.25) * scale - K(1)), n);
    const real limit = select(x == K(-1), -REAL_INF, K(__builtin_nan("")));
    const real inside = select(x < REAL_INF, y, x);
    return select(fabs_(x) < K(TINY), x, select(x > K(-1), inside, limit));
}

/* ---- functions of exp(-|x|) -------------------------------------------------------------------------------------- */

/* exp(-|x|) = (1 + result) * *scale * *scale. */
INLINE real FN(decay)(real x, real *scale) {
    const real z = FN(at_most)(FN(decay_highest), fabs_(x));
    return FN(exp_scaled)(-z, K(0), -z, scale);
}

/* 1 / (1 + exp(-x)), all x.  t / (1 + t) or 1 / (1 + t) with t = exp(-|x|).  ULP 3.32 / 2.59 */
INLINE real FN(sigmoid_)(real x) {
    real scale;
    const real q = FN(decay)(x, &scale), t = FN(exp_value)(q, scale);
    return select(x < K(0), t, K(1)) / (K(1) + t);
}

/* x / (1 + exp(-x)), all x; -0 at -inf.  As sigmoid, with x inside t, which keeps the denormal tail.  ULP 3.58 / 2.88
 */
INLINE real FN(silu_)(real x) {
    real scale;
    const real q = FN(decay)(x, &scale), c = FN(at_least)(FN(exp_lowest), x);
    return select(x < K(0), FN(exp_times)(c, q, scale), c) / (K(1) + FN(exp_value)(q, scale));
}

/* ln(1 + t), 0 <= t <= 1. */
INLINE real FN(log1p_unit_interval)(real t) {
#if REAL_BITS == 64
    const int upper = t > K(0.41421356237309504880);
    const real f = select(upper, K(0.5) * t - K(0.5), t), n = select(upper, K(1), K(0));
    return FN(log_assemble)(f, n);
#else
    return t * t * FN(log1p_unit)(t) + t;
#endif
}

/* ln(1 + exp(x)), all x.  max(x, 0) + ln(1 + exp(-|x|)).  ULP 2.55 / 2.10 */
INLINE real FN(softplus_)(real x) {
    real scale;
    const real q = FN(decay)(x, &scale);
    return FN(at_least)(K(0), x) + FN(log1p_unit_interval)(FN(exp_value)(q, scale));
}

/* tanh(softplus(x)) = ((1 + e^x)^2 - 1) / ((1 + e^x)^2 + 1), all x.  With t = exp(-|x|) that is t (1 - c) for x < 0
 * and 1 - c otherwise, where c is a fraction of polynomials in t that is small when t is.  ULP 2.66 / 2.28 */
INLINE real FN(tanh_softplus_)(real x) {
    real scale;
    const real q = FN(decay)(x, &scale), t = FN(exp_value)(q, scale), t2 = t + t;
    const real above = select(x < K(0), t * t + t, t2 * t);
    const real below = select(x < K(0), t * t + (t2 + K(2)), t2 * t + (t2 + K(1)));
    const real first = select(x < K(0), t, K(1));
    return first - first * (above / below);
}

/* x tanh(softplus(x)), all x; -0 at -inf (D. Misra 2019, arXiv:1908.08681).  As tanh_softplus.  ULP 3.47 / 3.17 */
INLINE real FN(mish_)(real x) {
    real scale;
    const real q = FN(decay)(x, &scale), t = FN(exp_value)(q, scale), t2 = t + t;
    const real c = FN(at_least)(FN(exp_lowest), x);
    const real above = select(x < K(0), t * t + t, t2 * t);
    const real below = select(x < K(0), t * t + (t2 + K(2)), t2 * t + (t2 + K(1)));
    const real first = select(x < K(0), (q * c + c) * scale, c);
    const real last = select(x < K(0), scale, K(1));
    return first * (K(1) - above / below) * last;
}

/* tanh(x), all x.  x + x^3 P(x^2) for |x| < 0.625, else 1 - 2 / (exp(2|x|) + 1) (Cody and Waite, chapter 13).
 * ULP 1.20 / 1.17 */
INLINE real FN(tanh_)(real x) {
    real half;
    const real magnitude = fabs_(x), square = x * x;
    const real small = magnitude * square * FN(tanh_small)(square) + magnitude;
    const real q = FN(expm1_scaled)(K(2) * FN(at_most)(FN(tanh_highest), magnitude), &half);
    const real large = K(1) - K(1) / (half * q + (half + K(0.5)));
    return FN(odd)(select(magnitude < K(0.625), small, large), x);
}

/* ---- error function, normal distribution ------------------------------------------------------------------------- */

/* erf(x), all x.  x + x P(x^2) for |x| < 1, else 1 - P(|x|)^4: the fourth root of erfc is so flat that a polynomial of
 * moderate degree follows it until erfc is too small to matter (C. Hastings's idea, Abramowitz and Stegun 7.1.27,
 * without his reciprocal).  ULP 1.65 / 1.55 */
INLINE real FN(erf_)(real x) {
    const real magnitude = fabs_(x);
    const real small = magnitude * FN(erf_small)(x * x) + magnitude;
    const real root = FN(erfc_root)(FN(at_most)(FN(erf_highest), magnitude) - K(1.5));
    const real square = root * root;
    return FN(odd)(select(magnitude < K(1), small, K(1) - square * square), x);
}

/* exp(-z^2/2) = (1 + result) * *scale * *scale, 0 <= z <= normal_highest.  The square is taken to double length: its
 * rounding error alone would cost z^2/4 ULP. */
INLINE real FN(gaussian)(real z, real *scale) {
    real low;
    const real exponent = K(-0.5) * two_prod(z, z, &low);
    return FN(exp_scaled)(exponent, K(-0.5) * low, exponent, scale);
}

/* z Phi(-z), 0.8 <= z <= normal_highest.  The Gaussian times a polynomial in (z - a)/(z + b) (M. M. Shepherd,
 * J. G. Laframboise 1981, Math. Comp. 36).  Without the last factor *scale, so that z can be divided out first. */
INLINE real FN(normal_tail_scaled)(real z, real *scale) {
    const real q = FN(gaussian)(z, scale);
    const real factor = FN(normal_tail)((z - K(NORMAL_ORIGIN)) / (z + K(NORMAL_POLE)));
    return (q * factor + factor) * *scale;
}

/* exp(-x^2/2) / sqrt(2 pi), all x.  ULP 2.51 / 2.27 */
INLINE real FN(normpdf_)(real x) {
    real scale;
    const real q = FN(gaussian)(FN(at_most)(FN(normal_highest), fabs_(x)), &scale);
    return FN(exp_times)(K(0.39894228040143267794), q, scale);
}

/* Phi(x), the normal distribution function, all x.  1/2 + x P(x^2) for |x| < 0.8, else from the tail, whose relative
 * accuracy is kept.  ULP 3.58 / 3.84 */
INLINE real FN(normcdf_)(real x) {
    real scale;
    const real z = FN(at_most)(FN(normal_highest), fabs_(x));
    const real tail = FN(normal_tail_scaled)(z, &scale) / z * scale;
    const real centre = x * FN(normcdf_small)(x * x) + K(0.5);
    return select(z < K(0.8), centre, select(x > K(0), K(1) - tail, tail));
}

/* x Phi(x), all x; -0 at -inf (D. Hendrycks, K. Gimpel 2016, arXiv:1606.08415).  As normcdf, with the tail's factor z
 * left in, so that it needs neither the division nor the product.  ULP 3.06 / 3.17 */
INLINE real FN(gelu_)(real x) {
    real scale;
    const real z = FN(at_most)(FN(normal_highest), fabs_(x));
    const real tail = FN(normal_tail_scaled)(z, &scale) * scale;
    const real centre = x * (x * FN(normcdf_small)(x * x) + K(0.5));
    return select(z < K(0.8), centre, FN(at_least)(FN(minus_zero), x) - tail);
}

/* exp(-2u) = (1 + result) * *scale * *scale with u = sqrt(2/pi) (z + 0.044715 z^3), z = min(|x|, gelu_tanh_highest).
 * The argument is carried to double length; constants have a high and a low part. */
INLINE real FN(gelu_tanh_decay)(real x, real *scale) {
    real square_low, cubic_low, low;
    const real z = FN(at_most)(FN(gelu_tanh_highest), fabs_(x));
    const real square = two_prod(z, z, &square_low);
    const real cubic = two_prod(square, K(CUBIC_HI), &cubic_low);
    const real sum = K(LINEAR_HI) + cubic;
    const real larger = FN(at_least)(K(LINEAR_HI), cubic), smaller = FN(at_most)(K(LINEAR_HI), cubic);
    const real rest = K(LINEAR_LO) + (square_low * K(CUBIC_HI) + (square * K(CUBIC_LO) + cubic_low));
    const real sum_low = (smaller - (sum - larger)) + rest;
    const real argument = two_prod(z, sum, &low);
    return FN(exp_scaled)(-argument, -(z * sum_low + low), -argument, scale);
}

/* sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)) = (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, all x.
 * ULP 3.25 / 2.99 */
INLINE real FN(gelu_tanh_gate_)(real x) {
    real scale;
    const real q = FN(gelu_tanh_decay)(x, &scale), t = FN(exp_value)(q, scale);
    return select(x < K(0), t, K(1)) / (K(1) + t);
}

/* x gelu_tanh_gate(x), all x; -0 at -inf (Hendrycks and Gimpel).  ULP 3.89 / 3.57 */
INLINE real FN(gelu_tanh_)(real x) {
    real scale;
    const real q = FN(gelu_tanh_decay)(x, &scale), c = FN(at_least)(FN(gelu_tanh_lowest), x);
    return select(x < K(0), FN(exp_times)(c, q, scale), c) / (K(1) + FN(exp_value)(q, scale));
}

#include "real_trig.h"

#include "real_activations.h"
