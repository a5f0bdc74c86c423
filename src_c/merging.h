/* Two tensors into one, element by element, and back: weighted sums, and the larger or smaller of two. */

/* y = p a + q b */
static void FN(blend)(size_t n, double pv, const void *av, double qv, const void *bv, void *yv) {
    const real p = (real)pv, q = (real)qv;
    for (size_t i = 0; i < n; i += BLOCK) {
        INPUT(as, av)
        INPUT(bs, bv)
        OUTPUT(ys, yv)
        VECTOR ys[j] = p * as[j] + q * bs[j];
        COPY_BACK(ys, yv)
    }
}

/* The larger of two for sign = 1, the smaller for sign = -1; NaN if one of them is. */
static void FN(choose)(size_t n, double signv, const void *av, const void *bv, void *yv) {
    const real sign = (real)signv;
    for (size_t i = 0; i < n; i += BLOCK) {
        INPUT(as, av)
        INPUT(bs, bv)
        OUTPUT(ys, yv)
        VECTOR {
            const real a = as[j], b = bs[j];
            ys[j] = select(sign * a >= sign * b, a, select(sign * a < sign * b, b, a + b));
        }
        COPY_BACK(ys, yv)
    }
}

/* dy goes to the one that was chosen, half to each where both are equal. */
static void FN(choose_backward)(size_t n, double signv, const void *dyv, const void *av, const void *bv, void *dav,
                                void *dbv) {
    const real sign = (real)signv;
    for (size_t i = 0; i < n; i += BLOCK) {
        INPUT(dys, dyv)
        INPUT(as, av)
        INPUT(bs, bv)
        OUTPUT(das, dav)
        OUTPUT(dbs, dbv)
        VECTOR {
            const real dy = dys[j], a = sign * as[j], b = sign * bs[j];
            const real tie = select(a == b, dy * K(0.5), a + b), none = fblocked(dy);
            das[j] = select(a > b, dy, select(a < b, none, tie));
            dbs[j] = select(a < b, dy, select(a > b, none, tie));
        }
        COPY_BACK(das, dav)
        COPY_BACK(dbs, dbv)
    }
}
