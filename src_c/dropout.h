/* Inverted dropout, drawing its bits where they are used (Srivastava et al., JMLR 15, 2014). */

static void FN(masked_scale)(size_t n, const void *xv, const uint8_t *mask, void *yv, double scale) {
    const real *x = xv, s = (real)scale;
    real *y = yv;
    _Pragma("omp simd") for (size_t i = 0; i < n; i++) y[i] = select(mask[i] != 0, x[i] * s, K(0));
}

static void FN(dropout)(size_t n, const void *xv, void *yv, uint8_t *mask, uint64_t seed, uint32_t stream,
                        uint32_t step, uint64_t first, double rate, double scale) {
    const double limit = __builtin_ceil(rate * 4294967296.0);
    const uint32_t threshold = limit >= 4294967295.0 ? 4294967295u : (uint32_t)limit;
    uint32_t words[4 * PHILOX_LANES];
    for (size_t i = 0; i < n; i += 4 * PHILOX_LANES) {
        const size_t m = n - i < 4 * PHILOX_LANES ? n - i : 4 * PHILOX_LANES;
        philox_blocks(words, seed, stream, step, first + i);
        _Pragma("omp simd") for (size_t j = 0; j < m; j++) mask[i + j] = words[j] >= threshold;
    }
    FN(masked_scale)(n, xv, mask, yv, scale);
}
