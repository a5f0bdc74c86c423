/* Convolution without im2col: a register tile of pixels times filters, straight from the padded image.
 *
 * A tile holds the outputs of TILE pixels and one panel of filters (two vectors of them).  Its inner loop broadcasts
 * one input element of every pixel against a row of the panel, as a matrix product does; where the pixels' elements
 * stand is read from tables, so stride, dilation, groups and the phases of a transposed convolution are all the same
 * loop. The gradient of the weights is the same tile turned round: taps times filters, summed over pixels.  In a
 * depthwise convolution, where every channel has its own weights, the broadcast becomes a load.
 *
 * Every output element is summed in one order (bias, then rows, columns and channels of the window), whatever tile it
 * falls into.  Gradients of weights are summed chunk by chunk and block by block.
 */
#include "conv_plan.h"

/* target[to[i]] = bias + sum over taps of source[from[i] + tap] * panel, for the m pixels from i = 0 on; beyond `left`
 * the last pixel is computed again.  width: columns of the panel that exist. */
INLINE void FN(conv_tile)(const int m, const int vectors, const int depthwise, const fastnn_conv_phase *phase,
                          const ptrdiff_t *taps, const real *source, const ptrdiff_t *from, const ptrdiff_t *to,
                          size_t left, const real *panel, const real *bias, real *target, size_t width) {
    const size_t runs = phase->runs;
    const ptrdiff_t run = (ptrdiff_t)phase->run;
    const real *at[PIXELS_OF_ONE];
    vec sum[PIXELS_OF_ONE][2];
    UNROLL(i, m) {
        at[i] = source + from[conv_min((size_t)i, left - 1)];
        UNROLL(v, vectors) sum[i][v] = LOAD(bias + v * LANES);
    }
    for (size_t r = 0; r < runs; r++) {
        const ptrdiff_t first = taps[r], end = first + run;
        for (ptrdiff_t k = first; k < end; k++, panel += PANEL) {
            vec w[2];
            UNROLL(v, vectors) w[v] = LOAD(panel + v * LANES);
            UNROLL(i, m) {
                if (depthwise) {
                    UNROLL(v, vectors) sum[i][v] += LOAD(at[i] + k + v * LANES) * w[v];
                } else {
                    const vec x = at[i][k] - (vec){0};
                    UNROLL(v, vectors) sum[i][v] += x * w[v];
                }
            }
        }
    }
    if (width == (size_t)(vectors * LANES)) {
        UNROLL(i, m) {
            real *out = target + to[conv_min((size_t)i, left - 1)];
            UNROLL(v, vectors) STORE(out + v * LANES, sum[i][v]);
        }
    } else {
        real spill[PANEL];
        UNROLL(i, m) {
            real *out = target + to[conv_min((size_t)i, left - 1)];
            UNROLL(v, vectors) STORE(spill + v * LANES, sum[i][v]);
            for (size_t f = 0; f < width; f++) out[f] = spill[f];
        }
    }
}

#define TILES(m, vectors, depthwise)                                                                                   \
    for (size_t i = 0; i < count; i += (m))                                                                            \
    FN(conv_tile)(m, vectors, depthwise, phase, taps, source, from + i, to + i, count - i, panel, bias, target, width)

/* All pixels of a phase and chunk against one panel. */
static void FN(conv_panel)(int depthwise, const fastnn_conv_phase *phase, const ptrdiff_t *taps, const real *source,
                           const ptrdiff_t *from, const ptrdiff_t *to, size_t count, const real *panel,
                           const real *bias, real *target, size_t width) {
    if (depthwise && width > LANES) {
        TILES(PIXELS_OF_TWO, 2, 1);
    } else if (depthwise) {
        TILES(PIXELS_OF_ONE, 1, 1);
    } else if (width > LANES) {
        TILES(PIXELS_OF_TWO, 2, 0);
    } else {
        TILES(PIXELS_OF_ONE, 1, 0);
    }
}
#undef TILES

typedef struct {
    size_t images, rows, first_image, first_row;
    const real *source; /* what the tables' offsets count from */
} FN(conv_chunk);

/* Where a chunk lies, and its source, padded. */
static FN(conv_chunk) FN(conv_open)(const fastnn_conv *c, size_t number, const real *source, char *slot) {
    FN(conv_chunk) k = {.images = 1, .rows = c->chunk_rows};
    if (c->chunk_rows < c->y.target) {
        const size_t per_image = conv_ceil(c->y.target, c->chunk_rows);
        k.first_image = number / per_image;
        k.first_row = number % per_image * c->chunk_rows;
        k.rows = conv_min(c->chunk_rows, c->y.target - k.first_row);
    } else {
        k.first_image = number * c->chunk_images;
        k.images = conv_min(c->chunk_images, c->window.images - k.first_image);
    }
    const size_t top = c->y.step_u * (k.first_row / c->y.step_t), line = c->x.source * c->source_channels;
    source += k.first_image * c->y.source * line;
    if (c->in_place) {
        k.source = source + top * line;
    } else {
        k.source = (real *)(slot + c->slab_at);
        FN(conv_slab)(c, source, k.images, (ptrdiff_t)top + c->y.low, (real *)(slot + c->slab_at));
    }
    return k;
}

/* Pixels of a phase in a chunk. */
INLINE size_t FN(conv_count)(const fastnn_conv *c, const FN(conv_chunk) * k, const fastnn_conv_phase *phase,
                             size_t py) {
    return k->images * conv_of_phase(&c->y, py, k->rows) * phase->pixels_per_row;
}

static void FN(conv_forward_block)(const fastnn_conv *c, void *workspace, size_t block, const fastnn_conv_args *a) {
    const ptrdiff_t *taps = conv_at(workspace, c->taps_at), *from = conv_at(workspace, c->from_at);
    const ptrdiff_t *to = conv_at(workspace, c->to_at);
    const real *biases = conv_at(workspace, c->panels_at);
    const real *panels = biases + c->groups * c->panels * PANEL;
    char *slot = conv_at(workspace, c->slots_at + block * c->slot);
    const size_t end = conv_min(c->chunks, (block + 1) * c->chunks_per_block);
    for (size_t number = block * c->chunks_per_block; number < end; number++) {
        const FN(conv_chunk) k = FN(conv_open)(c, number, a->source, slot);
        const fastnn_conv_phase *phase = conv_at(workspace, c->phases_at);
        const size_t pixels = k.images * k.rows * c->x.target;
        const size_t at = (k.first_image * c->y.target + k.first_row) * c->x.target * c->target_channels;
        real *target = (real *)a->target + at, *sums = a->kept ? (real *)a->kept + at : target;
        for (size_t p = 0; p < c->y.step_t * c->x.step_t; p++, phase++) {
            const size_t count = FN(conv_count)(c, &k, phase, p / c->x.step_t), depth = phase->runs * phase->run;
            const real *panel = panels + phase->first_row * c->groups * c->panels * PANEL;
            for (size_t g = 0; g < c->groups; g++)
                for (size_t f = 0; f < c->panels; f++, panel += depth * PANEL) {
                    const size_t first = g * c->group_target + f * PANEL;
                    const size_t last = conv_min((g + 1) * c->group_target, c->target_channels);
                    FN(conv_panel)(c->depthwise, phase, taps + phase->first_tap, k.source + g * c->group_source,
                                   from + phase->first_pixel, to + phase->first_pixel, count, panel,
                                   biases + (g * c->panels + f) * PANEL, sums + first, conv_min(PANEL, last - first));
                }
        }
        if (a->activation != FASTNN_ACT_identity || sums != target)
            FN(activations)[a->activation].forward(pixels * c->target_channels, sums, target, a->params);
    }
}

/* sums[i] += sum over pixels of source[from[pixel] + taps[i]] * dy[pixel], for m elements of the window. */
INLINE void FN(conv_weights_tile)(const int m, const int vectors, const int depthwise, const real *const *taps,
                                  const ptrdiff_t *from, size_t pixels, const real *dy, real *sums) {
    const real *at[PIXELS_OF_ONE];
    vec sum[PIXELS_OF_ONE][2];
    UNROLL(i, m) {
        at[i] = taps[i];
        UNROLL(v, vectors) sum[i][v] = (vec){0};
    }
    for (size_t p = 0; p < pixels; p++, dy += vectors * LANES) {
        const ptrdiff_t k = from[p];
        vec d[2];
        UNROLL(v, vectors) d[v] = LOAD(dy + v * LANES);
        UNROLL(i, m) {
            if (depthwise) {
                UNROLL(v, vectors) sum[i][v] += LOAD(at[i] + k + v * LANES) * d[v];
            } else {
                const vec x = at[i][k] - (vec){0};
                UNROLL(v, vectors) sum[i][v] += x * d[v];
            }
        }
    }
    UNROLL(i, m) UNROLL(v, vectors) {
        real *out = sums + i * PANEL + v * LANES;
        STORE(out, LOAD(out) + sum[i][v]);
    }
}

#define ONE(m)                                                                                                         \
    case m:                                                                                                            \
        FN(conv_weights_tile)(m, vectors, depthwise, at, from, pixels, dy, sums);                                      \
        break;

/* Every element of a group's window against a panel of dy. */
INLINE void FN(conv_weights_panel)(const int most, const int vectors, const int depthwise,
                                   const fastnn_conv_phase *phase, const ptrdiff_t *taps, const real *source,
                                   const ptrdiff_t *from, size_t pixels, const real *dy, real *sums) {
    const real *at[PIXELS_OF_ONE];
    size_t run = 0, offset = 0, left = phase->runs * phase->run;
    /* tiles of even height: 5 and 5 instead of 8 and 2 */
    const size_t even = conv_ceil(left, conv_ceil(left, (size_t)most));
    while (left) {
        const size_t m = conv_min(even, left);
        for (size_t i = 0; i < m; i++) {
            at[i] = source + taps[run] + offset;
            if (++offset == phase->run) offset = 0, run++;
        }
        /* clang-format off */
        switch (m) {
            ONE(1) ONE(2) ONE(3) ONE(4) ONE(5) ONE(6)
#if PIXELS_OF_TWO > 6
            ONE(7) ONE(8)
#else
        case 7:
            if (vectors == 1) FN(conv_weights_tile)(7, 1, depthwise, at, from, pixels, dy, sums);
            break;
        case 8:
            if (vectors == 1) FN(conv_weights_tile)(8, 1, depthwise, at, from, pixels, dy, sums);
            break;
#endif
        }
        /* clang-format on */
        sums += m * PANEL;
        left -= m;
    }
}
#undef ONE

/* Adds this block's chunks to the sums in its slot. */
static void FN(conv_weights_block)(const fastnn_conv *c, void *workspace, size_t block, const fastnn_conv_args *a) {
    const ptrdiff_t *taps = conv_at(workspace, c->taps_at), *from = conv_at(workspace, c->from_at);
    const fastnn_conv_phase *phase = conv_at(workspace, c->phases_at);
    char *slot = conv_at(workspace, c->slots_at + block * c->slot);
    real *gradient = conv_at(slot, c->gradient_at);
    const size_t end = conv_min(c->chunks, (block + 1) * c->chunks_per_block);
    const size_t filters = c->target_channels, depth = phase->runs * phase->run;
    __builtin_memset(slot + c->sums_at, 0, c->groups * c->panels * depth * PANEL * sizeof(real));
    for (size_t number = block * c->chunks_per_block; number < end; number++) {
        const FN(conv_chunk) k = FN(conv_open)(c, number, a->source, slot);
        const size_t pixels = FN(conv_count)(c, &k, phase, 0);
        const real *dy = (const real *)a->dy + (k.first_image * c->y.target + k.first_row) * c->x.target * filters;
        real *sums = conv_at(slot, c->sums_at);
        for (size_t g = 0; g < c->groups; g++)
            for (size_t f = 0; f < c->panels; f++, sums += depth * PANEL) {
                const size_t first = g * c->group_target + f * PANEL;
                const size_t width = conv_min(PANEL, conv_min((g + 1) * c->group_target, filters) - first);
                const size_t lanes = width > LANES ? PANEL : LANES;
                const real *source = k.source + g * c->group_source;
                if (width == PANEL) {
                    for (size_t p = 0; p < pixels; p++)
                        __builtin_memcpy(gradient + p * PANEL, dy + p * filters + first, PANEL * sizeof(real));
                } else {
                    for (size_t p = 0; p < pixels; p++) {
                        for (size_t j = 0; j < width; j++) gradient[p * lanes + j] = dy[p * filters + first + j];
                        for (size_t j = width; j < lanes; j++) gradient[p * lanes + j] = K(0);
                    }
                }
                if (c->depthwise && lanes == PANEL)
                    FN(conv_weights_panel)(PIXELS_OF_TWO, 2, 1, phase, taps, source, from, pixels, gradient, sums);
                else if (c->depthwise)
                    FN(conv_weights_panel)(PIXELS_OF_ONE, 1, 1, phase, taps, source, from, pixels, gradient, sums);
                else if (lanes == PANEL)
                    FN(conv_weights_panel)(PIXELS_OF_TWO, 2, 0, phase, taps, source, from, pixels, gradient, sums);
                else
                    FN(conv_weights_panel)(PIXELS_OF_ONE, 1, 0, phase, taps, source, from, pixels, gradient, sums);
            }
    }
}

static void FN(conv_block)(const fastnn_conv *c, void *workspace, size_t block, const fastnn_conv_args *a) {
    if (c->direction == FASTNN_CONV_WEIGHTS)
        FN(conv_weights_block)(c, workspace, block, a);
    else
        FN(conv_forward_block)(c, workspace, block, a);
}

/* dw (kernel height, kernel width, channels of a group, filters) = the blocks' sums, added in their order. */
static void FN(conv_finish)(const fastnn_conv *c, void *workspace, void *dwv) {
    real *dw = dwv;
    const size_t depth = c->taps * (c->depthwise ? 1 : c->group_source), filters = c->window.filters;
    for (size_t g = 0; g < c->groups; g++)
        for (size_t f = 0; f < c->panels; f++)
            for (size_t k = 0; k < depth; k++) {
                const size_t first = g * c->group_target + f * PANEL, at = ((g * c->panels + f) * depth + k) * PANEL;
                const size_t width = conv_min(PANEL, conv_min((g + 1) * c->group_target, filters) - first);
                real total[PANEL] = {0};
                for (size_t b = 0; b < c->blocks; b++) {
                    const real *sums = conv_at(workspace, c->slots_at + b * c->slot + c->sums_at);
                    for (int j = 0; j < PANEL; j++) total[j] += sums[at + (size_t)j];
                }
                for (size_t j = 0; j < width; j++) dw[k * filters + first + j] = total[j];
            }
}
#undef LOAD
#undef STORE
