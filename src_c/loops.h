/* The loops over table rows: activations forward, backward and derivative; losses; optimizer updates. */

#define ACT(name, keeps, list, value, gradient)                                                                        \
    static void FN(name##_forward)(size_t n, const void *xv, void *yv, const double *params) {                         \
        (void)params;                                                                                                  \
        LOCALS(list)                                                                                                   \
        for (size_t i = 0; i < n; i += BLOCK) {                                                                        \
            INPUT(xs, xv)                                                                                              \
            OUTPUT(ys, yv)                                                                                             \
            VECTOR {                                                                                                   \
                const real x = xs[j];                                                                                  \
                ys[j] = value;                                                                                         \
            }                                                                                                          \
            COPY_BACK(ys, yv)                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void FN(name##_backward)(size_t n, const void *dyv, const void *keptv, void *dxv, const double *params) {   \
        (void)params;                                                                                                  \
        LOCALS(list)                                                                                                   \
        for (size_t i = 0; i < n; i += BLOCK) {                                                                        \
            INPUT(dys, dyv)                                                                                            \
            INPUT(kept, keptv)                                                                                         \
            OUTPUT(dxs, dxv)                                                                                           \
            VECTOR {                                                                                                   \
                const real dy = dys[j], keeps = kept[j];                                                               \
                (void)keeps;                                                                                           \
                dxs[j] = gradient;                                                                                     \
            }                                                                                                          \
            COPY_BACK(dxs, dxv)                                                                                        \
        }                                                                                                              \
    }                                                                                                                  \
    static void FN(name##_derivative)(size_t n, const void *xv, void *dxv, const double *params) {                     \
        (void)params;                                                                                                  \
        LOCALS(list)                                                                                                   \
        for (size_t i = 0; i < n; i += BLOCK) {                                                                        \
            INPUT(xs, xv)                                                                                              \
            OUTPUT(dxs, dxv)                                                                                           \
            VECTOR {                                                                                                   \
                const real x = xs[j];                                                                                  \
                const real y = value, dy = K(1);                                                                       \
                (void)y;                                                                                               \
                dxs[j] = gradient;                                                                                     \
            }                                                                                                          \
            COPY_BACK(dxs, dxv)                                                                                        \
        }                                                                                                              \
    }
#include "activations.def"
#undef ACT

#define LOSS(name, reduce, list, value, gradient)                                                                      \
    static void FN(name##_with_grad)(size_t n, const void *pv, const void *tv, void *lossv, void *dpv,                 \
                                     const double *params) {                                                           \
        (void)params;                                                                                                  \
        LOCALS(list)                                                                                                   \
        for (size_t i = 0; i < n; i += BLOCK) {                                                                        \
            INPUT(ps, pv)                                                                                              \
            INPUT(ts, tv)                                                                                              \
            OUTPUT(losses, lossv)                                                                                      \
            VECTOR {                                                                                                   \
                const real p = ps[j], t = ts[j];                                                                       \
                losses[j] = value;                                                                                     \
            }                                                                                                          \
            COPY_BACK(losses, lossv)                                                                                   \
            if (dpv) {                                                                                                 \
                OUTPUT(dps, dpv)                                                                                       \
                VECTOR {                                                                                               \
                    const real p = ps[j], t = ts[j];                                                                   \
                    dps[j] = gradient;                                                                                 \
                }                                                                                                      \
                COPY_BACK(dps, dpv)                                                                                    \
            }                                                                                                          \
        }                                                                                                              \
    }
#include "losses.def"
#undef LOSS

/* Slots: SLOTS_IN copies pointers, READ/WRITE move one element between the arrays and the row's names. */
#define SLOT_DO_0(M, ...)
#define SLOT_DO_1(M, i, a) M(i, a)
#define SLOT_DO_2(M, i, a, b) M(i, a) M(i + 1, b)
#define SLOT_DO_3(M, i, a, b, c) M(i, a) M(i + 1, b) M(i + 2, c)
#define EACH_SLOT_(M, ...) __VA_OPT__(CAT(SLOT_DO_, COUNT(__VA_ARGS__))(M, 0, __VA_ARGS__))
#define EACH_SLOT(M, list) EACH_SLOT_UNPACK(M, UNPAREN list)
#define EACH_SLOT_UNPACK(...) EACH_SLOT_(__VA_ARGS__)
#define UNPAREN(...) __VA_ARGS__
#define SLOT_OPEN(k, s)                                                                                                \
    real *s##_array = (real *)slots[k] + i;                                                                            \
    real s##_pad[BLOCK];                                                                                               \
    real *s##s = s##_array;                                                                                            \
    if (PARTIAL) {                                                                                                     \
        FN(pad)(s##_pad, s##_array, n - i);                                                                            \
        s##s = s##_pad;                                                                                                \
    }
#define SLOT_READ(k, s) real s = s##s[j];
#define SLOT_WRITE(k, s) s##s[j] = s;
#define SLOT_CLOSE(k, s)                                                                                               \
    if (PARTIAL) __builtin_memcpy(s##_array, s##_pad, (n - i) * sizeof(real));

#define OPT(name, slot_list, list, ...)                                                                                \
    static void FN(name##_update)(size_t n, void *pv, const void *gv, void *const *slots, const double *scalars) {     \
        const real gradient_scale = (real)scalars[0], l2 = (real)scalars[1], decay = (real)scalars[2];                 \
        const double *params = scalars + FASTNN_COMMON_SCALARS;                                                        \
        LOCALS(list)                                                                                                   \
        (void)slots;                                                                                                   \
        for (size_t i = 0; i < n; i += BLOCK) {                                                                        \
            INPUT(p_in, pv)                                                                                            \
            INPUT(gs, gv)                                                                                              \
            OUTPUT(ps, pv)                                                                                             \
            EACH_SLOT(SLOT_OPEN, slot_list)                                                                            \
            VECTOR {                                                                                                   \
                real p = p_in[j];                                                                                      \
                const real g = gradient_scale * gs[j] + l2 * p;                                                        \
                p -= decay * p;                                                                                        \
                EACH_SLOT(SLOT_READ, slot_list)                                                                        \
                __VA_ARGS__;                                                                                           \
                EACH_SLOT(SLOT_WRITE, slot_list)                                                                       \
                ps[j] = p;                                                                                             \
            }                                                                                                          \
            COPY_BACK(ps, pv)                                                                                          \
            EACH_SLOT(SLOT_CLOSE, slot_list)                                                                           \
        }                                                                                                              \
    }
#include "optimizers.def"
#undef OPT
#undef SLOT_DO_0
#undef SLOT_DO_1
#undef SLOT_DO_2
#undef SLOT_DO_3
#undef EACH_SLOT_
#undef EACH_SLOT
#undef EACH_SLOT_UNPACK
#undef UNPAREN
#undef SLOT_OPEN
#undef SLOT_READ
#undef SLOT_WRITE
#undef SLOT_CLOSE
