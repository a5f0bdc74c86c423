/* Connectionist temporal classification: the likelihood of a sequence of labels, summed over all ways of stretching it
 * over the time steps with blanks between (A. Graves et al. 2006, ICML: forward and backward variables, section 4.1).
 *
 * A row is one sample: logits (steps, classes), labels until the first negative one.  Logarithms of probabilities in
 * double throughout.  States s = 0 ... 2 L: blanks at even s, label s / 2 at odd s.
 *
 * Scratch (fastnn_ctc_scratch numbers for every row): the forward variables of all steps, log-sum-exp of every step,
 * and the backward variables of two steps.
 */

INLINE double FN(log_add)(double x, double y) {
    const double top = x > y ? x : y, low = x > y ? y : x;
    return top == -__builtin_inf() ? top : top + __builtin_log1p(__builtin_exp(low - top));
}

static void FN(ctc)(const fastnn_loss_args *a) {
    const size_t classes = (size_t)a->params[0], blank = (size_t)a->params[1], steps = a->cols / classes;
    const int zero_infinity = a->params[2] != 0;
    const size_t most = a->target_cols, most_states = 2 * most + 1;
    const double impossible = -__builtin_inf();
    for (size_t r = 0; r < a->rows; r++) {
        const real *z = FN(pred_row)(a, r);
        real *grad = FN(grad_row)(a, r);
        const int32_t *labels = a->labels + r * most;
        const double weight = a->row_weight ? a->row_weight[r] : 1;
        const size_t length = a->lengths ? (size_t)a->lengths[r] : steps;
        double *forward = a->scratch + r * fastnn_ctc_scratch(steps, most);
        double *lse = forward + steps * most_states, *after = lse + steps, *now = after + most_states;
        size_t count = 0;
        while (count < most && labels[count] >= 0) count++;
        const size_t states = 2 * count + 1;
#define CTC_LABEL(s) ((s) % 2 ? (size_t)labels[(s) / 2] : blank)
#define CTC_LOG_P(t, s) ((double)z[(t) * classes + CTC_LABEL(s)] - lse[t])
        /* a label may follow the label before it directly unless they are the same */
#define CTC_SKIPS(s) ((s) % 2 && (s) > 1 && labels[(s) / 2] != labels[(s) / 2 - 1])

        for (size_t t = 0; t < length; t++) {
            const real *x = z + t * classes;
            const double top = (double)FN(row_max)(classes, x);
            double total = 0;
            for (size_t k = 0; k < classes; k++) total += __builtin_exp((double)x[k] - top);
            lse[t] = top + __builtin_log(total);
        }
        for (size_t t = 0; t < length; t++) {
            double *f = forward + t * most_states, *before = f - most_states;
            for (size_t s = 0; s < states; s++) {
                double sum;
                if (t == 0) {
                    sum = s < 2 ? 0 : impossible;
                } else {
                    sum = before[s];
                    if (s > 0) sum = FN(log_add)(sum, before[s - 1]);
                    if (CTC_SKIPS(s)) sum = FN(log_add)(sum, before[s - 2]);
                }
                f[s] = sum + CTC_LOG_P(t, s);
            }
        }
        double log_p = states == 1 ? 0 : impossible;
        if (length) {
            const double *last = forward + (length - 1) * most_states;
            log_p = last[states - 1];
            if (states > 1) log_p = FN(log_add)(log_p, last[states - 2]);
        }
        const int none = log_p == impossible;
        FN(set_loss)(a, r, weight == 0 || (none && zero_infinity) ? 0 : weight * -log_p);
        if (!grad) continue;
        const double scale = none ? 0 : weight * a->grad_scale;
        for (size_t k = length * classes; k < steps * classes; k++) grad[k] = K(0);
        if (scale == 0) {
            for (size_t k = 0; k < length * classes; k++) grad[k] = K(0);
            continue;
        }
        for (size_t t = length; t-- > 0;) {
            const double *f = forward + t * most_states;
            real *g = grad + t * classes;
            double of_blank = 0;
            for (size_t s = 0; s < states; s++) { /* now: backward variables with the probability of step t */
                double sum;
                if (t == length - 1) {
                    sum = s + 2 >= states ? 0 : impossible;
                } else {
                    sum = after[s];
                    if (s + 1 < states) sum = FN(log_add)(sum, after[s + 1]);
                    if (s + 2 < states && CTC_SKIPS(s + 2)) sum = FN(log_add)(sum, after[s + 2]);
                }
                now[s] = sum + CTC_LOG_P(t, s);
            }
            /* softmax less the probability of being in a state with that label at step t */
            for (size_t s = 0; s < states; s++)
                after[s] = __builtin_exp(f[s] + now[s] - CTC_LOG_P(t, s) - log_p); /* free until the next step */
            for (size_t k = 0; k < classes; k++)
                g[k] = (real)(scale * __builtin_exp((double)z[t * classes + k] - lse[t]));
            for (size_t s = 0; s < states; s += 2) of_blank += after[s];
            g[blank] -= (real)(scale * of_blank);
            for (size_t s = 1; s < states; s += 2) g[CTC_LABEL(s)] -= (real)(scale * after[s]);
            for (size_t s = 0; s < states; s++) after[s] = now[s];
        }
#undef CTC_LABEL
#undef CTC_LOG_P
#undef CTC_SKIPS
    }
}
