/* From a table row to a function: unpacking "(alpha, beta)" into locals, and the loop shapes.
 *
 * Why locals: a parameter read as params[0] inside a ternary keeps gcc from vectorising the loop.
 * Why blocks: the inner loop has a constant trip count, and the last few elements go through the same vector
 * instructions by way of a padded copy.  An element's value therefore never depends on where in the array it
 * stands or how the array was cut for threads, and there is no scalar epilogue to round differently.
 */
#undef PARAM_1
#undef PARAM_2
#undef PARAM_3
#undef PARAM_4
#undef PARAM_5
#undef PARAM_6
#undef PARAM_7
#undef PARAM_8
#undef VECTOR
#ifndef FASTNN_ROWS_ONCE
#define FASTNN_ROWS_ONCE
#define COUNT_(a, b, c, d, e, f, g, h, n, ...) n
#define COUNT(...) COUNT_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define LOCALS_(...) __VA_OPT__(CAT(PARAM_, COUNT(__VA_ARGS__))(0, __VA_ARGS__))
#define LOCALS(list) LOCALS_ list
#endif
/* const real name = (real)params[position] for every name of the list */
#define PARAM_1(i, a)                                                                                                  \
    const real a = (real)params[i];                                                                                    \
    (void)a;
#define PARAM_2(i, a, ...) PARAM_1(i, a) PARAM_1(i + 1, __VA_ARGS__)
#define PARAM_3(i, a, ...) PARAM_1(i, a) PARAM_2(i + 1, __VA_ARGS__)
#define PARAM_4(i, a, ...) PARAM_1(i, a) PARAM_3(i + 1, __VA_ARGS__)
#define PARAM_5(i, a, ...) PARAM_1(i, a) PARAM_4(i + 1, __VA_ARGS__)
#define PARAM_6(i, a, ...) PARAM_1(i, a) PARAM_5(i + 1, __VA_ARGS__)
#define PARAM_7(i, a, ...) PARAM_1(i, a) PARAM_6(i + 1, __VA_ARGS__)
#define PARAM_8(i, a, ...) PARAM_1(i, a) PARAM_7(i + 1, __VA_ARGS__)

/* clang would unroll the constant loop completely before its vectoriser sees it */
#ifdef __clang__
#define VECTOR _Pragma("clang loop vectorize(assume_safety) unroll(disable)") for (int j = 0; j < BLOCK; j++)
#else
#define VECTOR _Pragma("omp simd") for (int j = 0; j < BLOCK; j++)
#endif

/* One step over BLOCK elements: `in` pointers advance through inputs, `out` through outputs; a partial block is
 * copied to padded buffers first.  These run inside `for (size_t i = 0; i < n; i += BLOCK)`. */
#undef PARTIAL
#undef INPUT
#undef OUTPUT
#undef COPY_BACK
#define PARTIAL (n - i < BLOCK)
#define INPUT(name, array)                                                                                             \
    const real *name = (const real *)(array) + i;                                                                      \
    real name##_pad[BLOCK];                                                                                            \
    if (PARTIAL) name = FN(pad)(name##_pad, name, n - i);
#define OUTPUT(name, array)                                                                                            \
    real name##_pad[BLOCK];                                                                                            \
    real *name = PARTIAL ? name##_pad : (real *)(array) + i;
#define COPY_BACK(name, array)                                                                                         \
    if (PARTIAL) __builtin_memcpy((real *)(array) + i, name##_pad, (n - i) * sizeof(real));

INLINE const real *FN(pad)(real *pad, const real *from, size_t count) {
    for (int j = 0; j < BLOCK; j++) pad[j] = K(0);
    __builtin_memcpy(pad, from, count * sizeof(real));
    return pad;
}
