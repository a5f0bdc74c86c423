/* Kernels that know rows and columns: affine epilogues, column sums, softmax, element-wise losses, hits,
 * gathering.
 *
 * They work through CHUNK elements at a time, so that several simple passes find their data in the first-level
 * cache, and they call the functions of the table rows instead of repeating a formula.  Every sum has a fixed
 * order that depends on the shape only.
 */
#undef CHUNK
#define CHUNK 2048

INLINE size_t FN(rows_per_chunk)(size_t cols) { return cols >= CHUNK || cols == 0 ? 1 : CHUNK / cols; }
INLINE size_t FN(min_size)(size_t a, size_t b) { return a < b ? a : b; }

/* Sixteen lanes in double, then pairwise; the few of a short row one after the other. */
static double FN(sum)(size_t n, const real *x) {
    double lane[16] = {0}, few = 0;
    size_t i = 0;
    if (n < 16) {
        for (; i < n; i++) few += (double)x[i];
        return few;
    }
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) lane[j] += (double)x[i + j];
    for (int j = 0; i < n; i++, j++) lane[j] += (double)x[i];
    for (int width = 8; width; width /= 2)
        for (int j = 0; j < width; j++) lane[j] += lane[j + width];
    return lane[0];
}

static double FN(sum_of_squares)(size_t n, const void *xv) {
    const real *x = xv;
    double lane[16] = {0};
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) lane[j] += (double)x[i + j] * (double)x[i + j];
    for (int j = 0; i < n; i++, j++) lane[j] += (double)x[i] * (double)x[i];
    for (int width = 8; width; width /= 2)
        for (int j = 0; j < width; j++) lane[j] += lane[j + width];
    return lane[0];
}

static void FN(add_rows)(size_t rows, size_t cols, size_t ld, const real *x, real *sums) {
    for (size_t r = 0; r < rows; r++) {
        const real *row = x + r * ld;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) sums[c] += row[c];
    }
}

static void FN(column_sums)(size_t rows, size_t cols, size_t ld, const void *x, void *sums) {
    for (size_t c = 0; c < cols; c++) ((real *)sums)[c] = K(0);
    FN(add_rows)(rows, cols, ld, x, sums);
}

static const fastnn_activation FN(activations)[FASTNN_ACTIVATIONS];

/* Contiguous rows are mapped a chunk at a time, the rows of a wider matrix one by one. */
static void FN(bias_forward)(int act, size_t rows, size_t cols, size_t ld, const void *biasv, void *yv, void *zv,
                             const double *params) {
    const real *bias = biasv;
    real *y = yv, *z = zv ? zv : yv;
    const size_t step = ld == cols ? FN(rows_per_chunk)(cols) : 1;
    for (size_t r = 0; r < rows; r += step) {
        const size_t m = FN(min_size)(step, rows - r);
        for (size_t k = r; k < r + m; k++) {
            const real *from = y + k * ld;
            real *to = z + k * ld;
            if (bias) {
                _Pragma("omp simd") for (size_t c = 0; c < cols; c++) to[c] = from[c] + bias[c];
            } else if (to != from) {
                __builtin_memcpy(to, from, cols * sizeof(real));
            }
        }
        if (act != FASTNN_ACT_identity || z != y)
            FN(activations)[act].forward(m * cols, z + r * ld, y + r * ld, params);
    }
}

static void FN(bias_backward)(int act, size_t rows, size_t cols, size_t ld, const void *dyv, const void *keptv,
                              void *dzv, void *dbv, const double *params) {
    const real *dy = dyv, *kept = keptv;
    real *dz = dzv, *db = dbv;
    const size_t step = ld == cols ? FN(rows_per_chunk)(cols) : 1;
    if (db)
        for (size_t c = 0; c < cols; c++) db[c] = K(0);
    for (size_t r = 0; r < rows; r += step) {
        const size_t m = FN(min_size)(step, rows - r), at = r * ld;
        if (act != FASTNN_ACT_identity || dz != dy)
            FN(activations)[act].backward(m * cols, dy + at, kept + at, dz + at, params);
        if (db) FN(add_rows)(m, cols, ld, dz + at, db);
    }
}

INLINE real FN(row_max)(size_t n, const real *x) {
    real lane[8], top;
    if (n < 8) {
        top = x[0];
        for (size_t i = 1; i < n; i++) top = fmax(top, x[i]);
        return top;
    }
    for (int j = 0; j < 8; j++) lane[j] = x[j];
    size_t i = 8;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++) lane[j] = fmax(lane[j], x[i + j]);
    for (int j = 0; i < n; i++, j++) lane[j] = fmax(lane[j], x[i]);
    top = lane[0];
    for (int j = 1; j < 8; j++) top = fmax(top, lane[j]);
    return top;
}

static void FN(exp_block)(size_t n, const void *xv, void *yv) {
    for (size_t i = 0; i < n; i += BLOCK) {
        INPUT(xs, xv)
        OUTPUT(ys, yv)
        VECTOR ys[j] = fexp(xs[j]);
        COPY_BACK(ys, yv)
    }
}

/* e = exp(x - max) and its row sums; the shared first half of the softmax family. */
INLINE void FN(shifted_exp)(size_t rows, size_t cols, const real *x, real *e, real *max, double *sum) {
    for (size_t r = 0; r < rows; r++) {
        const real top = max[r] = FN(row_max)(cols, x + r * cols);
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) e[r * cols + c] = x[r * cols + c] - top;
    }
    FN(exp_block)(rows * cols, e, e);
    for (size_t r = 0; r < rows; r++) sum[r] = FN(sum)(cols, e + r * cols);
}

static void FN(softmax)(size_t rows, size_t cols, const void *xv, void *yv) {
    real max[CHUNK];
    double sum[CHUNK];
    const size_t step = FN(rows_per_chunk)(cols);
    for (size_t r = 0; r < rows; r += step) {
        const size_t m = FN(min_size)(step, rows - r);
        real *y = (real *)yv + r * cols;
        FN(shifted_exp)(m, cols, (const real *)xv + r * cols, y, max, sum);
        for (size_t k = 0; k < m; k++) {
            const real scale = (real)(1 / sum[k]);
            _Pragma("omp simd") for (size_t c = 0; c < cols; c++) y[k * cols + c] *= scale;
        }
    }
}

/* The sum of exp(x - max) of one row, and its max; exp(x - max) itself is forgotten. */
static double FN(sum_of_exp)(size_t cols, const real *x, real *max) {
    const real top = *max = FN(row_max)(cols, x);
    double total = 0;
    real e[CHUNK];
    for (size_t c = 0; c < cols; c += CHUNK) {
        const size_t m = FN(min_size)(CHUNK, cols - c);
        _Pragma("omp simd") for (size_t j = 0; j < m; j++) e[j] = x[c + j] - top;
        FN(exp_block)(m, e, e);
        total += FN(sum)(m, e);
    }
    return total;
}

/* x - max - log(sum): exact in the tail where log(softmax) would be -inf. */
static void FN(log_softmax)(size_t rows, size_t cols, const void *xv, void *yv) {
    for (size_t r = 0; r < rows; r++) {
        const real *x = (const real *)xv + r * cols;
        real *y = (real *)yv + r * cols, max;
        const real log_total = (real)__builtin_log(FN(sum_of_exp)(cols, x, &max));
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) y[c] = x[c] - max - log_total;
    }
}

static void FN(logsumexp)(size_t rows, size_t cols, const void *xv, void *yv) {
    for (size_t r = 0; r < rows; r++) {
        real max;
        const double total = FN(sum_of_exp)(cols, (const real *)xv + r * cols, &max);
        /* an infinite maximum is the answer itself: inf - inf would be NaN */
        ((real *)yv)[r] = fabs_(max) <= REAL_MAX ? (real)((double)max + __builtin_log(total)) : max;
    }
}

static void FN(softmax_backward)(size_t rows, size_t cols, const void *dyv, const void *yv, void *dxv) {
    for (size_t r = 0; r < rows; r++) {
        const real *dy = (const real *)dyv + r * cols, *y = (const real *)yv + r * cols;
        real *dx = (real *)dxv + r * cols, product[CHUNK];
        double total = 0;
        for (size_t c = 0; c < cols; c += CHUNK) {
            const size_t m = FN(min_size)(CHUNK, cols - c);
            _Pragma("omp simd") for (size_t j = 0; j < m; j++) product[j] = dy[c + j] * y[c + j];
            total += FN(sum)(m, product);
        }
        const real dot = (real)total;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) dx[c] = y[c] * (dy[c] - dot);
    }
}

static void FN(log_softmax_backward)(size_t rows, size_t cols, const void *dyv, const void *yv, void *dxv) {
    for (size_t r = 0; r < rows; r++) {
        const real *dy = (const real *)dyv + r * cols, *y = (const real *)yv + r * cols;
        real *dx = (real *)dxv + r * cols, e[CHUNK];
        const real total = (real)FN(sum)(cols, dy);
        for (size_t c = 0; c < cols; c += CHUNK) {
            const size_t m = FN(min_size)(CHUNK, cols - c);
            FN(exp_block)(m, y + c, e);
            _Pragma("omp simd") for (size_t j = 0; j < m; j++) dx[c + j] = dy[c + j] - e[j] * total;
        }
    }
}

static const fastnn_loss FN(losses)[FASTNN_LOSSES];

/* An element-wise loss row applied to whole samples: row loss = weight * mean, or sum, over the last axis. */
static void FN(elementwise_loss)(int loss, const fastnn_loss_args *a) {
    const size_t cols = a->cols, step = FN(rows_per_chunk)(cols);
    const fastnn_loss *row = &FN(losses)[loss];
    const double count = row->sums ? 1 : (double)cols;
    real values[CHUNK];
    for (size_t r = 0; r < a->rows; r += step) {
        const size_t m = FN(min_size)(step, a->rows - r);
        double total = 0;
        for (size_t at = r * cols, end = (r + m) * cols; at < end; at += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, end - at);
            real *grad = a->grad ? (real *)a->grad + at : NULL;
            row->with_grad(n, (const real *)a->pred + at, (const real *)a->target + at, values, grad, a->params);
            if (step == 1) total += FN(sum)(n, values);
        }
        for (size_t k = 0; k < m; k++) {
            const double weight = a->row_weight ? a->row_weight[r + k] : 1;
            const double sum = step == 1 ? total : FN(sum)(cols, values + k * cols);
            /* what has no weight counts nothing, whatever it holds */
            if (a->row_loss) a->row_loss[r + k] = weight == 0 ? 0 : weight * sum / count;
            if (!a->grad) continue;
            real *grad = (real *)a->grad + (r + k) * cols;
            const real scale = (real)(weight * a->grad_scale / count);
            if (weight == 0) {
                for (size_t c = 0; c < cols; c++) grad[c] = K(0);
            } else {
                _Pragma("omp simd") for (size_t c = 0; c < cols; c++) grad[c] *= scale;
            }
        }
    }
}

/* The first of the largest; the first NaN, where there is one (as NumPy has it). */
INLINE size_t FN(argmax)(size_t n, const real *x) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        if (x[best] != x[best]) break;
        if (!(x[i] <= x[best])) best = i;
    }
    return best;
}

/* hits[row] = 1 where the prediction is right; the three ways in which "accuracy" is resolved. */
static void FN(label_hits)(size_t rows, size_t cols, const void *pred, const int32_t *labels, double *hits) {
    for (size_t r = 0; r < rows; r++) hits[r] = FN(argmax)(cols, (const real *)pred + r * cols) == (size_t)labels[r];
}
static void FN(argmax_hits)(size_t rows, size_t cols, const void *pred, const void *target, double *hits) {
    for (size_t r = 0; r < rows; r++)
        hits[r] = FN(argmax)(cols, (const real *)pred + r * cols) == FN(argmax)(cols, (const real *)target + r * cols);
}
static void FN(threshold_hits)(size_t rows, size_t cols, const void *pred, const void *target, double threshold,
                               double *hits) {
    for (size_t r = 0; r < rows; r++) {
        const real *p = (const real *)pred + r * cols, *t = (const real *)target + r * cols;
        double count = 0;
        for (size_t c = 0; c < cols; c++) count += (real)((double)p[c] > threshold) == t[c];
        hits[r] = count / (double)cols;
    }
}

#define GATHER(name, type)                                                                                             \
    static void FN(gather_##name)(size_t rows, size_t cols, const void *source, const int64_t *index, void *out) {     \
        for (size_t r = 0; r < rows; r++) {                                                                            \
            const type *from = (const type *)source + (size_t)index[r] * cols;                                         \
            real *to = (real *)out + r * cols;                                                                         \
            _Pragma("omp simd") for (size_t c = 0; c < cols; c++) to[c] = (real)from[c];                               \
        }                                                                                                              \
    }
GATHER(f32, float)
GATHER(f64, double)
GATHER(u8, uint8_t)
GATHER(i32, int32_t)
GATHER(i64, int64_t)
#undef GATHER

/* x - x is 0 for finite x only: a whole block is summed before anything is compared */
static size_t FN(first_nonfinite)(size_t n, const void *xv) {
    const real *x = xv;
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t end = FN(min_size)(i + CHUNK, n);
        real_int bad = 0;
        for (size_t k = i; k < end; k++) bad |= (x[k] - x[k]) != 0;
        if (bad)
            for (size_t k = i; k < end; k++)
                if (!(fabs_(x[k]) <= REAL_MAX)) return k;
    }
    return n;
}
