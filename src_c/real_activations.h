/* The activations that take more than a line; included by real_math.h, once per dtype, under its rules;
 * its bounds ("ULP a / b") are of every 37th float32 and of one million float64.
 *
 * Each is arranged so that nothing cancels and nothing overflows on the way, over the whole range.
 */
#ifndef FASTNN_REAL_ACTIVATIONS_ONCE
#define FASTNN_REAL_ACTIVATIONS_ONCE
#define fsqrt_gate FN(sqrt_gate_)
#define fsquareplus FN(squareplus_)
#define fdish FN(dish_)
#define fdish_slope FN(dish_slope_)
#define fbent_identity FN(bent_identity_)
#define fbent_identity_slope FN(bent_identity_slope_)
#define fisru FN(isru_)
#define fisru_root FN(isru_root_)
#define ftanh_shrink FN(tanh_shrink_)
#define fgaussian FN(gaussian_)
#define fquick_gelu FN(quick_gelu_)
#define fexp_product FN(exp_product_)
#define fsoft_exponential FN(soft_exponential_)
#define fsoft_exponential_slope FN(soft_exponential_slope_)
#define fsoft_clipping FN(soft_clipping_)
#endif

#undef QUICK_HI
#undef QUICK_LO

#if REAL_BITS == 64
#define QUICK_HI 0x1.b3b645a1cac08p+0 /* 1.702 */
#define QUICK_LO 0x1.89374bc6a7efap-55
OPAQUE(gaussian_highest, 27.6);    /* exp(-x^2) rounds to 0 */
OPAQUE(quick_gelu_highest, 447.0); /* x exp(-1.702 x) rounds to 0 */
#else
#define QUICK_HI 0x1.b3b646p+0
#define QUICK_LO -0x1.78d4fep-26
OPAQUE(gaussian_highest, 10.5);
OPAQUE(quick_gelu_highest, 65.0);
#endif
OPAQUE(root_highest, 0x1p62);

/* ---- made of square roots ---------------------------------------------------------------------------------------- */

/* sqrt(m^2 + b), m and b not negative and b below 2^70: from 2^62 on m itself, so that the square cannot overflow. */
INLINE real FN(hypotenuse)(real m, real b) {
    const real c = FN(at_most)(FN(root_highest), m);
    return FN(at_least)(m, fsqrt(c * c + b));
}

/* (x + sqrt(x^2 + b)) / 2, all x, b >= 0.  For x < 0 the conjugate, (b/2) / (|x| + sqrt(x^2 + b)).  ULP 2.75 / 2.73 */
INLINE real FN(squareplus_)(real x, real b) {
    const real m = fabs_(x), half = K(0.5) * m + K(0.5) * FN(hypotenuse)(m, b);
    return select(x < K(0), K(0.25) * b / FN(at_least)(REAL_MIN, half), half);
}

/* (1 + x / sqrt(x^2 + b)) / 2, all x, b >= 0; 1/2 at x = b = 0.  The derivative of squareplus. */
INLINE real FN(sqrt_gate_)(real x, real b) {
    const real m = FN(at_most)(REAL_MAX, fabs_(x)), root = FN(hypotenuse)(m, b);
    const real half = FN(at_least)(REAL_MIN, K(0.5) * m + K(0.5) * root);
    const real ratio = select(x < K(0), K(0.25) * b / half, m) / root;
    const real gate = select(x < K(0), ratio, K(0.5) + K(0.5) * ratio);
    return select(root == K(0), K(0.5), gate);
}

/* x (1 + x / r) / 2 with r = sqrt(x^2 + 1), all x; -0 at -inf.  For x < 0 it is x / (2 (x^2 + 1 + |x| r)), where
 * nothing cancels, and from 2^60 on 1 / (4 x).  ULP 3.15 / 2.89 */
INLINE real FN(dish_)(real x) {
    const real m = fabs_(x), square = m * m + K(1), root = fsqrt(square);
    const int far = m > K(0x1p60), left = x < K(0);
    const real above = select(left, select(far, K(0.25), K(0.5) * m), select(far, K(1), m));
    const real below = select(left, select(far, m, square + m * root), select(far, K(1), root));
    const real ratio = above / below;
    return FN(odd)(select(left, ratio, m * (K(0.5) + K(0.5) * ratio)), x);
}

/* With s = x / sqrt(x^2 + 1): (1 + s) (1 + s - s^2) / 2, the derivative of dish. */
INLINE real FN(dish_slope_)(real x) {
    const real c = fclamp(x, K(-0x1p60), K(0x1p60)), s = c / fsqrt(c * c + K(1));
    return fsqrt_gate(x, K(1)) * (K(1) + s * (K(1) - s));
}

/* x + (sqrt(x^2 + 1) - 1) / 2 = x (1 + x / (2 + 2 sqrt(x^2 + 1))), all x.  ULP 3.44 / 2.73 */
INLINE real FN(bent_identity_)(real x) {
    const real c = fclamp(x, K(-0x1p60), K(0x1p60));
    return x * (K(1) + K(0.5) * c / (K(1) + fsqrt(c * c + K(1))));
}

/* 1 + x / (2 sqrt(x^2 + 1)), its derivative. */
INLINE real FN(bent_identity_slope_)(real x) {
    const real c = fclamp(x, K(-0x1p60), K(0x1p60));
    return K(1) + K(0.5) * c / fsqrt(c * c + K(1));
}

/* x / sqrt(1 + alpha x^2), all x, alpha >= 0.  From |x| = 1 on 1 / sqrt(1/x^2 + alpha), so that nothing overflows.  ULP
 * 1.99 / 1.94 */
INLINE real FN(isru_)(real x, real alpha) {
    const real m = fabs_(x);
    const int small = m <= K(1);
    const real t = select(small, m, K(1) / m), square = t * t;
    const real root = fsqrt(select(small, K(1) + alpha * square, alpha + square));
    return FN(odd)(FN(at_most)(m, select(small, m, K(1)) / root), x);
}

/* 1 / sqrt(1 + alpha x^2), whose cube is its derivative. */
INLINE real FN(isru_root_)(real x, real alpha) {
    const real m = FN(at_most)(K(0.25) / REAL_MIN, fabs_(x));
    const int small = m <= K(1);
    const real t = select(small, m, K(1) / m), square = t * t;
    const real root = fsqrt(select(small, K(1) + alpha * square, alpha + square));
    return FN(at_most)(K(1), select(small, K(1), t) / root);
}

/* ---- made of exponentials and logarithms ---------------------------------------------------------------------------
 */

/* x - tanh(x), all x.  x^3 P(x^2) for |x| < 1.2, where the difference cancels.  ULP 3.24 / 3.37 */
INLINE real FN(tanh_shrink_)(real x) {
    const real magnitude = fabs_(x), square = FN(at_most)(K(1.44), x * x);
    const real near = magnitude * (square * FN(tanh_shrink_small)(square));
    return FN(odd)(select(magnitude < K(1.2), near, magnitude - ftanh(magnitude)), x);
}

/* exp(-x^2), all x.  The square is taken to double length, as in normpdf.  ULP 1.70 / 1.13 */
INLINE real FN(gaussian_)(real x) {
    real low, scale;
    const real z = FN(at_most)(FN(gaussian_highest), fabs_(x)), square = two_prod(z, z, &low);
    const real q = FN(exp_scaled)(-square, -low, -square, &scale);
    return FN(exp_value)(q, scale);
}

/* x / (1 + exp(-1.702 x)), all x; -0 at -inf.  As silu, with the product to double length.  ULP 3.54 / 2.29 */
INLINE real FN(quick_gelu_)(real x) {
    real low, scale;
    const real z = FN(at_most)(FN(quick_gelu_highest), fabs_(x)), argument = two_prod(z, K(QUICK_HI), &low);
    const real q = FN(exp_scaled)(-argument, -(z * K(QUICK_LO) + low), -argument, &scale);
    const real c = FN(at_least)(-FN(quick_gelu_highest), x);
    return select(x < K(0), FN(exp_times)(c, q, scale), c) / (K(1) + FN(exp_value)(q, scale));
}

/* a * b = result + *low, kept within the range of exp. */
INLINE real FN(exponent)(real a, real b, real *low) {
    const real product = two_prod(a, b, low);
    const real kept = fclamp(product, FN(exp_lowest), FN(exp_highest));
    *low = select(kept == product, *low, K(0));
    return kept;
}

/* exp(a b), the product to double length. */
INLINE real FN(exp_product_)(real a, real b) {
    real low;
    const real high = FN(exponent)(a, b, &low);
    return fexp_hilo(high, low);
}

/* alpha > 0: (exp(alpha x) - 1) / alpha + alpha;  alpha < 0: -ln(1 - alpha (x + alpha)) / alpha, NaN where that has no
 * value;  alpha = 0: x.  (L. B. Godfrey, M. S. Gashler 2015, arXiv:1602.01321.)  The functions expm1 and log1p make
 * the passage to 0 smooth; far to the left, where they would be -1 and something, exp and log themselves.  A few ULP,
 * and near the zero of the function, whose place depends on alpha, a few ULP of alpha. */
INLINE real FN(soft_exponential_)(real x, real alpha) {
    real low;
    const real c = fclamp(x, -REAL_MAX, REAL_MAX); /* inf * 0 is not what alpha = 0 means */
    const real u = FN(exponent)(alpha, c, &low), q = fexpm1(u);
    const real growth = (q + low * (FN(at_most)(REAL_MAX, q) + K(1))) / alpha + alpha;
    const real tail = fexp_hilo(u, low) / alpha + (alpha - K(1)) * ((alpha + K(1)) / alpha);
    const real v = -alpha * (x + alpha), w = (K(1) - alpha) * (K(1) + alpha) - alpha * x;
    const real logarithm = select(w < K(0.5), flog(w), flog1p(v)) / -alpha;
    const real power = select(u < K(-1), tail, growth);
    const real curved = select(alpha < K(0), logarithm, power);
    const int straight = fabs_(select(alpha < K(0), v, u)) < K(TINY);
    return select(straight, x + alpha, curved);
}

/* exp(alpha x), or 1 / (1 - alpha (x + alpha)) for alpha < 0: its derivative. */
INLINE real FN(soft_exponential_slope_)(real x, real alpha) {
    const real a = alpha + fblocked(x); /* a loop-invariant condition would become a branch in the loop */
    const real w = (K(1) - alpha) * (K(1) + alpha) - alpha * x;
    const real logarithm = select(w < K(0), K(__builtin_nan("")), K(1) / w);
    return select(a < K(0), logarithm, fexp_product(alpha, fclamp(x, -REAL_MAX, REAL_MAX)));
}

/* ln((1 + exp(alpha x)) / (1 + exp(alpha (x - 1)))) / alpha, all x, alpha > 0.  With s = min(x, 1 - x) one logarithm
 * of 1 + t, t = (1 - exp(-alpha)) exp(alpha s) / (1 + exp(alpha (s - 1))); the other half by f(x) = 1 - f(1 - x).
 * Where t is so large that its logarithm is alpha s, that.  ULP 3.65 / 3.42 */
INLINE real FN(soft_clipping_)(real x, real alpha) {
    real low, scale;
    const int upper = x > K(0.5);
    const real s = select(upper, K(1) - x, x), u = FN(exponent)(alpha, s, &low);
    const real q = FN(exp_scaled)(u, low, u - K(MARGIN), &scale);
    const real t = FN(exp_times)(-fexpm1(-alpha), q, scale) / (K(1) + fexp(u - alpha));
    const real y = select(u > K(40), s, flog1p(t) / alpha);
    return select(upper, K(1) - y, y);
}
