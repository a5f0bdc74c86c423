/* What happens to whole tensors around the optimizer's row: averages, clipping by value, penalties.
 *
 * Sums are in double, in sixteen lanes that are added in a fixed order; who cuts a tensor into blocks adds the sums of
 * the blocks in their order.
 */

/* y = a x + b y; with b = 0, y is only written: what it held may be anything, NaN too */
static void FN(combine)(size_t n, double av, const void *xv, double bv, void *yv) {
    const real a = (real)av, b = (real)bv;
    for (size_t i = 0; i < n; i += BLOCK) {
        INPUT(xs, xv)
        INPUT(old, yv)
        OUTPUT(ys, yv)
        if (bv == 0) {
            VECTOR ys[j] = a * xs[j];
        } else {
            VECTOR ys[j] = a * xs[j] + b * old[j];
        }
        COPY_BACK(ys, yv)
    }
}

/* x held between -limit and limit, in place */
static void FN(clip_values)(size_t n, double limitv, void *xv) {
    const real limit = (real)limitv;
    for (size_t i = 0; i < n; i += BLOCK) {
        INPUT(old, xv)
        OUTPUT(xs, xv)
        VECTOR xs[j] = fclamp(old[j], -limit, limit);
        COPY_BACK(xs, xv)
    }
}

static double FN(sum_of_magnitudes)(size_t n, const void *xv) {
    const real *x = xv;
    double lane[16] = {0};
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) lane[j] += (double)fabs_(x[i + j]);
    for (int j = 0; i < n; i++, j++) lane[j] += (double)fabs_(x[i]);
    for (int width = 8; width; width /= 2)
        for (int j = 0; j < width; j++) lane[j] += lane[j + width];
    return lane[0];
}

/* Returns l1 sum |x| + l2 sum x^2; g += l1 sign(x) + 2 l2 x, unless g is NULL.
 * A factor of 0 leaves its part out: 0 * inf would be NaN. */
static double FN(penalty)(size_t n, double l1v, double l2v, const void *xv, void *gv) {
    const real l1 = (real)l1v, twice = (real)(2 * l2v);
    if (gv && l1v != 0) {
        for (size_t i = 0; i < n; i += BLOCK) {
            INPUT(xs, xv)
            INPUT(old, gv)
            OUTPUT(gs, gv)
            VECTOR {
                const real x = xs[j];
                gs[j] = old[j] + l1 * select(x > K(0), K(1), select(x < K(0), K(-1), x));
            }
            COPY_BACK(gs, gv)
        }
    }
    if (gv && l2v != 0) FN(combine)(n, twice, xv, 1, gv);
    double value = 0;
    if (l1v != 0) value += l1v * FN(sum_of_magnitudes)(n, xv);
    if (l2v != 0) value += l2v * FN(sum_of_squares)(n, xv);
    return value;
}
