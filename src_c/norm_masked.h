/* Batch normalisation where some rows do not count: channels last, and one entry of the mask for every `each` rows.
 *
 * As in Keras, mean = sum of w x / n and variance = sum of w (x - mean)^2 / n with n = sum of w + 1e-7; every row is
 * normalised by them.  They leave what the kernels of norm.h go on with: a mean and a sum of squares that stand for
 * all rows, so that divided by their number they give the mean and the variance of those that count. */
#define NORM_NOTHING 1e-7 /* keeps 0 / 0 away where nothing counts */

static double FN(norm_counted)(size_t rows, size_t each, const uint8_t *mask) {
    double count = NORM_NOTHING;
    for (size_t r = 0; r < rows; r += each) count += mask[r / each] ? (double)each : 0;
    return count;
}

/* Some columns; partial (2, channels). */
static void FN(norm_masked_moments)(const fastnn_norm *g, size_t first, size_t cols, size_t each, const void *xv,
                                    const uint8_t *mask, double *partial) {
    const real *x = (const real *)xv + first;
    const double n = FN(norm_counted)(g->outer, each, mask), scale = (double)g->outer / n;
    double *mean = partial + first, *m2 = mean + g->channels;
    for (size_t c = 0; c < cols; c++) mean[c] = m2[c] = 0;
    for (size_t r = 0; r < g->outer; r++) {
        const real *row = x + r * g->channels;
        if (mask[r / each]) _Pragma("omp simd") for (size_t c = 0; c < cols; c++) mean[c] += (double)row[c];
    }
    for (size_t c = 0; c < cols; c++) mean[c] /= n;
    for (size_t r = 0; r < g->outer; r++) {
        const real *row = x + r * g->channels;
        if (mask[r / each]) _Pragma("omp simd") for (size_t c = 0; c < cols; c++) {
                const double d = (double)row[c] - mean[c];
                m2[c] += d * d;
            }
    }
    for (size_t c = 0; c < cols; c++) m2[c] *= scale;
}

/* dx = p dy, and for rows that count what comes through mean and variance as well, which are of fewer rows than
 * norm_gradients has divided by. */
static void FN(norm_masked_backward)(const fastnn_norm *g, size_t tile, size_t each, const void *dyv, const void *xv,
                                     const void *coefficients, const uint8_t *mask, void *dxv) {
    const FN(norm_tile) t = FN(norm_tile_at)(g, tile);
    const real *dy = (const real *)dyv + t.first, *x = (const real *)xv + t.first;
    const real *m = (const real *)coefficients + t.channel, *p = m + g->channels, *q = p + g->channels,
               *s = q + g->channels;
    const double n = FN(norm_counted)(g->outer, each, mask), scale = (double)g->outer / n;
    const size_t row = t.first / g->channels;
    real *dx = (real *)dxv + t.first, slope[FASTNN_NORM_COLS], shift[FASTNN_NORM_COLS];
    for (size_t c = 0; c < t.cols; c++) {
        slope[c] = (real)(scale * (double)q[c]);
        shift[c] = (real)(scale * ((double)s[c] - (double)q[c] * (double)m[c] * (NORM_NOTHING / n)));
    }
    for (size_t r = 0; r < t.rows; r++) {
        const real *given = dy + r * g->channels, *from = x + r * g->channels;
        real *to = dx + r * g->channels;
        if (mask[(row + r) / each]) {
            _Pragma("omp simd") for (size_t c = 0; c < t.cols; c++) to[c] =
                p[c] * given[c] + (slope[c] * (from[c] - m[c]) + shift[c]);
        } else {
            _Pragma("omp simd") for (size_t c = 0; c < t.cols; c++) to[c] = p[c] * given[c];
        }
    }
}
#undef NORM_NOTHING
