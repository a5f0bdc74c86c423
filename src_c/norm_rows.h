/* Normalisation of rows: layer (Ba, Kiros, Hinton 2016), root mean square (Zhang, Sennrich 2019) and unit
 * normalisation, local response normalisation (Krizhevsky, Sutskever, Hinton 2012), and the table of all kernels of
 * normalisation.
 *
 * A row is read again while it is in the cache.  As in norm.h, y = ((x - m) * inverse + rest) with m the rounded mean
 * and rest what the rounding of m would add. */

static void FN(norm_rows)(int kind, size_t rows, size_t cols, const void *xv, const void *gammav, const void *betav,
                          double eps, void *yv, double *means, double *inverses) {
    const real *gamma = gammav, *beta = betav;
    const int centred = kind == FASTNN_NORM_LAYER || kind == FASTNN_NORM_SCALED;
    for (size_t r = 0; r < rows; r++) {
        const real *x = (const real *)xv + r * cols;
        real *y = (real *)yv + r * cols;
        double mean = 0, squares;
        if (centred)
            FN(norm_run_moments)(cols, x, &mean, &squares);
        else
            squares = FN(sum_of_squares)(cols, x);
        double deviation = __builtin_sqrt(kind == FASTNN_NORM_UNIT ? squares : squares / (double)cols + eps);
        if (kind == FASTNN_NORM_UNIT) deviation = deviation < eps ? eps : deviation;
        const double subtracted = kind == FASTNN_NORM_LAYER ? mean : 0;
        const real m = (real)subtracted, scale = (real)(1 / deviation);
        const real rest = (real)(((double)m - subtracted) / deviation);
        if (gamma && beta) {
            _Pragma("omp simd") for (size_t c = 0; c < cols; c++) y[c] =
                ((x[c] - m) * scale + rest) * gamma[c] + beta[c];
        } else if (gamma) {
            _Pragma("omp simd") for (size_t c = 0; c < cols; c++) y[c] = ((x[c] - m) * scale + rest) * gamma[c];
        } else {
            _Pragma("omp simd") for (size_t c = 0; c < cols; c++) y[c] = (x[c] - m) * scale + rest;
            if (beta) _Pragma("omp simd") for (size_t c = 0; c < cols; c++) y[c] += beta[c];
        }
        means[r] = mean;
        inverses[r] = 1 / deviation;
    }
}

static void FN(norm_rows_backward)(int kind, size_t rows, size_t cols, const void *dyv, const void *xv,
                                   const void *gammav, double eps, const double *means, const double *inverses,
                                   void *dxv, double *sums) {
    const real *gamma = gammav;
    real h[CHUNK], hz[CHUNK];
    if (sums)
        for (size_t c = 0; c < 2 * cols; c++) sums[c] = 0;
    for (size_t r = 0; r < rows; r++) {
        const real *dy = (const real *)dyv + r * cols, *x = (const real *)xv + r * cols;
        const double mean = means[r], inverse = inverses[r], subtracted = kind == FASTNN_NORM_LAYER ? mean : 0;
        const real m = (real)subtracted, scale = (real)inverse, rest = (real)(((double)m - subtracted) * inverse);
        double first = 0, second = 0;
        for (size_t at = 0; at < cols; at += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, cols - at);
            const real *g = dy + at, *from = x + at, *factor = gamma ? gamma + at : NULL;
            if (sums) {
                double *of_gamma = sums + at, *of_beta = of_gamma + cols;
                _Pragma("omp simd") for (size_t c = 0; c < n; c++) {
                    of_gamma[c] += (double)(g[c] * ((from[c] - m) * scale + rest));
                    of_beta[c] += (double)g[c];
                }
            }
            if (factor) {
                _Pragma("omp simd") for (size_t c = 0; c < n; c++) h[c] = g[c] * factor[c];
                g = h;
            }
            _Pragma("omp simd") for (size_t c = 0; c < n; c++) hz[c] = g[c] * ((from[c] - m) * scale + rest);
            if (kind == FASTNN_NORM_LAYER) first += FN(sum)(n, g);
            second += FN(sum)(n, hz);
        }
        if (!dxv) continue;
        real *dx = (real *)dxv + r * cols;
        /* where the norm is held above eps, it does not depend on x */
        if (kind != FASTNN_NORM_UNIT)
            second /= (double)cols;
        else if (inverse >= 1 / eps)
            second = 0;
        const real centre = (real)mean, slope = (real)(-inverse * inverse * second);
        const real shift = (real)(inverse * (inverse * (mean - (double)centre) * second - first / (double)cols));
        if (gamma) {
            _Pragma("omp simd") for (size_t c = 0; c < cols; c++) dx[c] =
                scale * (dy[c] * gamma[c]) + (slope * (x[c] - centre) + shift);
        } else {
            _Pragma("omp simd") for (size_t c = 0; c < cols; c++) dx[c] =
                scale * dy[c] + (slope * (x[c] - centre) + shift);
        }
    }
}

static void FN(norm_rows_gradients)(size_t tiles, size_t cols, const double *sums, void *dgammav, void *dbetav) {
    real *dgamma = dgammav, *dbeta = dbetav;
    for (size_t c = 0; c < cols; c++) {
        double of_gamma = 0, of_beta = 0;
        for (size_t t = 0; t < tiles; t++) {
            of_gamma += sums[2 * t * cols + c];
            of_beta += sums[(2 * t + 1) * cols + c];
        }
        if (dgamma) dgamma[c] = (real)of_gamma;
        if (dbeta) dbeta[c] = (real)of_beta;
    }
}

/* ---- local response normalisation; channel c sees c - size / 2 ... c + (size - 1) / 2, inside of the row */

/* total[i - first] += u[i + w] for `count` channels from `first` on, where u is known from `from` to `end` */
INLINE void FN(lrn_add)(size_t first, size_t count, ptrdiff_t w, size_t from, size_t end, const real *u, real *total) {
    const ptrdiff_t low = (ptrdiff_t)from - w, high = (ptrdiff_t)end - w;
    const size_t start = low > (ptrdiff_t)first ? (size_t)low : first;
    const size_t stop = high < (ptrdiff_t)(first + count) ? (high < 0 ? 0 : (size_t)high) : first + count;
    if (start >= stop) return;
    const real *source = u + ((ptrdiff_t)start + w - (ptrdiff_t)from);
    real *target = total + (start - first);
    const size_t n = stop - start;
    _Pragma("omp simd") for (size_t i = 0; i < n; i++) target[i] += source[i];
}

/* s = k + alpha * sum of squares of the neighbours, for some channels of a row of `cols` */
static void FN(lrn_base)(size_t cols, size_t size, real alpha, real k, const real *x, size_t first, size_t count,
                         real *s) {
    const size_t before = size / 2, after = (size - 1) / 2;
    const size_t from = first > before ? first - before : 0, end = FN(min_size)(cols, first + count + after);
    real squares[CHUNK];
    for (size_t i = 0; i < count; i++) s[i] = K(0);
    for (size_t j = from; j < end; j += CHUNK) {
        const size_t n = FN(min_size)(CHUNK, end - j);
        _Pragma("omp simd") for (size_t i = 0; i < n; i++) squares[i] = x[j + i] * x[j + i];
        for (ptrdiff_t w = -(ptrdiff_t)before; w <= (ptrdiff_t)after; w++)
            FN(lrn_add)(first, count, w, j, j + n, squares, s);
    }
    _Pragma("omp simd") for (size_t i = 0; i < count; i++) s[i] = k + alpha * s[i];
}

/* y = s^power */
static void FN(lrn_power)(size_t n, real power, const real *sv, real *yv) {
    for (size_t i = 0; i < n; i += BLOCK) {
        INPUT(ss, sv)
        OUTPUT(ys, yv)
        VECTOR ys[j] = fexp(power * flog(ss[j]));
        COPY_BACK(ys, yv)
    }
}

static void FN(lrn)(size_t rows, size_t cols, size_t size, double alpha, double beta, double k, const void *xv,
                    void *yv) {
    real s[CHUNK];
    for (size_t r = 0; r < rows; r++)
        for (size_t at = 0; at < cols; at += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, cols - at);
            const real *x = (const real *)xv + r * cols;
            real *y = (real *)yv + r * cols + at;
            FN(lrn_base)(cols, size, (real)alpha, (real)k, x, at, n, s);
            FN(lrn_power)(n, (real)-beta, s, s);
            _Pragma("omp simd") for (size_t i = 0; i < n; i++) y[i] = x[at + i] * s[i];
        }
}

/* dx = dy s^-beta - 2 alpha beta x * sum of u over the channels that see this one, u = dy x s^(-beta - 1) */
static void FN(lrn_backward)(size_t rows, size_t cols, size_t size, double alpha, double beta, double k,
                             const void *dyv, const void *xv, void *dxv) {
    const size_t before = size / 2, after = (size - 1) / 2;
    const real factor = (real)(2 * alpha * beta);
    real s[CHUNK], power[CHUNK], u[CHUNK], total[CHUNK];
    for (size_t r = 0; r < rows; r++)
        for (size_t at = 0; at < cols; at += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, cols - at);
            const real *x = (const real *)xv + r * cols, *dy = (const real *)dyv + r * cols;
            real *dx = (real *)dxv + r * cols;
            const size_t from = at > after ? at - after : 0, end = FN(min_size)(cols, at + n + before);
            for (size_t i = 0; i < n; i++) total[i] = K(0);
            for (size_t j = from; j < end; j += CHUNK) {
                const size_t m = FN(min_size)(CHUNK, end - j);
                FN(lrn_base)(cols, size, (real)alpha, (real)k, x, j, m, s);
                FN(lrn_power)(m, (real)(-beta - 1), s, power);
                _Pragma("omp simd") for (size_t i = 0; i < m; i++) u[i] = dy[j + i] * x[j + i] * power[i];
                for (ptrdiff_t w = -(ptrdiff_t)after; w <= (ptrdiff_t)before; w++)
                    FN(lrn_add)(at, n, w, j, j + m, u, total);
            }
            FN(lrn_base)(cols, size, (real)alpha, (real)k, x, at, n, s);
            FN(lrn_power)(n, (real)-beta, s, power);
            _Pragma("omp simd") for (size_t i = 0; i < n; i++) dx[at + i] =
                dy[at + i] * power[i] - factor * x[at + i] * total[i];
        }
}

static const fastnn_norm_kernels FN(norm_table) = {
    .moments = FN(norm_moments),
    .statistics = FN(norm_statistics),
    .apply = FN(norm_apply),
    .sums = FN(norm_sums),
    .gradients = FN(norm_gradients),
    .backward = FN(norm_backward),
    .rows = FN(norm_rows),
    .rows_backward = FN(norm_rows_backward),
    .rows_gradients = FN(norm_rows_gradients),
    .lrn = FN(lrn),
    .lrn_backward = FN(lrn_backward),
    .masked_moments = FN(norm_masked_moments),
    .masked_backward = FN(norm_masked_backward),
};
