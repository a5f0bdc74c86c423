/* Activations with learned parameters: the loops over the rows of learned.def, and the drivers that know matrices.
 *
 * A row's functions take as many parameter values as elements: parameter k of element i is params[k * stride + i].
 * The drivers see to that: rows of a matrix share the parameters of their columns, and where rows are short, a few
 * of them go through one call with the parameters repeated.  The gradients of the parameters are summed over the
 * rows in double, in an order that depends on the shape only.
 */
#undef SPACE
#define SPACE 2048 /* numbers in each scratch array: parameters times elements of one call */

#ifndef FASTNN_LEARNED_ONCE
#define FASTNN_LEARNED_ONCE
/* M(k, item) for each item of a list of at most four, in parentheses */
#define EACH_1(M, k, a) M(k, a)
#define EACH_2(M, k, a, ...) M(k, a) EACH_1(M, k + 1, __VA_ARGS__)
#define EACH_3(M, k, a, ...) M(k, a) EACH_2(M, k + 1, __VA_ARGS__)
#define EACH_4(M, k, a, ...) M(k, a) EACH_3(M, k + 1, __VA_ARGS__)
#define EACH_(M, ...) CAT(EACH_, COUNT(__VA_ARGS__))(M, 0, __VA_ARGS__)
#define EACH_ITEMS(...) __VA_ARGS__
#define EACH_UNPACKED(...) EACH_(__VA_ARGS__)
#define EACH(M, list) EACH_UNPACKED(M, EACH_ITEMS list)
#define LIST_COUNT_(...) COUNT(__VA_ARGS__)
#define LIST_COUNT(list) LIST_COUNT_ list
#define AT(k) (((k) * pieces + s) * stride)
#define PARAMETER_OPEN(k, p) INPUT(p##_array, (const real *)params + AT(k))
#define PARAMETER_READ(k, p)                                                                                           \
    const real p = p##_array[j];                                                                                       \
    (void)p;
#define GRADIENT_WRITE(k, gradient) ((real *)dparams)[((k) * pieces + s) * spread + i + (size_t)j] = gradient;
#endif

/* dparams is scratch with room for whole blocks: parameter k of element i goes to dparams[k * spread + i] */
#define LEARNED(name, list, value, x_gradient, gradients)                                                              \
    static void FN(name##_forward)(size_t n, const void *xv, const void *params, size_t stride, size_t pieces,         \
                                   void *yv) {                                                                         \
        const size_t s = 0;                                                                                            \
        for (size_t i = 0; i < n; i += BLOCK) {                                                                        \
            INPUT(xs, xv)                                                                                              \
            EACH(PARAMETER_OPEN, list)                                                                                 \
            OUTPUT(ys, yv)                                                                                             \
            VECTOR {                                                                                                   \
                const real x = xs[j];                                                                                  \
                EACH(PARAMETER_READ, list)                                                                             \
                ys[j] = value;                                                                                         \
            }                                                                                                          \
            COPY_BACK(ys, yv)                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void FN(name##_backward)(size_t n, const void *dyv, const void *xv, const void *params, size_t stride,      \
                                    size_t pieces, void *dxv, void *dparams, size_t spread) {                          \
        const size_t s = 0;                                                                                            \
        for (size_t i = 0; i < n; i += BLOCK) {                                                                        \
            INPUT(dys, dyv)                                                                                            \
            INPUT(xs, xv)                                                                                              \
            EACH(PARAMETER_OPEN, list)                                                                                 \
            OUTPUT(dxs, dxv)                                                                                           \
            VECTOR {                                                                                                   \
                const real dy = dys[j], x = xs[j];                                                                     \
                EACH(PARAMETER_READ, list)                                                                             \
                EACH(GRADIENT_WRITE, gradients)                                                                        \
                dxs[j] = x_gradient;                                                                                   \
            }                                                                                                          \
            COPY_BACK(dxs, dxv)                                                                                        \
        }                                                                                                              \
    }
#define LEARNED_SUM(name, list, first, term, first_gradient, term_gradient, gradients)                                 \
    static void FN(name##_forward)(size_t n, const void *xv, const void *params, size_t stride, size_t pieces,         \
                                   void *yv) {                                                                         \
        for (size_t i = 0; i < n; i += BLOCK) {                                                                        \
            INPUT(xs, xv)                                                                                              \
            OUTPUT(ys, yv)                                                                                             \
            real total[BLOCK];                                                                                         \
            VECTOR {                                                                                                   \
                const real x = xs[j];                                                                                  \
                total[j] = first;                                                                                      \
            }                                                                                                          \
            for (size_t s = 0; s < pieces; s++) {                                                                      \
                EACH(PARAMETER_OPEN, list)                                                                             \
                VECTOR {                                                                                               \
                    const real x = xs[j];                                                                              \
                    EACH(PARAMETER_READ, list)                                                                         \
                    total[j] += term;                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
            VECTOR ys[j] = total[j];                                                                                   \
            COPY_BACK(ys, yv)                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void FN(name##_backward)(size_t n, const void *dyv, const void *xv, const void *params, size_t stride,      \
                                    size_t pieces, void *dxv, void *dparams, size_t spread) {                          \
        for (size_t i = 0; i < n; i += BLOCK) {                                                                        \
            INPUT(dys, dyv)                                                                                            \
            INPUT(xs, xv)                                                                                              \
            OUTPUT(dxs, dxv)                                                                                           \
            real total[BLOCK];                                                                                         \
            VECTOR {                                                                                                   \
                const real dy = dys[j], x = xs[j];                                                                     \
                total[j] = first_gradient;                                                                             \
            }                                                                                                          \
            for (size_t s = 0; s < pieces; s++) {                                                                      \
                EACH(PARAMETER_OPEN, list)                                                                             \
                VECTOR {                                                                                               \
                    const real dy = dys[j], x = xs[j];                                                                 \
                    EACH(PARAMETER_READ, list)                                                                         \
                    EACH(GRADIENT_WRITE, gradients)                                                                    \
                    total[j] += term_gradient;                                                                         \
                }                                                                                                      \
            }                                                                                                          \
            VECTOR dxs[j] = total[j];                                                                                  \
            COPY_BACK(dxs, dxv)                                                                                        \
        }                                                                                                              \
    }
#include "learned.def"
#undef LEARNED
#undef LEARNED_SUM

static const fastnn_learned FN(learned_table)[FASTNN_LEARNED] = {
#define LEARNED(name, list, ...) {#name, #list, LIST_COUNT(list), 0, FN(name##_forward), FN(name##_backward)},
#define LEARNED_SUM(name, list, ...) {#name, #list, LIST_COUNT(list), 1, FN(name##_forward), FN(name##_backward)},
#include "learned.def"
#undef LEARNED
#undef LEARNED_SUM
};

/* The parameters of `cols` columns for `repeats` rows, one behind the other: to[k * spread + r * cols + c]. */
INLINE void FN(repeat)(size_t count, size_t cols, size_t repeats, const real *params, size_t stride, size_t spread,
                       real *to) {
    for (size_t k = 0; k < count; k++)
        for (size_t r = 0; r < repeats; r++)
            __builtin_memcpy(to + k * spread + r * cols, params + k * stride, cols * sizeof(real));
}

/* Elements that one call takes, given the number of parameters: whole blocks. */
INLINE size_t FN(call_width)(size_t count) { return SPACE / count / BLOCK * BLOCK; }

static void FN(learned_forward)(int row, size_t rows, size_t cols, const void *xv, const void *params, size_t stride,
                                size_t pieces, void *yv) {
    const fastnn_learned *f = &FN(learned_table)[row];
    const real *x = xv;
    real *y = yv, repeated[SPACE];
    const size_t count = f->count * pieces, fitting = FN(call_width)(count) / cols;
    const size_t step = FN(min_size)(rows, fitting ? fitting : 1), spread = step * cols;
    if (step > 1) {
        FN(repeat)(count, cols, step, params, stride, spread, repeated);
        params = repeated;
        stride = spread;
    }
    for (size_t r = 0; r < rows; r += step) {
        const size_t n = FN(min_size)(step, rows - r) * cols;
        f->forward(n, x + r * cols, params, stride, pieces, y + r * cols);
    }
}

static void FN(learned_backward)(int row, size_t rows, size_t cols, size_t ld, const void *dyv, const void *xv,
                                 const void *params, size_t stride, size_t pieces, void *dxv, double *sums) {
    const fastnn_learned *f = &FN(learned_table)[row];
    const real *dy = dyv, *x = xv;
    real *dx = dxv, repeated[SPACE], gradients[SPACE], unwanted[SPACE];
    double total[SPACE];
    const size_t count = f->count * pieces, spread = FN(call_width)(count);
    for (size_t c = 0; c < cols; c += spread) {
        const size_t width = FN(min_size)(spread, cols - c);
        const size_t step = ld == cols && width == cols ? FN(min_size)(rows, spread / width) : 1;
        const real *here = (const real *)params + c;
        size_t apart = stride;
        if (step > 1) {
            FN(repeat)(count, width, step, here, stride, spread, repeated);
            here = repeated;
            apart = spread;
        }
        for (size_t i = 0; i < count * spread; i++) total[i] = 0;
        for (size_t r = 0; r < rows; r += step) {
            const size_t n = FN(min_size)(step, rows - r) * width, at = r * ld + c;
            f->backward(n, dy + at, x + at, here, apart, pieces, dx ? dx + at : unwanted, gradients, spread);
            for (size_t k = 0; k < count; k++) {
                const real *from = gradients + k * spread;
                double *to = total + k * spread;
                _Pragma("omp simd") for (size_t i = 0; i < n; i++) to[i] += (double)from[i];
            }
        }
        if (!sums) continue;
        for (size_t k = 0; k < count; k++)
            for (size_t i = 0; i < width; i++) {
                double sum = 0;
                for (size_t r = 0; r < step; r++) sum += total[k * spread + r * width + i];
                sums[k * stride + c + i] = sum;
            }
    }
}

/* Values shared by several columns: members (count, share) has the columns of each; NULL where every column has its
 * own.  expand copies each value to its columns, fold adds up what its columns collected. */
static void FN(expand)(size_t count, size_t share, const void *values, const int32_t *members, void *out) {
    for (size_t k = 0; k < count; k++)
        for (size_t i = k * share; i < (k + 1) * share; i++)
            ((real *)out)[members ? (size_t)members[i] : i] = ((const real *)values)[k];
}
static void FN(fold)(size_t count, size_t share, const double *sums, const int32_t *members, void *out) {
    for (size_t k = 0; k < count; k++) {
        double sum = 0;
        for (size_t i = k * share; i < (k + 1) * share; i++) sum += sums[members ? (size_t)members[i] : i];
        ((real *)out)[k] = (real)sum;
    }
}
