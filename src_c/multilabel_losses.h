/* The losses of rows in which several classes, or outputs, can be right at once.  For what the kernels have in common
 * see row_losses.h. */

/* sum_k sum_c max(0, 1 - p_k + p_c) / columns, k over the classes that are right (target not 0), c over the others.
 * Reads the predictions again after parts of the gradient are there: the gradient needs memory of its own. */
static void FN(multilabel_margin)(const fastnn_loss_args *a) {
    real part[CHUNK], slope[CHUNK];
    for (size_t r = 0; r < a->rows; r++) {
        const real *p = FN(pred_row)(a, r), *t = (const real *)a->target + r * a->cols;
        real *grad = FN(grad_row)(a, r);
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r) / (double)a->cols;
        const real scale = (real)(weight * a->grad_scale);
        double loss = 0;
        for (size_t c = 0; grad && c < a->cols; c++) grad[c] = K(0);
        for (size_t k = 0; k < a->cols; k++) {
            if (t[k] == 0) continue;
            const real right = K(1) - p[k];
            double pulls = 0;
            for (size_t c = 0; c < a->cols; c += CHUNK) {
                const size_t n = FN(min_size)(CHUNK, a->cols - c);
                _Pragma("omp simd") for (size_t j = 0; j < n; j++) {
                    const real gap = select(t[c + j] == K(0), right + p[c + j], K(0));
                    part[j] = select(gap < K(0), K(0), gap);
                    slope[j] = FN(where_positive)(gap, K(1));
                }
                loss += FN(sum)(n, part);
                if (!grad) continue;
                pulls += FN(sum)(n, slope);
                _Pragma("omp simd") for (size_t j = 0; j < n; j++) grad[c + j] += scale * slope[j];
            }
            if (grad) grad[k] = (real)(-weight * a->grad_scale * pulls);
        }
        FN(set_loss)(a, r, weight * loss);
    }
}

/* The mean over the columns of the binary cross-entropy, -(w_t t log p + w_f (1 - t) log(1 - p)), of logits (p is their
 * sigmoid) or of probabilities (clipped).  The factors of the columns are those of every loss, or, where `positives`,
 * those of the targets of 1 alone. */
INLINE void FN(binary_of_columns)(const fastnn_loss_args *a, int logits, int positives) {
    const real eps = logits ? K(0) : (real)a->params[0];
    real losses[CHUNK], ones[CHUNK];
    for (size_t j = 0; j < CHUNK; j++) ones[j] = K(1);
    for (size_t r = 0; r < a->rows; r++) {
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r) / (double)a->cols;
        const real scale = (real)(weight * a->grad_scale);
        double loss = 0;
        for (size_t c = 0; c < a->cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, a->cols - c);
            const real *p = FN(pred_row)(a, r) + c, *t = (const real *)a->target + r * a->cols + c;
            const real *w = a->class_weight ? (const real *)a->class_weight + c : ones;
            real *grad = a->grad ? FN(grad_row)(a, r) + c : NULL;
            for (size_t i = 0; i < n; i += BLOCK) {
                INPUT(ps, p)
                INPUT(ts, t)
                INPUT(ws, w)
                OUTPUT(ls, losses)
                VECTOR {
                    const real yes = ws[j] * ts[j], no = (positives ? K(1) : ws[j]) * (K(1) - ts[j]);
                    if (logits) {
                        ls[j] = ftimes(no, fsoftplus(ps[j])) + ftimes(yes, fsoftplus(-ps[j]));
                    } else {
                        const real q = fclamp(ps[j], eps, K(1) - eps);
                        ls[j] = -(yes * flog(q) + no * flog1p(-q));
                    }
                }
                COPY_BACK(ls, losses)
                if (grad) {
                    OUTPUT(gs, grad)
                    VECTOR {
                        const real yes = ws[j] * ts[j], no = (positives ? K(1) : ws[j]) * (K(1) - ts[j]);
                        if (logits) {
                            gs[j] = scale * (no * fsigmoid(ps[j]) - yes * fsigmoid(-ps[j]));
                        } else {
                            const real slope = no / (K(1) - ps[j]) - yes / ps[j];
                            gs[j] = scale * select((ps[j] < eps) | (ps[j] > K(1) - eps), K(0), slope);
                        }
                    }
                    COPY_BACK(gs, grad)
                }
            }
            loss += FN(sum)(n, losses);
        }
        FN(set_loss)(a, r, weight * loss);
    }
}

static void FN(multilabel_soft_margin)(const fastnn_loss_args *a) { FN(binary_of_columns)(a, 1, 0); }
static void FN(balanced_binary_cross_entropy)(const fastnn_loss_args *a) { FN(binary_of_columns)(a, 0, 1); }
static void FN(balanced_binary_cross_entropy_with_logits)(const fastnn_loss_args *a) { FN(binary_of_columns)(a, 1, 1); }
