/* Noise of training beside dropout: alpha dropout, dropped channels, Gaussian noise, salt and pepper, units that are on
 * or off; bits are drawn where they are used.
 */

#define NOISE_WORDS(...)                                                                                               \
    uint32_t words[4 * PHILOX_LANES];                                                                                  \
    for (size_t i = 0; i < n; i += 4 * PHILOX_LANES) {                                                                 \
        const size_t m = n - i < 4 * PHILOX_LANES ? n - i : 4 * PHILOX_LANES;                                          \
        philox_blocks(words, seed, stream, step, first + i);                                                           \
        __VA_ARGS__                                                                                                    \
    }

INLINE uint32_t FN(drop_threshold)(double rate) {
    const double limit = __builtin_ceil(rate * 4294967296.0);
    return limit >= 4294967295.0 ? 4294967295u : (uint32_t)limit;
}

static void FN(alpha_dropout)(size_t n, const void *xv, void *yv, uint8_t *mask, uint64_t seed, uint32_t stream,
                              uint32_t step, uint64_t first, double rate, double scale, double shift, double fill) {
    const real *x = xv, a = (real)scale, b = (real)shift, dropped = (real)fill;
    real *y = yv;
    const uint32_t threshold = FN(drop_threshold)(rate);
    real kept[4 * PHILOX_LANES]; /* as wide as what is chosen: conditions on bytes are not vectorised everywhere */
    NOISE_WORDS(_Pragma("omp simd") for (size_t j = 0; j < m; j++) mask[i + j] = words[j] >= threshold;
                _Pragma("omp simd") for (size_t j = 0; j < m; j++) kept[j] = (real)mask[i + j];
                _Pragma("omp simd") for (size_t j = 0; j < m; j++) {
                    const real scaled = x[i + j] * a + b; /* has a name: it is computed for all of them */
                    y[i + j] = select(kept[j] != K(0), scaled, dropped);
                })
}

static void FN(dropout_mask)(size_t n, uint8_t *mask, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first,
                             double rate) {
    const uint32_t threshold = FN(drop_threshold)(rate);
    NOISE_WORDS(_Pragma("omp simd") for (size_t j = 0; j < m; j++) mask[i + j] = words[j] >= threshold;)
}

static void FN(masked_channels)(size_t images, size_t outer, size_t channels, const void *xv, const uint8_t *mask,
                                void *yv, double scale) {
    const real *x = xv, s = (real)scale;
    real *y = yv;
    for (size_t n = 0; n < images; n++, mask += channels) {
        if (channels == 1) { /* the pixels of one channel follow each other */
            const size_t at = n * outer;
            if (*mask) {
                _Pragma("omp simd") for (size_t i = 0; i < outer; i++) y[at + i] = x[at + i] * s;
            } else {
                for (size_t i = 0; i < outer; i++) y[at + i] = K(0);
            }
            continue;
        }
        for (size_t p = n * outer; p < (n + 1) * outer; p++)
            FN(masked_scale)(channels, x + p * channels, mask, y + p * channels, scale);
    }
}

/* Box and Muller 1958: two uniform words make two normal numbers. */
static void FN(gaussian_noise)(size_t n, void *yv, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first,
                               double meanv, double deviationv) {
    const real mean = (real)meanv, deviation = (real)deviationv;
    real *y = yv, normal[4 * PHILOX_LANES];
    NOISE_WORDS(_Pragma("omp simd") for (int k = 0; k < 2 * PHILOX_LANES; k++) {
        const real u = (real)(((double)words[2 * k] + 0.5) / 4294967296.0);
        const real angle = (real)((double)words[2 * k + 1] * (6.283185307179586 / 4294967296.0));
        const real radius = deviation * fsqrt(K(-2) * flog(u));
        normal[2 * k] = mean + radius * fcos(angle);
        normal[2 * k + 1] = mean + radius * fsin(angle);
    } __builtin_memcpy(y + i, normal, m * sizeof(real));)
}

/* A word's upper 24 bits, which a float holds exactly, against the probability. */
static void FN(bernoulli)(size_t n, const void *pv, void *yv, uint64_t seed, uint32_t stream, uint32_t step,
                          uint64_t first) {
    const real *ps = pv;
    real *y = yv;
    NOISE_WORDS(_Pragma("omp simd") for (size_t j = 0; j < m; j++) {
        const real p = ps[i + j], u = (real)(int32_t)(words[j] >> 8);
        y[i + j] = select(p == p, select(u < p * K(16777216), K(1), K(0)), p);
    })
}

/* One half of the words below the threshold for each of both values. */
static void FN(salt_and_pepper)(size_t n, const void *xv, void *yv, uint8_t *mask, uint64_t seed, uint32_t stream,
                                uint32_t step, uint64_t first, double rate, double lowv, double highv) {
    const real *x = xv, low = (real)lowv, high = (real)highv;
    real *y = yv;
    const uint32_t half = FN(drop_threshold)(rate / 2), threshold = FN(drop_threshold)(rate);
    NOISE_WORDS(_Pragma("omp simd") for (size_t j = 0; j < m; j++) mask[i + j] = words[j] >= threshold;
                _Pragma("omp simd") for (size_t j = 0; j < m; j++) {
                    const real other = select(words[j] < half, low, high);
                    y[i + j] = select(words[j] < threshold, other, x[i + j]);
                })
}
#undef NOISE_WORDS

static const fastnn_noise_kernels FN(noise_table) = {
    .alpha_dropout = FN(alpha_dropout),
    .dropout_mask = FN(dropout_mask),
    .masked_channels = FN(masked_channels),
    .gaussian_noise = FN(gaussian_noise),
    .bernoulli = FN(bernoulli),
    .salt_and_pepper = FN(salt_and_pepper),
};
