/* Attention: which keys a query sees, the softmax of its scores over them, and the scores of additive attention.
 *
 * Rows are numbered by (sample, head, query) and have a score for each key.  A score that is left out becomes `fill`,
 * or, `shifted`, is moved by it; with fill = -1e9 its weight is then 0, unless nothing else is left: such a row has the
 * same weight for all keys, or, shifted, those of the scores as they are.  So no row is NaN that was a number before.
 */

/* seen[j] = whether row `row` sees key `first + j` */
static void FN(keys_seen)(const fastnn_attention *a, size_t row, size_t first, size_t n, uint8_t *seen) {
    const size_t query = row % a->queries, head = row / a->queries % a->heads, sample = row / a->queries / a->heads;
    const size_t low = query > a->behind ? query - a->behind : 0;
    const size_t high = a->ahead < a->keys ? query + a->ahead + 1 : a->keys;
    const size_t from = low < first ? 0 : low - first < n ? low - first : n;
    const size_t to = high < first ? 0 : high - first < n ? high - first : n;
    __builtin_memset(seen, 0, n);
    if (to <= from || (a->query_mask && !a->query_mask[sample * a->queries + query])) return;
    __builtin_memset(seen + from, 1, to - from);
    if (a->key_mask) {
        const uint8_t *mask = a->key_mask + sample * a->keys + first;
        for (size_t j = from; j < to; j++) seen[j] &= (uint8_t)(mask[j] != 0);
    }
    if (a->mask) {
        const uint8_t *mask = a->mask + sample * a->mask_steps[0] + head * a->mask_steps[1] + query * a->mask_steps[2];
        const size_t step = a->mask_steps[3];
        for (size_t j = from; j < to; j++) seen[j] &= (uint8_t)(mask[(first + j) * step] != 0);
    }
}

/* y = scale x where seen, else fill (+ scale x where shifted) */
INLINE void FN(fill_unseen)(const int shifted, size_t n, real scale, real fill, const uint8_t *seen, const real *x,
                            real *y) {
    _Pragma("omp simd") for (size_t j = 0; j < n; j++) {
        const real z = scale * x[j];
        y[j] = select(seen[j] != 0, z, shifted ? z + fill : fill);
    }
}

/* weights = softmax(scale scores) over the keys that are seen, for some rows; they may be the scores themselves */
static void FN(attention_weights)(const fastnn_attention *a, size_t first, size_t rows, const void *scores,
                                  void *weights) {
    const size_t keys = a->keys, step = FN(rows_per_chunk)(keys);
    const real scale = (real)a->scale, fill = (real)a->fill;
    const int masked = a->query_mask || a->key_mask || a->mask || a->behind < a->queries || a->ahead < a->keys;
    uint8_t seen[CHUNK];
    for (size_t r = 0; r < rows; r += step) {
        const size_t m = FN(min_size)(step, rows - r);
        real *y = (real *)weights + r * keys;
        const real *x = (const real *)scores + r * keys;
        if (!masked) {
            _Pragma("omp simd") for (size_t j = 0; j < m * keys; j++) y[j] = scale * x[j];
        } else {
            for (size_t k = 0; k < m; k++)
                for (size_t c = 0; c < keys; c += CHUNK) {
                    const size_t n = FN(min_size)(CHUNK, keys - c), at = k * keys + c;
                    FN(keys_seen)(a, first + r + k, c, n, seen);
                    if (a->shifted)
                        FN(fill_unseen)(1, n, scale, fill, seen, x + at, y + at);
                    else
                        FN(fill_unseen)(0, n, scale, fill, seen, x + at, y + at);
                }
        }
        FN(softmax)(m, keys, y, y);
    }
}

/* dscores = scale (dweights - weights . dweights) weights; 0 where a score was put in the place of another.  It may be
 * dweights itself. */
static void FN(attention_weights_backward)(const fastnn_attention *a, size_t first, size_t rows, const void *dweights,
                                           const void *weights, void *dscores) {
    const size_t keys = a->keys;
    const real scale = (real)a->scale;
    const int masked = a->query_mask || a->key_mask || a->mask || a->behind < a->queries || a->ahead < a->keys;
    uint8_t seen[CHUNK];
    for (size_t r = 0; r < rows; r++) {
        const size_t at = r * keys;
        real *dx = (real *)dscores + at;
        FN(softmax_backward)(1, keys, (const real *)dweights + at, (const real *)weights + at, dx);
        if (!masked || a->shifted) {
            _Pragma("omp simd") for (size_t j = 0; j < keys; j++) dx[j] *= scale;
            continue;
        }
        for (size_t c = 0; c < keys; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, keys - c);
            FN(keys_seen)(a, first + r, c, n, seen);
            _Pragma("omp simd") for (size_t j = 0; j < n; j++) {
                const real z = scale * dx[c + j];
                dx[c + j] = select(seen[j] != 0, z, K(0));
            }
        }
    }
}

/* t (m, n) = tanh(q + k), for m keys from `k` on and n features from `c` on */
INLINE void FN(tanh_of_sums)(size_t m, size_t n, size_t dim, const real *q, const real *k, real *t) {
    for (size_t j = 0; j < m; j++) {
        _Pragma("omp simd") for (size_t d = 0; d < n; d++) t[j * n + d] = q[d] + k[j * dim + d];
    }
    FN(activations)[FASTNN_ACT_tanh].forward(m * n, t, t, NULL);
}

/* scores (queries, keys) = sum over the features of v tanh(q + k), of one sample; v NULL: 1 */
static void FN(additive_scores)(size_t queries, size_t keys, size_t dim, const void *qv, const void *kv, const void *vv,
                                void *scoresv) {
    const real *q = qv, *k = kv, *v = vv;
    real *scores = scoresv, t[CHUNK];
    const size_t step = FN(rows_per_chunk)(dim);
    for (size_t i = 0; i < queries; i++, scores += keys)
        for (size_t j = 0; j < keys; j += step) {
            const size_t m = FN(min_size)(step, keys - j);
            double total = 0; /* of one key, where its features do not fit into a chunk */
            for (size_t c = 0; c < dim; c += CHUNK) {
                const size_t n = FN(min_size)(CHUNK, dim - c);
                FN(tanh_of_sums)(m, n, dim, q + i * dim + c, k + j * dim + c, t);
                for (size_t row = 0; row < m; row++) {
                    real *of = t + row * n;
                    if (v) {
                        _Pragma("omp simd") for (size_t d = 0; d < n; d++) of[d] *= v[c + d];
                    }
                    total = (c ? total : 0) + FN(sum)(n, of);
                    scores[j + row] = (real)total;
                }
            }
        }
}

/* dq (queries, dim), dk (keys, dim) and, unless NULL, dv (dim) of one sample, from dscores */
static void FN(additive_scores_backward)(size_t queries, size_t keys, size_t dim, const void *dscoresv, const void *qv,
                                         const void *kv, const void *vv, void *dqv, void *dkv, void *dvv) {
    const real *q = qv, *k = kv, *v = vv, *dscores = dscoresv;
    real *dq = dqv, *dk = dkv, *dv = dvv, t[CHUNK];
    const size_t step = FN(rows_per_chunk)(dim);
    __builtin_memset(dq, 0, queries * dim * sizeof(real));
    __builtin_memset(dk, 0, keys * dim * sizeof(real));
    if (dv) __builtin_memset(dv, 0, dim * sizeof(real));
    for (size_t i = 0; i < queries; i++)
        for (size_t j = 0; j < keys; j += step) {
            const size_t m = FN(min_size)(step, keys - j);
            for (size_t c = 0; c < dim; c += CHUNK) {
                const size_t n = FN(min_size)(CHUNK, dim - c);
                FN(tanh_of_sums)(m, n, dim, q + i * dim + c, k + j * dim + c, t);
                for (size_t row = 0; row < m; row++) {
                    const real *of = t + row * n, g = dscores[i * keys + j + row];
                    real *to_q = dq + i * dim + c, *to_k = dk + (j + row) * dim + c;
                    if (dv) {
                        _Pragma("omp simd") for (size_t d = 0; d < n; d++) dv[c + d] += g * of[d];
                    }
                    _Pragma("omp simd") for (size_t d = 0; d < n; d++) {
                        const real slope = (v ? g * v[c + d] : g) * (K(1) - of[d] * of[d]);
                        to_q[d] += slope;
                        to_k[d] += slope;
                    }
                }
            }
        }
}
