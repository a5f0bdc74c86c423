/*
 * What the functions should give, and how far a result is from it.  Shares nothing with src_c.
 *
 * float32 is computed in double by the C library (its vector functions, within 4 ULP of a double), float64 by
 * libquadmath.  PICK evaluates both values, so that loops stay free of branches.
 */
#define __FAST_MATH__ /* only so that math.h declares the vector functions; nothing else is relaxed */
#include <math.h>
#undef __FAST_MATH__
#include <quadmath.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline double pick_f32(int condition, double yes, double no) { return condition ? yes : no; }
static inline __float128 pick_f64(int condition, __float128 yes, __float128 no) { return condition ? yes : no; }

/*
 * The vector functions leave what is out of the ordinary to scalar ones; float32 needs none of it.  These limits are
 * variables because the compiler would draw exp(constant) out of the clamp and give the whole range to exp again.
 */
double exponent_limit = 700, sine_limit = 0x1p17;
static inline double exp_f32(double x) {
    return exp(x > exponent_limit ? exponent_limit : x < -exponent_limit ? -exponent_limit : x);
}
static inline double log_f32(double x) { return pick_f32(x < 0, NAN, log(fabs(x))); }

#define ABS(x) PICK((x) < 0, -(x), x)
#define POSITIVE(x) PICK((x) > 0, x, 0)
#define SIGN(x) PICK((x) < 0, -1, 1)
#define FALLING(x, value) PICK((x) < -1e30, -0.0, value) /* x * (something that vanishes) has the limit -0 */
#define SOFTPLUS(x) (POSITIVE(x) + LOG1P(EXP(-ABS(x))))
#define GELU_TANH(x) (2 * SQRT(2 / PI) * ((x) + C(0.044715) * (x) * (x) * (x)))
#define TANH_SOFTPLUS(x) PICK((x) > 80, 1, PICK((x) < -80, EXP(x), TANH(LOG1P(EXP(x)))))
#define WITHIN(x) PICK((x) > LARGEST, LARGEST, PICK((x) < -LARGEST, -LARGEST, x))
#define ROOT(x, b) PICK(ABS(x) > BIG, ABS(x), SQRT((x) * (x) + (b)))
#define HALVES(x, b) (PICK((x) < 0, (b) / (ROOT(x, b) - (x)), (x) + ROOT(x, b)) / 2)
#define SQUAREPLUS(x, b) HALVES(x, C(1.) * (b))
#define BENT(x) ((x) * (1 + PICK(ABS(x) > BIG, SIGN(x) / 2, (x) / (2 + 2 * ROOT(x, 1)))))
#define DISH(x) PICK((x) > BIG, x, PICK((x) < -BIG, -0.0, HALVES(x, C(1.)) * ((x) / ROOT(x, C(1.)))))
#define ISRU(x, a) PICK(ABS(x) > BIG, SIGN(x) / SQRT(C(1.) * (a)), (x) / SQRT(1 + (a) * (x) * (x)))
#define TANH_SHRINK(x) PICK(ABS(x) < SMALL, TANH_SHRINK_SERIES(x, (x) * (x)), (x) - TANH(x))
#define TANH_SHRINK_SERIES(x, z) ((x) * (z) / 3 * (1 - (z) * 2 / 5 + (z) * (z) * 17 / 105 - (z) * (z) * (z) * 62 / 945))
#define SOFT_CLIPPING(x, a) SOFT_CLIPPING_(PICK(ABS(x) > 5000, 5000 * SIGN(x), x), C(1.) * (a))
#define SOFT_CLIPPING_(x, a) SOFT_SIDE((x) > C(.5), SOFT_HALF(PICK((x) > C(.5), 1 - (x), x), a))
#define SOFT_SIDE(upper, half) PICK(upper, 1 - (half), half)
#define SOFT_HALF(x, a) (LOG1P(EXP((a) * (x)) * -EXPM1(-(a)) / (1 + EXP((a) * (x) - (a)))) / (a))
#define SOFTSIGN(x) PICK(ABS(x) > BIG, SIGN(x), (x) / (1 + ABS(x)))

#define PICK pick_f32
#define C(c) c
#define PI 3.14159265358979323846
#define EXP exp_f32
#define EXPM1 expm1
#define LOG log_f32
#define LOG1P log1p
#define TANH tanh
#define ERF erf
#define ERFC erfc
#define SQRT sqrt
#define ATAN atan
#define SIN sin
#define COS cos
#define LARGEST sine_limit
#define MOST 0x1.fffffep127
#define BIG 1e100
#define SMALL 1e-2
#define FUNCTION(name, expression, oracle)                                                                             \
    static void oracle_f32_##name(const float *restrict a, double *restrict y, size_t count) {                         \
        for (size_t i = 0; i < count; i++) {                                                                           \
            double x = a[i];                                                                                           \
            y[i] = oracle;                                                                                             \
        }                                                                                                              \
    }
#include "functions.def"
#undef FUNCTION

#undef PICK
#undef C
#undef PI
#undef EXP
#undef EXPM1
#undef LOG
#undef LOG1P
#undef TANH
#undef ERF
#undef ERFC
#undef SQRT
#undef ATAN
#undef SIN
#undef COS
#undef LARGEST
#undef MOST
#undef BIG
#undef SMALL
#define PICK pick_f64
#define C(c) c##Q
#define PI M_PIq
#define EXP expq
#define EXPM1 expm1q
#define LOG logq
#define LOG1P log1pq
#define TANH tanhq
#define ERF erfq
#define ERFC erfcq
#define SQRT sqrtq
#define ATAN atanq
#define SIN sinq
#define COS cosq
#define LARGEST 0x1p46
#define MOST 0x1.fffffffffffffp1023
#define BIG 1e2000Q
#define SMALL 1e-4Q
#define FUNCTION(name, expression, oracle)                                                                             \
    static void oracle_f64_##name(const double *a, __float128 *y, size_t count) {                                      \
        for (size_t i = 0; i < count; i++) {                                                                           \
            __float128 x = a[i];                                                                                       \
            y[i] = oracle;                                                                                             \
        }                                                                                                              \
    }
#include "functions.def"
#undef FUNCTION

#define FUNCTION(name, expression, oracle) oracle_f32_##name,
static void (*const oracles_f32[])(const float *, double *, size_t) = {
#include "functions.def"
};
#undef FUNCTION
#define FUNCTION(name, expression, oracle) oracle_f64_##name,
static void (*const oracles_f64[])(const double *, __float128 *, size_t) = {
#include "functions.def"
};

void expect_f32(int f, const float *x, double *due, size_t count) { oracles_f32[f](x, due, count); }
void expect_f64(int f, const double *x, __float128 *due, size_t count) { oracles_f64[f](x, due, count); }

typedef struct {
    double worst, at, wrong_at;
    uint64_t tested, wrong;
} result;

/* one element: its error in ULP goes to *error; returns whether NaN, sign or infinity are not as they should be */
#define JUDGE(name, real, wide, BITS, FLOOR, DIGITS, TOP, MOST, ABSOLUTE, EXPONENT, POWER, NEGATIVE)                   \
    static inline int64_t name(real y, wide due, double *error) {                                                      \
        const wide top = TOP;                                                                                          \
        wide limited = due > top ? top : due < -top ? -top : due;                                                      \
        wide got = (wide)y > top ? top : (wide)y < -top ? -top : (wide)y;                                              \
        int64_t exponent = EXPONENT(limited);                                                                          \
        exponent = exponent < FLOOR ? FLOOR : exponent;                                                                \
        exponent = exponent > 1 - (FLOOR) ? 1 - (FLOOR) : exponent;                                                    \
        wide distance = ABSOLUTE(got - limited) * POWER(DIGITS - exponent);                                            \
        int64_t nan_got = y != y, nan_due = due != due;                                                                \
        double e = nan_got | nan_due ? 0 : (double)distance;                                                           \
        int64_t infinite_got = ABSOLUTE((wide)y) > MOST, infinite_due = ABSOLUTE((wide)(real)due) > MOST;              \
        int64_t sign_differs = NEGATIVE((wide)y) ^ NEGATIVE(due);                                                      \
        *error = e;                                                                                                    \
        return (nan_got ^ nan_due) |                                                                                   \
               (~(nan_got | nan_due) & (sign_differs | ((infinite_got ^ infinite_due) & (e > 1))));                    \
    }

static inline int64_t bits_of(double x) {
    int64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline double of_bits(int64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}
static inline int64_t exponent_of(double x) { return (int64_t)((uint64_t)bits_of(x) >> 52 & 2047) - 1023; }
static inline double power_of_2(int64_t n) { return of_bits((int64_t)((uint64_t)(n + 1023) << 52)); }
static inline int64_t negative(double x) { return (int64_t)((uint64_t)bits_of(x) >> 63); }
static inline int64_t exponent_of_wide(__float128 x) { return x == 0 ? -2000 : ilogbq(x); }
static inline __float128 power_of_2_wide(int64_t n) { return scalbnq(1, (int)n); }
static inline int64_t negative_wide(__float128 x) { return signbitq(x) != 0; }

JUDGE(judge_f32, float, double, 32, -126, 23, 0x1p128, 0x1.fffffep127, fabs, exponent_of, power_of_2, negative)
JUDGE(judge_f64, double, __float128, 64, -1022, 52, 0x1p1024Q, 0x1.fffffffffffffp1023Q, fabsq, exponent_of_wide,
      power_of_2_wide, negative_wide)

#define MEASURE(name, judge, real, wide)                                                                               \
    void name(const real *x, const real *y, const wide *due, size_t count, result *r) {                                \
        enum { PART = 512 };                                                                                           \
        double errors[PART];                                                                                           \
        int64_t wrongs[PART];                                                                                          \
        for (size_t first = 0; first < count; first += PART) {                                                         \
            size_t length = count - first < PART ? count - first : PART;                                               \
            int64_t worst = 0, wrong = 0; /* errors are not negative: they order like their bits */                    \
            for (size_t i = 0; i < length; i++) {                                                                      \
                wrongs[i] = judge(y[first + i], due[first + i], &errors[i]);                                           \
            }                                                                                                          \
            for (size_t i = 0; i < length; i++) {                                                                      \
                int64_t error = bits_of(errors[i]);                                                                    \
                worst = error > worst ? error : worst;                                                                 \
                wrong += wrongs[i];                                                                                    \
            }                                                                                                          \
            if (of_bits(worst) > r->worst) {                                                                           \
                r->worst = of_bits(worst);                                                                             \
                for (size_t i = 0; i < length; i++)                                                                    \
                    if (bits_of(errors[i]) == worst) r->at = x[first + i];                                             \
            }                                                                                                          \
            for (size_t i = 0; wrong && i < length; i++)                                                               \
                if (wrongs[i]) r->wrong_at = x[first + i];                                                             \
            r->wrong += (uint64_t)wrong;                                                                               \
        }                                                                                                              \
        r->tested += count;                                                                                            \
    }
MEASURE(measure_f32, judge_f32, float, double)
MEASURE(measure_f64, judge_f64, double, __float128)

int has(const char *feature) {
    __builtin_cpu_init();
    if (!strcmp(feature, "avx2")) return __builtin_cpu_supports("avx2") != 0;
    if (!strcmp(feature, "fma")) return __builtin_cpu_supports("fma") != 0;
    if (!strcmp(feature, "avx512f")) return __builtin_cpu_supports("avx512f") != 0;
    if (!strcmp(feature, "avx512dq")) return __builtin_cpu_supports("avx512dq") != 0;
    return !strcmp(feature, "avx512vl") && __builtin_cpu_supports("avx512vl") != 0;
}
