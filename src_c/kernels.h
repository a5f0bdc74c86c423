/* Everything for one ISA.  A stub in isa/ defines FASTNN_ISA_NAME and FASTNN_ISA_TABLE and includes this file; setup.py
 * gives each stub its own -march.  The object exports the table and nothing else (tools/check_kernels.py). */
#include "fastnn_kernels.h"

#include "stream.h" /* first: the system header in it does not know our macros */

#include "philox.h"

#define REAL_BITS 32
#include "dtype_kernels.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "dtype_kernels.h"
#undef REAL_BITS

#define ACT(name, keeps, list, ...)                                                                                    \
    {#name, #keeps, #list, DTYPE(name##_forward), DTYPE(name##_backward), DTYPE(name##_derivative)},
#define LOSS(name, reduce, list, ...) {#name, #reduce, #list, FASTNN_REDUCE_##reduce, DTYPE(name##_with_grad)},
#define ROW_LOSS(name, target, inputs, list) {#name, #target, #inputs, #list, DTYPE(name)},
#define OPT(name, slots, list, ...) {#name, #slots, #list, DTYPE(name##_update)},
#define TABLE                                                                                                          \
    .bias_forward = DTYPE(bias_forward), .bias_backward = DTYPE(bias_backward), .column_sums = DTYPE(column_sums),     \
    .softmax = DTYPE(softmax), .log_softmax = DTYPE(log_softmax), .logsumexp = DTYPE(logsumexp),                       \
    .softmax_backward = DTYPE(softmax_backward), .log_softmax_backward = DTYPE(log_softmax_backward),                  \
    .elementwise_loss = DTYPE(elementwise_loss), .label_hits = DTYPE(label_hits), .argmax_hits = DTYPE(argmax_hits),   \
    .threshold_hits = DTYPE(threshold_hits), .dropout = DTYPE(dropout), .masked_scale = DTYPE(masked_scale),           \
    .norm = &DTYPE(norm_table), .noise = &DTYPE(noise_table), .learned = DTYPE(learned_table),                         \
    .learned_forward = DTYPE(learned_forward), .learned_backward = DTYPE(learned_backward), .expand = DTYPE(expand),   \
    .fold = DTYPE(fold), .softmin = DTYPE(softmin), .softmin_backward = DTYPE(softmin_backward),                       \
    .sparsemax = DTYPE(sparsemax), .sparsemax_backward = DTYPE(sparsemax_backward),                                    \
    .gated_forward = DTYPE(gated_forward), .gated_backward = DTYPE(gated_backward), .maxout = DTYPE(maxout),           \
    .maxout_backward = DTYPE(maxout_backward), .rrelu = DTYPE(rrelu), .multiply = DTYPE(multiply),                     \
    .gather = {DTYPE(gather_f32), DTYPE(gather_f64), DTYPE(gather_u8), DTYPE(gather_i32), DTYPE(gather_i64)},          \
    .first_nonfinite = DTYPE(first_nonfinite), .sum_of_squares = DTYPE(sum_of_squares), .combine = DTYPE(combine),     \
    .clip_values = DTYPE(clip_values), .penalty = DTYPE(penalty), .small_gemm = DTYPE(small_gemm),                     \
    .conv_plan = DTYPE(conv_plan), .conv_prepare = DTYPE(conv_prepare), .conv_block = DTYPE(conv_block),               \
    .conv_finish = DTYPE(conv_finish), .max_pool = DTYPE(max_pool), .max_pool_backward = DTYPE(max_pool_backward),     \
    .max_pool_split_backward = DTYPE(max_pool_split_backward), .average_pool = DTYPE(average_pool),                    \
    .average_pool_backward = DTYPE(average_pool_backward), .im2col = DTYPE(im2col), .col2im = DTYPE(col2im),           \
    .transpose = DTYPE(transpose), .strided_copy = DTYPE(strided_copy), .strided_add = DTYPE(strided_add),             \
    .fill = DTYPE(fill), .adafactor = DTYPE(adafactor), .blend = DTYPE(blend), .choose = DTYPE(choose),                \
    .choose_backward = DTYPE(choose_backward), .recurrent_pack = DTYPE(recurrent_pack),                                \
    .recurrent_forward = DTYPE(recurrent_forward), .recurrent_backward = DTYPE(recurrent_backward),                    \
    .swap_time = DTYPE(swap_time), .mask_rows = DTYPE(mask_rows), .keep_rows = DTYPE(keep_rows),                       \
    .to_indices = DTYPE(to_indices), .scatter_rows = DTYPE(scatter_rows),                                              \
    .attention_weights = DTYPE(attention_weights), .attention_weights_backward = DTYPE(attention_weights_backward),    \
    .additive_scores = DTYPE(additive_scores), .additive_scores_backward = DTYPE(additive_scores_backward)

const fastnn_kernels FASTNN_ISA_TABLE = {
    .isa = FASTNN_ISA_NAME,
    .random_bits = random_bits,
    .stream = stream,
    .dtype =
        {
            {
#define DTYPE(name) name##_f32
                .activation =
                    {
#include "activations.def"
                    },
                .loss =
                    {
#include "losses.def"
                    },
                .row_loss =
                    {
#include "row_losses.def"
                    },
                .optimizer =
                    {
#include "optimizers.def"
                    },
                TABLE
#undef DTYPE
            },
            {
#define DTYPE(name) name##_f64
                .activation =
                    {
#include "activations.def"
                    },
                .loss =
                    {
#include "losses.def"
                    },
                .row_loss =
                    {
#include "row_losses.def"
                    },
                .optimizer =
                    {
#include "optimizers.def"
                    },
                TABLE
#undef DTYPE
            },
        },
};
