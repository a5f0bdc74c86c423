/* Adafactor: one step of one parameter, whose second moments are kept as means of rows and columns (N. Shazeer,
 * M. Stern, ICML 2018, algorithms 4 and 5, without first moment).
 *
 *   s = g^2 + eps1;  r, c = running means of the means of s over rows and columns;  v = r c^T / mean(r)
 *   u = g / sqrt(v);  p -= rate max(eps2, rms(p)) u / max(1, rms(u) / threshold)
 *
 * A parameter is `matrices` matrices one behind the other; without `c` it is one row, and r is v itself.  Sums are in
 * double and have one order.
 */

/* x = keep x + gain (sum of column or row of s) / count, for one number */
INLINE real FN(moved)(real x, double keep, double gain, double sum, size_t count, double eps) {
    return (real)(keep * (double)x + gain * (sum / (double)count + eps));
}

/* The running means of one matrix. */
static void FN(adafactor_means)(const fastnn_adafactor *a, const real *g, real *r, real *c) {
    const double gain = 1 - a->beta, square = a->gradient_scale * a->gradient_scale;
    double sums[CHUNK];
    for (size_t i = 0; i < a->rows; i++) {
        const double sum = square * FN(sum_of_squares)(a->cols, g + i * a->cols);
        r[i] = FN(moved)(r[i], a->beta, gain, sum, a->cols, a->eps1);
    }
    for (size_t first = 0; first < a->cols; first += CHUNK) {
        const size_t n = FN(min_size)(CHUNK, a->cols - first);
        for (size_t j = 0; j < n; j++) sums[j] = 0;
        for (size_t i = 0; i < a->rows; i++) {
            const real *row = g + i * a->cols + first;
            _Pragma("omp simd") for (size_t j = 0; j < n; j++) sums[j] += (double)row[j] * (double)row[j];
        }
        for (size_t j = 0; j < n; j++)
            c[first + j] = FN(moved)(c[first + j], a->beta, gain, square * sums[j], a->rows, a->eps1);
    }
}

/* u of some neighbours, for which v = row^2 * column: the product itself may be too small for a float */
INLINE void FN(adafactor_direction)(size_t n, real scale, const real *g, real row, const real *v, real *u) {
    for (size_t i = 0; i < n; i += BLOCK) {
        INPUT(gs, g)
        INPUT(vs, v)
        OUTPUT(us, u)
        VECTOR us[j] = scale * gs[j] / (row * fsqrt(vs[j]));
        COPY_BACK(us, u)
    }
}

static void FN(adafactor)(const fastnn_adafactor *a) {
    const size_t size = a->matrices * a->rows * a->cols;
    const real scale = (real)a->gradient_scale, keep = (real)(1 - a->decay);
    real *p = a->p, *r = a->r, *c = a->c, u[CHUNK];
    const real *g = a->g;
    double squares = 0, step = 0, mean = 1;
    if (a->decay != 0) {
        _Pragma("omp simd") for (size_t i = 0; i < size; i++) p[i] *= keep;
    }
    const double of_p = __builtin_sqrt(FN(sum_of_squares)(size, p)) / __builtin_sqrt((double)size);
    for (size_t i = 0; !c && i < size; i++) {
        const double x = a->gradient_scale * (double)g[i];
        r[i] = (real)(a->beta * (double)r[i] + (1 - a->beta) * (x * x + a->eps1));
    }
    for (size_t m = 0; c && m < a->matrices; m++)
        FN(adafactor_means)(a, g + m * a->rows * a->cols, r + m * a->rows, c + m * a->cols);
    /* the first time round the size of the whole step, the second time the step */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t line = 0; line < a->matrices * a->rows; line++) {
            const size_t m = line / a->rows;
            if (c && line % a->rows == 0) mean = FN(sum)(a->rows, r + line) / (double)a->rows;
            const real row = c ? (real)__builtin_sqrt((double)r[line] / mean) : K(1);
            for (size_t first = 0; first < a->cols; first += CHUNK) {
                const size_t n = FN(min_size)(CHUNK, a->cols - first), at = line * a->cols + first;
                FN(adafactor_direction)(n, scale, g + at, row, c ? c + m * a->cols + first : r + at, u);
                if (pass == 0) {
                    squares += FN(sum_of_squares)(n, u);
                } else {
                    const real length = (real)step;
                    _Pragma("omp simd") for (size_t j = 0; j < n; j++) p[at + j] -= length * u[j];
                }
            }
        }
        const double excess = __builtin_sqrt(squares) / __builtin_sqrt((double)size) / a->threshold;
        /* as max(): a NaN stays one */
        step = a->rate * (of_p < a->eps2 ? a->eps2 : of_p) / (excess < 1 ? 1 : excess);
    }
}
