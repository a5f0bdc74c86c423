"""What the compiled modules share: the kernel table of this machine, the door to threads, and the door to BLAS."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from fastnn._native._norm_plan cimport fastnn_noise_kernels, fastnn_norm_kernels

cdef extern from "fastnn_kernels.h" nogil:
    enum:
        FASTNN_F32
        FASTNN_F64
        FASTNN_MAX_PARAMS
        FASTNN_MAX_SLOTS
        FASTNN_COMMON_SCALARS
        FASTNN_GROUP_SCRATCH
        FASTNN_ACTIVATIONS
        FASTNN_LOSSES
        FASTNN_ROW_LOSSES
        FASTNN_ROW_LOSS_softmax_cross_entropy
        FASTNN_ROW_LOSS_cross_entropy_of_softmax
        FASTNN_ROW_LOSS_categorical_cross_entropy
        FASTNN_OPTIMIZERS
        FASTNN_LEARNED
        FASTNN_ACT_identity
        FASTNN_SOURCES

    ctypedef void (*map_fn)(size_t, const void *, void *, const double *) noexcept nogil
    ctypedef void (*map_backward_fn)(size_t, const void *, const void *, void *, const double *) noexcept nogil
    ctypedef void (*rows_fn)(size_t, size_t, const void *, void *) noexcept nogil
    ctypedef void (*rows_backward_fn)(size_t, size_t, const void *, const void *, void *) noexcept nogil

    ctypedef struct fastnn_activation:
        const char *name
        const char *keeps
        const char *params
        map_fn forward
        map_backward_fn backward
        map_fn derivative

    ctypedef struct fastnn_loss:
        const char *name
        const char *reduce
        const char *params
        int sums

    ctypedef struct fastnn_optimizer:
        const char *name
        const char *slots
        const char *scalars
        void (*update)(size_t, void *, const void *, void *const *, const double *) noexcept nogil

    ctypedef struct fastnn_learned:
        const char *name
        const char *params
        size_t count
        int sum

    ctypedef struct fastnn_loss_args:
        size_t rows
        size_t cols
        size_t ld
        size_t target_cols
        const void *pred
        const void *more[2]
        const void *target
        const int32_t *labels
        const int32_t *lengths
        const void *class_weight
        double smoothing
        const double *row_weight
        double grad_scale
        void *grad
        void *more_grad[2]
        void *probs
        double *scratch
        double *row_loss
        const double *params
        int32_t ignore

    ctypedef struct fastnn_row_loss:
        const char *name
        const char *target
        const char *inputs
        const char *params
        void (*run)(const fastnn_loss_args *) noexcept nogil

    ctypedef struct fastnn_adafactor:
        size_t matrices
        size_t rows
        size_t cols
        void *p
        const void *g
        void *r
        void *c
        double gradient_scale
        double decay
        double rate
        double beta
        double eps1
        double eps2
        double threshold

    size_t fastnn_ctc_scratch(size_t, size_t)

    enum:
        FASTNN_CONV_FORWARD
        FASTNN_CONV_INPUT
        FASTNN_CONV_WEIGHTS

    ctypedef struct fastnn_axis:
        size_t input
        size_t output
        size_t kernel
        size_t stride
        size_t dilation
        ptrdiff_t pad

    ctypedef struct fastnn_window:
        size_t images
        size_t channels
        size_t filters
        size_t groups
        fastnn_axis y
        fastnn_axis x

    ctypedef struct fastnn_conv:
        fastnn_window window
        size_t blocks
        size_t workspace

    ctypedef struct fastnn_conv_args:
        const void *source
        void *target
        void *kept
        const void *dy
        int activation
        const double *params

    ctypedef struct fastnn_patches:
        fastnn_window window
        ptrdiff_t *pixel
        ptrdiff_t image
        ptrdiff_t *column
        ptrdiff_t column_image

    enum:
        FASTNN_SIMPLE_RNN
        FASTNN_LSTM
        FASTNN_GRU
        FASTNN_GRU_RESET_AFTER

    ctypedef struct fastnn_recurrent:
        int kind
        int activation
        int recurrent_activation
        int fused
        int reversed
        int32_t *order
        size_t steps
        size_t batch
        size_t units
        const double *params
        const double *recurrent_params
        const void *packed
        const void *bias
        const void *h0
        const void *c0
        void *z
        void *h
        void *c
        void *pre
        const uint8_t *mask
        const void *drop
        void *dropped
        void *scratch
        const void *dy
        const void *dh_last
        const void *dc_last
        void *dh
        void *dc

    ctypedef struct fastnn_attention:
        size_t heads
        size_t queries
        size_t keys
        size_t behind
        size_t ahead
        const uint8_t *query_mask
        const uint8_t *key_mask
        const uint8_t *mask
        size_t mask_steps[4]
        double scale
        double fill
        int shifted

    ctypedef struct fastnn_time:
        size_t batch
        size_t steps
        size_t features
        size_t ld
        size_t column
        size_t at
        int back
        int reversed
        int mask_reversed
        const uint8_t *mask

    ctypedef struct fastnn_dtype_kernels:
        fastnn_activation *activation
        fastnn_loss *loss
        fastnn_row_loss *row_loss
        fastnn_optimizer *optimizer
        const fastnn_learned *learned
        const fastnn_norm_kernels *norm
        const fastnn_noise_kernels *noise
        void (*bias_forward)(int, size_t, size_t, size_t, const void *, void *, void *, const double *) noexcept nogil
        void (*bias_backward)(int, size_t, size_t, size_t, const void *, const void *, void *, void *,
                              const double *) noexcept nogil
        void (*column_sums)(size_t, size_t, size_t, const void *, void *) noexcept nogil
        rows_fn softmax
        rows_fn log_softmax
        rows_fn logsumexp
        rows_backward_fn softmax_backward
        rows_backward_fn log_softmax_backward
        void (*learned_forward)(int, size_t, size_t, const void *, const void *, size_t, size_t, void *) noexcept nogil
        void (*learned_backward)(int, size_t, size_t, size_t, const void *, const void *, const void *, size_t, size_t,
                                 void *, double *) noexcept nogil
        void (*expand)(size_t, size_t, const void *, const int32_t *, void *) noexcept nogil
        void (*fold)(size_t, size_t, const double *, const int32_t *, void *) noexcept nogil
        rows_fn softmin
        rows_fn sparsemax
        rows_backward_fn softmin_backward
        rows_backward_fn sparsemax_backward
        void (*gated_forward)(int, size_t, size_t, const void *, void *, const double *) noexcept nogil
        void (*gated_backward)(int, size_t, size_t, const void *, const void *, void *, const double *) noexcept nogil
        void (*maxout)(size_t, size_t, size_t, const void *, void *) noexcept nogil
        void (*maxout_backward)(size_t, size_t, size_t, const void *, const void *, void *) noexcept nogil
        void (*elementwise_loss)(int, const fastnn_loss_args *) noexcept nogil
        void (*label_hits)(size_t, size_t, const void *, const int32_t *, double *) noexcept nogil
        void (*argmax_hits)(size_t, size_t, const void *, const void *, double *) noexcept nogil
        void (*threshold_hits)(size_t, size_t, const void *, const void *, double, double *) noexcept nogil
        void (*dropout)(size_t, const void *, void *, uint8_t *, uint64_t, uint32_t, uint32_t, uint64_t, double,
                        double) noexcept nogil
        void (*masked_scale)(size_t, const void *, const uint8_t *, void *, double) noexcept nogil
        void (*rrelu)(size_t, const void *, void *, void *, uint64_t, uint32_t, uint32_t, uint64_t, double,
                      double) noexcept nogil
        void (*multiply)(size_t, const void *, const void *, void *) noexcept nogil
        void (**gather)(size_t, size_t, const void *, const int64_t *, void *) noexcept nogil
        size_t (*first_nonfinite)(size_t, const void *) noexcept nogil
        double (*sum_of_squares)(size_t, const void *) noexcept nogil
        void (*small_gemm)(int, int, size_t, size_t, size_t, const void *, size_t, const void *, size_t, void *,
                           size_t) noexcept nogil
        void (*conv_plan)(const fastnn_window *, int, fastnn_conv *) noexcept nogil
        void (*conv_prepare)(const fastnn_conv *, const void *, const void *, void *) noexcept nogil
        void (*conv_block)(const fastnn_conv *, void *, size_t, const fastnn_conv_args *) noexcept nogil
        void (*conv_finish)(const fastnn_conv *, void *, void *) noexcept nogil
        void (*max_pool)(const fastnn_window *, size_t, size_t, const void *, void *, int32_t *) noexcept nogil
        void (*max_pool_backward)(const fastnn_window *, size_t, size_t, const void *, const int32_t *,
                                  void *) noexcept nogil
        void (*max_pool_split_backward)(const fastnn_window *, size_t, size_t, const void *, const void *,
                                        const void *, void *) noexcept nogil
        void (*average_pool)(const fastnn_window *, int, size_t, size_t, const void *, void *) noexcept nogil
        void (*average_pool_backward)(const fastnn_window *, int, size_t, size_t, const void *, void *) noexcept nogil
        void (*im2col)(const fastnn_patches *, size_t, const void *, void *) noexcept nogil
        void (*col2im)(const fastnn_patches *, size_t, const void *, void *) noexcept nogil
        void (*transpose)(size_t, size_t, const void *, void *) noexcept nogil
        void (*strided_copy)(int, const ptrdiff_t *, const void *, void *) noexcept nogil
        void (*strided_add)(int, const ptrdiff_t *, double, const void *, void *) noexcept nogil
        void (*fill)(size_t, double, void *) noexcept nogil
        void (*adafactor)(const fastnn_adafactor *) noexcept nogil
        void (*recurrent_pack)(int, int, int, const int32_t *, size_t, const void *, void *) noexcept nogil
        void (*recurrent_forward)(const fastnn_recurrent *, size_t, size_t) noexcept nogil
        void (*recurrent_backward)(const fastnn_recurrent *, size_t, size_t) noexcept nogil
        void (*swap_time)(const fastnn_time *, size_t, size_t, const void *, void *) noexcept nogil
        void (*mask_rows)(size_t, size_t, double, const void *, void *, uint8_t *) noexcept nogil
        void (*keep_rows)(size_t, size_t, const void *, const uint8_t *, void *) noexcept nogil
        size_t (*to_indices)(size_t, const void *, size_t, int64_t *) noexcept nogil
        void (*scatter_rows)(size_t, size_t, size_t, const void *, const int64_t *, void *) noexcept nogil
        void (*attention_weights)(const fastnn_attention *, size_t, size_t, const void *, void *) noexcept nogil
        void (*attention_weights_backward)(const fastnn_attention *, size_t, size_t, const void *, const void *,
                                           void *) noexcept nogil
        void (*additive_scores)(size_t, size_t, size_t, const void *, const void *, const void *,
                                void *) noexcept nogil
        void (*additive_scores_backward)(size_t, size_t, size_t, const void *, const void *, const void *, const void *,
                                         void *, void *, void *) noexcept nogil
        void (*combine)(size_t, double, const void *, double, void *) noexcept nogil
        void (*clip_values)(size_t, double, void *) noexcept nogil
        double (*penalty)(size_t, double, double, const void *, void *) noexcept nogil
        void (*blend)(size_t, double, const void *, double, const void *, void *) noexcept nogil
        void (*choose)(size_t, double, const void *, const void *, void *) noexcept nogil
        void (*choose_backward)(size_t, double, const void *, const void *, const void *, void *, void *) noexcept nogil

    ctypedef struct fastnn_kernels:
        const char *isa
        fastnn_dtype_kernels *dtype
        void (*random_bits)(size_t, uint32_t *, uint64_t, uint32_t, uint32_t, uint64_t) noexcept nogil
        void (*stream)(size_t, const void *, void *) noexcept nogil

# C = alpha op(A) op(B) + beta C, row-major, cut into `blocks` along the rows or columns of C by its shape alone
ctypedef struct gemm_task:
    int dtype
    bint transpose_a
    bint transpose_b
    int m
    int n
    int k
    int lda
    int ldb
    int ldc
    double alpha
    double beta
    const char *a
    const char *b
    char *c
    bint own                 # by our kernel, not by BLAS
    bint by_rows
    bint by_depth            # blocks are terms of the sum, the first in c, the others one behind the other in `terms`
    char *terms
    int block_size
    int blocks

ctypedef void (*block_fn)(void *task, ssize_t block) noexcept nogil
ctypedef void (*member_fn)(void *task, int member, int team) noexcept nogil

cdef const fastnn_kernels *kernels() noexcept nogil
cdef int thread_limit() except -1
cdef void parallel_for(block_fn run, void *task, ssize_t blocks, int threads) noexcept nogil
cdef void run_team(member_fn run, void *task, int threads) noexcept nogil
cdef void plan_gemm(gemm_task *task) noexcept nogil
cdef void cut_depth(gemm_task *task) noexcept nogil
cdef void gemm_block(void *task, ssize_t block) noexcept nogil

# what src_c/cpu.c offers; only _core is linked with it
cdef unsigned long flush_denormals() noexcept nogil
cdef void restore_denormals(unsigned long old) noexcept nogil
cdef double seconds_now() noexcept nogil
