/* Pooling of channels-last images: windows that slide over rows and columns, loops that run over channels.
 *
 * Forward kernels do some rows of the output, counted over all images; backward kernels do whole images, whose windows
 * may overlap.  A window is cut to the part of it that lies inside of the image, which is never empty.
 */
#ifndef FASTNN_POOL_ONCE
#define FASTNN_POOL_ONCE
typedef struct {
    size_t start, end; /* input positions */
} fastnn_extent;

INLINE fastnn_extent pool_extent(const fastnn_axis *a, size_t output) {
    const ptrdiff_t first = (ptrdiff_t)(output * a->stride) - a->pad, last = first + (ptrdiff_t)a->kernel;
    const ptrdiff_t most = (ptrdiff_t)a->input;
    return (fastnn_extent){(size_t)(first > 0 ? first : 0), (size_t)(last < most ? last : most)};
}
#endif

/* for every window of one output row: its extent in x, and the place of its output */
#define EACH_WINDOW(w, row)                                                                                            \
    const size_t image = (row) / (w)->y.output, channels = (w)->channels, width = (w)->x.input;                        \
    const fastnn_extent down = pool_extent(&(w)->y, (row) % (w)->y.output);                                            \
    const size_t corner = image * (w)->y.input * width * channels;                                                     \
    (void)down, (void)corner;                                                                                          \
    for (size_t ox = 0, at = (row) * (w)->x.output * channels; ox < (w)->x.output; ox++, at += channels)

#define EACH_TAP(down, across)                                                                                         \
    for (size_t iy = (down).start; iy < (down).end; iy++)                                                              \
        for (size_t ix = (across).start; ix < (across).end; ix++)

/* The largest element of every window, and where it stands: row * width + column of the first of several equal ones.
 * NaN is larger than any number. */
static void FN(max_pool)(const fastnn_window *w, size_t first, size_t rows, const void *xv, void *yv, int32_t *argmax) {
    const real *x = xv;
    for (size_t row = first; row < first + rows; row++) {
        EACH_WINDOW(w, row) {
            const fastnn_extent across = pool_extent(&w->x, ox);
            for (size_t c = 0; c < channels; c += BLOCK) {
                const int n = (int)FN(min_size)(BLOCK, channels - c);
                const real *top = x + corner + (down.start * width + across.start) * channels + c;
                real best[BLOCK], *y = (real *)yv + at + c;
                real_int place[BLOCK];
                const real_int start = (real_int)(down.start * width + across.start);
                _Pragma("omp simd") for (int j = 0; j < n; j++) best[j] = top[j], place[j] = start;
                EACH_TAP(down, across) {
                    const real_int here = (real_int)(iy * width + ix);
                    const real *from = x + corner + (iy * width + ix) * channels + c;
                    _Pragma("omp simd") for (int j = 0; j < n; j++) {
                        const int larger = !(from[j] <= best[j]) & (best[j] == best[j]);
                        place[j] = select(larger, here, place[j]);
                        best[j] = select(larger, from[j], best[j]);
                    }
                }
                _Pragma("omp simd") for (int j = 0; j < n; j++) y[j] = best[j];
                if (argmax)
                    _Pragma("omp simd") for (int j = 0; j < n; j++) argmax[at + c + (size_t)j] = (int32_t)place[j];
            }
        }
    }
}

/* dx = 0, then dx[argmax] += dy for every window. */
static void FN(max_pool_backward)(const fastnn_window *w, size_t first, size_t images, const void *dyv,
                                  const int32_t *argmax, void *dxv) {
    const size_t size = w->y.input * w->x.input * w->channels;
    const real *dy = dyv;
    real *dx = dxv;
    __builtin_memset(dx + first * size, 0, images * size * sizeof(real));
    for (size_t row = first * w->y.output; row < (first + images) * w->y.output; row++) {
        EACH_WINDOW(w, row) {
            const fastnn_extent across = pool_extent(&w->x, ox);
            EACH_TAP(down, across) {
                const int32_t here = (int32_t)(iy * width + ix);
                real *to = dx + corner + (iy * width + ix) * channels;
                _Pragma("omp simd") for (size_t c = 0; c < channels; c++) to[c] +=
                    select(argmax[at + c] == here, dy[at + c], K(0));
            }
        }
    }
}

/* dx = 0, then every element of a window that equals its maximum y gets an equal part of dy. */
static void FN(max_pool_split_backward)(const fastnn_window *w, size_t first, size_t images, const void *dyv,
                                        const void *xv, const void *yv, void *dxv) {
    const size_t size = w->y.input * w->x.input * w->channels;
    const real *dy = dyv, *x = xv, *y = yv;
    real *dx = dxv;
    __builtin_memset(dx + first * size, 0, images * size * sizeof(real));
#define IS_LARGEST(v, top) (((v) == (top)) | (((v) != (v)) & ((top) != (top))))
    for (size_t row = first * w->y.output; row < (first + images) * w->y.output; row++) {
        EACH_WINDOW(w, row) {
            const fastnn_extent across = pool_extent(&w->x, ox);
            for (size_t c = 0; c < channels; c += BLOCK) {
                const int n = (int)FN(min_size)(BLOCK, channels - c);
                const real *top = y + at + c, *g = dy + at + c;
                real part[BLOCK] = {0};
                EACH_TAP(down, across) {
                    const real *from = x + corner + (iy * width + ix) * channels + c;
                    _Pragma("omp simd") for (int j = 0; j < n; j++) part[j] +=
                        select(IS_LARGEST(from[j], top[j]), K(1), K(0));
                }
                _Pragma("omp simd") for (int j = 0; j < n; j++) part[j] = g[j] / part[j];
                EACH_TAP(down, across) {
                    const size_t place = corner + (iy * width + ix) * channels + c;
                    _Pragma("omp simd") for (int j = 0; j < n; j++) dx[place + (size_t)j] +=
                        select(IS_LARGEST(x[place + (size_t)j], top[j]), part[j], K(0));
                }
            }
        }
    }
#undef IS_LARGEST
}

/* What a window's sum is divided by: all of its positions, or those inside of the image. */
INLINE real FN(pool_divisor)(const fastnn_window *w, fastnn_extent down, fastnn_extent across, int padded) {
    return (real)(padded ? w->y.kernel * w->x.kernel : (down.end - down.start) * (across.end - across.start));
}

static void FN(average_pool)(const fastnn_window *w, int padded, size_t first, size_t rows, const void *xv, void *yv) {
    const real *x = xv;
    for (size_t row = first; row < first + rows; row++) {
        EACH_WINDOW(w, row) {
            const fastnn_extent across = pool_extent(&w->x, ox);
            const real divisor = FN(pool_divisor)(w, down, across, padded);
            for (size_t c = 0; c < channels; c += BLOCK) {
                const int n = (int)FN(min_size)(BLOCK, channels - c);
                real sum[BLOCK] = {0}, *y = (real *)yv + at + c;
                EACH_TAP(down, across) {
                    const real *from = x + corner + (iy * width + ix) * channels + c;
                    _Pragma("omp simd") for (int j = 0; j < n; j++) sum[j] += from[j];
                }
                _Pragma("omp simd") for (int j = 0; j < n; j++) y[j] = sum[j] / divisor;
            }
        }
    }
}

static void FN(average_pool_backward)(const fastnn_window *w, int padded, size_t first, size_t images, const void *dyv,
                                      void *dxv) {
    const size_t size = w->y.input * w->x.input * w->channels;
    const real *dy = dyv;
    real *dx = dxv;
    __builtin_memset(dx + first * size, 0, images * size * sizeof(real));
    for (size_t row = first * w->y.output; row < (first + images) * w->y.output; row++) {
        EACH_WINDOW(w, row) {
            const fastnn_extent across = pool_extent(&w->x, ox);
            const real divisor = FN(pool_divisor)(w, down, across, padded);
            EACH_TAP(down, across) {
                real *to = dx + corner + (iy * width + ix) * channels;
                _Pragma("omp simd") for (size_t c = 0; c < channels; c++) to[c] += dy[at + c] / divisor;
            }
        }
    }
}
#undef EACH_WINDOW
#undef EACH_TAP
