/* The gates of recurrent cells: products with packed weights, and loops over the units of one sample, forward and
 * backward (docs/recurrent.md has the formulas).
 *
 * tanh with sigmoid gates is one pass over the units; other activations go through their table rows.
 */

/* ---- products with packed weights ------------------------------------------------------------------------------- */

/* packed = op(B) (k, n), in the panels that small_gemm makes anew for every product; returns what follows. */
static real *FN(pack)(int transposed, size_t n, size_t k, const real *b, size_t ldb, real *packed) {
    const size_t vectors = (n + LANES - 1) / LANES, strips = (vectors + 2) / 3;
    for (size_t p = 0; p < k; p += DEPTH) {
        const size_t depth = k - p < DEPTH ? k - p : DEPTH;
        size_t v = 0;
        for (size_t s = 0; s < strips; s++) {
            const int wide = (int)((vectors * (s + 1)) / strips - v);
            const size_t j = v * LANES, left = n - j;
            const int cols = left < (size_t)wide * LANES ? (int)left : wide * LANES;
            FN(pack_panel)(depth, wide, cols, transposed ? b + j * ldb + p : b + p * ldb + j, ldb, transposed,
                           (vec *)packed);
            packed += depth * wide * LANES;
            v += wide;
        }
    }
    return packed;
}

/* C (m, n, ldc) = A (m, k, lda) times what was packed, or += where `more`.  Sums are in the order of k. */
static void FN(packed_gemm)(size_t m, size_t n, size_t k, const real *a, size_t lda, const real *packed, real *c,
                            size_t ldc, int more) {
    const size_t vectors = (n + LANES - 1) / LANES, strips = (vectors + 2) / 3;
    for (size_t p = 0; p < k; p += DEPTH) {
        const size_t depth = k - p < DEPTH ? k - p : DEPTH;
        size_t v = 0;
        for (size_t s = 0; s < strips; s++) {
            const int wide = (int)((vectors * (s + 1)) / strips - v);
            const size_t j = v * LANES, left = n - j;
            const int last = left < (size_t)wide * LANES ? (int)left - (wide - 1) * LANES : LANES;
            const size_t most = wide == 3 ? 4 : 6, tiles = (m + most - 1) / most;
            size_t i = 0;
            for (size_t t = 0; t < tiles; t++) {
                const size_t rows = m * (t + 1) / tiles - i;
                FN(tiles)
                [rows][wide](depth, a + i *lda + p, lda, 1, (const vec *)packed, c + i *ldc + j, ldc, last,
                             p == 0 &&!more);
                i += rows;
            }
            packed += depth * wide * LANES;
            v += wide;
        }
    }
}

/* What a cell multiplies: one matrix (units, gates * units), or, where the gates see different vectors, one a gate. */
INLINE size_t FN(gates)(int kind) { return kind == FASTNN_SIMPLE_RNN ? 1 : kind == FASTNN_LSTM ? 4 : 3; }
INLINE int FN(apart)(const fastnn_recurrent *r) {
    return r->kind == FASTNN_GRU || r->kind == FASTNN_GRU_RESET_AFTER || (r->kind == FASTNN_LSTM && r->drop);
}
INLINE size_t FN(panel_size)(size_t units) { return units * ((units + LANES - 1) / LANES) * LANES; }

static void FN(recurrent_pack)(int kind, int apart, int transposed, const int32_t *order, size_t units, const void *wv,
                               void *packed) {
    const real *w = wv;
    real *to = packed;
    const size_t gates = FN(gates)(kind), ld = gates * units;
    if (!apart) {
        FN(pack)(transposed, transposed ? units : ld, transposed ? ld : units, w, ld, to);
        return;
    }
    for (size_t g = 0; g < gates; g++) to = FN(pack)(transposed, units, units, w + order[g] * units, ld, to);
}

/* ---- loops over the units of a row --------------------------------------------------------------------------------
 */

/* As INPUT, OUTPUT and COPY_BACK of rows_to_functions.h, with blocks of one register: rows are short. */
#undef FEW
#undef READ
#undef WRITE
#undef DONE
#undef UNITS
#define FEW (n - i < (size_t)LANES)
#define READ(name, array)                                                                                              \
    const real *name = (array) + i;                                                                                    \
    real name##_few[LANES];                                                                                            \
    if (FEW) name = FN(few)(name##_few, name, n - i);
#define WRITE(name, array)                                                                                             \
    real name##_few[LANES];                                                                                            \
    real *name = FEW ? name##_few : (array) + i;
#define DONE(name, array)                                                                                              \
    if (FEW) __builtin_memcpy((array) + i, name##_few, (n - i) * sizeof(real));
#ifdef __clang__
#define UNITS _Pragma("clang loop vectorize(assume_safety) unroll(disable)") for (int j = 0; j < LANES; j++)
#else
#define UNITS _Pragma("omp simd") for (int j = 0; j < LANES; j++)
#endif

INLINE const real *FN(few)(real *few, const real *from, size_t count) {
    for (int j = 0; j < LANES; j++) few[j] = K(0);
    __builtin_memcpy(few, from, count * sizeof(real));
    return few;
}

/* x += s + b */
static void FN(add_both)(size_t n, real *xv, const real *sv, const real *bv) {
    for (size_t i = 0; i < n; i += LANES) {
        READ(old, xv) READ(s, sv) READ(b, bv) WRITE(x, xv) UNITS x[j] = old[j] + (s[j] + b[j]);
        DONE(x, xv)
    }
}

/* y = a b, or y = a b + y */
static void FN(product)(size_t n, const real *av, const real *bv, real *yv, int more) {
    for (size_t i = 0; i < n; i += LANES) {
        READ(a, av) READ(b, bv) READ(old, yv) WRITE(y, yv) if (more) { UNITS y[j] = a[j] * b[j] + old[j]; }
        else {
            UNITS y[j] = a[j] * b[j];
        }
        DONE(y, yv)
    }
}

/* ---- LSTM -----------------------------------------------------------------------------------------------------------
 */

#undef POINTERS
#define POINTERS(name, base)                                                                                           \
    real *name[4];                                                                                                     \
    for (int g = 0; g < 4; g++) name[g] = (base) + r->order[g] * n;

static void FN(lstm_fused)(size_t n, real *const *z, real *const *s, real *const *b, const real *cp, real *cn,
                           real *hn) {
    for (size_t i = 0; i < n; i += LANES) {
        READ(xi, z[0])
        READ(xf, z[1])
        READ(xg, z[2])
        READ(xo, z[3])
        READ(si, s[0])
        READ(sf, s[1])
        READ(sg, s[2])
        READ(so, s[3])
        READ(bi, b[0])
        READ(bf, b[1])
        READ(bg, b[2])
        READ(bo, b[3])
        READ(old, cp)
        WRITE(gi, z[0])
        WRITE(gf, z[1])
        WRITE(gg, z[2]) WRITE(go, z[3]) WRITE(c, cn) WRITE(h, hn) UNITS gi[j] = fsigmoid(xi[j] + (si[j] + bi[j]));
        UNITS gf[j] = fsigmoid(xf[j] + (sf[j] + bf[j]));
        UNITS gg[j] = ftanh(xg[j] + (sg[j] + bg[j]));
        UNITS go[j] = fsigmoid(xo[j] + (so[j] + bo[j]));
        UNITS {
            c[j] = gf[j] * old[j] + gi[j] * gg[j];
            h[j] = go[j] * ftanh(c[j]);
        }
        DONE(gi, z[0]) DONE(gf, z[1]) DONE(gg, z[2]) DONE(go, z[3]) DONE(c, cn) DONE(h, hn)
    }
}

static void FN(lstm_row)(const fastnn_recurrent *r, size_t n, real *row, real *pre, real *sums, const real *cp,
                         real *cn, real *hn) {
    const fastnn_activation *act = &FN(activations)[r->activation], *gate = &FN(activations)[r->recurrent_activation];
    POINTERS(z, row) POINTERS(s, sums) POINTERS(b, (real *)r->bias) if (r->fused) {
        FN(lstm_fused)(n, z, s, b, cp, cn, hn);
        return;
    }
    FN(add_both)(4 * n, row, sums, r->bias);
    if (pre) __builtin_memcpy(pre, row, 4 * n * sizeof(real));
    for (int g = 0; g < 4; g++)
        if (g == 2)
            act->forward(n, z[g], z[g], r->params);
        else
            gate->forward(n, z[g], z[g], r->recurrent_params);
    FN(product)(n, z[0], z[2], cn, 0);
    FN(product)(n, z[1], cp, cn, 1);
    act->forward(n, cn, hn, r->params);
    FN(product)(n, z[3], hn, hn, 0);
}

/* gates -> their gradients before the activation; dh: of h, whole, set to what does not pass Wh (nothing); dc: of c,
 * becomes that of the c before */
static void FN(lstm_fused_backward)(size_t n, real *const *z, const real *cp, const real *cn, real *dhv, real *dcv) {
    for (size_t i = 0; i < n; i += LANES) {
        READ(gi, z[0])
        READ(gf, z[1])
        READ(gg, z[2])
        READ(go, z[3])
        READ(old, cp)
        READ(c, cn)
        READ(dh, dhv)
        READ(dc, dcv)
        WRITE(di, z[0]) WRITE(df, z[1]) WRITE(dg, z[2]) WRITE(dout, z[3]) WRITE(through, dhv) WRITE(before, dcv) UNITS {
            const real t = ftanh(c[j]), i_ = gi[j], f_ = gf[j], g_ = gg[j], o_ = go[j];
            const real d = dc[j] + dh[j] * o_ * (K(1) - t * t);
            dout[j] = dh[j] * t * (o_ * (K(1) - o_));
            di[j] = d * g_ * (i_ * (K(1) - i_));
            df[j] = d * old[j] * (f_ * (K(1) - f_));
            dg[j] = d * i_ * (K(1) - g_ * g_);
            before[j] = d * f_;
            through[j] = K(0);
        }
        DONE(di, z[0]) DONE(df, z[1]) DONE(dg, z[2]) DONE(dout, z[3]) DONE(through, dhv) DONE(before, dcv)
    }
}

/* The gradient of act(kept) with respect to its input, from dy: `pre` or `y`, whichever the activation keeps. */
INLINE void FN(through)(const fastnn_activation *act, size_t n, const real *dy, const real *pre, const real *y,
                        real *dx, const double *params) {
    act->backward(n, dy, act->keeps[0] == 'x' ? pre : y, dx, params);
}

static void FN(lstm_row_backward)(const fastnn_recurrent *r, size_t n, real *row, real *pre, real *scratch,
                                  const real *cp, const real *cn, real *dh, real *dc) {
    const fastnn_activation *act = &FN(activations)[r->activation], *gate = &FN(activations)[r->recurrent_activation];
    POINTERS(z, row)
    if (r->fused) {
        FN(lstm_fused_backward)(n, z, cp, cn, dh, dc);
        return;
    }
    POINTERS(p, pre) POINTERS(s, scratch) act->forward(n, cn, s[0], r->params);
    FN(product)(n, dh, s[0], s[3], 0); /* of o */
    FN(product)(n, dh, z[3], s[1], 0); /* of act(c) */
    FN(through)(act, n, s[1], cn, s[0], s[2], r->params);
    for (size_t j = 0; j < n; j++) dc[j] += s[2][j];
    FN(product)(n, dc, z[2], s[0], 0);
    FN(product)(n, dc, cp, s[1], 0);
    FN(product)(n, dc, z[0], s[2], 0);
    FN(product)(n, dc, z[1], dc, 0);
    for (int g = 0; g < 4; g++)
        if (g == 2)
            FN(through)(act, n, s[g], p[g], z[g], z[g], r->params);
        else
            FN(through)(gate, n, s[g], p[g], z[g], z[g], r->recurrent_params);
    __builtin_memset(dh, 0, n * sizeof(real));
}

/* ---- GRU; gates z, r and the candidate h --------------------------------------------------------------------------
 */

/* The reset gate behind the product: inner = h Wh + bh, candidate = tanh(x + r inner). */
static void FN(gru_fused)(size_t n, real *const *z, const real *sums, real *const *b, real *const *bh, const real *hp,
                          real *innerv, real *hn) {
    for (size_t i = 0; i < n; i += LANES) {
        READ(xz, z[0])
        READ(xr, z[1])
        READ(xh, z[2])
        READ(sz, sums)
        READ(sr, sums + n)
        READ(sh, sums + 2 * n)
        READ(bz, b[0])
        READ(br, b[1])
        READ(bc, b[2])
        READ(cz, bh[0])
        READ(cr, bh[1])
        READ(cc, bh[2])
        READ(old, hp)
        WRITE(gz, z[0])
        WRITE(gr, z[1])
        WRITE(gh, z[2]) WRITE(inner, innerv) WRITE(h, hn) UNITS gz[j] = fsigmoid((xz[j] + bz[j]) + (sz[j] + cz[j]));
        UNITS gr[j] = fsigmoid((xr[j] + br[j]) + (sr[j] + cr[j]));
        UNITS {
            inner[j] = sh[j] + cc[j];
            gh[j] = ftanh((xh[j] + bc[j]) + gr[j] * inner[j]);
            h[j] = gz[j] * old[j] + (K(1) - gz[j]) * gh[j];
        }
        DONE(gz, z[0]) DONE(gr, z[1]) DONE(gh, z[2]) DONE(inner, innerv) DONE(h, hn)
    }
}

/* The reset gate before the product, first half: inner = r h. */
static void FN(gru_fused_gates)(size_t n, real *const *z, const real *sums, real *const *b, const real *left,
                                real *innerv) {
    for (size_t i = 0; i < n; i += LANES) {
        READ(xz, z[0])
        READ(xr, z[1])
        READ(sz, sums)
        READ(sr, sums + n)
        READ(bz, b[0])
        READ(br, b[1])
        READ(old, left)
        WRITE(gz, z[0]) WRITE(gr, z[1]) WRITE(inner, innerv) UNITS gz[j] = fsigmoid(xz[j] + (sz[j] + bz[j]));
        UNITS {
            gr[j] = fsigmoid(xr[j] + (sr[j] + br[j]));
            inner[j] = gr[j] * old[j];
        }
        DONE(gz, z[0]) DONE(gr, z[1]) DONE(inner, innerv)
    }
}

/* h = z h + (1 - z) candidate, the candidate being tanh(x + s + b) where `fused`, else x. */
INLINE void FN(gru_blend)(const int fused, size_t n, const real *zv, real *xv, const real *sv, const real *bv,
                          const real *hp, real *hn) {
    for (size_t i = 0; i < n; i += LANES) {
        READ(z, zv) READ(x, xv) READ(s, sv) READ(b, bv) READ(old, hp) WRITE(y, xv) WRITE(h, hn) UNITS {
            y[j] = fused ? ftanh(x[j] + (s[j] + b[j])) : x[j];
            h[j] = z[j] * old[j] + (K(1) - z[j]) * y[j];
        }
        DONE(y, xv) DONE(h, hn)
    }
}

#define GRU_POINTERS                                                                                                   \
    const fastnn_activation *act = &FN(activations)[r->activation], *gate = &FN(activations)[r->recurrent_activation]; \
    POINTERS(z, row)                                                                                                   \
    POINTERS(b, (real *)r->bias)                                                                                       \
    (void)act, (void)gate;

/* Everything where the reset gate comes after the product, else as far as r h. */
static void FN(gru_row)(const fastnn_recurrent *r, size_t n, real *row, real *pre, real *sums, const real *hp,
                        const real *left, real *inner, real *hn) {
    GRU_POINTERS
    const int after = r->kind == FASTNN_GRU_RESET_AFTER;
    POINTERS(bh, (real *)r->bias + 3 * n)
    if (r->fused) {
        if (after)
            FN(gru_fused)(n, z, sums, b, bh, hp, inner, hn);
        else
            FN(gru_fused_gates)(n, z, sums, b, left, inner);
        return;
    }
    for (int g = 0; g < 2; g++) {
        FN(add_both)(n, z[g], sums + g * n, b[g]);
        if (after)
            for (size_t j = 0; j < n; j++) z[g][j] += bh[g][j];
        if (pre) __builtin_memcpy(pre + r->order[g] * n, z[g], n * sizeof(real));
        gate->forward(n, z[g], z[g], r->recurrent_params);
    }
    if (!after) {
        FN(product)(n, z[1], left, inner, 0);
        return;
    }
    for (size_t j = 0; j < n; j++) {
        inner[j] = sums[2 * n + j] + bh[2][j];
        z[2][j] += b[2][j];
    }
    FN(product)(n, z[1], inner, z[2], 1);
    if (pre) __builtin_memcpy(pre + r->order[2] * n, z[2], n * sizeof(real));
    act->forward(n, z[2], z[2], r->params);
    FN(gru_blend)(0, n, z[0], z[2], b[2], b[2], hp, hn);
}

/* The rest where the reset gate comes before the product. */
static void FN(gru_row_rest)(const fastnn_recurrent *r, size_t n, real *row, real *pre, real *sums, const real *hp,
                             real *hn) {
    GRU_POINTERS
    if (r->fused) {
        FN(gru_blend)(1, n, z[0], z[2], sums + 2 * n, b[2], hp, hn);
        return;
    }
    FN(add_both)(n, z[2], sums + 2 * n, b[2]);
    if (pre) __builtin_memcpy(pre + r->order[2] * n, z[2], n * sizeof(real));
    act->forward(n, z[2], z[2], r->params);
    FN(gru_blend)(0, n, z[0], z[2], b[2], b[2], hp, hn);
}

/* First half of the way back: of the candidate before its activation (over the candidate), of z as a gate (scratch),
 * dh = what goes through the blend. */
static void FN(gru_unblend)(const fastnn_recurrent *r, size_t n, real *row, real *pre, real *scratch, const real *hp,
                            real *dhv) {
    const fastnn_activation *act = &FN(activations)[r->activation];
    POINTERS(z, row)
    real *of_z = scratch, *of_h = scratch + n;
    const int fused = r->fused;
    for (size_t i = 0; i < n; i += LANES) {
        READ(gz, z[0])
        READ(gh, z[2]) READ(old, hp) READ(d, dhv) WRITE(dz, of_z) WRITE(dh, of_h) WRITE(rest, dhv) UNITS {
            dz[j] = d[j] * (old[j] - gh[j]);
            dh[j] = d[j] * (K(1) - gz[j]) * select(fused, K(1) - gh[j] * gh[j], K(1));
            rest[j] = d[j] * gz[j];
        }
        DONE(dz, of_z) DONE(dh, of_h) DONE(rest, dhv)
    }
    if (fused)
        __builtin_memcpy(z[2], of_h, n * sizeof(real));
    else
        FN(through)(act, n, of_h, pre + r->order[2] * n, z[2], z[2], r->params);
}

/* Second half: of both gates before their activation, from of_z (scratch) and the gradient of r inner. */
static void FN(gru_ungate)(const fastnn_recurrent *r, size_t n, real *row, real *pre, real *of_z, real *of_r) {
    const fastnn_activation *gate = &FN(activations)[r->recurrent_activation];
    POINTERS(z, row)
    real *of[2] = {of_z, of_r};
    for (int g = 0; g < 2; g++)
        FN(through)(gate, n, of[g], pre ? pre + r->order[g] * n : pre, z[g], z[g], r->recurrent_params);
}
