/* The losses of whole rows of predictions that classify: cross-entropies, focal losses, margins between classes.
 *
 * Every kernel has the name of its row in row_losses.def and one argument, fastnn_loss_args; loss and gradient come
 * from one call.  A gradient may be written over the predictions: whatever a row needs of them is read before.  Sums
 * are kept in double.  A row that does not count (its label is ignored, or its weight is 0) has loss and gradient 0,
 * whatever it holds.
 */

/* ---- what they share */

INLINE int FN(is_ignored)(const fastnn_loss_args *a, size_t r) { return a->labels && a->labels[r] == a->ignore; }

INLINE double FN(weight_of)(const fastnn_loss_args *a, size_t r) {
    return FN(is_ignored)(a, r) ? 0 : a->row_weight ? a->row_weight[r] : 1;
}

/* Whether a target is one label and nothing more: the case that deserves a path of its own. */
INLINE int FN(plain_labels)(const fastnn_loss_args *a) { return a->labels && !a->class_weight && a->smoothing == 0; }

INLINE const real *FN(pred_row)(const fastnn_loss_args *a, size_t r) { return (const real *)a->pred + r * a->ld; }
INLINE real *FN(grad_row)(const fastnn_loss_args *a, size_t r) { return a->grad ? (real *)a->grad + r * a->ld : NULL; }

INLINE void FN(set_loss)(const fastnn_loss_args *a, size_t r, double loss) {
    if (a->row_loss) a->row_loss[r] = loss;
}

/* A row that does not count is finished here. */
INLINE int FN(counts_nothing)(const fastnn_loss_args *a, size_t r) {
    if (FN(weight_of)(a, r) != 0) return 0;
    FN(set_loss)(a, r, 0);
    real *grad[3] = {a->grad, a->more_grad[0], a->more_grad[1]};
    for (int i = 0; i < 3; i++)
        for (size_t c = 0; grad[i] && c < a->cols; c++) grad[i][r * a->ld + c] = K(0);
    return 1;
}

/* The targets of row r from column c on: w_k ((1 - smoothing) t_k + smoothing / classes), t being the target row or one
 * in the label's place.  In `own`, or where they stand already. */
static const real *FN(targets)(const fastnn_loss_args *a, size_t r, size_t c, size_t n, real *own) {
    const real *given = a->target ? (const real *)a->target + r * a->cols + c : NULL;
    const real *weight = a->class_weight ? (const real *)a->class_weight + c : NULL;
    const real keep = (real)(1 - a->smoothing), share = (real)(a->smoothing / (double)a->cols);
    if (given && !weight && a->smoothing == 0) return given;
    if (given) {
        _Pragma("omp simd") for (size_t k = 0; k < n; k++) own[k] = keep * given[k] + share;
    } else {
        const size_t label = (size_t)a->labels[r];
        for (size_t k = 0; k < n; k++) own[k] = share;
        if (label >= c && label < c + n) own[label - c] += keep;
    }
    if (weight) {
        _Pragma("omp simd") for (size_t k = 0; k < n; k++) own[k] *= weight[k];
    }
    return own;
}

static double FN(dot)(size_t n, const real *x, const real *y) {
    double lane[16] = {0};
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) lane[j] += (double)x[i + j] * (double)y[i + j];
    for (int j = 0; i < n; i++, j++) lane[j] += (double)x[i] * (double)y[i];
    for (int width = 8; width; width /= 2)
        for (int j = 0; j < width; j++) lane[j] += lane[j + width];
    return lane[0];
}

/* sum_c u_c (top - z_c); a target of 0 at an infinite logit counts nothing.  The product has a name because gcc 12
 * loses lanes when it turns `lane += u ? u * gap : 0` into a masked FMA. */
static double FN(weighted_gaps)(size_t n, const real *u, const real *z, double top) {
    double lane[16] = {0};
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) {
            const double part = (double)u[i + j] * (top - (double)z[i + j]);
            lane[j] += u[i + j] != 0 ? part : 0;
        }
    for (int j = 0; i < n; i++, j++) {
        const double part = (double)u[i] * (top - (double)z[i]);
        lane[j] += u[i] != 0 ? part : 0;
    }
    for (int width = 8; width; width /= 2)
        for (int j = 0; j < width; j++) lane[j] += lane[j + width];
    return lane[0];
}

/* ---- cross-entropy of logits */

/* -sum_c u_c log softmax(z)_c and softmax(z) sum(u) - u. */
static void FN(softmax_cross_entropy)(const fastnn_loss_args *a) {
    const size_t cols = a->cols, step = FN(rows_per_chunk)(cols);
    const int plain = FN(plain_labels)(a);
    real max[CHUNK], wide[CHUNK], own[CHUNK];
    double sum[CHUNK];
    for (size_t r = 0; r < a->rows; r += step) {
        const size_t m = FN(min_size)(step, a->rows - r);
        const real *z = (const real *)a->pred + r * cols;
        /* exp(z - max) goes where an output is wanted, else to the stack (never in place: z is read again) */
        real *e = a->probs                        ? (real *)a->probs + r * cols
                  : a->grad && a->grad != a->pred ? (real *)a->grad + r * cols
                                                  : NULL;
        if (!e && cols <= CHUNK) e = wide;
        if (e)
            FN(shifted_exp)(m, cols, z, e, max, sum);
        else
            sum[0] = FN(sum_of_exp)(cols, z, max);
        for (size_t k = 0; k < m; k++) {
            const size_t row = r + k;
            const real *zk = z + k * cols;
            real *ek = e ? e + k * cols : NULL;
            const double weight = FN(weight_of)(a, row);
            /* the gap to the largest logit first: added to a large one, the logarithm would be rounded away */
            const double top = (double)max[k], log_sum = __builtin_log(sum[k]);
            double target_sum = 1, loss = 0;
            if (weight == 0) {
                loss = 0;
            } else if (plain) {
                loss = (top - (double)zk[a->labels[row]]) + log_sum;
            } else {
                target_sum = 0;
                for (size_t c = 0; c < cols; c += CHUNK) {
                    const size_t n = FN(min_size)(CHUNK, cols - c);
                    const real *u = FN(targets)(a, row, c, n, own);
                    target_sum += FN(sum)(n, u);
                    loss += FN(weighted_gaps)(n, u, zk + c, top);
                }
                loss += target_sum * log_sum;
            }
            FN(set_loss)(a, row, weight * loss);
            if (!a->grad && !a->probs) continue;
            const real scale = (real)(1 / sum[k]);
            if (a->probs) {
                _Pragma("omp simd") for (size_t c = 0; c < cols; c++) ek[c] *= scale;
            }
            if (a->grad) {
                real *grad = (real *)a->grad + row * cols;
                const real from_e = (real)(weight * a->grad_scale * target_sum * (a->probs ? 1 : 1 / sum[k]));
                const real from_t = (real)(weight * a->grad_scale);
                if (weight == 0) {
                    for (size_t c = 0; c < cols; c++) grad[c] = K(0);
                    continue;
                }
                if (ek) {
                    _Pragma("omp simd") for (size_t c = 0; c < cols; c++) grad[c] = ek[c] * from_e;
                } else {
                    _Pragma("omp simd") for (size_t c = 0; c < cols; c++) grad[c] = zk[c] - max[k];
                    FN(exp_block)(cols, grad, grad);
                    _Pragma("omp simd") for (size_t c = 0; c < cols; c++) grad[c] *= from_e;
                }
                if (plain) {
                    grad[a->labels[row]] -= from_t;
                } else {
                    for (size_t c = 0; c < cols; c += CHUNK) {
                        const size_t n = FN(min_size)(CHUNK, cols - c);
                        const real *u = FN(targets)(a, row, c, n, own);
                        _Pragma("omp simd") for (size_t j = 0; j < n; j++) grad[c + j] -= from_t * u[j];
                    }
                }
            }
        }
    }
}

/* The same loss and the same gradient, with respect to the logits, from the probabilities that softmax made of them. */
static void FN(cross_entropy_of_softmax)(const fastnn_loss_args *a) {
    const size_t cols = a->cols;
    const int plain = FN(plain_labels)(a);
    real own[CHUNK];
    for (size_t r = 0; r < a->rows; r++) {
        const real *p = FN(pred_row)(a, r);
        real *grad = FN(grad_row)(a, r);
        double target_sum = 0, loss = 0;
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r), scale = weight * a->grad_scale;
        for (size_t c = 0; !plain && c < cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, cols - c);
            const real *u = FN(targets)(a, r, c, n, own);
            target_sum += FN(sum)(n, u);
            for (size_t j = 0; a->row_loss && j < n; j++)
                loss -= u[j] != 0 ? (double)u[j] * __builtin_log((double)p[c + j]) : 0;
        }
        if (plain && a->row_loss) loss = -__builtin_log((double)p[a->labels[r]]);
        FN(set_loss)(a, r, weight * loss);
        if (!grad) continue;
        if (plain) {
            /* subtracted before it is scaled: 1 less a probability near 1 keeps its digits */
            const size_t label = (size_t)a->labels[r];
            const real right = p[label] - K(1), factor = (real)scale;
            _Pragma("omp simd") for (size_t c = 0; c < cols; c++) grad[c] = p[c] * factor;
            grad[label] = right * factor;
            continue;
        }
        const real total = (real)target_sum, factor = (real)scale;
        for (size_t c = 0; c < cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, cols - c);
            const real *u = FN(targets)(a, r, c, n, own);
            _Pragma("omp simd") for (size_t j = 0; j < n; j++) grad[c + j] = (p[c + j] * total - u[j]) * factor;
        }
    }
}

/* ---- cross-entropy of probabilities */

/* -sum_c u_c log q_c, q = clip(p / sum(p), eps, 1 - eps); the gradient is that of the clipped expression. */
static void FN(categorical_cross_entropy)(const fastnn_loss_args *a) {
    const size_t cols = a->cols;
    const double eps = a->params[0];
    const int plain = FN(plain_labels)(a);
    real own[CHUNK];
    for (size_t r = 0; r < a->rows; r++) {
        const real *p = FN(pred_row)(a, r);
        real *grad = FN(grad_row)(a, r);
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r);
        const double total = FN(sum)(cols, p), scale = weight * a->grad_scale / total;
        double loss = 0, inside = 0; /* inside: sum of the targets whose q is not clipped */
        for (size_t c = 0; c < cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, cols - c), label = plain ? (size_t)a->labels[r] - c : 0;
            const real *u = plain ? NULL : FN(targets)(a, r, c, n, own);
            for (size_t j = plain ? label : 0; j < (plain ? FN(min_size)(n, label + 1) : n); j++) {
                const double q = (double)p[c + j] / total, target = plain ? 1 : (double)u[j];
                const double clipped = q < eps ? eps : q > 1 - eps ? 1 - eps : q;
                if (target != 0) loss -= target * __builtin_log(clipped);
                if (clipped == q) inside += target;
            }
        }
        FN(set_loss)(a, r, weight * loss);
        if (!grad) continue;
        /* d/dp_c of -sum_k u_k log(p_k / total) = (sum_k u_k - u_c / q_c) / total, over unclipped k only */
        for (size_t c = 0; c < cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, cols - c);
            const real *u = FN(targets)(a, r, c, n, own);
            for (size_t j = 0; j < n; j++) {
                const double q = (double)p[c + j] / total, target = (double)u[j];
                const double share = q < eps || q > 1 - eps || target == 0 ? 0 : target / q;
                grad[c + j] = (real)(scale * (inside - share));
            }
        }
    }
}

/* -sum_c u_c log(p_c + eps), as it stands in textbooks: p is neither normalised nor clipped. */
static void FN(textbook_cross_entropy)(const fastnn_loss_args *a) {
    const double eps = a->params[0];
    real own[CHUNK];
    for (size_t r = 0; r < a->rows; r++) {
        const real *p = FN(pred_row)(a, r);
        real *grad = FN(grad_row)(a, r);
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r), scale = weight * a->grad_scale;
        double loss = 0;
        for (size_t c = 0; c < a->cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, a->cols - c);
            const real *u = FN(targets)(a, r, c, n, own);
            for (size_t j = 0; j < n; j++) {
                const double q = (double)p[c + j] + eps;
                if (a->row_loss && u[j] != 0) loss -= (double)u[j] * __builtin_log(q);
                if (grad) grad[c + j] = u[j] != 0 ? (real)(-scale * (double)u[j] / q) : K(0);
            }
        }
        FN(set_loss)(a, r, weight * loss);
    }
}

/* -sum_c u_c l_c from logarithms l of probabilities. */
static void FN(nll)(const fastnn_loss_args *a) {
    real own[CHUNK];
    for (size_t r = 0; r < a->rows; r++) {
        const real *l = FN(pred_row)(a, r);
        real *grad = FN(grad_row)(a, r);
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r);
        const real scale = (real)(-weight * a->grad_scale);
        double loss = 0;
        for (size_t c = 0; c < a->cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, a->cols - c);
            const real *u = FN(targets)(a, r, c, n, own);
            loss += FN(weighted_gaps)(n, u, l + c, 0);
            if (grad) {
                _Pragma("omp simd") for (size_t j = 0; j < n; j++) grad[c + j] = scale * u[j];
            }
        }
        FN(set_loss)(a, r, weight * loss);
    }
}

/* ---- focal losses */

/* losses_c = -u_c rest^gamma log(q) with rest = 1 - q, slopes_c = their derivatives with respect to log q */
static void FN(focal_block)(size_t n, const real *u, const real *q, const real *rest, const real *log_q, real gamma,
                            real *losses, real *slopes) {
    for (size_t i = 0; i < n; i += BLOCK) {
        INPUT(us, u)
        INPUT(qs, q)
        INPUT(rests, rest)
        INPUT(logs, log_q)
        OUTPUT(ls, losses)
        OUTPUT(ss, slopes)
        VECTOR {
            const real part = FN(power)(rests[j], gamma);
            const real l = us[j] != K(0) ? logs[j] : K(0);
            ls[j] = -us[j] * part * l;
            ss[j] = us[j] * part * (gamma * FN(ratio)(qs[j], rests[j]) * l - K(1));
        }
        COPY_BACK(ls, losses)
        COPY_BACK(ss, slopes)
    }
}

/* Where the probabilities of a chunk come from: q = exp(z - lse), or q = clip(p / total, eps, 1 - eps). */
static void FN(focal_inputs)(size_t n, const real *x, int logits, double lse, double total, real eps, real *q,
                             real *rest, real *log_q) {
    const real shift = (real)lse, factor = (real)(1 / total);
    for (size_t i = 0; logits && i < n; i += BLOCK) {
        INPUT(xs, x)
        OUTPUT(qs, q)
        OUTPUT(rs, rest)
        OUTPUT(ls, log_q)
        VECTOR {
            ls[j] = xs[j] - shift;
            qs[j] = fexp(ls[j]);
            rs[j] = fmax(-fexpm1(ls[j]), K(0));
        }
        COPY_BACK(qs, q)
        COPY_BACK(rs, rest)
        COPY_BACK(ls, log_q)
    }
    if (logits) return;
    for (size_t i = 0; i < n; i += BLOCK) {
        INPUT(xs, x)
        OUTPUT(qs, q)
        OUTPUT(rs, rest)
        OUTPUT(ls, log_q)
        VECTOR {
            const real share = xs[j] * factor;
            qs[j] = fclamp(share, eps, K(1) - eps);
            rs[j] = fclamp(K(1) - share, eps, K(1) - eps);
            ls[j] = flog(select(share > K(0.5), K(1), qs[j])) + flog1p(select(share > K(0.5), -rs[j], K(0)));
        }
        COPY_BACK(qs, q)
        COPY_BACK(rs, rest)
        COPY_BACK(ls, log_q)
    }
}

/* With s_c = d loss / d log q_c: d loss / d z_c = s_c - q_c sum(s) from logits; from probabilities, where clipped ones
 * have s_c = 0, d loss / d p_c = (s_c / q_c - sum(s)) / total. */
INLINE void FN(focal)(const fastnn_loss_args *a, int logits) {
    const real alpha = (real)a->params[0], gamma = (real)a->params[1], eps = logits ? K(0) : (real)a->params[2];
    real own[CHUNK], q[CHUNK], rest[CHUNK], log_q[CHUNK], losses[CHUNK], slopes[CHUNK];
    for (size_t r = 0; r < a->rows; r++) {
        const real *x = FN(pred_row)(a, r);
        real *grad = FN(grad_row)(a, r);
        real lse = K(0);
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r);
        if (logits) FN(logsumexp)(1, a->cols, x, &lse);
        const double total = logits ? 1 : FN(sum)(a->cols, x);
        const real low = (real)((double)eps * total), high = (real)((1 - (double)eps) * total);
        double loss = 0, sum = 0;
        for (int pass = 0; pass < (grad ? 2 : 1); pass++) {
            const real all = (real)sum, factor = (real)(weight * a->grad_scale * (double)alpha / total);
            for (size_t c = 0; c < a->cols; c += CHUNK) {
                const size_t n = FN(min_size)(CHUNK, a->cols - c);
                const real *u = FN(targets)(a, r, c, n, own);
                if (pass == 0 || a->cols > CHUNK) { /* a short row has everything from the first pass */
                    FN(focal_inputs)(n, x + c, logits, (double)lse, total, eps, q, rest, log_q);
                    FN(focal_block)(n, u, q, rest, log_q, gamma, losses, slopes);
                    for (size_t j = 0; !logits && j < n; j++)
                        slopes[j] = x[c + j] < low || x[c + j] > high ? K(0) : slopes[j];
                }
                if (pass == 0) {
                    loss += FN(sum)(n, losses);
                    sum += FN(sum)(n, slopes);
                } else if (logits) {
                    _Pragma("omp simd") for (size_t j = 0; j < n; j++) grad[c + j] = factor * (slopes[j] - q[j] * all);
                } else {
                    _Pragma("omp simd") for (size_t j = 0; j < n; j++) grad[c + j] = factor * (slopes[j] / q[j] - all);
                }
            }
        }
        FN(set_loss)(a, r, weight * (double)alpha * loss);
    }
}

static void FN(categorical_focal)(const fastnn_loss_args *a) { FN(focal)(a, 0); }
static void FN(categorical_focal_with_logits)(const fastnn_loss_args *a) { FN(focal)(a, 1); }

/* ---- the others */

/* (1 - s^q) / q with s = sum_c u_c p_c, the probability of the right class. */
static void FN(generalized_cross_entropy)(const fastnn_loss_args *a) {
    const real q = (real)a->params[0];
    real own[CHUNK];
    for (size_t r = 0; r < a->rows; r++) {
        const real *p = FN(pred_row)(a, r);
        real *grad = FN(grad_row)(a, r);
        double right = 0;
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r);
        for (size_t c = 0; c < a->cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, a->cols - c);
            right += FN(dot)(n, FN(targets)(a, r, c, n, own), p + c);
        }
        const real log_right = flog((real)right);
        FN(set_loss)(a, r, weight * (double)(-fexpm1(q * log_right)) / a->params[0]);
        if (!grad) continue;
        const real factor = (real)(-weight * a->grad_scale) * fexp((q - K(1)) * log_right);
        for (size_t c = 0; c < a->cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, a->cols - c);
            const real *u = FN(targets)(a, r, c, n, own);
            for (size_t j = 0; j < n; j++) grad[c + j] = u[j] != 0 ? u[j] * factor : K(0);
        }
    }
}

/* max(0, 1 + max_c((1 - u_c) p_c) - sum_c u_c p_c); of several largest the first counts. */
static void FN(categorical_hinge)(const fastnn_loss_args *a) {
    real own[CHUNK];
    for (size_t r = 0; r < a->rows; r++) {
        const real *p = FN(pred_row)(a, r);
        real *grad = FN(grad_row)(a, r);
        double right = 0;
        size_t top = 0;
        real largest = K(0);
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r);
        for (size_t c = 0; c < a->cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, a->cols - c);
            const real *u = FN(targets)(a, r, c, n, own);
            right += FN(dot)(n, u, p + c);
            for (size_t j = 0; j < n; j++) {
                const real other = (K(1) - u[j]) * p[c + j];
                if (c + j == 0 || other > largest || other != other) largest = other, top = c + j;
            }
        }
        const double margin = 1 + (double)largest - right, loss = margin > 0 || margin != margin ? margin : 0;
        FN(set_loss)(a, r, weight * loss);
        if (!grad) continue;
        const real scale = (real)(loss == 0 ? 0 : weight * a->grad_scale * (margin != margin ? margin : 1));
        for (size_t c = 0; c < a->cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, a->cols - c);
            const real *u = FN(targets)(a, r, c, n, own);
            _Pragma("omp simd") for (size_t j = 0; j < n; j++) grad[c + j] = -scale * u[j];
            if (top >= c && top < c + n) grad[top] += scale * (K(1) - u[top - c]);
        }
    }
}

/* w_y sum_{c != y} max(0, margin - p_y + p_c)^power / classes. */
static void FN(multi_margin)(const fastnn_loss_args *a) {
    const real margin = (real)a->params[0], above = (real)(a->params[1] - 1);
    for (size_t r = 0; r < a->rows; r++) {
        const real *p = FN(pred_row)(a, r);
        real *grad = FN(grad_row)(a, r);
        if (FN(counts_nothing)(a, r)) continue;
        const size_t y = (size_t)a->labels[r];
        const double factor = a->class_weight ? (double)((const real *)a->class_weight)[y] : 1;
        const double weight = FN(weight_of)(a, r) * factor / (double)a->cols;
        const real right = p[y], slope = (real)(weight * a->grad_scale * a->params[1]);
        double loss = 0, slopes = 0;
        for (size_t c = 0; c < a->cols; c++) {
            const real h = c == y ? K(0) : margin - right + p[c];
            const real part = h > 0 ? (above == K(0) ? K(1) : FN(power)(h, above)) : h <= 0 ? K(0) : h;
            loss += h > 0 ? (double)(h * part) : (double)part;
            slopes += (double)part;
            if (grad) grad[c] = slope * part;
        }
        if (grad) grad[y] = (real)(-(double)slope * slopes);
        FN(set_loss)(a, r, weight * loss);
    }
}
