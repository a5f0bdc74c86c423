/* How a convolution is cut into blocks and chunks, where it finds its numbers, and the workspace: src_c/conv.h
 * computes.
 *
 * The plan follows from the shape alone.  The workspace holds the tables of offsets, weights and bias in panels of two
 * vectors of filters, and for each block a slot with its slab (window.h) and, for WEIGHTS, its sums.
 */
#undef LANES
#undef PANEL
#undef TILE
#undef vec
#ifndef FASTNN_CONV_ONCE
#define FASTNN_CONV_ONCE
#include "window.h"
/* accumulators of a tile: two vectors a pixel, of 16 or 32 registers */
#if defined(__AVX512F__) || defined(__aarch64__)
#define PIXELS_OF_TWO 8
#else
#define PIXELS_OF_TWO 6
#endif
#define PIXELS_OF_ONE 8
#define SLAB_BYTES 131072    /* a chunk's part of the source stays in the second-level cache */
#define GRADIENT_BYTES 65536 /* and so does its part of dy, next to it */
#define MOST_CHUNK_PIXELS 1024
#define MOST_CONV_BLOCKS 16
#define LEAST_BLOCK_FLOPS 2e6 /* work that is worth a thread */
#ifdef __clang__
#define UNROLL(variable, count)                                                                                        \
    _Pragma("clang loop unroll(full)") for (int variable = 0; variable < (count); variable++)
#else
#define UNROLL(variable, count) _Pragma("GCC unroll 16") for (int variable = 0; variable < (count); variable++)
#endif

typedef struct {
    size_t pixels_per_row; /* of the target, in this phase */
    size_t runs, run;      /* taps that stand side by side are one run of source elements */
    size_t first_tap, first_pixel, first_row;
} fastnn_conv_phase;

INLINE size_t conv_align(size_t bytes) { return (bytes + 63) / 64 * 64; }
INLINE size_t conv_ceil(size_t a, size_t b) { return (a + b - 1) / b; }
INLINE size_t conv_min(size_t a, size_t b) { return a < b ? a : b; }
INLINE size_t conv_max(size_t a, size_t b) { return a > b ? a : b; }

/* Target positions below n that belong to a phase. */
INLINE size_t conv_of_phase(const fastnn_conv_axis *a, size_t phase, size_t n) {
    return n > phase ? (n - phase - 1) / a->step_t + 1 : 0;
}

/* Taps in the order of ascending source positions; whether tap number i takes part in a phase, and where it reads. */
INLINE size_t conv_tap(const fastnn_conv_axis *a, size_t i) { return a->backward ? a->window.kernel - 1 - i : i; }
INLINE int conv_offset(const fastnn_conv_axis *a, size_t phase, size_t tap, ptrdiff_t *offset) {
    const ptrdiff_t reach = (ptrdiff_t)(tap * a->window.dilation), stride = (ptrdiff_t)a->window.stride;
    *offset = reach - a->window.pad;
    if (!a->backward) return 1;
    const ptrdiff_t distance = (ptrdiff_t)phase - *offset;
    *offset = distance / stride;
    return distance % stride == 0;
}

static fastnn_conv_axis conv_axis(const fastnn_axis *window, int backward) {
    fastnn_conv_axis a = {.window = *window, .backward = backward, .step_t = 1, .step_u = 1};
    ptrdiff_t offset;
    int first = 1;
    a.target = backward ? window->input : window->output;
    a.source = backward ? window->output : window->input;
    if (backward) {
        a.step_t = window->stride;
    } else {
        a.step_u = window->stride;
    }
    for (size_t phase = 0; phase < a.step_t; phase++)
        for (size_t k = 0; k < window->kernel; k++)
            if (conv_offset(&a, phase, k, &offset)) {
                a.low = first || offset < a.low ? offset : a.low;
                a.high = first || offset > a.high ? offset : a.high;
                first = 0;
            }
    return a;
}

/* Source positions from low to high that the first n targets read. */
INLINE size_t conv_reach(const fastnn_conv_axis *a, size_t n) {
    return a->step_u * (conv_ceil(n, a->step_t) - 1) + (size_t)(a->high - a->low) + 1;
}
INLINE int conv_is_inside(const fastnn_conv_axis *a) {
    return a->low >= 0 && a->low + (ptrdiff_t)conv_reach(a, a->target) <= (ptrdiff_t)a->source;
}
INLINE void *conv_at(const void *base, size_t bytes) { return (char *)base + bytes; }
#endif

#define LANES (VECTOR_BYTES / (int)sizeof(real))
#define PANEL (2 * LANES)
#define vec FN(vec)
typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef real FN(loose_vec) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
#define LOAD(address) ((vec) * (const FN(loose_vec) *)(address))
#define STORE(address, value) (*(FN(loose_vec) *)(address) = (FN(loose_vec))(value))

static void FN(conv_plan)(const fastnn_window *window, int direction, fastnn_conv *c) {
    const int backward = direction == FASTNN_CONV_INPUT;
    __builtin_memset(c, 0, sizeof *c);
    c->window = *window;
    c->direction = direction;
    c->y = conv_axis(&window->y, backward);
    c->x = conv_axis(&window->x, backward);
    c->source_channels = backward ? window->filters : window->channels;
    c->target_channels = backward ? window->channels : window->filters;
    c->depthwise = window->groups == window->channels && window->groups == window->filters && window->groups > 1;
    c->groups = c->depthwise ? conv_ceil(window->groups, PANEL) : window->groups;
    c->group_source = c->depthwise ? PANEL : c->source_channels / window->groups;
    c->group_target = c->depthwise ? PANEL : c->target_channels / window->groups;
    c->panels = conv_ceil(c->group_target, PANEL);
    c->taps = window->y.kernel * window->x.kernel;
    /* a depthwise tile reads whole vectors of channels */
    c->in_place = conv_is_inside(&c->y) && conv_is_inside(&c->x) && !(c->depthwise && c->source_channels % PANEL);

    /* chunks: whole images while they are small, else rows */
    const size_t row = c->in_place ? 0 : conv_reach(&c->x, c->x.target) * c->source_channels * sizeof(real);
    const size_t image = row * conv_reach(&c->y, c->y.target), pixels = c->y.target * c->x.target;
    const size_t per_pixel = direction == FASTNN_CONV_WEIGHTS ? (c->target_channels + PANEL) * sizeof(real) : 0;
    size_t most_pixels = MOST_CHUNK_PIXELS;
    if (per_pixel) most_pixels = conv_max(1, conv_min(most_pixels, GRADIENT_BYTES / per_pixel));
    c->chunk_images = 1;
    c->chunk_rows = c->y.target;
    if (image <= SLAB_BYTES && pixels <= most_pixels) {
        c->chunk_images = conv_max(1, conv_min(window->images, most_pixels / conv_max(1, pixels)));
        if (image) c->chunk_images = conv_max(1, conv_min(c->chunk_images, SLAB_BYTES / image));
    } else {
        size_t rows = conv_max(1, most_pixels / conv_max(1, c->x.target));
        const size_t extra = row * (size_t)(c->y.high - c->y.low), per_row = conv_max(1, row * c->y.step_u);
        const size_t room = extra < SLAB_BYTES ? (SLAB_BYTES - extra) / per_row * c->y.step_t : 0;
        if (row) rows = conv_min(rows, room);
        c->chunk_rows = conv_min(c->y.target, conv_max(1, rows / c->y.step_t) * c->y.step_t);
    }
    const size_t per_image = conv_ceil(c->y.target, conv_max(1, c->chunk_rows));
    c->chunks = c->chunk_rows < c->y.target ? window->images * per_image : conv_ceil(window->images, c->chunk_images);
    c->chunk_pixels = c->chunk_images * c->chunk_rows * c->x.target;

    const double products = (double)c->taps * (double)c->group_source * (double)c->target_channels;
    const double flops = 2 * products * (double)window->images * (double)(window->y.output * window->x.output);
    size_t blocks = direction == FASTNN_CONV_WEIGHTS ? MOST_CONV_BLOCKS / 2 : MOST_CONV_BLOCKS;
    if (flops < LEAST_BLOCK_FLOPS * (double)blocks) blocks = (size_t)(flops / LEAST_BLOCK_FLOPS);
    c->chunks_per_block = conv_max(1, conv_ceil(c->chunks, conv_max(1, conv_min(blocks, c->chunks))));
    c->blocks = conv_ceil(c->chunks, c->chunks_per_block);

    c->slab_rows = c->in_place ? c->y.source : conv_reach(&c->y, c->chunk_rows);
    c->slab_cols = c->in_place ? c->x.source : conv_reach(&c->x, c->x.target);
    const size_t weights = c->groups * c->panels * PANEL * c->taps * (c->depthwise ? 1 : c->group_source);
    size_t at = 0;
#define PLACE(field, bytes) (c->field = at, at += conv_align(bytes))
    PLACE(phases_at, c->y.step_t * c->x.step_t * sizeof(fastnn_conv_phase));
    PLACE(taps_at, c->taps * sizeof(ptrdiff_t));
    PLACE(from_at, c->chunk_pixels * sizeof(ptrdiff_t));
    PLACE(to_at, c->chunk_pixels * sizeof(ptrdiff_t));
    if (direction != FASTNN_CONV_WEIGHTS) /* a row of bias for each panel, and the weights */
        PLACE(panels_at, (weights + c->groups * c->panels * PANEL) * sizeof(real));
    c->slots_at = at;
    at = 0;
    if (!c->in_place)
        PLACE(slab_at, (c->chunk_images * c->slab_rows * c->slab_cols * c->source_channels + PANEL) * sizeof(real));
    if (direction == FASTNN_CONV_WEIGHTS) {
        PLACE(gradient_at, c->chunk_pixels * PANEL * sizeof(real));
        PLACE(sums_at, weights * sizeof(real));
    }
#undef PLACE
    c->slot = at;
    c->workspace = c->slots_at + c->slot * c->blocks;
}

/* The tables of a plan: phases, taps, and where every pixel of a chunk reads and writes. */
static void FN(conv_tables)(const fastnn_conv *c, void *workspace) {
    fastnn_conv_phase *phase = conv_at(workspace, c->phases_at);
    ptrdiff_t *tap = conv_at(workspace, c->taps_at), *from = conv_at(workspace, c->from_at);
    ptrdiff_t *to = conv_at(workspace, c->to_at);
    const size_t channels = c->source_channels, line = c->slab_cols * channels, image = c->slab_rows * line;
    /* offsets count from the slab's corner, or from the source's own row 0 of the chunk */
    const ptrdiff_t corner_y = c->in_place ? 0 : c->y.low, corner_x = c->in_place ? 0 : c->x.low;
    size_t taps = 0, pixels = 0, rows = 0;
    for (size_t py = 0; py < c->y.step_t; py++)
        for (size_t px = 0; px < c->x.step_t; px++, phase++) {
            size_t high = 0, wide = 0, side_by_side = c->groups == 1 && !c->depthwise;
            ptrdiff_t dy, dx, last = 0;
            phase->first_tap = taps;
            phase->first_pixel = pixels;
            phase->first_row = rows;
            for (size_t i = 0; i < c->x.window.kernel; i++)
                if (conv_offset(&c->x, px, conv_tap(&c->x, i), &dx)) {
                    if (wide++ && dx != last + 1) side_by_side = 0;
                    last = dx;
                }
            for (size_t i = 0; i < c->y.window.kernel; i++) {
                if (!conv_offset(&c->y, py, conv_tap(&c->y, i), &dy)) continue;
                high++;
                size_t number = 0;
                for (size_t j = 0; j < c->x.window.kernel; j++) {
                    if (!conv_offset(&c->x, px, conv_tap(&c->x, j), &dx)) continue;
                    if (number++ && side_by_side) continue;
                    tap[taps++] = (dy - corner_y) * (ptrdiff_t)line + (dx - corner_x) * (ptrdiff_t)channels;
                }
            }
            phase->run = (c->depthwise ? 1 : c->group_source) * (side_by_side ? wide : 1);
            phase->runs = side_by_side && wide ? high : high * wide;
            rows += high * wide * (c->depthwise ? 1 : c->group_source);
            phase->pixels_per_row = conv_of_phase(&c->x, px, c->x.target);
            const size_t down = conv_of_phase(&c->y, py, c->chunk_rows), across = phase->pixels_per_row;
            for (size_t n = 0; n < c->chunk_images; n++)
                for (size_t i = 0; i < down; i++)
                    for (size_t j = 0; j < across; j++, pixels++) {
                        const size_t ty = py + c->y.step_t * i, tx = px + c->x.step_t * j;
                        from[pixels] = (ptrdiff_t)(n * image + c->y.step_u * i * line + c->x.step_u * j * channels);
                        to[pixels] = (ptrdiff_t)(((n * c->y.target + ty) * c->x.target + tx) * c->target_channels);
                    }
        }
}

/* Weights (kernel height, kernel width, channels of a group, filters) and bias into panels. */
static void FN(conv_pack)(const fastnn_conv *c, const real *w, const real *bias, void *workspace) {
    real *out = conv_at(workspace, c->panels_at);
    const fastnn_window *v = &c->window;
    const size_t depth = v->channels / v->groups, width = v->filters / v->groups;
    const size_t source = c->depthwise ? 1 : c->group_source;
    const int backward = c->y.backward;
    ptrdiff_t unused;
    for (size_t g = 0; g < c->groups; g++)
        for (size_t p = 0; p < c->panels; p++, out += PANEL) {
            const size_t first = g * c->group_target + p * PANEL;
            const size_t end = conv_min((g + 1) * c->group_target, c->target_channels);
            for (size_t j = 0; j < PANEL; j++) out[j] = bias && first + j < end ? bias[first + j] : K(0);
        }
    for (size_t py = 0; py < c->y.step_t; py++)
        for (size_t px = 0; px < c->x.step_t; px++)
            for (size_t g = 0; g < c->groups; g++)
                for (size_t p = 0; p < c->panels; p++) {
                    const size_t at = p * PANEL, first = c->depthwise ? g * PANEL : at;
                    const size_t left = (c->depthwise ? v->filters : c->group_target) - first;
                    const size_t n = conv_min(PANEL, left);
                    for (size_t i = 0; i < c->y.window.kernel; i++) {
                        const size_t ky = conv_tap(&c->y, i);
                        if (!conv_offset(&c->y, py, ky, &unused)) continue;
                        for (size_t j = 0; j < c->x.window.kernel; j++) {
                            const size_t kx = conv_tap(&c->x, j);
                            if (!conv_offset(&c->x, px, kx, &unused)) continue;
                            const real *tap = w + (ky * c->x.window.kernel + kx) * depth * v->filters;
                            for (size_t s = 0; s < source; s++, out += PANEL) {
                                const real *row = tap + first;
                                size_t step = 1;
                                if (!c->depthwise && !backward) row = tap + s * v->filters + g * width + first;
                                if (!c->depthwise && backward) {
                                    row = tap + first * v->filters + g * width + s;
                                    step = v->filters;
                                }
                                for (size_t f = 0; f < PANEL; f++) out[f] = f < n ? row[f * step] : K(0);
                            }
                        }
                    }
                }
}

static void FN(conv_prepare)(const fastnn_conv *c, const void *w, const void *bias, void *workspace) {
    FN(conv_tables)(c, workspace);
    if (c->direction != FASTNN_CONV_WEIGHTS) FN(conv_pack)(c, w, bias, workspace);
}

/* The source of a chunk with its padding, from row `top` of the first image on (which may be above the image). */
static void FN(conv_slab)(const fastnn_conv *c, const real *source, size_t images, ptrdiff_t top, real *slab) {
    const size_t channels = c->source_channels, line = c->slab_cols * channels;
    const ptrdiff_t left = -c->x.low, width = (ptrdiff_t)c->x.source, cols = (ptrdiff_t)c->slab_cols;
    /* columns [before, before + inside) of the slab are columns from `start` on of the source */
    const ptrdiff_t before = left < 0 ? 0 : left < cols ? left : cols, start = left < 0 ? -left : 0;
    ptrdiff_t inside = width - start < cols - before ? width - start : cols - before;
    if (inside < 0) inside = 0;
    for (size_t n = 0; n < images; n++)
        for (size_t r = 0; r < c->slab_rows; r++, slab += line) {
            const ptrdiff_t y = top + (ptrdiff_t)r;
            if (y < 0 || y >= (ptrdiff_t)c->y.source) {
                __builtin_memset(slab, 0, line * sizeof(real));
                continue;
            }
            const real *row = source + ((n * c->y.source + (size_t)y) * (size_t)width + (size_t)start) * channels;
            const size_t head = (size_t)before * channels, body = (size_t)inside * channels;
            for (size_t i = 0; i < head; i++) slab[i] = K(0);
            __builtin_memcpy(slab + head, row, body * sizeof(real));
            for (size_t i = head + body; i < line; i++) slab[i] = K(0);
        }
}
