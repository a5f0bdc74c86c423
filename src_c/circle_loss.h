/* Circle loss: every row is compared with every other one of the batch.  For what loss kernels have in common see
 * row_losses.h.
 *
 * With d_ij = max(0, 1 - x_i . x_j), and P_i and N_i the log-sum-exps of the terms of a row's pairs,
 *   pairs of one label         gamma (d^2 - margin^2)
 *   pairs of different labels  gamma max(0, 1 + margin - d) (1 - margin - d)
 *   loss of row i              log(1 + exp(P_i + N_i)), 0 where there are no pairs of the one or the other kind
 *
 * Unlike other kernels this one must see all rows in one call, reads predictions after it has written gradients (they
 * need memory of their own), and gives rows of weight 0 a gradient: others are compared with them.
 *
 * Scratch, FASTNN_GROUP_SCRATCH numbers for every row: P, N, and the derivative of the total with respect to P + N.
 */

/* Of the pairs of row i with n rows from `first` on: their terms, whose derivatives with respect to x . y are `slopes`,
 * and whether they are of one label.  Terms are double: exp makes absolute errors relative ones. */
INLINE void FN(circle_terms)(const fastnn_loss_args *a, size_t i, size_t first, size_t n, double *terms, real *slopes,
                             real *alike) {
    const double gamma = a->params[0], margin = a->params[1];
    const real *x = FN(pred_row)(a, i);
    for (size_t j = 0; j < n; j++) {
        terms[j] = 1 - FN(dot)(a->cols, x, FN(pred_row)(a, first + j));
        alike[j] = a->labels[i] == a->labels[first + j] ? K(1) : K(0);
    }
    for (size_t j = 0; j < n; j++) {
        const double gap = terms[j], d = gap < 0 ? 0 : gap, weight = 1 + margin - d;
        const double of_alike = (d - margin) * (d + margin), of_others = (weight < 0 ? 0 : weight) * (1 - margin - d);
        const double slope = alike[j] == K(1) ? 2 * d : weight < 0 ? 0 : 2 * d - 2;
        terms[j] = gamma * (alike[j] == K(1) ? of_alike : of_others);
        slopes[j] = (real)(-gamma * (gap <= 0 ? 0 : slope));
    }
}

/* log(sum(exp(terms))) of n > 0 terms */
INLINE double FN(circle_sum)(size_t n, const double *terms) {
    real part[CHUNK];
    double top = terms[0];
    for (size_t j = 1; j < n; j++) top = terms[j] > top || terms[j] != terms[j] ? terms[j] : top;
    for (size_t j = 0; j < n; j++) part[j] = (real)(terms[j] - top);
    FN(exp_block)(n, part, part);
    return top + __builtin_log(FN(sum)(n, part));
}

/* P and N of row i; whether it has pairs of both kinds. */
INLINE int FN(circle_row)(const fastnn_loss_args *a, size_t i, double *own) {
    const int without_itself = a->params[2] != 0;
    real slopes[CHUNK], alike[CHUNK];
    double terms[CHUNK], part[CHUNK];
    size_t pairs[2] = {0, 0};
    own[0] = own[1] = -__builtin_inf();
    for (size_t first = 0; first < a->rows; first += CHUNK) {
        const size_t n = FN(min_size)(CHUNK, a->rows - first);
        FN(circle_terms)(a, i, first, n, terms, slopes, alike);
        if (without_itself && i >= first && i < first + n) alike[i - first] = K(-1);
        for (int kind = 0; kind < 2; kind++) {
            size_t count = 0;
            for (size_t j = 0; j < n; j++) {
                part[count] = terms[j];
                count += alike[j] == (kind == 0 ? K(1) : K(0)) ? 1 : 0;
            }
            if (count) own[kind] = FN(log_add)(own[kind], FN(circle_sum)(count, part));
            pairs[kind] += count;
        }
    }
    return pairs[0] && pairs[1];
}

/* 1 / (1 + exp(-x)) */
INLINE double FN(circle_sigmoid)(double x) { return 1 / (1 + __builtin_exp(-x)); }
INLINE double FN(circle_softplus)(double x) {
    return (x > 0 ? x : 0) + __builtin_log1p(__builtin_exp(x > 0 ? -x : x)) + (x != x ? x : 0);
}

/* What losses are multiplied by: 1; or all rows by those with pairs of both kinds; or the same of their weights. */
INLINE double FN(circle_scale)(const fastnn_loss_args *a) {
    double all = 0, counted = 0;
    if (a->params[3] == 0) return 1;
    for (size_t i = 0; i < a->rows; i++) {
        const double weight = a->params[3] == 2 && a->row_weight ? a->row_weight[i] : 1;
        all += weight;
        if (a->scratch[FASTNN_GROUP_SCRATCH * i + 2] != 0) counted += weight;
    }
    return counted != 0 ? all / counted : 0;
}

static void FN(circle)(const fastnn_loss_args *a) {
    const size_t cols = a->cols, rows = a->rows;
    const int without_itself = a->params[2] != 0;
    real slopes[CHUNK], alike[CHUNK], coefficient[CHUNK], mine[CHUNK], theirs[CHUNK];
    double terms[CHUNK], sums[CHUNK];
    for (size_t i = 0; i < rows; i++) {
        double *own = a->scratch + FASTNN_GROUP_SCRATCH * i;
        own[2] = FN(circle_row)(a, i, own);
    }
    const double rescale = FN(circle_scale)(a);
    for (size_t i = 0; i < rows; i++) {
        double *own = a->scratch + FASTNN_GROUP_SCRATCH * i;
        const double weight = own[2] != 0 ? FN(weight_of)(a, i) * rescale : 0;
        FN(set_loss)(a, i, weight == 0 ? 0 : weight * FN(circle_softplus)(own[0] + own[1]));
        own[2] = weight == 0 ? 0 : weight * a->grad_scale * FN(circle_sigmoid)(own[0] + own[1]);
    }
    for (size_t i = 0; a->grad && i < rows; i++) {
        const double *own = a->scratch + FASTNN_GROUP_SCRATCH * i;
        real *grad = FN(grad_row)(a, i);
        for (size_t c = 0; c < cols; c++) grad[c] = K(0);
        for (size_t first = 0; first < rows; first += CHUNK) {
            const size_t n = FN(min_size)(CHUNK, rows - first);
            FN(circle_terms)(a, i, first, n, terms, slopes, alike);
            /* how this row and the other one, each as the one that is compared, depend on x . y */
            for (size_t j = 0; j < n; j++) {
                const double *other = a->scratch + FASTNN_GROUP_SCRATCH * (first + j);
                const int kind = alike[j] == K(1) ? 0 : 1;
                mine[j] = (real)(terms[j] - own[kind]), theirs[j] = (real)(terms[j] - other[kind]);
            }
            FN(exp_block)(n, mine, mine);
            FN(exp_block)(n, theirs, theirs);
            for (size_t j = 0; j < n; j++) {
                const double *other = a->scratch + FASTNN_GROUP_SCRATCH * (first + j);
                const double of_mine = own[2] == 0 ? 0 : own[2] * (double)mine[j];
                const double of_theirs = other[2] == 0 ? 0 : other[2] * (double)theirs[j];
                coefficient[j] = slopes[j] * (real)(of_mine + of_theirs);
            }
            if (without_itself && i >= first && i < first + n) coefficient[i - first] = K(0);
            for (size_t c = 0; c < cols; c += CHUNK) {
                const size_t m = FN(min_size)(CHUNK, cols - c);
                for (size_t l = 0; l < m; l++) sums[l] = (double)grad[c + l];
                for (size_t j = 0; j < n; j++) {
                    const real *y = FN(pred_row)(a, first + j) + c;
                    const double factor = (double)coefficient[j];
                    _Pragma("omp simd") for (size_t l = 0; l < m; l++) sums[l] += factor * (double)y[l];
                }
                for (size_t l = 0; l < m; l++) grad[c + l] = (real)sums[l];
            }
        }
    }
}
