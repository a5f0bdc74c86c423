/* Matrix products for small and skinny shapes, where a general BLAS spends its time on packing and on edges.
 *
 * C (m, n) = op(A) op(B), row-major.  A is read where it lies, with any two strides; B is packed, a few columns and
 * DEPTH rows at a time, into a panel on the stack that stays in the first-level cache and is padded with zeros, so that
 * only stores have edges.  A tile of C is held in registers: up to 6 rows, up to 3 vectors wide, at most 12 vectors.
 * (K. Goto, R. van de Geijn 2008, ACM TOMS 34, without their packing of A.)
 * A single row of C - one sample through a dense layer - would read its panel once only: then B, unless it is
 * transposed, is read where it lies, up to 13 vectors wide.
 *
 * Every element of C is one sum in the order of k, whatever the shape of its tile: cutting a product along m or n
 * changes no bit.
 */
#undef LANES
#undef vec
#undef DEPTH
#undef MOST_WIDE
#define LANES ((int)(VECTOR_BYTES / sizeof(real)))
#define DEPTH 256
#define MOST_WIDE 13
#define vec FN(vec_t)
typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef real FN(loose_vec_t) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
typedef real_int FN(int_vec_t) __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef real_int FN(loose_int_vec_t) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

/* C (rows, width * LANES) += A (rows, k) panel, or = where `first`; the last vector of a row may be shorter. */
typedef void (*FN(tile_fn))(size_t k, const real *a, size_t row_step, size_t col_step, const vec *panel, real *c,
                            size_t ldc, int last, int first);

#define ROWS_WIDE(ROWS, WIDE)                                                                                          \
    static void FN(tile_##ROWS##x##WIDE)(size_t k, const real *a, size_t row_step, size_t col_step, const vec *panel,  \
                                         real *c, size_t ldc, int last, int first) {                                   \
        vec sum[ROWS][WIDE];                                                                                           \
        _Pragma("GCC unroll 8") for (int i = 0; i < ROWS; i++) _Pragma("GCC unroll 8") for (int j = 0; j < WIDE; j++)  \
            sum[i][j] = (vec){0};                                                                                      \
        for (size_t p = 0; p < k; p++) {                                                                               \
            vec b[WIDE];                                                                                               \
            _Pragma("GCC unroll 8") for (int j = 0; j < WIDE; j++) b[j] = panel[p * WIDE + j];                         \
            _Pragma("GCC unroll 8") for (int i = 0; i < ROWS; i++) {                                                   \
                const vec ai = a[i * row_step + p * col_step] - (vec){0};                                              \
                _Pragma("GCC unroll 8") for (int j = 0; j < WIDE; j++) sum[i][j] += ai * b[j];                         \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 8") for (int i = 0; i < ROWS; i++) {                                                       \
            _Pragma("GCC unroll 8") for (int j = 0; j < WIDE; j++) {                                                   \
                real *to = c + i * ldc + j * LANES;                                                                    \
                if (j < WIDE - 1 || last == LANES) {                                                                   \
                    vec value = sum[i][j];                                                                             \
                    if (!first) value += *(FN(loose_vec_t) *)to;                                                       \
                    *(FN(loose_vec_t) *)to = value;                                                                    \
                } else {                                                                                               \
                    real few[LANES] __attribute__((aligned(VECTOR_BYTES)));                                            \
                    *(vec *)few = sum[i][j];                                                                           \
                    for (int l = 0; l < last; l++) to[l] = first ? few[l] : to[l] + few[l];                            \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
/* clang-format off */
#define EACH_TILE(DO)                                                                                                  \
    DO(1, 1) DO(2, 1) DO(3, 1) DO(4, 1) DO(5, 1) DO(6, 1)                                                              \
    DO(1, 2) DO(2, 2) DO(3, 2) DO(4, 2) DO(5, 2) DO(6, 2)                                                              \
    DO(1, 3) DO(2, 3) DO(3, 3) DO(4, 3)
/* clang-format on */
EACH_TILE(ROWS_WIDE)
static const FN(tile_fn) FN(tiles)[7][4] = {
#define TILE_ENTRY(ROWS, WIDE) [ROWS][WIDE] = FN(tile_##ROWS##x##WIDE),
    EACH_TILE(TILE_ENTRY)
#undef TILE_ENTRY
};
#undef ROWS_WIDE
#undef EACH_TILE

/* Elements 0 .. LANES / 2 of a and b in turn, and the others: log2(LANES) rounds of it transpose a square of vectors.
 */
#undef LOW
#undef HIGH
#if VECTOR_BYTES * 8 == 2 * REAL_BITS
#define LOW 0, 2
#define HIGH 1, 3
#elif VECTOR_BYTES * 8 == 4 * REAL_BITS
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#elif VECTOR_BYTES * 8 == 8 * REAL_BITS
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#endif
INLINE void FN(transpose_square)(const real *from, size_t step, real *to, size_t to_step) {
    vec rows[LANES], mixed[LANES];
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) rows[i] = *(const FN(loose_vec_t) *)(from + i * step);
    _Pragma("GCC unroll 4") for (int round = 1; round < LANES; round *= 2) {
        _Pragma("GCC unroll 8") for (int i = 0; i < LANES / 2; i++) {
            mixed[2 * i] = __builtin_shufflevector(rows[i], rows[i + LANES / 2], LOW);
            mixed[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + LANES / 2], HIGH);
        }
        _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) rows[i] = mixed[i];
    }
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) * (FN(loose_vec_t) *)(to + i * to_step) = rows[i];
}

/* panel (k, wide vectors) = rows 0..k, columns 0..cols of op(B), zeros behind. */
static void FN(pack_panel)(size_t k, int wide, int cols, const real *b, size_t ldb, int transposed, vec *panel) {
    real *to = (real *)panel;
    const size_t width = (size_t)wide * LANES;
    const int whole = cols / LANES * LANES;
    if (!transposed) {
        for (int j = 0; j < whole; j += LANES)
            for (size_t p = 0; p < k; p++) *(vec *)(to + p * width + j) = *(const FN(loose_vec_t) *)(b + p * ldb + j);
        if (whole == (int)width) return;
        /* the last vector of a row: a whole one is read as long as it ends within the matrix, and what is not of the
         * row is cut off */
        FN(int_vec_t) inside;
        for (int l = 0; l < LANES; l++) inside[l] = -(whole + l < cols);
        const size_t end = (k - 1) * ldb + cols;
        size_t p = 0;
        for (; p < k && p * ldb + width <= end; p++)
            *(FN(int_vec_t) *)(to + p * width + whole) = *(const FN(loose_int_vec_t) *)(b + p * ldb + whole) & inside;
        for (; p < k; p++)
            for (int j = whole; j < (int)width; j++) to[p * width + j] = j < cols ? b[p * ldb + j] : K(0);
        return;
    }
    for (int j = 0; j < (int)width; j += LANES) {
        size_t p = 0;
        if (j < whole)
            for (; p + LANES <= k; p += LANES) FN(transpose_square)(b + j * ldb + p, ldb, to + p * width + j, width);
        for (; p < k; p++)
            for (int l = j; l < j + LANES; l++) to[p * width + l] = l < cols ? b[l * ldb + p] : K(0);
    }
}

/* sums (wide vectors) += x (k) B, whose rows are `wide` whole vectors long. */
typedef void (*FN(row_fn))(size_t k, const real *x, size_t step, const real *b, size_t ldb, vec *sums);

#define ROW_WIDE(WIDE)                                                                                                 \
    static void FN(row_##WIDE)(size_t k, const real *x, size_t step, const real *b, size_t ldb, vec *sums) {           \
        vec sum[WIDE];                                                                                                 \
        _Pragma("GCC unroll 16") for (int j = 0; j < WIDE; j++) sum[j] = sums[j];                                      \
        for (size_t p = 0; p < k; p++) {                                                                               \
            const vec xp = x[p * step] - (vec){0};                                                                     \
            _Pragma("GCC unroll 16") for (int j = 0; j < WIDE; j++) sum[j] +=                                          \
                xp * *(const FN(loose_vec_t) *)(b + p * ldb + j * LANES);                                              \
        }                                                                                                              \
        _Pragma("GCC unroll 16") for (int j = 0; j < WIDE; j++) sums[j] = sum[j];                                      \
    }
/* clang-format off */
#define EACH_WIDTH(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)
/* clang-format on */
EACH_WIDTH(ROW_WIDE)
static const FN(row_fn) FN(row_products)[MOST_WIDE + 1] = {
#define ROW_ENTRY(WIDE) [WIDE] = FN(row_##WIDE),
    EACH_WIDTH(ROW_ENTRY)
#undef ROW_ENTRY
};
#undef ROW_WIDE
#undef EACH_WIDTH

/* c (n) = x (k) B: the sums of small_gemm, in the same order. */
static void FN(row_gemm)(size_t n, size_t k, const real *x, size_t step, const real *b, size_t ldb, real *c) {
    const size_t vectors = (n + LANES - 1) / LANES, strips = (vectors + MOST_WIDE - 1) / MOST_WIDE;
    size_t v = 0;
    for (size_t s = 0; s < strips; s++) {
        const size_t wide = vectors * (s + 1) / strips - v, j = v * LANES;
        const size_t cols = n - j < wide * LANES ? n - j : wide * LANES;
        for (size_t p = 0; p < k; p += DEPTH) {
            const size_t depth = k - p < DEPTH ? k - p : DEPTH;
            /* whole vectors are read as long as they end within the matrix */
            const size_t end = (k - 1) * ldb + cols, width = wide * LANES;
            size_t q = p + depth;
            while (q > p && (q - 1) * ldb + width > end) q--;
            vec sums[MOST_WIDE] = {{0}};
            FN(row_products)[wide](q - p, x + p * step, step, b + p * ldb + j, ldb, sums);
            for (; q < p + depth; q++) {
                real row[MOST_WIDE * LANES] = {0};
                __builtin_memcpy(row, b + q * ldb + j, cols * sizeof(real));
                FN(row_products)[wide](1, x + q * step, step, row, 0, sums);
            }
            const real *sum = (const real *)sums;
            if (p == 0)
                __builtin_memcpy(c + j, sum, cols * sizeof(real));
            else
                for (size_t i = 0; i < cols; i++) c[j + i] += sum[i];
        }
        v += wide;
    }
}

static void FN(small_gemm)(int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const void *av, size_t lda,
                           const void *bv, size_t ldb, void *cv, size_t ldc) {
    const real *a = av, *b = bv;
    real *c = cv;
    vec panel[DEPTH * 3];
    const size_t row_step = transpose_a ? 1 : lda, col_step = transpose_a ? lda : 1;
    const size_t vectors = (n + LANES - 1) / LANES, strips = (vectors + 2) / 3;
    if (k == 0)
        for (size_t i = 0; i < m; i++) __builtin_memset(c + i * ldc, 0, n * sizeof(real));
    if (m == 1 && !transpose_b && k > 0) {
        FN(row_gemm)(n, k, a, col_step, b, ldb, c);
        return;
    }
    for (size_t p = 0; p < k; p += DEPTH) {
        const size_t depth = k - p < DEPTH ? k - p : DEPTH;
        size_t v = 0;
        for (size_t s = 0; s < strips; s++) {
            /* strips of equal width, and tiles of equal height: a thin last one would run at half speed */
            const int wide = (int)((vectors * (s + 1)) / strips - v);
            const size_t j = v * LANES, left = n - j;
            const int cols = left < (size_t)wide * LANES ? (int)left : wide * LANES;
            const int last = cols - (wide - 1) * LANES;
            FN(pack_panel)(depth, wide, cols, transpose_b ? b + j * ldb + p : b + p * ldb + j, ldb, transpose_b, panel);
            const size_t most = wide == 3 ? 4 : 6, tiles = (m + most - 1) / most;
            size_t i = 0;
            for (size_t t = 0; t < tiles; t++) {
                const size_t rows = m * (t + 1) / tiles - i;
                FN(tiles)
                [rows][wide](depth, a + i *row_step + p *col_step, row_step, col_step, panel, c + i *ldc + j, ldc, last,
                             p == 0);
                i += rows;
            }
            v += wide;
        }
    }
}
