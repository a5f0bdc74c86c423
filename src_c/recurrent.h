/* Recurrent layers: whole sequences of some samples, forward and backward (docs/recurrent.md has the formulas).
 *
 * Arrays are time-major: z (steps, batch, gates * units) comes in as x Wx for all steps, made by one matrix product; h
 * and c (steps + 1, batch, units) begin with the initial state.  A step is one product of h with the packed Wh, and one
 * pass over the rows in which all gates are computed and combined.  What a pass keeps for the way back it writes over
 * z; the way back writes the gradients of the gates there, so that the gradients of all weights are products over the
 * whole sequence.  Samples do not know of each other: threads take samples, not steps.
 *
 * What a single sample does at a single step stands in recurrent_gates.h.
 */
#include "recurrent_gates.h"

/* ---- sequences ----------------------------------------------------------------------------------------------------
 */

INLINE int FN(skipped)(const fastnn_recurrent *r, size_t t, size_t row) {
    return r->mask && !r->mask[row * r->steps + (r->reversed ? r->steps - 1 - t : t)];
}

/* The initial state of some rows, or zeros. */
INLINE void FN(begin)(const void *from, void *to, size_t at, size_t count) {
    if (from)
        __builtin_memcpy((real *)to + at, (const real *)from + at, count * sizeof(real));
    else
        __builtin_memset((real *)to + at, 0, count * sizeof(real));
}

static void FN(recurrent_forward)(const fastnn_recurrent *r, size_t first, size_t rows) {
    const size_t n = r->units, gates = FN(gates)(r->kind), width = gates * n, state = r->batch * n, at = first * n;
    const size_t line = r->steps * state; /* what one gate sees of h */
    const int lstm = r->kind == FASTNN_LSTM, simple = r->kind == FASTNN_SIMPLE_RNN, apart = FN(apart)(r);
    /* without reset_after, the product of a GRU's candidate has to wait for the gates */
    const size_t products = !apart ? 1 : r->kind == FASTNN_GRU ? 2 : gates;
    const real *packed = r->packed, *drop = r->drop;
    real *scratch = (real *)r->scratch + first * (gates + 1) * n;
    FN(begin)(r->h0, r->h, at, rows * n);
    if (lstm) FN(begin)(r->c0, r->c, at, rows * n);
    for (size_t t = 0; t < r->steps; t++) {
        const real *hp = (real *)r->h + t * state + at, *left = hp;
        real *hn = (real *)r->h + (t + 1) * state + at, *z = (real *)r->z + t * gates * state + first * width;
        real *pre = r->pre ? (real *)r->pre + t * gates * state + first * width : 0;
        /* LSTM: c before and after; GRU: inner */
        real *c = r->c ? (real *)r->c + t * state + at : 0;
        for (size_t g = 0; drop && g < gates; g++)
            FN(product)(rows * n, hp, drop + g * state + at, (real *)r->dropped + g * line + t * state + at, 0);
        for (size_t g = 0; g < products; g++) {
            /* what the last gate sees stays in `left`: a GRU's candidate needs it */
            if (drop) left = (real *)r->dropped + g * line + t * state + at;
            FN(packed_gemm)(rows, apart ? n : width, n, left, n, packed + g * FN(panel_size)(n),
                            scratch + (lstm ? (size_t)r->order[g] : g) * n * (size_t)apart, width, 0);
        }
        if (drop) left = (real *)r->dropped + (gates - 1) * line + t * state + at;
        if (simple) {
            for (size_t i = 0; i < rows; i++) FN(add_both)(n, z + i * n, scratch + i * n, r->bias);
            FN(activations)[r->activation].forward(rows * n, z, hn, r->params);
        } else {
            for (size_t i = 0; i < rows; i++) {
                real *p = pre ? pre + i * width : 0;
                if (lstm)
                    FN(lstm_row)(r, n, z + i * width, p, scratch + i * width, c + i * n, c + state + i * n, hn + i * n);
                else
                    FN(gru_row)(r, n, z + i * width, p, scratch + i * width, hp + i * n, left + i * n, c + i * n,
                                hn + i * n);
            }
            if (r->kind == FASTNN_GRU) {
                FN(packed_gemm)(rows, n, n, c, n, packed + 2 * FN(panel_size)(n), scratch + 2 * n, width, 0);
                for (size_t i = 0; i < rows; i++)
                    FN(gru_row_rest)(r, n, z + i * width, pre ? pre + i * width : 0, scratch + i * width, hp + i * n,
                                     hn + i * n);
            }
        }
        for (size_t i = 0; i < rows; i++)
            if (FN(skipped)(r, t, first + i)) {
                __builtin_memcpy(hn + i * n, hp + i * n, n * sizeof(real));
                if (lstm) __builtin_memcpy(c + state + i * n, c + i * n, n * sizeof(real));
            }
    }
}

static void FN(recurrent_backward)(const fastnn_recurrent *r, size_t first, size_t rows) {
    const size_t n = r->units, gates = FN(gates)(r->kind), width = gates * n, state = r->batch * n, at = first * n;
    const size_t panel = FN(panel_size)(n), line = (gates + 1) * n, products = !FN(apart)(r) ? 1 : gates;
    const int lstm = r->kind == FASTNN_LSTM, simple = r->kind == FASTNN_SIMPLE_RNN,
              after = r->kind == FASTNN_GRU_RESET_AFTER;
    const real *packed = r->packed, *drop = r->drop;
    real *scratch = (real *)r->scratch + first * line, *dh = (real *)r->dh + at, *dc = r->dc ? (real *)r->dc + at : 0;
    /* the gradient that has come through Wh stands behind the scratch of the rows */
    real *through = scratch + rows * width;
    FN(begin)(r->dh_last, r->dh, at, rows * n);
    if (lstm) FN(begin)(r->dc_last, r->dc, at, rows * n);
    for (size_t t = r->steps; t-- > 0;) {
        const real *hp = (real *)r->h + t * state + at, *hn = hp + state,
                   *dy = r->dy ? (const real *)r->dy + t * state + at : 0;
        /* what a GRU's candidate saw of h, and the factors that it saw it with */
        const real *left = drop ? (real *)r->dropped + ((gates - 1) * r->steps + t) * state + at : hp;
        const real *of_left = drop ? drop + (gates - 1) * state + at : 0;
        real *z = (real *)r->z + t * gates * state + first * width;
        real *pre = r->pre ? (real *)r->pre + t * gates * state + first * width : 0;
        real *c = r->c ? (real *)r->c + t * state + at : 0;
        if (dy)
            for (size_t i = 0; i < rows * n; i++) dh[i] += dy[i];
        for (size_t i = 0; i < rows; i++) {
            real *row = z + i * width, *p = pre ? pre + i * width : 0, *s = scratch + i * width, *d = dh + i * n;
            if (FN(skipped)(r, t, first + i)) {
                __builtin_memset(row, 0, width * sizeof(real));
                if (after) __builtin_memset(c + i * n, 0, n * sizeof(real));
                if (r->kind == FASTNN_GRU) __builtin_memset(s, 0, n * sizeof(real));
                continue;
            }
            if (simple) {
                FN(through)(&FN(activations)[r->activation], n, d, row, hn + i * n, row, r->params);
                __builtin_memset(d, 0, n * sizeof(real));
            } else if (lstm) {
                FN(lstm_row_backward)(r, n, row, p, s, c + i * n, c + state + i * n, d, dc + i * n);
            } else {
                FN(gru_unblend)(r, n, row, p, s, hp + i * n, d);
                if (after) {
                    /* inner becomes its own gradient: of the candidate times r */
                    real *of_h = row + r->order[2] * n, *inner = c + i * n;
                    FN(product)(n, of_h, inner, s + n, 0);
                    FN(product)(n, of_h, row + r->order[1] * n, inner, 0);
                    FN(gru_ungate)(r, n, row, p, s, s + n);
                }
            }
        }
        if (r->kind == FASTNN_GRU) {
            FN(packed_gemm)(rows, n, n, z + r->order[2] * n, width, packed + 2 * panel, through, n, 0);
            for (size_t i = 0; i < rows; i++) {
                if (FN(skipped)(r, t, first + i)) continue;
                real *row = z + i * width, *s = scratch + i * width, *gate = row + r->order[1] * n;
                /* of r; of the h that r was multiplied with */
                FN(product)(n, through + i * n, left + i * n, s + n, 0);
                FN(product)(n, through + i * n, gate, s + 2 * n, 0);
                if (drop) FN(product)(n, s + 2 * n, of_left + i * n, s + 2 * n, 0);
                for (size_t j = 0; j < n; j++) dh[i * n + j] += s[2 * n + j];
                FN(gru_ungate)(r, n, row, pre ? pre + i * width : 0, s, s + n);
            }
        }
        for (size_t g = 0; g < products; g++) {
            const int candidate = FN(apart)(r) && !lstm && g == 2;
            if (candidate && !after) break; /* it has gone back through r h */
            const real *of_gate = candidate ? c : FN(apart)(r) ? z + r->order[g] * n : z;
            /* without dropout all gates see one h */
            FN(packed_gemm)(rows, n, FN(apart)(r) ? n : width, of_gate, candidate ? n : width, packed + g * panel,
                            through, n, g > 0 && !drop);
            if (drop) FN(product)(rows * n, through, drop + g * state + at, dh, 1);
        }
        if (!drop)
            for (size_t i = 0; i < rows * n; i++) dh[i] += through[i];
    }
}
#undef GRU_POINTERS
