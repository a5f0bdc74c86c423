/* Soft exponential (L. B. Godfrey, M. S. Gashler 2015, arXiv:1602.01321) and its two derivatives, for any alpha:
 *
 *   alpha > 0   (exp(alpha x) - 1) / alpha + alpha
 *   alpha = 0   x
 *   alpha < 0   -log(1 - alpha (x + alpha)) / alpha;   -inf where the logarithm's argument is 0, NaN below
 *
 * It is smooth in alpha, but the formulas cancel near alpha = 0.  With u = alpha x, b = -alpha, v = b (x - b):
 *
 *   d/dalpha = x^2 g(u) + 1,               g(u) = ((u - 1) e^u + 1) / u^2 = sum_k u^k / ((k + 2) k!)
 *   d/dalpha = 1/(1 + v) - (x - b)^2 h(v), h(v) = (v/(1 + v) - log(1 + v)) / v^2
 *                                               = -(1 - s)^2/2 (1/(1 + s) + s sum_k s^2k/(2k + 3)),  s = v/(2 + v)
 *
 * The sums serve |u| <= 1 and |s| <= 1/3; beyond, the closed forms lose less than a digit.
 */
#undef times
#undef logistic_slope
#undef fsoftexp
#undef fsoftexp_slope
#undef fsoftexp_slope_in_alpha
#define times FN(times_)
#define logistic_slope FN(logistic_slope_)
#define fsoftexp FN(softexp_)
#define fsoftexp_slope FN(softexp_slope_)
#define fsoftexp_slope_in_alpha FN(softexp_slope_in_alpha_)

/* a x, and 0 where a is 0 and x infinite. */
INLINE real FN(times_)(real a, real x) {
    const real product = a * x;
    return select(a == 0, select(x == x, a, x), product);
}

/* The derivative of the sigmoid. */
INLINE real FN(logistic_slope_)(real x) { return fsigmoid(x) * fsigmoid(-x); }

INLINE real FN(softexp_)(real x, real alpha) {
    const real u = times(alpha, x), v = -alpha * (x + alpha);
    const real rising = select(fabs_(u) < K(TINY), x, fexpm1(u) / alpha) + alpha;
    const real falling = select(fabs_(v) < K(TINY), x + alpha, flog1p(v) / -alpha);
    return select(alpha < 0, falling, rising);
}

/* 1 / (1 + v), where log(1 + v) is defined. */
INLINE real FN(log1p_slope)(real v) { return K(1) / select(v < -1, K(__builtin_nan("")), K(1) + v); }

INLINE real FN(softexp_slope_)(real x, real alpha) {
    const real rising = fexp(times(alpha, x)), falling = FN(log1p_slope)(-alpha * (x + alpha));
    return select(alpha < 0, falling, rising);
}

INLINE real FN(softexp_slope_in_alpha_)(real x, real alpha) {
    const real u = fclamp(times(alpha, x), -1000, 1000), v = -alpha * (x + alpha), w = FN(log1p_slope)(v);
    const real s = v / (K(2) + v), z = s * s;
    real g = K(1. / (19 * 355687428096000.)), p = K(1. / 33);
    g = g * u + K(1. / (18 * 20922789888000.));
    g = g * u + K(1. / (17 * 1307674368000.));
    g = g * u + K(1. / (16 * 87178291200.));
    g = g * u + K(1. / (15 * 6227020800.));
    g = g * u + K(1. / (14 * 479001600.));
    g = g * u + K(1. / (13 * 39916800.));
    g = g * u + K(1. / (12 * 3628800.));
    g = g * u + K(1. / (11 * 362880.));
    g = g * u + K(1. / (10 * 40320.));
    g = g * u + K(1. / (9 * 5040.));
    g = g * u + K(1. / (8 * 720.));
    g = g * u + K(1. / (7 * 120.));
    g = g * u + K(1. / (6 * 24.));
    g = g * u + K(1. / (5 * 6.));
    g = g * u + K(1. / (4 * 2.));
    g = g * u + K(1. / 3);
    g = g * u + K(1. / 2);
    p = p * z + K(1. / 31);
    p = p * z + K(1. / 29);
    p = p * z + K(1. / 27);
    p = p * z + K(1. / 25);
    p = p * z + K(1. / 23);
    p = p * z + K(1. / 21);
    p = p * z + K(1. / 19);
    p = p * z + K(1. / 17);
    p = p * z + K(1. / 15);
    p = p * z + K(1. / 13);
    p = p * z + K(1. / 11);
    p = p * z + K(1. / 9);
    p = p * z + K(1. / 7);
    p = p * z + K(1. / 5);
    p = p * z + K(1. / 3);
    const real half = K(1) - s, h = K(0.5) * half * half * (K(1) / (K(1) + s) + s * p);
    const real rising = select(fabs_(u) <= 1, x * x * g, ((u - K(1)) * fexp(u) + K(1)) / alpha / alpha) + K(1);
    const real falling =
        w + select(fabs_(s) <= K(1. / 3), (x + alpha) * (x + alpha) * h, (flog1p(v) + (w - K(1))) / alpha / alpha);
    return select(alpha < 0, falling, rising);
}
