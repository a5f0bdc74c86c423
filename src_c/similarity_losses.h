/* The losses of whole rows that measure how alike two or three rows are: cosine, overlap, distances, and the Gaussian
 * likelihood.  For what the kernels have in common see row_losses.h.
 *
 * Several inputs lie `ld` elements apart from row to row, each in an array of its own or side by side in one.
 */

/* ---- one row of predictions, one of targets */

/* -cos(p, t), with 1 / |x| cut off at 1 / eps. */
static void FN(cosine_similarity)(const fastnn_loss_args *a) {
    const double most = 1 / a->params[0];
    for (size_t r = 0; r < a->rows; r++) {
        const real *p = FN(pred_row)(a, r), *t = (const real *)a->target + r * a->cols;
        real *grad = FN(grad_row)(a, r);
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r);
        const double pn = 1 / __builtin_sqrt(FN(dot)(a->cols, p, p)), tn = 1 / __builtin_sqrt(FN(dot)(a->cols, t, t));
        const double ip = pn > most ? most : pn, it = tn > most ? most : tn;
        const double cosine = FN(dot)(a->cols, p, t) * ip * it;
        FN(set_loss)(a, r, weight * -cosine);
        if (!grad) continue;
        /* a norm that was cut off is a constant */
        const real of_t = (real)(-weight * a->grad_scale * ip * it);
        const real of_p = (real)(pn > most ? 0 : weight * a->grad_scale * cosine * ip * ip);
        _Pragma("omp simd") for (size_t c = 0; c < a->cols; c++) grad[c] = of_t * t[c] + of_p * p[c];
    }
}

/* 1 - a I / (b I + c A + d B + eps), I = sum(t p), A = sum(t), B = sum(p): Dice and Tversky. */
INLINE void FN(overlap)(const fastnn_loss_args *args, double a, double b, double c, double d, double eps) {
    for (size_t r = 0; r < args->rows; r++) {
        const real *p = FN(pred_row)(args, r), *t = (const real *)args->target + r * args->cols;
        real *grad = FN(grad_row)(args, r);
        if (FN(counts_nothing)(args, r)) continue;
        const double weight = FN(weight_of)(args, r), both = FN(dot)(args->cols, t, p);
        const double whole = b * both + c * FN(sum)(args->cols, t) + d * FN(sum)(args->cols, p) + eps;
        FN(set_loss)(args, r, weight * (1 - a * both / whole));
        if (!grad) continue;
        const double scale = -weight * args->grad_scale * a / whole, ratio = both / whole;
        const real of_t = (real)(scale * (1 - ratio * b)), constant = (real)(-scale * ratio * d);
        _Pragma("omp simd") for (size_t k = 0; k < args->cols; k++) grad[k] = of_t * t[k] + constant;
    }
}

static void FN(dice)(const fastnn_loss_args *a) { FN(overlap)(a, 2, 0, 1, 1, a->params[0]); }
/* alpha weighs what only the targets have, beta what only the predictions have. */
static void FN(tversky)(const fastnn_loss_args *a) {
    const double alpha = a->params[0], beta = a->params[1];
    FN(overlap)(a, 1, 1 - alpha - beta, alpha, beta, a->params[2]);
}

/* ---- several inputs */

/* The mean of (log v + (t - m)^2 / v) / 2 [+ log(2 pi) / 2], v = max(var, eps); as in PyTorch, a variance below eps has
 * the slope that it would have at eps. */
static void FN(gaussian_nll)(const fastnn_loss_args *a) {
    const real eps = (real)a->params[0];
    const double constant = a->params[1] != 0 ? 0.91893853320467274178 : 0;
    real losses[CHUNK];
    for (size_t r = 0; r < a->rows; r++) {
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r) / (double)a->cols;
        const real scale = (real)(weight * a->grad_scale);
        double loss = 0;
        for (size_t c = 0; c < a->cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, a->cols - c), at = r * a->ld + c;
            const real *mean = (const real *)a->pred + at, *var = (const real *)a->more[0] + at;
            const real *t = (const real *)a->target + r * a->cols + c;
            real *of_mean = a->grad ? (real *)a->grad + at : NULL;
            real *of_var = a->more_grad[0] ? (real *)a->more_grad[0] + at : NULL;
            for (size_t i = 0; i < n; i += BLOCK) {
                INPUT(ms, mean)
                INPUT(vs, var)
                INPUT(ts, t)
                OUTPUT(ls, losses)
                VECTOR {
                    const real v = fmax(vs[j], eps), e = ms[j] - ts[j];
                    ls[j] = K(0.5) * (flog(v) + e * e / v);
                }
                COPY_BACK(ls, losses)
                if (a->grad) {
                    OUTPUT(dms, of_mean)
                    OUTPUT(dvs, of_var)
                    VECTOR {
                        const real v = fmax(vs[j], eps), e = ms[j] - ts[j];
                        dms[j] = scale * e / v;
                        dvs[j] = scale * K(0.5) * (K(1) - e * e / v) / v;
                    }
                    COPY_BACK(dms, of_mean)
                    COPY_BACK(dvs, of_var)
                }
            }
            loss += FN(sum)(n, losses);
        }
        FN(set_loss)(a, r, weight * (loss + constant * (double)a->cols));
    }
}

/* The mean of max(0, margin - t (x1 - x2)); where that is just 0 the gradient is that of the other side (PyTorch's). */
static void FN(margin_ranking)(const fastnn_loss_args *a) {
    const real margin = (real)a->params[0];
    real losses[CHUNK];
    for (size_t r = 0; r < a->rows; r++) {
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r) / (double)a->cols;
        const real scale = (real)(weight * a->grad_scale);
        double loss = 0;
        for (size_t c = 0; c < a->cols; c += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, a->cols - c), at = r * a->ld + c;
            const real *x1 = (const real *)a->pred + at, *x2 = (const real *)a->more[0] + at;
            const real *t = (const real *)a->target + r * a->cols + c;
            for (size_t j = 0; j < n; j++) {
                const real gap = margin - t[j] * (x1[j] - x2[j]);
                losses[j] = gap < 0 ? K(0) : gap;
                if (a->grad) {
                    const real slope = gap < 0 ? K(0) : gap != gap ? gap : scale * t[j];
                    ((real *)a->grad)[at + j] = -slope;
                    ((real *)a->more_grad[0])[at + j] = slope;
                }
            }
            loss += FN(sum)(n, losses);
        }
        FN(set_loss)(a, r, weight * loss);
    }
}

/* 1 - cos(x1, x2) for pairs that belong together (sign 1), max(0, cos - margin) for others (sign -1). */
static void FN(cosine_embedding)(const fastnn_loss_args *a) {
    const double margin = a->params[0], eps = 1e-12;
    for (size_t r = 0; r < a->rows; r++) {
        const real *x = FN(pred_row)(a, r), *y = (const real *)a->more[0] + r * a->ld;
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r);
        const double xx = FN(dot)(a->cols, x, x) + eps, yy = FN(dot)(a->cols, y, y) + eps;
        const double cosine = FN(dot)(a->cols, x, y) / __builtin_sqrt(xx * yy);
        const int alike = ((const real *)a->target)[r] > 0;
        const double loss = alike ? 1 - cosine : cosine - margin < 0 ? 0 : cosine - margin;
        FN(set_loss)(a, r, weight * loss);
        if (!a->grad) continue;
        const double slope = weight * a->grad_scale * (alike ? -1 : cosine - margin < 0 ? 0 : 1);
        real *dx = FN(grad_row)(a, r), *dy = (real *)a->more_grad[0] + r * a->ld;
        const real cross = (real)(slope / __builtin_sqrt(xx * yy));
        const real of_x = (real)(slope * cosine / xx), of_y = (real)(slope * cosine / yy);
        _Pragma("omp simd") for (size_t c = 0; c < a->cols; c++) {
            const real xc = x[c], yc = y[c];
            dx[c] = cross * yc - of_x * xc;
            dy[c] = cross * xc - of_y * yc;
        }
    }
}

/* (sum_c |x_c - y_c + eps|^power)^(1 / power) */
INLINE double FN(distance)(size_t n, const real *x, const real *y, real eps, real power) {
    double total = 0;
    real part[CHUNK];
    for (size_t c = 0; c < n; c += CHUNK) {
        const size_t m = FN(min_size)(CHUNK, n - c);
        for (size_t j = 0; j < m; j++) part[j] = fabs_(x[c + j] - y[c + j] + eps);
        if (power == K(2)) {
            total += FN(sum_of_squares)(m, part);
            continue;
        }
        for (size_t j = 0; power != K(1) && j < m; j++) part[j] = FN(power)(part[j], power);
        total += FN(sum)(m, part);
    }
    return power == K(2) ? __builtin_sqrt(total) : power == K(1) ? total : (double)FN(power)((real)total, K(1) / power);
}

/* The derivative of that distance with respect to x_c: sign(d_c) (|d_c| / distance)^(power - 1). */
INLINE real FN(distance_slope)(real d, real distance, real power) {
    const real relative = distance == K(0) ? K(0) : fabs_(d) / distance;
    const real size = power == K(2) ? relative : power == K(1) ? K(1) : FN(power)(relative, power - K(1));
    return d > 0 ? size : d < 0 ? -size : d;
}

/* max(0, distance(anchor, positive) - distance(anchor, negative) + margin); with `swap`, the smaller of the distances
 * of the negative to the anchor and to the positive. */
static void FN(triplet_margin)(const fastnn_loss_args *a) {
    const double margin = a->params[0];
    const real power = (real)a->params[1], eps = (real)a->params[2];
    const size_t n = a->cols;
    for (size_t r = 0; r < a->rows; r++) {
        const real *anchor = FN(pred_row)(a, r);
        const real *positive = (const real *)a->more[0] + r * a->ld, *negative = (const real *)a->more[1] + r * a->ld;
        if (FN(counts_nothing)(a, r)) continue;
        const double weight = FN(weight_of)(a, r);
        const double near = FN(distance)(n, anchor, positive, eps, power);
        double far = FN(distance)(n, anchor, negative, eps, power);
        int swapped = 0;
        if (a->params[3] != 0) {
            const double other = FN(distance)(n, positive, negative, eps, power);
            swapped = other < far;
            far = swapped ? other : far;
        }
        const double gap = near - far + margin;
        FN(set_loss)(a, r, gap < 0 ? 0 : weight * gap);
        if (!a->grad) continue;
        const real scale = (real)(gap < 0 ? 0 : weight * a->grad_scale), dn = (real)near, df = (real)far;
        real *da = FN(grad_row)(a, r);
        real *dp = (real *)a->more_grad[0] + r * a->ld, *dnegative = (real *)a->more_grad[1] + r * a->ld;
        for (size_t c = 0; c < n; c++) {
            const real x = anchor[c], p = positive[c], q = negative[c];
            const real from_near = scale * FN(distance_slope)(x - p + eps, dn, power);
            const real from_far = scale * FN(distance_slope)((swapped ? p : x) - q + eps, df, power);
            da[c] = swapped ? from_near : from_near - from_far;
            dp[c] = swapped ? -from_near - from_far : -from_near;
            dnegative[c] = from_far;
        }
    }
}
