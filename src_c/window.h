/* What convolution and pooling share with the Cython layer: the geometry of a sliding window, and the plan of a
 * convolution.
 *
 * Arrays are channels-last.  Output position o of an axis sees input positions o * stride - pad + k * dilation for
 * 0 <= k < kernel; those outside of the input count as 0 (in max-pooling they do not count).  Padding at the far end
 * is whatever the output length asks for.
 */
#ifndef FASTNN_WINDOW_H
#define FASTNN_WINDOW_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t input, output, kernel, stride, dilation;
    ptrdiff_t pad;
} fastnn_axis;

typedef struct {
    size_t images, channels, filters, groups; /* x (images, y.input, x.input, channels), y (..., filters) */
    fastnn_axis y, x;                         /* down and across */
} fastnn_window;

/* FORWARD: y from x.  INPUT: dx from dy (and y from x in a transposed convolution).  WEIGHTS: dW from x and dy. */
enum { FASTNN_CONV_FORWARD, FASTNN_CONV_INPUT, FASTNN_CONV_WEIGHTS };

/* One axis of a convolution in one direction.  Target positions t = phase + step_t * j take part in turn; tap k of
 * phase p reads source position step_u * j + offset(p, k), low <= offset <= high. */
typedef struct {
    fastnn_axis window;
    size_t target, source, step_t, step_u;
    ptrdiff_t low, high;
    int backward;
} fastnn_conv_axis;

/* How a convolution is computed, decided by its shape alone.  Blocks are independent of each other.
 *
 * A block goes through its chunks: some whole images, or some rows of one image.  The part of the source that a chunk
 * reads is copied into a slab with its padding, unless nothing is padded.  Offsets of source and target are
 * tabulated once, because they are the same for every chunk. */
typedef struct {
    fastnn_window window;
    fastnn_conv_axis y, x;
    int direction, depthwise, in_place;
    size_t blocks;
    size_t workspace; /* bytes, at an address that is a multiple of 64 */

    size_t groups, source_channels, target_channels; /* of the whole arrays; groups are panels in a depthwise one */
    size_t group_source, group_target;               /* channels of one group */
    size_t panels;                                   /* of one group */
    size_t taps;                                     /* of all phases: kernel height * kernel width */
    size_t chunk_images, chunk_rows, chunks, chunks_per_block, chunk_pixels;
    size_t slab_rows, slab_cols;                                    /* of one image of a chunk */
    size_t phases_at, taps_at, from_at, to_at, panels_at, slots_at; /* bytes into the workspace */
    size_t slot, slab_at, gradient_at, sums_at;                     /* bytes: of a block's slot, and into it */
} fastnn_conv;

typedef struct {
    const void *source; /* x; in the direction INPUT dy */
    void *target;       /* y; in the direction INPUT dx; not used for WEIGHTS */
    void *kept;         /* the same before the activation, or NULL */
    const void *dy;     /* WEIGHTS only */
    int activation;     /* row; applied to the target */
    const double *params;
} fastnn_conv_args;

/* Patches of x for im2col and col2im, by strides in elements: pixel = of row, column, channel of x; column = of output
 * row, output column, kernel row, kernel column, channel of the columns; image, column_image = of an image in each. */
typedef struct {
    fastnn_window window;
    ptrdiff_t pixel[3], image, column[5], column_image;
} fastnn_patches;
#endif
