/* ---- masks, orders of axes, embeddings ------------------------------------------------------------------------------
 */

/* time-major y[at + t, b] = batch-major x[b, t], or the other way (`back`), for some samples: see fastnn_time */
static void FN(swap_time)(const fastnn_time *s, size_t first, size_t samples, const void *xv, void *yv) {
    const size_t n = s->features;
    for (size_t b = first; b < first + samples; b++)
        for (size_t t = 0; t < s->steps; t++) {
            const size_t other = s->steps - 1 - t;
            const size_t major = (s->at + t * s->batch + b) * n;
            const size_t minor = (b * s->steps + (s->reversed ? other : t)) * s->ld + s->column;
            real *to = (real *)yv + (s->back ? minor : major);
            if (s->mask && !s->mask[b * s->steps + (s->mask_reversed ? other : t)])
                __builtin_memset(to, 0, n * sizeof(real));
            else
                __builtin_memcpy(to, (const real *)xv + (s->back ? major : minor), n * sizeof(real));
        }
}

/* mask[row] = 1 where an element of the row differs from `value` (NaN does); y, unless NULL, is x with the others 0 */
static void FN(mask_rows)(size_t rows, size_t cols, double value, const void *xv, void *yv, uint8_t *mask) {
    const real *x = xv, v = (real)value;
    for (size_t r = 0; r < rows; r++, x += cols) {
        int differs = 0;
        for (size_t c = 0; c < cols; c++) differs |= !(x[c] == v);
        mask[r] = (uint8_t)differs;
        if (yv) {
            real *y = (real *)yv + r * cols;
            if (differs)
                __builtin_memmove(y, x, cols * sizeof(real));
            else
                __builtin_memset(y, 0, cols * sizeof(real));
        }
    }
}

static void FN(keep_rows)(size_t rows, size_t cols, const void *xv, const uint8_t *mask, void *yv) {
    for (size_t r = 0; r < rows; r++) {
        real *y = (real *)yv + r * cols;
        if (mask[r])
            __builtin_memmove(y, (const real *)xv + r * cols, cols * sizeof(real));
        else
            __builtin_memset(y, 0, cols * sizeof(real));
    }
}

/* index[i] = x[i]; returns the first element that is no whole number from 0 to limit - 1, or n */
static size_t FN(to_indices)(size_t n, const void *xv, size_t limit, int64_t *index) {
    const real *x = xv;
    for (size_t i = 0; i < n; i++) {
        if (!(x[i] >= K(0) && x[i] < (real)limit)) return i;
        index[i] = (int64_t)x[i];
        if ((real)index[i] != x[i]) return i;
    }
    return n;
}

/* out[index[r], c] += dy[r, c], in the order of r, for some columns of rows that lie ld apart */
static void FN(scatter_rows)(size_t rows, size_t cols, size_t ld, const void *dyv, const int64_t *index, void *outv) {
    const real *dy = dyv;
    for (size_t r = 0; r < rows; r++, dy += ld) {
        real *out = (real *)outv + (size_t)index[r] * ld;
        for (size_t c = 0; c < cols; c++) out[c] += dy[c];
    }
}
