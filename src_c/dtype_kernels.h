/* Everything of one dtype: the functions, and the part of the table that points to them. */
#include "real.h"
#include "real_math.h"
#include "rows_to_functions.h"

#include "loss_math.h"

#include "loops.h"

#include "rows.h"

#include "row_losses.h"

#include "similarity_losses.h"

#include "multilabel_losses.h"

#include "ctc.h"

#include "circle_loss.h" /* after ctc.h: it takes log_add from there */

#include "groups.h"

#include "learned_math.h"

#include "learned.h"

#include "dropout.h"

#include "norm.h"

#include "norm_masked.h"

#include "norm_rows.h"

#include "noise.h"

#include "gemm.h"

#include "rrelu.h"

#include "conv.h"

#include "pool.h"

#include "patches.h"

#include "strided.h"

#include "tensors.h"

#include "adafactor.h"

#include "merging.h"

static const fastnn_activation FN(activations)[FASTNN_ACTIVATIONS] = {
#define ACT(name, keeps, list, ...)                                                                                    \
    {#name, #keeps, #list, FN(name##_forward), FN(name##_backward), FN(name##_derivative)},
#include "activations.def"
#undef ACT
};

#include "recurrent.h"

#include "sequence.h"

#include "attention.h"

static const fastnn_loss FN(losses)[FASTNN_LOSSES] = {
#define LOSS(name, reduce, list, ...) {#name, #reduce, #list, FASTNN_REDUCE_##reduce, FN(name##_with_grad)},
#include "losses.def"
#undef LOSS
};
