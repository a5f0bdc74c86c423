/* Normalisation by statistics of channels: batch, instance and group normalisation (norm_plan.h has the geometry).
 *
 * Sums.  A tile is read twice while it is in the cache: once for a centre, the rounded mean of each channel, once for
 * the sums of d and d^2 with d = x - centre.  So nothing cancels, however far the mean is from zero, and the rounding
 * of the centre is made good: mean = centre + sum d / n, M2 = sum d^2 - (sum d)^2 / n.  A few rows are added in the
 * array's dtype before they go into a sum in double.  Tiles, and then the channels of a group, are combined pairwise
 * (Chan, Golub, LeVeque 1983) in their order.
 *
 * What is applied is y = (x - m) a + b with m the rounded mean, a = gamma / deviation, and b = beta less what the
 * rounding of m would add.  x a + b' in one multiplication would lose all digits where the mean is large.
 *
 * Where squares or sums do not fit into the array's dtype, a tile's column is summed again in double.
 *
 * Rows of few channels are seen as rows of several times as many, so that vectors are full. */
#define NORM_NARROW 64

INLINE size_t FN(norm_repeats)(size_t cols, size_t ld) {
    return cols == ld && cols <= NORM_NARROW / 2 ? NORM_NARROW / cols : 1;
}

/* sum[c] += the column's elements */
INLINE void FN(norm_add)(size_t rows, size_t cols, size_t ld, const real *x, double *sum) {
    size_t r = 0;
    for (; r + 8 <= rows; r += 8) {
        const real *p = x + r * ld, *q = p + 4 * ld;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) sum[c] +=
            (double)(((p[c] + p[ld + c]) + (p[2 * ld + c] + p[3 * ld + c])) +
                     ((q[c] + q[ld + c]) + (q[2 * ld + c] + q[3 * ld + c])));
    }
    for (; r < rows; r++) {
        const real *p = x + r * ld;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) sum[c] += (double)p[c];
    }
}

/* sum[c] += d, square[c] += d^2 with d = x - m[c] */
INLINE void FN(norm_add_squares)(size_t rows, size_t cols, size_t ld, const real *x, const real *m, double *sum,
                                 double *square) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const real *p = x + r * ld;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) {
            const real d0 = p[c] - m[c], d1 = p[ld + c] - m[c], d2 = p[2 * ld + c] - m[c], d3 = p[3 * ld + c] - m[c];
            sum[c] += (double)((d0 + d1) + (d2 + d3));
            square[c] += (double)((d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3));
        }
    }
    for (; r < rows; r++) {
        const real *p = x + r * ld;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) {
            const real d = p[c] - m[c];
            sum[c] += (double)d;
            square[c] += (double)(d * d);
        }
    }
}

/* sum[c] += dy, product[c] += dy (x - m[c]) */
INLINE void FN(norm_add_products)(size_t rows, size_t cols, size_t ld, const real *dy, const real *x, const real *m,
                                  double *sum, double *product) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const real *p = x + r * ld, *g = dy + r * ld;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) {
            const real g0 = g[c], g1 = g[ld + c], g2 = g[2 * ld + c], g3 = g[3 * ld + c];
            sum[c] += (double)((g0 + g1) + (g2 + g3));
            product[c] += (double)((g0 * (p[c] - m[c]) + g1 * (p[ld + c] - m[c])) +
                                   (g2 * (p[2 * ld + c] - m[c]) + g3 * (p[3 * ld + c] - m[c])));
        }
    }
    for (; r < rows; r++) {
        const real *p = x + r * ld, *g = dy + r * ld;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) {
            sum[c] += (double)g[c];
            product[c] += (double)(g[c] * (p[c] - m[c]));
        }
    }
}

/* The sums of the wide rows' columns that belong to one column, left in the first `cols` places. */
INLINE void FN(norm_fold)(size_t cols, size_t repeats, double *sum) {
    for (size_t k = 1; k < repeats; k++)
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) sum[c] += sum[k * cols + c];
}
INLINE void FN(norm_clear)(size_t n, double *sum) {
    for (size_t i = 0; i < n; i++) sum[i] = 0;
}
INLINE void FN(norm_spread)(size_t cols, size_t repeats, const real *from, real *to) {
    for (size_t k = 0; k < repeats; k++) __builtin_memcpy(to + k * cols, from, cols * sizeof(real));
}

/* A column again, in double throughout: infinite or NaN if one of its elements is. */
static void FN(norm_wide_moments)(size_t rows, size_t ld, const real *x, double *mean, double *m2) {
    double sum = 0, square = 0;
    for (size_t r = 0; r < rows; r++) sum += (double)x[r * ld];
    sum /= (double)rows;
    for (size_t r = 0; r < rows; r++) {
        const double d = (double)x[r * ld] - sum;
        square += d * d;
    }
    *mean = sum;
    *m2 = square;
}

static void FN(norm_wide_products)(size_t rows, size_t ld, const real *dy, const real *x, real m, double *sum,
                                   double *product) {
    *sum = *product = 0;
    for (size_t r = 0; r < rows; r++) {
        *sum += (double)dy[r * ld];
        *product += (double)dy[r * ld] * ((double)x[r * ld] - (double)m);
    }
}

static void FN(norm_column_moments)(size_t rows, size_t cols, size_t ld, const real *x, double *mean, double *m2) {
    double sum[FASTNN_NORM_COLS], square[FASTNN_NORM_COLS];
    real centre[FASTNN_NORM_COLS];
    const size_t repeats = FN(norm_repeats)(cols, ld), width = cols * repeats, step = repeats > 1 ? width : ld;
    const size_t full = rows / repeats, rest = rows % repeats * cols;
    const double n = (double)rows;
    FN(norm_clear)(width, sum);
    FN(norm_add)(full, width, step, x, sum);
    FN(norm_add)(rest ? 1 : 0, rest, step, x + full * step, sum);
    FN(norm_fold)(cols, repeats, sum);
    for (size_t c = 0; c < cols; c++) centre[c] = (real)(sum[c] / n);
    for (size_t k = 1; k < repeats; k++) __builtin_memcpy(centre + k * cols, centre, cols * sizeof(real));
    FN(norm_clear)(width, sum);
    FN(norm_clear)(width, square);
    FN(norm_add_squares)(full, width, step, x, centre, sum, square);
    FN(norm_add_squares)(rest ? 1 : 0, rest, step, x + full * step, centre, sum, square);
    FN(norm_fold)(cols, repeats, sum);
    FN(norm_fold)(cols, repeats, square);
    for (size_t c = 0; c < cols; c++) {
        const double left = square[c] - sum[c] * sum[c] / n;
        mean[c] = (double)centre[c] + sum[c] / n;
        m2[c] = left < 0 ? 0 : left;
        if (m2[c] - m2[c] != 0) FN(norm_wide_moments)(rows, ld, x + c, mean + c, m2 + c);
    }
}

/* The same of one stretch of memory. */
static void FN(norm_run_moments)(size_t n, const real *x, double *mean, double *m2) {
    const real centre = (real)(FN(sum)(n, x) / (double)n);
    double sum[16] = {0}, square[16] = {0};
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) {
            const double d = (double)(x[i + j] - centre);
            sum[j] += d;
            square[j] += d * d;
        }
    for (int j = 0; i < n; i++, j++) {
        const double d = (double)(x[i] - centre);
        sum[j] += d;
        square[j] += d * d;
    }
    for (int width = 8; width; width /= 2)
        for (int j = 0; j < width; j++) {
            sum[j] += sum[j + width];
            square[j] += square[j + width];
        }
    const double left = square[0] - sum[0] * sum[0] / (double)n;
    *mean = (double)centre + sum[0] / (double)n;
    *m2 = left < 0 ? 0 : left;
}

typedef struct {
    size_t image, channel, rows, cols;
    size_t first;   /* of the tile's elements */
    size_t partial; /* where its first channel's sums stand */
} FN(norm_tile);

INLINE size_t FN(norm_row_tiles)(const fastnn_norm *g) { return (g->outer + g->row_tile - 1) / g->row_tile; }

INLINE FN(norm_tile) FN(norm_tile_at)(const fastnn_norm *g, size_t tile) {
    FN(norm_tile) t;
    const size_t down = FN(norm_row_tiles)(g), across = (g->channels + g->col_tile - 1) / g->col_tile;
    const size_t row = tile / across % down;
    t.image = tile / across / down;
    t.channel = tile % across * g->col_tile;
    t.rows = FN(min_size)(g->row_tile, g->outer - row * g->row_tile);
    t.cols = FN(min_size)(g->col_tile, g->channels - t.channel);
    t.first = ((t.image * g->outer + row * g->row_tile) * g->channels + t.channel) * g->inner;
    t.partial = (t.image * down + row) * 2 * g->channels + t.channel;
    return t;
}

static void FN(norm_moments)(const fastnn_norm *g, size_t tile, const void *xv, double *partial) {
    const FN(norm_tile) t = FN(norm_tile_at)(g, tile);
    const real *x = (const real *)xv + t.first;
    double *mean = partial + t.partial, *m2 = mean + g->channels;
    if (g->inner == 1)
        FN(norm_column_moments)(t.rows, t.cols, g->channels, x, mean, m2);
    else
        for (size_t c = 0; c < t.cols; c++) FN(norm_run_moments)(g->inner, x + c * g->inner, mean + c, m2 + c);
}

/* The statistics of all tiles of an image, in the place of the first tile's. */
static void FN(norm_combine)(const fastnn_norm *g, double *partial) {
    const size_t tiles = FN(norm_row_tiles)(g), cols = g->channels;
    double count = (double)(FN(min_size)(g->row_tile, g->outer) * g->inner);
    for (size_t i = 1; i < tiles; i++) {
        const double *other = partial + i * 2 * cols;
        const double more = (double)(FN(min_size)(g->row_tile, g->outer - i * g->row_tile) * g->inner);
        const double total = count + more, share = more / total, weight = count * share;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) {
            const double delta = other[c] - partial[c];
            partial[c] += delta * share;
            partial[cols + c] += other[cols + c] + delta * delta * weight;
        }
        count = total;
    }
}

static void FN(norm_statistics)(const fastnn_norm *g, const fastnn_norm_statistics *s) {
    const real *gamma = s->gamma, *beta = s->beta;
    real *moving_mean = s->mean, *moving_variance = s->variance;
    const size_t cells = g->images * g->channels, share = g->channels / g->groups;
    const double count = (double)(g->outer * g->inner), all = count * (double)share;
    for (size_t n = 0; n < g->images; n++) {
        double *part = s->partial ? s->partial + n * FN(norm_row_tiles)(g) * 2 * g->channels : NULL;
        if (part) FN(norm_combine)(g, part);
        for (size_t k = 0; k < g->groups; k++) {
            double mean = 0, m2 = 0, variance;
            if (part) {
                const double *means = part + k * share, *squares = means + g->channels;
                for (size_t c = 0; c < share; c++) mean += means[c];
                mean /= (double)share;
                for (size_t c = 0; c < share; c++) {
                    const double d = means[c] - mean;
                    m2 += squares[c] + count * d * d;
                }
                variance = m2 / all;
                if (moving_mean) {
                    const double kept = s->momentum, share_of_batch = 1 - s->momentum;
                    const double entering = s->unbiased ? m2 / (all > 1 ? all - 1 : 1) : variance;
                    moving_mean[k] = (real)(kept * (double)moving_mean[k] + share_of_batch * mean);
                    moving_variance[k] = (real)(kept * (double)moving_variance[k] + share_of_batch * entering);
                }
            } else {
                mean = moving_mean ? (double)moving_mean[k] : 0;
                variance = (double)moving_variance[k];
            }
            double inverse, deviation;
            if (s->rule == FASTNN_NORM_ADDED) {
                deviation = __builtin_sqrt(variance + s->eps);
            } else {
                deviation = __builtin_sqrt(variance);
                deviation = deviation < s->eps ? s->eps : deviation;
            }
            inverse = s->rule == FASTNN_NORM_INVERTED ? deviation : 1 / deviation;
            if (s->stats) {
                s->stats[n * g->groups + k] = mean;
                s->stats[(g->images + n) * g->groups + k] = inverse;
            }
            for (size_t c = k * share; c < (k + 1) * share; c++) {
                real *to = (real *)s->coefficients + n * g->channels + c;
                const double a = gamma ? (double)gamma[c] * inverse : inverse, b = beta ? (double)beta[c] : 0;
                if (s->rule == FASTNN_NORM_INVERTED) {
                    to[0] = 0;
                    to[2 * cells] = (real)(b + mean);
                } else {
                    to[0] = (real)mean;
                    to[2 * cells] = (real)(b - (mean - (double)to[0]) * a);
                }
                to[cells] = (real)a;
            }
        }
    }
}

INLINE void FN(norm_apply_rows)(size_t rows, size_t cols, size_t ld, const real *x, const real *m, const real *a,
                                const real *b, real *y) {
    for (size_t r = 0; r < rows; r++) {
        const real *from = x + r * ld;
        real *to = y + r * ld;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) to[c] = (from[c] - m[c]) * a[c] + b[c];
    }
}

static void FN(norm_apply)(const fastnn_norm *g, size_t tile, const void *xv, const void *coefficients, void *yv) {
    const FN(norm_tile) t = FN(norm_tile_at)(g, tile);
    const real *x = (const real *)xv + t.first;
    const size_t cells = g->images * g->channels, ld = g->channels;
    const real *m = (const real *)coefficients + t.image * g->channels + t.channel, *a = m + cells, *b = a + cells;
    real *y = (real *)yv + t.first, wide[3][NORM_NARROW];
    if (g->inner > 1) {
        for (size_t c = 0; c < t.cols; c++) {
            const real *from = x + c * g->inner, mean = m[c], scale = a[c], shift = b[c];
            real *to = y + c * g->inner;
            _Pragma("omp simd") for (size_t i = 0; i < g->inner; i++) to[i] = (from[i] - mean) * scale + shift;
        }
        return;
    }
    const size_t repeats = FN(norm_repeats)(t.cols, ld);
    if (repeats == 1) {
        FN(norm_apply_rows)(t.rows, t.cols, ld, x, m, a, b, y);
        return;
    }
    const size_t width = t.cols * repeats, full = t.rows / repeats, at = full * width;
    FN(norm_spread)(t.cols, repeats, m, wide[0]);
    FN(norm_spread)(t.cols, repeats, a, wide[1]);
    FN(norm_spread)(t.cols, repeats, b, wide[2]);
    FN(norm_apply_rows)(full, width, width, x, wide[0], wide[1], wide[2], y);
    FN(norm_apply_rows)(1, t.rows * t.cols - at, 0, x + at, wide[0], wide[1], wide[2], y + at);
}

static void FN(norm_sums)(const fastnn_norm *g, size_t tile, const void *dyv, const void *xv, const void *coefficients,
                          double *partial) {
    const FN(norm_tile) t = FN(norm_tile_at)(g, tile);
    const real *dy = (const real *)dyv + t.first, *x = (const real *)xv + t.first;
    const real *m = (const real *)coefficients + t.image * g->channels + t.channel;
    double *sums = partial + t.partial, *products = sums + g->channels;
    if (g->inner > 1) {
        for (size_t c = 0; c < t.cols; c++) {
            const real *p = x + c * g->inner, *q = dy + c * g->inner, mean = m[c];
            double sum[16] = {0}, product[16] = {0};
            size_t i = 0;
            for (; i + 16 <= g->inner; i += 16)
                for (int j = 0; j < 16; j++) {
                    sum[j] += (double)q[i + j];
                    product[j] += (double)q[i + j] * (double)(p[i + j] - mean);
                }
            for (int j = 0; i < g->inner; i++, j++) {
                sum[j] += (double)q[i];
                product[j] += (double)q[i] * (double)(p[i] - mean);
            }
            for (int width = 8; width; width /= 2)
                for (int j = 0; j < width; j++) {
                    sum[j] += sum[j + width];
                    product[j] += product[j + width];
                }
            sums[c] = sum[0];
            products[c] = product[0];
        }
        return;
    }
    double sum[FASTNN_NORM_COLS], product[FASTNN_NORM_COLS];
    real wide[NORM_NARROW];
    const size_t repeats = FN(norm_repeats)(t.cols, g->channels), width = t.cols * repeats;
    const size_t step = repeats > 1 ? width : g->channels, full = t.rows / repeats, rest = t.rows % repeats * t.cols;
    if (repeats > 1) {
        FN(norm_spread)(t.cols, repeats, m, wide);
        m = wide;
    }
    FN(norm_clear)(width, sum);
    FN(norm_clear)(width, product);
    FN(norm_add_products)(full, width, step, dy, x, m, sum, product);
    FN(norm_add_products)(rest ? 1 : 0, rest, step, dy + full * step, x + full * step, m, sum, product);
    FN(norm_fold)(t.cols, repeats, sum);
    FN(norm_fold)(t.cols, repeats, product);
    __builtin_memcpy(sums, sum, t.cols * sizeof(double));
    __builtin_memcpy(products, product, t.cols * sizeof(double));
    for (size_t c = 0; c < t.cols; c++)
        if (products[c] - products[c] != 0)
            FN(norm_wide_products)(t.rows, g->channels, dy + c, x + c, m[c], sums + c, products + c);
}

/* With z = (x - mean) / deviation and h = gamma dy: dgamma = sum dy z, dbeta = sum dy, and
 * dx = (h - mean(h) - z mean(h z)) / deviation. */
static void FN(norm_gradients)(const fastnn_norm *g, double *partial, const void *gammav, const double *stats,
                               int fixed, void *dgammav, void *dbetav, void *coefficients) {
    const real *gamma = gammav;
    real *dgamma = dgammav, *dbeta = dbetav;
    const size_t tiles = FN(norm_row_tiles)(g), cols = g->channels, cells = g->images * cols, share = cols / g->groups;
    const double all = (double)(g->outer * share * g->inner);
    for (size_t n = 0; n < g->images; n++) {
        double *sums = partial + n * tiles * 2 * cols, *products = sums + cols;
        for (size_t i = 1; i < tiles; i++) {
            const double *other = sums + i * 2 * cols;
            _Pragma("omp simd") for (size_t c = 0; c < 2 * cols; c++) sums[c] += other[c];
        }
        for (size_t k = 0; k < g->groups; k++) {
            const double mean = stats[n * g->groups + k], inverse = stats[(g->images + n) * g->groups + k];
            const double low = mean - (double)(real)mean;
            double h = 0, hz = 0;
            for (size_t c = k * share; c < (k + 1) * share; c++) {
                const double factor = gamma ? (double)gamma[c] : 1;
                products[c] = inverse * (products[c] - low * sums[c]);
                h += factor * sums[c];
                hz += factor * products[c];
            }
            h /= all;
            hz /= all;
            for (size_t c = k * share; c < (k + 1) * share; c++) {
                real *to = (real *)coefficients + n * cols + c;
                const double a = gamma ? (double)gamma[c] * inverse : inverse;
                to[0] = fixed ? K(0) : (real)mean;
                to[cells] = (real)a;
                to[2 * cells] = fixed ? K(0) : (real)(-inverse * inverse * hz);
                to[3 * cells] = (real)(inverse * (inverse * low * hz - h));
            }
        }
        if (n) _Pragma("omp simd") for (size_t c = 0; c < 2 * cols; c++) partial[c] += sums[c];
    }
    for (size_t c = 0; c < cols; c++) {
        if (dbeta) dbeta[c] = (real)partial[c];
        if (dgamma) dgamma[c] = (real)partial[cols + c];
    }
}

INLINE void FN(norm_backward_rows)(size_t rows, size_t cols, size_t ld, const real *dy, const real *x, const real *m,
                                   const real *p, const real *q, const real *s, real *dx) {
    for (size_t r = 0; r < rows; r++) {
        const real *g = dy + r * ld, *from = x + r * ld;
        real *to = dx + r * ld;
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) to[c] = p[c] * g[c] + (q[c] * (from[c] - m[c]) + s[c]);
    }
}

static void FN(norm_backward)(const fastnn_norm *g, size_t tile, const void *dyv, const void *xv,
                              const void *coefficients, void *dxv) {
    const FN(norm_tile) t = FN(norm_tile_at)(g, tile);
    const real *dy = (const real *)dyv + t.first, *x = (const real *)xv + t.first;
    const size_t cells = g->images * g->channels, ld = g->channels;
    const real *m = (const real *)coefficients + t.image * g->channels + t.channel;
    const real *p = m + cells, *q = p + cells, *s = q + cells;
    real *dx = (real *)dxv + t.first, wide[4][NORM_NARROW];
    if (g->inner > 1) {
        for (size_t c = 0; c < t.cols; c++) {
            const real mean = m[c], scale = p[c], slope = q[c], shift = s[c];
            const real *from = x + c * g->inner, *given = dy + c * g->inner;
            real *to = dx + c * g->inner;
            _Pragma("omp simd") for (size_t i = 0; i < g->inner; i++) to[i] =
                scale * given[i] + (slope * (from[i] - mean) + shift);
        }
        return;
    }
    const size_t repeats = FN(norm_repeats)(t.cols, ld);
    if (repeats == 1) {
        FN(norm_backward_rows)(t.rows, t.cols, ld, dy, x, m, p, q, s, dx);
        return;
    }
    const size_t width = t.cols * repeats, full = t.rows / repeats, at = full * width;
    FN(norm_spread)(t.cols, repeats, m, wide[0]);
    FN(norm_spread)(t.cols, repeats, p, wide[1]);
    FN(norm_spread)(t.cols, repeats, q, wide[2]);
    FN(norm_spread)(t.cols, repeats, s, wide[3]);
    FN(norm_backward_rows)(full, width, width, dy, x, wide[0], wide[1], wide[2], wide[3], dx);
    FN(norm_backward_rows)(1, t.rows * t.cols - at, 0, dy + at, x + at, wide[0], wide[1], wide[2], wide[3], dx + at);
}
#undef NORM_NARROW
