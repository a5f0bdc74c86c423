/* Small functions that the rows of losses.def and the kernels of row_losses.h are made of; see real.h for the names. */

INLINE real FN(square)(real x) { return x * x; }

/* x^y for x >= 0; x = 0 counts as the smallest normal number, so that no exponent makes it infinite. */
INLINE real FN(power)(real x, real y) { return fexp(y * flog(fmax(x, REAL_MIN))); }

/* x^(y - 1), likewise. */
INLINE real FN(power_less_1)(real x, real y) {
    const real log_x = flog(fmax(x, REAL_MIN));
    return fexp(y * log_x - log_x);
}

/* a / b for 0 <= a <= b; 0 / 0 is 0 */
INLINE real FN(ratio)(real a, real b) { return a / fmax(b, REAL_MIN); }

/* y where x > 0, else 0; NaN where x is NaN. */
INLINE real FN(where_positive)(real x, real y) { return select(x > K(0), y, select(x <= K(0), K(0), x)); }

/* log(cosh(x)).  With e = expm1(-|x|): log1p(cosh(x) - 1) = log1p(e^2 / (2 (1 + e))) near 0, where the other form,
 * |x| + log1p(expm1(-2|x|) / 2) with expm1(-2|x|) = e^2 + 2e, would cancel. */
INLINE real FN(log_cosh_)(real x) {
    const real a = fabs_(x), e = fexpm1(-a);
    const real near = K(0.5) * e * e / (K(1) + e), far = K(0.5) * e * e + e;
    return select(a < K(1), K(0), a) + flog1p(select(a < K(1), near, far));
}

/* exp(p) and t p may both be beyond the range: then exp(p) - t p = e (e - t p / e) with e = exp(p / 2). */
#undef EXP_FITS
#define EXP_FITS K(REAL_BITS == 64 ? 700 : 80)
INLINE real FN(exp_less_product)(real p, real t, real of_t) {
    const real e = fexp(select(p > EXP_FITS, K(0.5) * p, p)), near = e - ftimes(t, of_t);
    return select(p > EXP_FITS, e * (e - ftimes(t / e, of_t)), near);
}
