#if !defined(_WIN32)
#include <time.h>
#else
#include <windows.h>
#endif
#include "cpu.h"

#if defined(__x86_64__) || defined(_M_X64)
#define X86_64 1
#include <immintrin.h>
#else
#define X86_64 0
#endif

extern const fastnn_kernels fastnn_kernels_baseline;
#if X86_64
extern const fastnn_kernels fastnn_kernels_x86_v3, fastnn_kernels_x86_v4;

/* Own detection: __builtin_cpu_supports needs a runtime that not every toolchain links. */
static void cpuid(unsigned leaf, unsigned sub, unsigned r[4]) {
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}
static unsigned long long xgetbv0(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((unsigned long long)high << 32) | low;
}
/* 2 to 4: the x86-64 microarchitecture level, as far as the kernels use it; the OS must save the registers. */
static int x86_level(void) {
    unsigned r[4], one[4], seven[4];
    cpuid(0, 0, r);
    const unsigned last = r[0];
    cpuid(1, 0, one);
    const unsigned v2 = 1u << 0 | 1u << 9 | 1u << 19 | 1u << 20 | 1u << 23; /* sse3 ssse3 sse4.1 sse4.2 popcnt */
    if ((one[2] & v2) != v2) return 1;
    const unsigned avx = 1u << 28 | 1u << 27 | 1u << 12 | 1u << 29 | 1u << 22; /* avx osxsave fma f16c movbe */
    if ((one[2] & avx) != avx || last < 7) return 2;
    cpuid(7, 0, seven);
    const unsigned avx2 = 1u << 5 | 1u << 3 | 1u << 8; /* avx2 bmi1 bmi2 */
    cpuid(0x80000001u, 0, r);
    const unsigned long long saved = xgetbv0();
    if ((seven[1] & avx2) != avx2 || !(r[2] & 1u << 5) || (saved & 6) != 6) return 2; /* lzcnt; ymm state */
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;     /* f dq cd bw vl */
    return (seven[1] & avx512) == avx512 && (saved & 0xe6) == 0xe6 ? 4 : 3;
}
static const fastnn_kernels *const tables[] = {&fastnn_kernels_baseline, &fastnn_kernels_x86_v3,
                                               &fastnn_kernels_x86_v4};
int fastnn_isa_supported(int i) { return x86_level() >= i + 2; }
#else
static const fastnn_kernels *const tables[] = {&fastnn_kernels_baseline};
int fastnn_isa_supported(int i) { return i == 0; }
#endif

int fastnn_isa_count(void) { return (int)(sizeof tables / sizeof *tables); }
const char *fastnn_isa_name(int i) { return tables[i]->isa; }
const fastnn_kernels *fastnn_isa_table(int i) { return tables[i]; }

unsigned long fastnn_flush_denormals(void) {
#if X86_64
    const unsigned old = _mm_getcsr();
    _mm_setcsr(old | 0x8040); /* FTZ, DAZ */
    return old;
#elif defined(__aarch64__)
    unsigned long old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" ::"r"(old | 1ul << 24)); /* FZ */
    return old;
#else
    return 0;
#endif
}

void fastnn_restore_denormals(unsigned long old) {
#if X86_64
    _mm_setcsr((unsigned)old);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" ::"r"(old));
#else
    (void)old;
#endif
}

double fastnn_seconds(void) {
#if defined(_WIN32)
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart / (double)frequency.QuadPart;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
}
