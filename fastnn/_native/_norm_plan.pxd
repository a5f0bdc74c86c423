"""src_c/norm_plan.h: geometry and kernels of normalisation, kernels of noise."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "norm_plan.h" nogil:
    enum:
        FASTNN_NORM_ADDED
        FASTNN_NORM_LAYER
        FASTNN_NORM_RMS
        FASTNN_NORM_UNIT
        FASTNN_NORM_SCALED

    ctypedef struct fastnn_norm:
        size_t images
        size_t outer
        size_t channels
        size_t inner
        size_t groups
        size_t row_tile
        size_t col_tile

    ctypedef struct fastnn_norm_statistics:
        double *partial
        const void *gamma
        const void *beta
        void *mean
        void *variance
        double eps
        double momentum
        int rule
        int unbiased
        double *stats
        void *coefficients

    ctypedef struct fastnn_norm_kernels:
        void (*moments)(const fastnn_norm *, size_t, const void *, double *) noexcept nogil
        void (*statistics)(const fastnn_norm *, const fastnn_norm_statistics *) noexcept nogil
        void (*apply)(const fastnn_norm *, size_t, const void *, const void *, void *) noexcept nogil
        void (*sums)(const fastnn_norm *, size_t, const void *, const void *, const void *, double *) noexcept nogil
        void (*gradients)(const fastnn_norm *, double *, const void *, const double *, int, void *, void *,
                          void *) noexcept nogil
        void (*backward)(const fastnn_norm *, size_t, const void *, const void *, const void *, void *) noexcept nogil
        void (*rows)(int, size_t, size_t, const void *, const void *, const void *, double, void *, double *,
                     double *) noexcept nogil
        void (*rows_backward)(int, size_t, size_t, const void *, const void *, const void *, double, const double *,
                              const double *, void *, double *) noexcept nogil
        void (*rows_gradients)(size_t, size_t, const double *, void *, void *) noexcept nogil
        void (*lrn)(size_t, size_t, size_t, double, double, double, const void *, void *) noexcept nogil
        void (*lrn_backward)(size_t, size_t, size_t, double, double, double, const void *, const void *,
                             void *) noexcept nogil
        void (*masked_moments)(const fastnn_norm *, size_t, size_t, size_t, const void *, const uint8_t *,
                               double *) noexcept nogil
        void (*masked_backward)(const fastnn_norm *, size_t, size_t, const void *, const void *, const void *,
                                const uint8_t *, void *) noexcept nogil

    ctypedef struct fastnn_noise_kernels:
        void (*alpha_dropout)(size_t, const void *, void *, uint8_t *, uint64_t, uint32_t, uint32_t, uint64_t, double,
                              double, double, double) noexcept nogil
        void (*dropout_mask)(size_t, uint8_t *, uint64_t, uint32_t, uint32_t, uint64_t, double) noexcept nogil
        void (*masked_channels)(size_t, size_t, size_t, const void *, const uint8_t *, void *, double) noexcept nogil
        void (*gaussian_noise)(size_t, void *, uint64_t, uint32_t, uint32_t, uint64_t, double, double) noexcept nogil
        void (*bernoulli)(size_t, const void *, void *, uint64_t, uint32_t, uint32_t, uint64_t) noexcept nogil
        void (*salt_and_pepper)(size_t, const void *, void *, uint8_t *, uint64_t, uint32_t, uint32_t, uint64_t, double,
                                double, double) noexcept nogil
