/* The only header that the Cython layer sees: what an ISA object offers, for both dtypes.
 *
 * Every pointer is to contiguous elements of the table's dtype unless a stride (ld, in elements) is passed.
 * Outputs may be exactly the same buffer as an input, never a shifted one.  No kernel allocates, locks or fails.
 */
#ifndef FASTNN_KERNELS_H
#define FASTNN_KERNELS_H
#include <stddef.h>
#include <stdint.h>

#include "norm_plan.h"
#include "window.h"

enum { FASTNN_F32, FASTNN_F64, FASTNN_DTYPES };
enum { FASTNN_MAX_PARAMS = 8, FASTNN_MAX_SLOTS = 3, FASTNN_COMMON_SCALARS = 3 };
enum { FASTNN_GROUP_SCRATCH = 3 }; /* numbers that a loss of groups needs for every row */

/* The source dtypes that a mini-batch can be gathered from. */
enum { FASTNN_SRC_F32, FASTNN_SRC_F64, FASTNN_SRC_U8, FASTNN_SRC_I32, FASTNN_SRC_I64, FASTNN_SOURCES };

enum {
#define ACT(name, ...) FASTNN_ACT_##name,
#include "activations.def"
#undef ACT
    FASTNN_ACTIVATIONS
};
enum {
#define LOSS(name, ...) FASTNN_LOSS_##name,
#include "losses.def"
#undef LOSS
    FASTNN_LOSSES
};
enum { FASTNN_REDUCE_mean, FASTNN_REDUCE_sum };
enum {
#define ROW_LOSS(name, ...) FASTNN_ROW_LOSS_##name,
#include "row_losses.def"
#undef ROW_LOSS
    FASTNN_ROW_LOSSES
};
enum {
#define OPT(name, ...) FASTNN_OPT_##name,
#include "optimizers.def"
#undef OPT
    FASTNN_OPTIMIZERS
};
enum {
#define LEARNED(name, ...) FASTNN_LEARNED_##name,
#define LEARNED_SUM LEARNED
#include "learned.def"
#undef LEARNED
#undef LEARNED_SUM
    FASTNN_LEARNED
};

typedef void (*map_fn)(size_t n, const void *x, void *y, const double *params);
typedef void (*map_backward_fn)(size_t n, const void *dy, const void *kept, void *dx, const double *params);
typedef void (*rows_fn)(size_t rows, size_t cols, const void *x, void *y);
typedef void (*rows_backward_fn)(size_t rows, size_t cols, const void *dy, const void *y, void *dx);

typedef struct {
    const char *name, *keeps, *params; /* as written in the row: "silu", "x", "()" */
    map_fn forward;
    map_backward_fn backward;
    map_fn derivative;
} fastnn_activation;

typedef struct {
    const char *name, *reduce, *params;
    int sums; /* whether the loss of a row is the sum of its elements' losses, not their mean */
    /* loss[i] and, unless dp is NULL, dp[i] */
    void (*with_grad)(size_t n, const void *p, const void *t, void *loss, void *dp, const double *params);
} fastnn_loss;

typedef struct {
    const char *name, *slots, *scalars;
    /* scalars: gradient_scale, l2, decay, then those of the row */
    void (*update)(size_t n, void *p, const void *g, void *const *slots, const double *scalars);
} fastnn_optimizer;

typedef struct {
    const char *name, *params;
    size_t count; /* of parameters in the row; a sum has as many for each of its pieces */
    int sum;
    /* parameter k (of piece s) of element i is params[(k * pieces + s) * stride + i] */
    void (*forward)(size_t n, const void *x, const void *params, size_t stride, size_t pieces, void *y);
    void (*backward)(size_t n, const void *dy, const void *x, const void *params, size_t stride, size_t pieces,
                     void *dx, void *dparams, size_t spread);
} fastnn_learned;

/* What a loss call shares, row-wise or element-wise: predictions (rows, cols); row_weight (rows) or NULL;
 * grad = d(row loss)/d(pred) * row_weight[row] * grad_scale, unless NULL; row_loss[row] in double, weighted.
 * What is marked * only the row-wise losses look at. */
typedef struct {
    size_t rows, cols;
    size_t ld;           /* * elements from one row of an input to the next; cols, unless several stand in one array */
    size_t target_cols;  /* * labels of one row, where there are several */
    const void *pred;    /* the first input */
    const void *more[2]; /* * the others, where a loss has several */
    const void *target;  /* (rows, cols), or (rows) for signs, dtype of the table; or NULL when labels is given */
    const int32_t *labels;    /* (rows) class indices; or NULL */
    const int32_t *lengths;   /* * (rows) time steps that count, or NULL for all */
    const void *class_weight; /* * (cols) factors of the targets, dtype of the table; or NULL */
    double smoothing;         /* * part of the targets that is spread evenly over the classes */
    const double *row_weight;
    double grad_scale;
    void *grad;
    void *more_grad[2]; /* * for the other inputs */
    void *probs;        /* * softmax output (rows, cols), unless NULL; only softmax_cross_entropy fills it */
    double *scratch;    /* * where a kernel needs some, for every row */
    double *row_loss;
    const double *params;
    int32_t ignore; /* rows with this label count nothing */
} fastnn_loss_args;

/* A recurrent cell over whole sequences; every pointer that may be NULL says so.  gates: 1, 4 (i, f, candidate, o) or 3
 * (z, r, candidate); order: which part of the columns belongs to each of them. */
enum { FASTNN_SIMPLE_RNN, FASTNN_LSTM, FASTNN_GRU, FASTNN_GRU_RESET_AFTER };
typedef struct {
    int kind, activation, recurrent_activation; /* rows of activation[] */
    int fused;                                  /* the activations are tanh and sigmoid */
    int reversed;                               /* step t has the mask of the step as far from the other end */
    int32_t order[4];
    size_t steps, batch, units;
    const double *params, *recurrent_params;
    const void *packed;  /* Wh as recurrent_pack leaves it, transposed for the way back */
    const void *bias;    /* (gates * units); GRU_RESET_AFTER has a second row, for the recurrent product */
    const void *h0, *c0; /* (batch, units), or NULL for zeros */
    void *z;             /* (steps, batch, gates * units): x Wx, then the gates, then the gradients before them */
    void *h;             /* (steps + 1, batch, units) */
    void *c;             /* LSTM: as h; GRU: (steps, batch, units): r h, or h Wh + b, and the gradient of the latter */
    void *pre;           /* as z: before the activations, or NULL where they are fused or there is no way back */
    const uint8_t *mask; /* (batch, steps): 0 where a step is skipped; or NULL */
    const void *drop;    /* (gates, batch, units): factors of h in the product of each gate; or NULL */
    void *dropped;       /* with drop: (gates, steps, batch, units) */
    void *scratch;       /* (batch, (gates + 1) * units) */
    /* the way back: of the outputs (steps, batch, units) and of the last state, each may be NULL; dh, dc (batch,
     * units): of the initial state */
    const void *dy, *dh_last, *dc_last;
    void *dh, *dc;
} fastnn_recurrent;

/* Batch-major (batch, steps, ld), of which `features` columns from `column` on, and time-major (at + (steps, batch),
 * features); at in rows.  What the mask (batch, steps) leaves out is 0 in the result. */
typedef struct {
    size_t batch, steps, features, ld, column, at;
    int back, reversed, mask_reversed; /* from time-major; batch-major / the mask in the opposite order of steps */
    const uint8_t *mask;
} fastnn_time;

typedef struct {
    const char *name, *target, *inputs, *params; /* as written in the row */
    void (*run)(const fastnn_loss_args *args);
} fastnn_row_loss;

/* One step of Adafactor for one parameter; see adafactor.h. */
typedef struct {
    size_t matrices, rows, cols;
    void *p;
    const void *g;
    void *r, *c; /* (matrices, rows) and (matrices, cols); or r like p, and c NULL */
    double gradient_scale, decay, rate, beta, eps1, eps2, threshold;
} fastnn_adafactor;

/* Which keys the rows (sample, head, query) of attention see, and what becomes of the others; see attention.h. */
typedef struct {
    size_t heads, queries, keys;
    size_t behind, ahead;                        /* query i sees keys i - behind ... i + ahead */
    const uint8_t *query_mask, *key_mask, *mask; /* (samples, queries), (samples, keys), by its steps; or NULL */
    size_t mask_steps[4];                        /* of sample, head, query, key; 0 repeats */
    double scale, fill;
    int shifted;
} fastnn_attention;

/* Numbers of scratch that ctc needs for every row: time steps, and the most labels of a row. */
static inline size_t fastnn_ctc_scratch(size_t steps, size_t labels) {
    return steps * (2 * labels + 2) + 2 * (2 * labels + 1);
}

typedef struct {
    fastnn_activation activation[FASTNN_ACTIVATIONS];
    fastnn_loss loss[FASTNN_LOSSES];
    fastnn_row_loss row_loss[FASTNN_ROW_LOSSES];
    fastnn_optimizer optimizer[FASTNN_OPTIMIZERS];
    const fastnn_learned *learned;
    const fastnn_norm_kernels *norm;
    const fastnn_noise_kernels *noise;

    /* affine epilogue and its backward; act is a row of activation[].
     * y (rows, cols, ld) holds x @ W on entry; z gets the pre-activation unless NULL (ld as y). */
    void (*bias_forward)(int act, size_t rows, size_t cols, size_t ld, const void *bias, void *y, void *z,
                         const double *params);
    /* dz = dy * act'(kept); db (cols) = sum of dz over rows, unless NULL; dz may be dy */
    void (*bias_backward)(int act, size_t rows, size_t cols, size_t ld, const void *dy, const void *kept, void *dz,
                          void *db, const double *params);
    void (*column_sums)(size_t rows, size_t cols, size_t ld, const void *x, void *sums);

    rows_fn softmax, log_softmax, logsumexp;
    rows_backward_fn softmax_backward, log_softmax_backward;

    /* a row of learned[] on (rows, cols) with params (parameters, stride), one value a column.  backward works on some
     * columns of rows that lie ld apart; dx may be NULL; sums (parameters, stride): the gradients over the rows, or
     * NULL. */
    void (*learned_forward)(int row, size_t rows, size_t cols, const void *x, const void *params, size_t stride,
                            size_t pieces, void *y);
    void (*learned_backward)(int row, size_t rows, size_t cols, size_t ld, const void *dy, const void *x,
                             const void *params, size_t stride, size_t pieces, void *dx, double *sums);
    /* count values, each shared by `share` columns: those in its row of members (count, share), or, where that is NULL,
     * those that follow each other; fold adds up what the columns have */
    void (*expand)(size_t count, size_t share, const void *values, const int32_t *members, void *out);
    void (*fold)(size_t count, size_t share, const double *sums, const int32_t *members, void *out);

    rows_fn softmin, sparsemax;
    rows_backward_fn softmin_backward, sparsemax_backward;
    /* x (rows, 2 * cols): first half * act(second half); act is a row of activation[] */
    void (*gated_forward)(int act, size_t rows, size_t cols, const void *x, void *y, const double *params);
    void (*gated_backward)(int act, size_t rows, size_t cols, const void *dy, const void *x, void *dx,
                           const double *params);
    void (*maxout)(size_t rows, size_t units, size_t pieces, const void *x, void *y); /* x (rows, units * pieces) */
    void (*maxout_backward)(size_t rows, size_t units, size_t pieces, const void *dy, const void *x, void *dx);

    void (*elementwise_loss)(int loss, const fastnn_loss_args *args); /* row loss = mean or sum over cols */
    void (*label_hits)(size_t rows, size_t cols, const void *pred, const int32_t *labels, double *hits);
    void (*argmax_hits)(size_t rows, size_t cols, const void *pred, const void *target, double *hits);
    void (*threshold_hits)(size_t rows, size_t cols, const void *pred, const void *target, double threshold,
                           double *hits);

    /* mask[i] = bits(i) >= rate * 2^32; y = x * mask * scale.  The bits are those of random_bits(..., first + i);
     * first is a multiple of 4. */
    void (*dropout)(size_t n, const void *x, void *y, uint8_t *mask, uint64_t seed, uint32_t stream, uint32_t step,
                    uint64_t first, double rate, double scale);
    void (*masked_scale)(size_t n, const void *x, const uint8_t *mask, void *y, double scale);
    /* slopes[i] = 1 where x > 0, else lower + (upper - lower) * bits(i) / 2^32; y = slopes * x */
    void (*rrelu)(size_t n, const void *x, void *y, void *slopes, uint64_t seed, uint32_t stream, uint32_t step,
                  uint64_t first, double lower, double upper);
    void (*multiply)(size_t n, const void *a, const void *b, void *y);
    /* out (rows, cols) = the rows index[0..rows) of source */
    void (*gather[FASTNN_SOURCES])(size_t rows, size_t cols, const void *source, const int64_t *index, void *out);
    size_t (*first_nonfinite)(size_t n, const void *x); /* n if all are finite */
    double (*sum_of_squares)(size_t n, const void *x);

    /* C (m, n, ldc) = op(A) op(B), row-major; every element one sum in the order of k, however the product is cut */
    void (*small_gemm)(int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const void *a, size_t lda,
                       const void *b, size_t ldb, void *c, size_t ldc);
    void (*combine)(size_t n, double a, const void *x, double b, void *y); /* y = a x + b y; b = 0: y = a x */
    void (*clip_values)(size_t n, double limit, void *x);                  /* in place */
    void (*adafactor)(const fastnn_adafactor *args);
    /* returns l1 sum |x| + l2 sum x^2; adds its derivative to g unless NULL */
    double (*penalty)(size_t n, double l1, double l2, const void *x, void *g);

    /* Convolution: plan by shape; prepare the workspace (tables, and the weights w (kernel height, kernel width,
     * channels / groups, filters) and bias (of the target's channels, or NULL) unless the direction is WEIGHTS); do
     * every block, in any order; for WEIGHTS finish: dw = the sum over the blocks. */
    void (*conv_plan)(const fastnn_window *window, int direction, fastnn_conv *plan);
    void (*conv_prepare)(const fastnn_conv *plan, const void *w, const void *bias, void *workspace);
    void (*conv_block)(const fastnn_conv *plan, void *workspace, size_t block, const fastnn_conv_args *args);
    void (*conv_finish)(const fastnn_conv *plan, void *workspace, void *dw);

    /* Pooling: forward some of the images * y.output rows of y, backward some images.  argmax: row * width + column in
     * the input's image, or NULL; padded: an average counts the padding. */
    void (*max_pool)(const fastnn_window *window, size_t first, size_t rows, const void *x, void *y, int32_t *argmax);
    void (*max_pool_backward)(const fastnn_window *window, size_t first, size_t images, const void *dy,
                              const int32_t *argmax, void *dx);
    void (*max_pool_split_backward)(const fastnn_window *window, size_t first, size_t images, const void *dy,
                                    const void *x, const void *y, void *dx);
    void (*average_pool)(const fastnn_window *window, int padded, size_t first, size_t rows, const void *x, void *y);
    void (*average_pool_backward)(const fastnn_window *window, int padded, size_t first, size_t images, const void *dy,
                                  void *dx);

    /* image n only */
    void (*im2col)(const fastnn_patches *patches, size_t n, const void *x, void *columns);
    void (*col2im)(const fastnn_patches *patches, size_t n, const void *columns, void *x);
    void (*transpose)(size_t rows, size_t cols, const void *x, void *y); /* y (cols, rows) = x (rows, cols) */
    /* axes: size, step in x, step in y of each; y = x, y += factor x (strided.h) */
    void (*strided_copy)(int rank, const ptrdiff_t *axes, const void *x, void *y);
    void (*strided_add)(int rank, const ptrdiff_t *axes, double factor, const void *x, void *y);
    void (*fill)(size_t n, double value, void *y);

    /* Merging: y = p a + q b; the larger (sign 1) or smaller (-1) of two, and where its gradient goes */
    void (*blend)(size_t n, double p, const void *a, double q, const void *b, void *y);
    void (*choose)(size_t n, double sign, const void *a, const void *b, void *y);
    void (*choose_backward)(size_t n, double sign, const void *dy, const void *a, const void *b, void *da, void *db);

    /* Recurrent cells: pack Wh (units, gates * units), transposed for the way back (rounded up to whole registers in
     * units); then some of the samples. */
    /* apart: one matrix for each gate, as the gates of a GRU always have, and others where h is dropped for each */
    void (*recurrent_pack)(int kind, int apart, int transposed, const int32_t *order, size_t units, const void *wh,
                           void *packed);
    void (*recurrent_forward)(const fastnn_recurrent *r, size_t first, size_t rows);
    void (*recurrent_backward)(const fastnn_recurrent *r, size_t first, size_t rows);
    void (*swap_time)(const fastnn_time *s, size_t first, size_t samples, const void *x, void *y);
    /* mask[row]: whether a row has an element other than `value`; y (may be NULL, may be x): the other rows 0 */
    void (*mask_rows)(size_t rows, size_t cols, double value, const void *x, void *y, uint8_t *mask);
    void (*keep_rows)(size_t rows, size_t cols, const void *x, const uint8_t *mask, void *y);
    /* Attention: softmax of some rows from `first` on; the scores of additive attention of one sample */
    void (*attention_weights)(const fastnn_attention *a, size_t first, size_t rows, const void *scores, void *weights);
    void (*attention_weights_backward)(const fastnn_attention *a, size_t first, size_t rows, const void *dweights,
                                       const void *weights, void *dscores);
    void (*additive_scores)(size_t queries, size_t keys, size_t dim, const void *q, const void *k, const void *v,
                            void *scores);
    void (*additive_scores_backward)(size_t queries, size_t keys, size_t dim, const void *dscores, const void *q,
                                     const void *k, const void *v, void *dq, void *dk, void *dv);
    size_t (*to_indices)(size_t n, const void *x, size_t limit, int64_t *index); /* first that is none, or n */
    void (*scatter_rows)(size_t rows, size_t cols, size_t ld, const void *dy, const int64_t *index, void *out);
} fastnn_dtype_kernels;

typedef struct {
    const char *isa;
    fastnn_dtype_kernels dtype[FASTNN_DTYPES];
    /* Philox4x32-10: word i of the stream (seed, stream, step); first is a multiple of 4 */
    void (*random_bits)(size_t n, uint32_t *out, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first);
    /* copy past the caches: for results that are larger than they are */
    void (*stream)(size_t size, const void *from, void *to);
} fastnn_kernels;

#endif
