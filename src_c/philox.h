/* Philox4x32-10, a counter-based generator (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011): word i of a stream is a function of (seed, stream, step, i) alone, so dropout draws the same mask
 * for any number of threads, in any order, and after a resumed run.
 *
 *   key     = seed (64 bits)
 *   counter = { i / 4 (low 32 bits), i / 4 (high 32 bits), step, stream };  word i % 4 of the block is used
 */
#include "portable.h"
#define PHILOX_LANES 16

/* 4 * PHILOX_LANES words from block `first / 4` on. */
INLINE void philox_blocks(uint32_t *out, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first) {
    uint32_t a[PHILOX_LANES], b[PHILOX_LANES], c[PHILOX_LANES], d[PHILOX_LANES];
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    const uint64_t block = first / 4;
    _Pragma("omp simd") for (int j = 0; j < PHILOX_LANES; j++) {
        const uint64_t at = block + (uint64_t)j;
        a[j] = (uint32_t)at;
        b[j] = (uint32_t)(at >> 32);
        c[j] = step;
        d[j] = stream;
    }
    for (int round = 0; round < 10; round++) {
        _Pragma("omp simd") for (int j = 0; j < PHILOX_LANES; j++) {
            const uint64_t p = (uint64_t)a[j] * 0xD2511F53u, q = (uint64_t)c[j] * 0xCD9E8D57u;
            a[j] = (uint32_t)(q >> 32) ^ b[j] ^ key0;
            b[j] = (uint32_t)q;
            c[j] = (uint32_t)(p >> 32) ^ d[j] ^ key1;
            d[j] = (uint32_t)p;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    for (int j = 0; j < PHILOX_LANES; j++) {
        out[4 * j] = a[j];
        out[4 * j + 1] = b[j];
        out[4 * j + 2] = c[j];
        out[4 * j + 3] = d[j];
    }
}

static void random_bits(size_t n, uint32_t *out, uint64_t seed, uint32_t stream, uint32_t step, uint64_t first) {
    uint32_t words[4 * PHILOX_LANES];
    for (size_t i = 0; i < n; i += 4 * PHILOX_LANES) {
        const size_t m = n - i < 4 * PHILOX_LANES ? n - i : 4 * PHILOX_LANES;
        philox_blocks(words, seed, stream, step, first + i);
        __builtin_memcpy(out + i, words, m * sizeof(uint32_t));
    }
}
