/* Activations over groups of columns and along rows: gates, maxout, softmin, sparsemax. */

/* y = a * act(b), where every row of x has a in its first half and b in its second; act is a row of activation[]. */
static void FN(gated_forward)(int act, size_t rows, size_t cols, const void *xv, void *yv, const double *params) {
    for (size_t r = 0; r < rows; r++) {
        const real *a = (const real *)xv + 2 * r * cols, *b = a + cols;
        real *y = (real *)yv + r * cols, gate[CHUNK];
        for (size_t c = 0; c < cols; c += CHUNK) {
            const size_t m = FN(min_size)(CHUNK, cols - c);
            FN(activations)[act].forward(m, b + c, gate, params);
            _Pragma("omp simd") for (size_t j = 0; j < m; j++) y[c + j] = a[c + j] * gate[j];
        }
    }
}

static void FN(gated_backward)(int act, size_t rows, size_t cols, const void *dyv, const void *xv, void *dxv,
                               const double *params) {
    const fastnn_activation *f = &FN(activations)[act];
    const int keeps_x = f->keeps[0] == 'x';
    for (size_t r = 0; r < rows; r++) {
        const real *dy = (const real *)dyv + r * cols, *a = (const real *)xv + 2 * r * cols, *b = a + cols;
        real *da = (real *)dxv + 2 * r * cols, *db = da + cols, gate[CHUNK], dgate[CHUNK];
        for (size_t c = 0; c < cols; c += CHUNK) {
            const size_t m = FN(min_size)(CHUNK, cols - c);
            f->forward(m, b + c, gate, params);
            _Pragma("omp simd") for (size_t j = 0; j < m; j++) dgate[j] = dy[c + j] * a[c + j];
            f->backward(m, dgate, keeps_x ? b + c : gate, dgate, params);
            _Pragma("omp simd") for (size_t j = 0; j < m; j++) da[c + j] = dy[c + j] * gate[j];
            __builtin_memcpy(db + c, dgate, m * sizeof(real));
        }
    }
}

/* y[u] = the largest of x[u * pieces ... u * pieces + pieces - 1]; NaN where there is one. */
static void FN(maxout)(size_t rows, size_t units, size_t pieces, const void *xv, void *yv) {
    const real *x = xv;
    real *y = yv;
    const size_t n = rows * units;
    if (pieces == 2) {
        _Pragma("omp simd") for (size_t u = 0; u < n; u++) y[u] = fmax(x[2 * u], x[2 * u + 1]);
        return;
    }
    for (size_t u = 0; u < n; u++) {
        real top = x[u * pieces];
        for (size_t p = 1; p < pieces; p++) top = fmax(top, x[u * pieces + p]);
        y[u] = top;
    }
}

/* The gradient goes to the first of the largest. */
static void FN(maxout_backward)(size_t rows, size_t units, size_t pieces, const void *dyv, const void *xv, void *dxv) {
    for (size_t u = 0; u < rows * units; u++) {
        const real dy = ((const real *)dyv)[u], *x = (const real *)xv + u * pieces;
        real *dx = (real *)dxv + u * pieces;
        const size_t best = FN(argmax)(pieces, x);
        for (size_t p = 0; p < pieces; p++) dx[p] = select(p == best, dy, K(0));
    }
}

INLINE void FN(negate)(size_t n, const real *x, real *y) {
    _Pragma("omp simd") for (size_t i = 0; i < n; i++) y[i] = -x[i];
}

static void FN(softmin)(size_t rows, size_t cols, const void *x, void *y) {
    FN(negate)(rows * cols, x, y);
    FN(softmax)(rows, cols, y, y);
}

static void FN(softmin_backward)(size_t rows, size_t cols, const void *dy, const void *y, void *dx) {
    FN(softmax_backward)(rows, cols, dy, y, dx);
    FN(negate)(rows * cols, dx, dx);
}

/* The projection on the probability simplex: max(x - t, 0) with t such that the row sums to 1.  No sorting: t is at
 * least max - 1, and the t of all elements above a lower bound is a better lower bound, until no element drops out
 * (C. Michelot 1986, J. Optim. Theory Appl. 50).  NaN where the row has a NaN or its maximum is infinite. */
static void FN(sparsemax)(size_t rows, size_t cols, const void *xv, void *yv) {
    for (size_t r = 0; r < rows; r++) {
        const real *x = (const real *)xv + r * cols;
        real *y = (real *)yv + r * cols;
        const real top = FN(row_max)(cols, x);
        double t = top - top == 0 ? -1 : __builtin_nan("");
        size_t left = cols + 1, before;
        do {
            double lane[8] = {0}, count[8] = {0};
            size_t c = 0;
            for (; c + 8 <= cols; c += 8)
                for (int j = 0; j < 8; j++) {
                    const double z = (double)x[c + j] - (double)top;
                    lane[j] += select(z > t, z, 0.0);
                    count[j] += select(z > t, 1.0, 0.0);
                }
            for (int j = 0; c < cols; c++, j++) {
                const double z = (double)x[c] - (double)top;
                lane[j] += select(z > t, z, 0.0);
                count[j] += select(z > t, 1.0, 0.0);
            }
            for (int j = 1; j < 8; j++) lane[0] += lane[j], count[0] += count[j];
            before = left;
            left = (size_t)count[0];
            if (left && left < before) t = (lane[0] - 1) / count[0];
        } while (left && left < before);
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) {
            const double p = (double)x[c] - (double)top - t;
            y[c] = (real)select(p < 0, 0.0, p);
        }
    }
}

/* dx = dy - the mean of dy, both over the elements that are not 0. */
static void FN(sparsemax_backward)(size_t rows, size_t cols, const void *dyv, const void *yv, void *dxv) {
    for (size_t r = 0; r < rows; r++) {
        const real *dy = (const real *)dyv + r * cols, *y = (const real *)yv + r * cols;
        real *dx = (real *)dxv + r * cols, part[CHUNK];
        double total = 0, count = 0;
        for (size_t c = 0; c < cols; c += CHUNK) {
            const size_t m = FN(min_size)(CHUNK, cols - c);
            _Pragma("omp simd") for (size_t j = 0; j < m; j++) part[j] = select(y[c + j] == 0, K(0), dy[c + j]);
            total += FN(sum)(m, part);
            _Pragma("omp simd") for (size_t j = 0; j < m; j++) part[j] = select(y[c + j] == 0, K(0), K(1));
            count += FN(sum)(m, part);
        }
        const real mean = (real)(total / count);
        /* a NaN in y stands for a row without a projection */
        _Pragma("omp simd") for (size_t c = 0; c < cols; c++) dx[c] =
            select(y[c] == 0, K(0), dy[c] - mean + (y[c] - y[c]));
    }
}
