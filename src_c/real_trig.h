/* Sine, cosine and arc tangent; included by real_math.h, once per dtype, under its rules;
 * its bounds ("ULP a / b") are of every 37th float32 and of one million float64.
 *
 * Sine and cosine keep their bound for |x| <= 2^17 in float32 and 2^46 in float64, which is where the argument can be
 * reduced with three numbers for pi/2; beyond, they stay at the value of that limit, since neighbouring numbers then
 * lie so far apart that an activation of them is noise.  At infinities there is no limit: NaN, as in C's libm.
 */
#ifndef FASTNN_REAL_TRIG_ONCE
#define FASTNN_REAL_TRIG_ONCE
#define fatan FN(atan_)
#define fsin FN(sin_)
#define fcos FN(cos_)
#define fsinc FN(sinc_)
#define fsinc_slope FN(sinc_slope_)
#endif

#undef LARGEST_ANGLE
#undef HALF_PI_1
#undef HALF_PI_2
#undef HALF_PI_3
#undef HALF_PI_LOW
#undef QUARTER_PI_LOW

#if REAL_BITS == 64
#define LARGEST_ANGLE 0x1p46
#define HALF_PI_1 0x1.921fb54442d18p+0 /* pi/2 = the sum of the three, each the rest's nearest number */
#define HALF_PI_2 0x1.1a62633145c07p-54
#define HALF_PI_3 -0x1.f1976b7ed8fbcp-110
#else
#define LARGEST_ANGLE 0x1p17
#define HALF_PI_1 0x1.921fb6p+0
#define HALF_PI_2 -0x1.777a5cp-25
#define HALF_PI_3 -0x1.ee59dap-50
#endif

/* ---- arc tangent ----------------------------------------------------------------------------------------------- */

/* atan(x), all x.  Of t = x, (x - 1)/(x + 1) or -1/x, added to 0, pi/4 or pi/2, so that |t| <= 1/2 (as in fdlibm, with
 * fewer cases).  ULP 1.39 / 1.22 */
INLINE real FN(atan_)(real x) {
    const real m = fabs_(x);
    const int middle = m > K(0.5), upper = m > K(2);
    const real above = select(upper, K(-1), select(middle, m - K(1), m));
    const real below = select(upper, m, select(middle, m + K(1), K(1)));
    const real start = select(upper, K(HALF_PI_1), select(middle, K(0.5 * HALF_PI_1), K(0)));
    const real start_low = select(upper, K(HALF_PI_2), select(middle, K(0.5 * HALF_PI_2), K(0)));
    const real t = above / below, z = t * t;
    return FN(odd)(start + (t + (t * z * FN(atan_tail)(z) + start_low)), x);
}

/* ---- sine and cosine --------------------------------------------------------------------------------------------- */

/* x = n pi/2 + result + *low with |result| <= 1.02 pi/4, and n in the low bits of *quadrant.  Every product is taken
 * exactly and every difference with its error, so that the result keeps its digits however close x is to n pi/2. */
INLINE real FN(reduced_angle)(real x, real *low, real_int *quadrant) {
    const real c = fclamp(x, K(-LARGEST_ANGLE), K(LARGEST_ANGLE));
    const real shifted = c * K(0.63661977236758134308) + FN(magic)();
    const real n = shifted - FN(magic)();
    real first_low, second_low;
    const real first = two_prod(n, K(HALF_PI_1), &first_low), second = two_prod(n, K(HALF_PI_2), &second_low);
    const real rest = c - first; /* exact: within a factor of two of each other, or n = 0 */
    const real sum = first_low + second, part = sum - first_low;
    const real sum_low = (first_low - (sum - part)) + (second - part);
    const real r = rest - sum, taken = rest - r;
    *low = ((rest - (r + taken)) + (taken - sum)) - (sum_low + (second_low + n * K(HALF_PI_3)));
    *quadrant = FN(bits)(shifted);
    return r;
}

/* sin(x + quarters pi/2). */
INLINE real FN(sine)(real x, real_int quarters) {
    real low;
    real_int quadrant;
    const real r = FN(reduced_angle)(x, &low, &quadrant), z = r * r;
    const real_int turn = quadrant + quarters;
    const real sine = r + (r * z * FN(sin_tail)(z) + low);
    const real half = K(0.5) * z, top = K(1) - half;
    const real cosine = top + (((K(1) - top) - half) + (z * z * FN(cos_tail)(z) - r * low));
    const real value = select((turn & 1) != 0, cosine, sine);
    const real_int sign = (real_int)((real_uint)(turn & 2) << (REAL_BITS - 2));
    return FN(from_bits)(FN(bits)(value) ^ sign) + (x - x);
}

/* sin(x).  ULP 0.91 / 0.88 */
INLINE real FN(sin_)(real x) { return select(x == K(0), x, FN(sine)(x, 0)); }

/* cos(x).  ULP 0.91 / 0.91 */
INLINE real FN(cos_)(real x) { return FN(sine)(x, 1); }

/* sin(x) / x; 1 at 0, 0 at infinities.  ULP 1.70 / 1.72 */
INLINE real FN(sinc_)(real x) {
    const real inside = select(x == K(0), K(1), FN(sine)(x, 0) / x);
    return select(fabs_(x) > REAL_MAX, K(0), inside);
}

/* The derivative of sinc: (cos(x) - sin(x)/x) / x, for |x| < 1 from its series, where the difference cancels. */
INLINE real FN(sinc_slope_)(real x) {
    const real near = x * FN(sinc_slope)(x * x);
    const real far = (FN(sine)(x, 1) - FN(sine)(x, 0) / x) / x;
    return select(fabs_(x) < K(1), near, select(fabs_(x) > REAL_MAX, K(0), far));
}
