/* Everything of one dtype: the functions, and the part of the table that points to them. */
#include "real.h"
#include "real_math.h"
#include "rows_to_functions.h"

#include "loss_math.h"

#include "loops.h"

#include "rows.h"

#include "row_losses.h"

#include "similarity_losses.h"

#include "ctc.h"

#include "groups.h"

#include "soft_exponential.h"

#include "learned.h"

#include "dropout.h"

#include "gemm.h"

#include "rrelu.h"

#include "conv.h"

#include "pool.h"

#include "patches.h"

#include "tensors.h"

static const fastnn_activation FN(activations)[FASTNN_ACTIVATIONS] = {
#define ACT(name, keeps, list, ...)                                                                                    \
    {#name, #keeps, #list, FN(name##_forward), FN(name##_backward), FN(name##_derivative)},
#include "activations.def"
#undef ACT
};

#include "recurrent.h"

#include "sequence.h"

static const fastnn_loss FN(losses)[FASTNN_LOSSES] = {
#define LOSS(name, reduce, list, ...) {#name, #reduce, #list, FASTNN_REDUCE_##reduce, FN(name##_with_grad)},
#include "losses.def"
#undef LOSS
};
