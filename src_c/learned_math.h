/* What the rows of learned.def need beside real_activations.h; see real.h for the names.
 *
 * The derivative of the soft exponential (real_activations.h) by its parameter alpha.  The formulas cancel near
 * alpha = 0.  With u = alpha x, b = -alpha, v = b (x - b):
 *
 *   alpha >= 0   x^2 g(u) + 1,               g(u) = ((u - 1) e^u + 1) / u^2 = sum_k u^k / ((k + 2) k!)
 *   alpha < 0    1/(1 + v) - (x - b)^2 h(v), h(v) = (v/(1 + v) - log(1 + v)) / v^2
 *                                                 = -(1 - s)^2/2 (1/(1 + s) + s sum_k s^2k/(2k + 3)),  s = v/(2 + v)
 *
 * The sums serve |u| <= 1 and |s| <= 1/3; beyond, the closed forms lose less than a digit.
 */
#undef flogistic_slope
#undef fsoft_exponential_slope_in_alpha
#define flogistic_slope FN(logistic_slope_)
#define fsoft_exponential_slope_in_alpha FN(soft_exponential_slope_in_alpha_)

/* The derivative of the sigmoid. */
INLINE real FN(logistic_slope_)(real x) { return fsigmoid(x) * fsigmoid(-x); }

INLINE real FN(soft_exponential_slope_in_alpha_)(real x, real alpha) {
    const real u = fclamp(ftimes(alpha, x), -1000, 1000), v = -alpha * (x + alpha),
               w = K(1) / select(v < -1, K(__builtin_nan("")), K(1) + v);
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
