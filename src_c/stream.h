/* Writing past the caches.
 *
 * An ordinary store to memory that is in no cache first reads the line it is about to overwrite; a large result that
 * nobody reads soon then costs half as much traffic again, and throws out of the caches what would be needed.
 */
#include <stdint.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

/* Copy `size` bytes; the part of `to` that consists of whole cache lines goes past the caches, where the ISA can. */
static void stream(size_t size, const void *from, void *to) {
#ifdef __SSE2__
    const char *source = from;
    char *target = to;
    size_t head = -(uintptr_t)target & 63;
    if (head > size) head = size;
    __builtin_memcpy(target, source, head);
    source += head, target += head, size -= head;
    for (; size >= 64; size -= 64, source += 64, target += 64) {
#if defined(__AVX512F__)
        _mm512_stream_si512((__m512i *)target, _mm512_loadu_si512(source));
#elif defined(__AVX__)
        _mm256_stream_si256((__m256i *)target, _mm256_loadu_si256((const __m256i *)source));
        _mm256_stream_si256((__m256i *)(target + 32), _mm256_loadu_si256((const __m256i *)(source + 32)));
#else
        for (int i = 0; i < 64; i += 16)
            _mm_stream_si128((__m128i *)(target + i), _mm_loadu_si128((const __m128i *)(source + i)));
#endif
    }
    __builtin_memcpy(target, source, size);
    _mm_sfence();
#else
    __builtin_memcpy(to, from, size);
#endif
}
