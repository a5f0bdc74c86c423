/* Copies between arrays whose axes have steps of their own: permutations, padding, cropping, repetition, and the sums
 * that are their gradients.
 *
 * `axes` has three numbers for each axis, outermost first: its size, its step in x and its step in y, in elements.  A
 * step of 0 in x repeats an element, in y it sums into one.  Callers put an axis that is contiguous in y last, and one
 * that is contiguous in x next to it: then both arrays are walked a cache line at a time.
 */
enum { FN(STRIDED_TILE) = 16 };

/* y = x (add 0) or y += factor x (add 1) along one axis */
INLINE void FN(strided_run)(const int add, const ptrdiff_t *axis, const real factor, const real *x, real *y) {
    const ptrdiff_t n = axis[0], in = axis[1], out = axis[2];
    if (add && out == 0) {
        real sum = K(0);
        for (ptrdiff_t i = 0; i < n; i++) sum += x[i * in];
        *y += factor * sum;
    } else if (out == 1 && in == 1) {
        _Pragma("omp simd") for (ptrdiff_t i = 0; i < n; i++) y[i] = add ? y[i] + factor * x[i] : x[i];
    } else if (out == 1 && in == 0) {
        const real value = *x;
        _Pragma("omp simd") for (ptrdiff_t i = 0; i < n; i++) y[i] = add ? y[i] + factor * value : value;
    } else {
        for (ptrdiff_t i = 0; i < n; i++) y[i * out] = add ? y[i * out] + factor * x[i * in] : x[i * in];
    }
}

/* The two innermost axes where the last is not contiguous in x: a square at a time. */
INLINE void FN(strided_plane)(const int add, const ptrdiff_t *axes, const real factor, const real *x, real *y) {
    for (ptrdiff_t r = 0; r < axes[0]; r += FN(STRIDED_TILE))
        for (ptrdiff_t c = 0; c < axes[3]; c += FN(STRIDED_TILE)) {
            const ptrdiff_t last = axes[0] - r < FN(STRIDED_TILE) ? axes[0] : r + FN(STRIDED_TILE);
            const ptrdiff_t left = axes[3] - c < FN(STRIDED_TILE) ? axes[3] - c : FN(STRIDED_TILE);
            const ptrdiff_t part[] = {left, axes[4], axes[5]};
            for (ptrdiff_t i = r; i < last; i++)
                FN(strided_run)(add, part, factor, x + i * axes[1] + c * axes[4], y + i * axes[2] + c * axes[5]);
        }
}

static void FN(strided_walk)(const int add, int rank, const ptrdiff_t *axes, const real factor, const real *x,
                             real *y) {
    if (rank == 0) {
        *y = add ? *y + factor * *x : *x;
    } else if (rank == 1) {
        FN(strided_run)(add, axes, factor, x, y);
    } else if (rank == 2 && axes[4] > 1 && axes[5] != 0) {
        FN(strided_plane)(add, axes, factor, x, y);
    } else {
        for (ptrdiff_t i = 0; i < axes[0]; i++)
            FN(strided_walk)(add, rank - 1, axes + 3, factor, x + i * axes[1], y + i * axes[2]);
    }
}

static void FN(strided_copy)(int rank, const ptrdiff_t *axes, const void *x, void *y) {
    FN(strided_walk)(0, rank, axes, K(1), x, y);
}

static void FN(strided_add)(int rank, const ptrdiff_t *axes, double factor, const void *x, void *y) {
    FN(strided_walk)(1, rank, axes, (real)factor, x, y);
}

static void FN(fill)(size_t n, double value, void *yv) {
    const real filling = (real)value;
    real *y = yv;
    _Pragma("omp simd") for (size_t i = 0; i < n; i++) y[i] = filling;
}
