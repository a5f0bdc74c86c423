/* ReLU with a random slope for every negative element (B. Xu et al. 2015, arXiv:1505.00853), drawn as dropout draws. */

static void FN(multiply)(size_t n, const void *av, const void *bv, void *yv) {
    const real *a = av, *b = bv;
    real *y = yv;
    _Pragma("omp simd") for (size_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

static void FN(rrelu)(size_t n, const void *xv, void *yv, void *slopesv, uint64_t seed, uint32_t stream, uint32_t step,
                      uint64_t first, double lower, double upper) {
    const real *x = xv;
    real *y = yv, *slopes = slopesv;
    const double width = (upper - lower) / 4294967296.0;
    uint32_t words[4 * PHILOX_LANES];
    for (size_t i = 0; i < n; i += 4 * PHILOX_LANES) {
        const size_t m = n - i < 4 * PHILOX_LANES ? n - i : 4 * PHILOX_LANES;
        philox_blocks(words, seed, stream, step, first + i);
        _Pragma("omp simd") for (size_t j = 0; j < m; j++) {
            const real drawn = (real)(lower + width * (double)words[j]);
            slopes[i + j] = select(x[i + j] > 0, K(1), drawn);
            y[i + j] = x[i + j] * slopes[i + j];
        }
    }
}
