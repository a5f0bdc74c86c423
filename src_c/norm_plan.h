/* What normalisation and noise share with the Cython layer: the geometry of statistics, and the kernels' signatures.
 *
 * An array is seen as (images, outer, channels, inner).  Statistics are taken for each image and group of channels,
 * over outer, the channels of the group and inner:
 *
 *   batch normalisation, channels last    (1, samples * pixels, channels, 1), groups = channels
 *   batch normalisation, channels first   (1, samples, channels, pixels), groups = channels
 *   instance normalisation                (samples, pixels, channels, 1), groups = channels
 *   group normalisation                   (samples, pixels, channels, 1), groups of several channels
 *
 * It is cut into tiles of `row_tile` steps of outer and `col_tile` channels by shape alone.  Where inner is 1, a tile
 * has at most FASTNN_NORM_COLS channels; where it is more, row_tile is 1. */
#ifndef FASTNN_NORM_PLAN_H
#define FASTNN_NORM_PLAN_H
#include <stddef.h>
#include <stdint.h>

enum { FASTNN_NORM_COLS = 256 };

typedef struct {
    size_t images, outer, channels, inner, groups, row_tile, col_tile;
} fastnn_norm;

/* 1 / sqrt(variance + eps); 1 / max(sqrt(variance), eps); and the way back: times max(sqrt(variance), eps) */
enum { FASTNN_NORM_ADDED, FASTNN_NORM_FLOORED, FASTNN_NORM_INVERTED };

/* From sums to what is applied: statistics of the tiles (partial), or, where that is NULL, given ones (mean, variance;
 * no mean is 0).  coefficients (3, images, channels): y = (x - [0]) * [1] + [2].  stats (2, images, groups): means and
 * inverse deviations, unless NULL.  With partial, mean and variance are moving statistics that take the batch in. */
typedef struct {
    double *partial;
    const void *gamma, *beta;
    void *mean, *variance;
    double eps, momentum;
    int rule, unbiased;
    double *stats;
    void *coefficients;
} fastnn_norm_statistics;

/* What a row is normalised by: mean and variance; mean square; norm; variance, but the mean stays (what Keras calls
 * rms_scaling) */
enum { FASTNN_NORM_LAYER, FASTNN_NORM_RMS, FASTNN_NORM_UNIT, FASTNN_NORM_SCALED };

typedef struct {
    /* partial (images, row tiles, 2, channels): mean and sum of squared deviations; or sums of dy and dy * (x - m) */
    void (*moments)(const fastnn_norm *g, size_t tile, const void *x, double *partial);
    void (*statistics)(const fastnn_norm *g, const fastnn_norm_statistics *s);
    void (*apply)(const fastnn_norm *g, size_t tile, const void *x, const void *coefficients, void *y);
    void (*sums)(const fastnn_norm *g, size_t tile, const void *dy, const void *x, const void *coefficients,
                 double *partial);
    /* coefficients (4, images, channels): dx = [1] dy + [2] (x - [0]) + [3]; where the statistics were given (fixed),
     * as in apply: dx = (dy - [0]) * [1] + [2] */
    void (*gradients)(const fastnn_norm *g, double *partial, const void *gamma, const double *stats, int fixed,
                      void *dgamma, void *dbeta, void *coefficients);
    void (*backward)(const fastnn_norm *g, size_t tile, const void *dy, const void *x, const void *coefficients,
                     void *dx);

    /* (rows, cols), gamma and beta (cols) or NULL; mean and inverse (rows) */
    void (*rows)(int kind, size_t rows, size_t cols, const void *x, const void *gamma, const void *beta, double eps,
                 void *y, double *mean, double *inverse);
    /* dx or NULL; sums (2, cols): of dy * normalised x and of dy over these rows, or NULL */
    void (*rows_backward)(int kind, size_t rows, size_t cols, const void *dy, const void *x, const void *gamma,
                          double eps, const double *mean, const double *inverse, void *dx, double *sums);
    /* dgamma and dbeta (cols), unless NULL: sums (tiles, 2, cols) over the tiles */
    void (*rows_gradients)(size_t tiles, size_t cols, const double *sums, void *dgamma, void *dbeta);

    /* y = x / (k + alpha * sum of x^2 over `size` neighbours in the row) ^ beta */
    void (*lrn)(size_t rows, size_t cols, size_t size, double alpha, double beta, double k, const void *x, void *y);
    void (*lrn_backward)(size_t rows, size_t cols, size_t size, double alpha, double beta, double k, const void *dy,
                         const void *x, void *dx);

    /* statistics of the rows that a mask lets through, one entry for `each` rows of an array with inner = 1: for some
     * columns, in the place of the first tile's; and dx from the coefficients that gradients leaves */
    void (*masked_moments)(const fastnn_norm *g, size_t first, size_t cols, size_t each, const void *x,
                           const uint8_t *mask, double *partial);
    void (*masked_backward)(const fastnn_norm *g, size_t tile, size_t each, const void *dy, const void *x,
                            const void *coefficients, const uint8_t *mask, void *dx);
} fastnn_norm_kernels;

/* Random streams as in dropout; first is a multiple of 4. */
typedef struct {
    /* y = scale x + shift where the mask is drawn 1, fill elsewhere */
    void (*alpha_dropout)(size_t n, const void *x, void *y, uint8_t *mask, uint64_t seed, uint32_t stream,
                          uint32_t step, uint64_t first, double rate, double scale, double shift, double fill);
    void (*dropout_mask)(size_t n, uint8_t *mask, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first,
                         double rate);
    /* y (images, outer, channels) = x * scale where mask (images, channels) is 1, 0 elsewhere */
    void (*masked_channels)(size_t images, size_t outer, size_t channels, const void *x, const uint8_t *mask, void *y,
                            double scale);
    void (*gaussian_noise)(size_t n, void *y, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first,
                           double mean, double deviation);
    /* y = 1 with probability p, else 0; NaN where p is */
    void (*bernoulli)(size_t n, const void *p, void *y, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first);
    /* y = x where the mask is drawn 1, elsewhere low or high */
    void (*salt_and_pepper)(size_t n, const void *x, void *y, uint8_t *mask, uint64_t seed, uint32_t stream,
                            uint32_t step, uint64_t first, double rate, double low, double high);
} fastnn_noise_kernels;
#endif
