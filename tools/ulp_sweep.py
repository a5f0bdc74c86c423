"""Measure the accuracy of src_c/real_math.h: largest error in ULP, and special values that come out wrong.

    python tools/ulp_sweep.py                                  every float32, dense float64 samples, every function
    python tools/ulp_sweep.py --stride 4099 exp tanh           every 4099th float32, two functions
    python tools/ulp_sweep.py --stride 17 --dense              every float32 with 2^-26 <= |x| < 128, every 17th outside
    python tools/ulp_sweep.py --isa baseline --dtype float64   code without FMA

The functions are compiled from the headers for the ISA asked for, with the flags of the project, in the loop in which
rows use them.  The oracle is compiled separately and shares nothing with them: the C library in double for float32,
libquadmath for float64.  An error of 0.5 ULP is perfect rounding; one ULP is the distance between neighbouring numbers
at the exact result, in the denormal range the smallest denormal.  Overflow counts as 2^128 (2^1024).  A result is
"wrong" if it is NaN where the oracle is not or the other way round, has another sign (that of zero included), or is
infinite where the oracle is finite and more than one ULP away (or the other way round).

A run that was stopped goes on where it was: finished pieces stand in the file given by --progress, under a key made
of the sources, the flags and the sampling, so edited headers are always measured anew.

To add a function, add one line to FUNCTIONS.  Refuses an ISA that this CPU does not have.  Needs gcc on x86-64, also if
--compiler names another one for the functions.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from kernel_build import LANGUAGE_FLAGS, SOURCES, X86_ISAS

ISA_FLAGS = {isa.name: isa.flags for isa in X86_ISAS} | {"native": ("-march=native",)}
ISA_NEEDS = {"baseline": (), "x86_v3": ("avx2", "fma"), "x86_v4": ("avx512f", "avx512dq", "avx512vl"), "native": ()}
DEFAULT_PROGRESS = Path(tempfile.gettempdir()) / "ulp_sweep_progress.json"
PIECE = 1 << 28
DENSE = ((0x32800000, 0x43000000), (0xB2800000, 0xC3000000))  # the bit patterns of 2^-26 <= |x| < 128


@dataclass(frozen=True)
class Function:
    """A row expression, the oracle's formula in the macros of ORACLE, and where float64 samples lie densest."""

    name: str
    expression: str
    oracle: str
    low: float
    high: float
    bound: float


FUNCTIONS = (
    Function("exp", "fexp(x)", "EXP(x)", -750, 712, 2),
    Function("expm1", "fexpm1(x)", "EXPM1(x)", -40, 5, 2),
    Function("log", "flog(x)", "LOG(x)", 0, 3, 2),
    Function("log1p", "flog1p(x)", "LOG1P(x)", -1, 3, 2),
    Function("tanh", "ftanh(x)", "TANH(x)", -20, 20, 2),
    Function("erf", "ferf(x)", "ERF(x)", -6, 6, 2),
    Function("sigmoid", "fsigmoid(x)", "1 / (1 + EXP(-x))", -750, 40, 4),
    Function("softplus", "fsoftplus(x)", "POSITIVE(x) + LOG1P(EXP(-ABS(x)))", -40, 40, 4),
    Function("tanh_softplus", "ftanh_softplus(x)", "TANH_SOFTPLUS(x)", -40, 25, 4),
    Function("normpdf", "fnormpdf(x)", "EXP(-x * x / 2) / SQRT(2 * PI)", -39, 39, 4),
    Function("normcdf", "fnormcdf(x)", "ERFC(-x / SQRT(2)) / 2", -39, 9, 4),
    Function("silu", "fsilu(x)", "FALLING(x, x / (1 + EXP(-x)))", -760, 40, 4),
    Function("gelu", "fgelu(x)", "FALLING(x, x * ERFC(-x / SQRT(2)) / 2)", -39, 9, 4),
    Function("gelu_tanh_gate", "fgelu_tanh_gate(x)", "1 / (1 + EXP(-GELU_TANH(x)))", -23, 6, 4),
    Function("gelu_tanh", "fgelu_tanh(x)", "FALLING(x, x / (1 + EXP(-GELU_TANH(x))))", -23, 6, 4),
    Function("mish", "fmish(x)", "FALLING(x, x * TANH_SOFTPLUS(x))", -760, 25, 4),
    Function("atan", "fatan(x)", "ATAN(x)", -4, 4, 2),
    Function("sin", "fsin(x)", "ABS(x) > MOST ? x - x : SIN(WITHIN(x))", -50, 50, 2),
    Function("cos", "fcos(x)", "ABS(x) > MOST ? x - x : COS(WITHIN(x))", -50, 50, 2),
    Function("sinc", "fsinc(x)", "x == 0 ? 1 : ABS(x) > MOST ? 0 : SIN(WITHIN(x)) / x", -50, 50, 4),
    Function("log_sigmoid", "-fsoftplus(-x)", "-(POSITIVE(-x) + LOG1P(EXP(-ABS(x))))", -40, 40, 4),
    Function("tanh_shrink", "ftanh_shrink(x)", "TANH_SHRINK(x)", -3, 3, 4),
    Function("lecun_tanh", "K(1.7159) * ftanh(x * K(0.66666666666666666667))", "C(1.7159) * TANH(2 * x / 3)", -9, 9, 4),
    Function(
        "selu",
        "select(x > 0, K(1.0507009873554805) * x, K(1.7580993408473768) * fexpm1(x))",
        "x > 0 ? C(1.0507009873554805) * x : C(1.0507009873554805) * C(1.6732632423543772) * EXPM1(x)",
        -40,
        2,
        4,
    ),
    Function("celu_3", "select(x > 0, x, K(3) * fexpm1(x / K(3)))", "x > 0 ? x : 3 * EXPM1(x / 3)", -40, 2, 4),
    Function(
        "softsign",
        "fclamp(x, -REAL_MAX, REAL_MAX) / (K(1) + fclamp(fabs_(x), K(0), REAL_MAX))",
        "SOFTSIGN(x)",
        -9,
        9,
        4,
    ),
    Function("isru", "fisru(x, K(1))", "ISRU(x, 1)", -4, 4, 4),
    Function("isru_3", "fisru(x, K(3))", "ISRU(x, 3)", -4, 4, 4),
    Function("squareplus", "fsquareplus(x, K(4))", "SQUAREPLUS(x, 4)", -9, 9, 4),
    Function("bent_identity", "fbent_identity(x)", "BENT(x)", -9, 9, 4),
    Function("dish", "fdish(x)", "DISH(x)", -9, 9, 4),
    Function("quick_gelu", "fquick_gelu(x)", "FALLING(x, x / (1 + EXP(-C(1.702) * x)))", -440, 25, 4),
    Function("gaussian", "fgaussian(x)", "EXP(-x * x)", -28, 28, 4),
    Function("soft_clipping", "fsoft_clipping(x, K(1))", "SOFT_CLIPPING(x, 1)", -20, 20, 4),
    Function("soft_clipping_50", "fsoft_clipping(x, K(50))", "SOFT_CLIPPING(x, 50)", -1, 2, 4),
    Function("soft_exponential_1", "fsoft_exponential(x, K(1))", "EXP(x)", -40, 40, 4),
    Function("soft_exponential_m1", "fsoft_exponential(x, K(-1))", "LOG(x)", 0, 40, 4),
)

KERNEL = """
#define REAL_BITS 32
#include "real.h"
#include "real_math.h"
#define LOOP(n, expression)                                                                                       \\
    static void FN(loop_##n)(const real *restrict a, real *restrict y, size_t count) {                            \\
        for (size_t i = 0; i < count; i += BLOCK) {                                                               \\
            _Pragma("omp simd") for (int j = 0; j < BLOCK; j++) { real x = a[i + j]; y[i + j] = expression; }     \\
        }                                                                                                         \\
    }
LOOPS
void (*const kernels_f32[])(const float *restrict, float *restrict, size_t) = {NAMES_F32};
#undef REAL_BITS
#define REAL_BITS 64
#include "real.h"
#include "real_math.h"
LOOPS
void (*const kernels_f64[])(const double *restrict, double *restrict, size_t) = {NAMES_F64};
"""

ORACLE = """
#include <math.h>
#include <quadmath.h>
#include <stdint.h>
#include <string.h>
#define POSITIVE(x) ((x) > 0 ? (x) : 0)
#define ABS(x) ((x) < 0 ? -(x) : (x))
#define FALLING(x, value) ((x) < -1e30 ? -0.0 : (value))   /* x * (something that vanishes) has the limit -0 */
#define GELU_TANH(x) (2 * SQRT(2 / PI) * ((x) + C(0.044715) * (x) * (x) * (x)))
#define TANH_SOFTPLUS(x) ((x) > 80 ? 1 : (x) < -80 ? EXP(x) : TANH(LOG1P(EXP(x))))   /* the short cuts save time */
#define WITHIN(x) ((x) > LARGEST ? LARGEST : (x) < -LARGEST ? -LARGEST : (x))
#define ROOT(x, b) (ABS(x) > BIG ? ABS(x) : SQRT((x) * (x) + (b)))
#define HALVES(x, b) (((x) < 0 ? (b) / (ROOT(x, b) - (x)) : (x) + ROOT(x, b)) / 2)
#define SQUAREPLUS(x, b) HALVES(x, C(1.) * (b))
#define BENT(x) ((x) * (1 + (ABS(x) > BIG ? SIGN(x) / C(2.) : (x) / (2 + 2 * ROOT(x, 1)))))
#define DISH(x) ((x) > BIG ? (x) : (x) < -BIG ? -0.0 : HALVES(x, C(1.)) * ((x) / ROOT(x, C(1.))))
#define ISRU(x, a) (ABS(x) > BIG ? SIGN(x) / SQRT(C(1.) * (a)) : (x) / SQRT(1 + (a) * (x) * (x)))
#define TANH_SHRINK(x) (ABS(x) < SMALL ? TANH_SHRINK_SERIES(x, (x) * (x)) : (x) - TANH(x))
#define TANH_SHRINK_SERIES(x, z) ((x) * (z) / 3 * (1 - (z) * 2 / 5 + (z) * (z) * 17 / 105 - (z) * (z) * (z) * 62 / 945))
#define SOFT_CLIPPING(x, a) (SOFT_CLIPPING_(ABS(x) > 5000 ? 5000 * SIGN(x) : (x), C(1.) * (a)))
#define SIGN(x) ((x) < 0 ? -1 : 1)
#define SOFT_CLIPPING_(x, a) ((x) > C(.5) ? 1 - SOFT_HALF(1 - (x), a) : SOFT_HALF(x, a))
#define SOFT_HALF(x, a) (LOG1P(EXP((a) * (x)) * -EXPM1(-(a)) / (1 + EXP((a) * (x) - (a)))) / (a))
#define SOFTSIGN(x) (ABS(x) > BIG ? SIGN(x) : (x) / (1 + ABS(x)))
#define CHUNK 4096
typedef struct { double worst, at; uint64_t tested, wrong; double wrong_at; } result;
extern void (*const kernels_f32[])(const float *restrict, float *restrict, size_t);
extern void (*const kernels_f64[])(const double *restrict, double *restrict, size_t);

#define C(c) c
#define PI 3.14159265358979323846
#define EXP exp
#define EXPM1 expm1
#define LOG log
#define LOG1P log1p
#define TANH tanh
#define ERF erf
#define ERFC erfc
#define SQRT sqrt
#define ATAN atan
#define SIN sin
#define COS cos
#define LARGEST 0x1p17
#define MOST 0x1.fffffep127
#define BIG 1e100
#define SMALL 1e-2
#define ORACLE(n, expression) static void oracle_f32_##n(const float *a, double *y) \\
    { for (int i = 0; i < CHUNK; i++) { double x = a[i]; y[i] = expression; } }
ORACLES
#undef ORACLE
static void (*const oracles_f32[])(const float *, double *) = {NAMES_F32};

#undef C
#undef PI
#undef EXP
#undef EXPM1
#undef LOG
#undef LOG1P
#undef TANH
#undef ERF
#undef ERFC
#undef SQRT
#undef ATAN
#undef SIN
#undef COS
#undef LARGEST
#undef MOST
#undef BIG
#undef SMALL
#define C(c) c##Q
#define PI M_PIq
#define EXP expq
#define EXPM1 expm1q
#define LOG logq
#define LOG1P log1pq
#define TANH tanhq
#define ERF erfq
#define ERFC erfcq
#define SQRT sqrtq
#define ATAN atanq
#define SIN sinq
#define COS cosq
#define LARGEST 0x1p46
#define MOST 0x1.fffffffffffffp1023
#define BIG 1e2000Q
#define SMALL 1e-4Q
#define ORACLE(n, expression) static void oracle_f64_##n(const double *a, __float128 *y) \\
    { for (int i = 0; i < CHUNK; i++) { __float128 x = a[i]; y[i] = expression; } }
ORACLES
static void (*const oracles_f64[])(const double *, __float128 *) = {NAMES_F64};

/* wrong NaN, sign or infinity; otherwise the error in ULP */
#define COMPARE(name, real, wide, FLOOR, DIGITS, TOP, ilog, scale, isnan_, signbit_)                               \\
static void name(const real *x, const real *y, const wide *expected, size_t count, result *r) {                   \\
    for (size_t i = 0; i < count; i++) {                                                                          \\
        int nan_got = y[i] != y[i], nan_due = isnan_(expected[i]);                                                \\
        double error = 0;                                                                                         \\
        int wrong = nan_got != nan_due;                                                                           \\
        if (!nan_got && !nan_due) {                                                                               \\
            const wide top = scale(1, TOP);                                                                       \\
            wide due = expected[i] > top ? top : expected[i] < -top ? -top : expected[i];                         \\
            wide got = y[i] > top / 2 && isinf(y[i]) ? top : isinf(y[i]) ? -top : (wide)y[i];                     \\
            int exponent = due == 0 ? FLOOR : ilog(due);                                                          \\
            if (exponent < FLOOR) exponent = FLOOR;                                                               \\
            if (exponent >= TOP) exponent = TOP - 1;                                                              \\
            wide distance = got > due ? got - due : due - got;                                                    \\
            error = (double)scale(distance, DIGITS - exponent);                                                   \\
            int sign_due = signbit_(expected[i]) != 0;                                                            \\
            wrong = (signbit(y[i]) != 0) != sign_due || (!isinf(y[i]) != !isinf((real)expected[i]) && error > 1); \\
        }                                                                                                         \\
        if (error > r->worst) { r->worst = error; r->at = x[i]; }                                                 \\
        if (wrong) { r->wrong++; r->wrong_at = x[i]; }                                                            \\
    }                                                                                                             \\
    r->tested += count;                                                                                           \\
}
static inline int exponent_of(double x) {
    uint64_t u; memcpy(&u, &x, 8);
    return (int)(u >> 52 & 2047) - 1023;                     /* denormal doubles: far below what float32 can hold */
}
static inline double times_power(double x, int n) {          /* for n in the range that occurs here */
    uint64_t u = (uint64_t)(n + 1023) << 52; double power; memcpy(&power, &u, 8);
    return x * power;
}
COMPARE(compare_f32, float, double, -126, 23, 128, exponent_of, times_power, isnan, signbit)
COMPARE(compare_f64, double, __float128, -1022, 52, 1024, ilogbq, scalbnq, isnanq, signbitq)

/* float32 with the bit patterns first, first + stride, ... < last */
void sweep_f32(int f, uint64_t first, uint64_t last, uint64_t stride, result *r) {
    static float x[CHUNK], y[CHUNK];
    static double expected[CHUNK];
    static const uint32_t special[] = {0, 1, 2, 0x7fffff, 0x800000, 0x7f7fffff, 0x7f800000, 0x7fc00000, 0x3f800000,
        0x3f800001, 0x3f7fffff, 0x33000000, 0x33800000, 0x42b17218, 0x42b17217, 0x42cff1b5, 0x3f000000};
    while (first < last) {
        size_t count = 0;
        if (first == 0)                                      /* whatever the stride: the special values, both signs */
            for (; count < 2 * sizeof special / sizeof *special; count++) {
                uint32_t u = special[count / 2] | (uint32_t)(count % 2) << 31; memcpy(&x[count], &u, 4);
            }
        for (; count < CHUNK && first < last; count++, first += stride) {
            uint32_t u = (uint32_t)first; memcpy(&x[count], &u, 4);
        }
        for (size_t i = count; i < CHUNK; i++) x[i] = 0;
        kernels_f32[f](x, y, CHUNK);
        oracles_f32[f](x, expected);
        compare_f32(x, y, expected, count, r);
    }
}

/* float64: in turn a random bit pattern, a number in [low, high), one in [-1, 1), and one near it in float32's grid */
void sample_f64(int f, uint64_t seed, uint64_t chunks, double low, double high, result *r) {
    static double x[CHUNK], y[CHUNK];
    static __float128 expected[CHUNK];
    static const double special[] = {0., 1., 0x1p-1022, 0x1p-1074, 0x1.8p-1073, 0x1.fffffffffffffp1023, INFINITY, NAN,
        0x1p-54, 0x1p-53, 0x1.0000000000001p0, 0x1.fffffffffffffp-1, 709.78271289338397, 745.13321910194122, 1e300};
    uint64_t state = seed * 0x9e3779b97f4a7c15u;
    for (uint64_t c = 0; c < chunks; c++) {
        for (size_t i = 0; i < CHUNK; i++) {                 /* splitmix64 (Steele, Lea, Flood 2014) */
            uint64_t u = state += 0x9e3779b97f4a7c15u;
            u = (u ^ u >> 30) * 0xbf58476d1ce4e5b9u; u = (u ^ u >> 27) * 0x94d049bb133111ebu; u ^= u >> 31;
            double unit = (double)(u >> 11) * 0x1p-53;
            if (i % 4 == 0) memcpy(&x[i], &u, 8);
            else x[i] = i % 4 == 1 ? low + (high - low) * unit : i % 4 == 2 ? 2 * unit - 1
                      : (double)(float)(low + (high - low) * unit * unit);
        }
        if (c == 0) for (size_t i = 0; i < sizeof special / sizeof *special; i++)
            x[2 * i] = special[i], x[2 * i + 1] = -special[i];
        kernels_f64[f](x, y, CHUNK);
        oracles_f64[f](x, expected);
        compare_f64(x, y, expected, CHUNK, r);
    }
}
int has(const char *feature) {
    __builtin_cpu_init();
    if (!strcmp(feature, "avx2")) return __builtin_cpu_supports("avx2") != 0;
    if (!strcmp(feature, "fma")) return __builtin_cpu_supports("fma") != 0;
    if (!strcmp(feature, "avx512f")) return __builtin_cpu_supports("avx512f") != 0;
    if (!strcmp(feature, "avx512dq")) return __builtin_cpu_supports("avx512dq") != 0;
    return !strcmp(feature, "avx512vl") && __builtin_cpu_supports("avx512vl") != 0;
}
"""


class Result(ctypes.Structure):
    """What the C side adds up (struct result)."""

    _fields_ = (
        ("worst", ctypes.c_double),
        ("at", ctypes.c_double),
        ("tested", ctypes.c_uint64),
        ("wrong", ctypes.c_uint64),
        ("wrong_at", ctypes.c_double),
    )


@dataclass
class Progress:
    """One line of the table, finished or not."""

    next: int = 0
    worst: float = 0.0
    at: float = 0.0
    tested: int = 0
    wrong: int = 0
    wrong_at: float = 0.0

    def add(self, piece: Result) -> None:
        """Take in another piece of the sweep."""
        if piece.worst > self.worst:
            self.worst, self.at = piece.worst, piece.at
        if piece.wrong:
            self.wrong_at = piece.wrong_at
        self.tested += piece.tested
        self.wrong += piece.wrong


def build(isa: str, compiler: str, headers: Path, folder: Path) -> ctypes.CDLL:
    """Compile kernels (with the project's flags) and oracle (without) into a library and load it."""
    loops = "\n".join(f"LOOP({f.name}, {f.expression})" for f in FUNCTIONS)
    oracles = "\n".join(f"ORACLE({f.name}, {f.oracle})" for f in FUNCTIONS)
    for name, text in (("kernel", KERNEL.replace("LOOPS", loops)), ("oracle", ORACLE.replace("ORACLES", oracles))):
        for bits in ("32", "64"):
            prefix, suffix = ("loop_", f"_f{bits}") if name == "kernel" else (f"oracle_f{bits}_", "")
            text = text.replace(f"NAMES_F{bits}", ", ".join(f"{prefix}{f.name}{suffix}" for f in FUNCTIONS))
        (folder / f"{name}.c").write_text(text)
    kernel = [compiler, *LANGUAGE_FLAGS, *ISA_FLAGS[isa], f"-I{headers}", "-fPIC", "-c", "kernel.c"]
    oracle = ["gcc", "-O2", "-std=gnu11", "-fno-math-errno", "-fPIC", "-shared", "oracle.c", "kernel.o"]
    subprocess.run(kernel, cwd=folder, check=True)
    subprocess.run([*oracle, "-lquadmath", "-lm", "-o", "sweep.so"], cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "sweep.so"))
    missing = [feature for feature in ISA_NEEDS[isa] if not library.has(feature.encode())]
    if missing:
        raise SystemExit(f"expected an ISA that this CPU can run. Received: {isa}, which needs {', '.join(missing)}")
    return library


def fingerprint(headers: Path, *facts: object) -> str:
    """Changes with the headers and with whatever else the result depends on."""
    digest = hashlib.sha256(repr(facts).encode())
    for path in sorted([headers / "portable.h", *headers.glob("real*.h")]):
        digest.update(path.read_bytes())
    digest.update((KERNEL + ORACLE).encode())
    return digest.hexdigest()[:16]


def load(path: Path) -> dict[str, dict[str, float]]:
    """The finished pieces of all runs."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def save(path: Path, key: str, progress: Progress) -> None:
    """Put one line into the file, without disturbing those of a run beside this one."""
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(load(path) | {key: asdict(progress)}, indent=0))
    part.replace(path)


def piece_end(first: int, stride: int, dense: bool) -> tuple[int, int]:
    """Where the piece that begins at this bit pattern ends, and its stride."""
    for low, high in DENSE if dense else ():
        if first < low:
            return min(low, first + PIECE * min(stride, 16)), stride
        if first < high:
            return min(high, first + PIECE), 1
    return min(1 << 32, first + PIECE * min(stride, 16)), stride


def sweep(library: ctypes.CDLL, index: int, sampling: tuple[int, bool], progress: Progress) -> bool:
    """One more piece of the float32 line; False when all is done."""
    if progress.next >= 1 << 32:
        return False
    piece = Result()
    last, stride = piece_end(progress.next, *sampling)
    u64 = ctypes.c_uint64
    library.sweep_f32(index, u64(progress.next), u64(last), u64(stride), ctypes.byref(piece))
    progress.next = last
    progress.add(piece)
    return True


def sample(library: ctypes.CDLL, index: int, sampling: tuple[int, bool], progress: Progress) -> bool:
    """All of the float64 line; False when it was done before."""
    if progress.next:
        return False
    piece = Result()
    function = FUNCTIONS[index]
    chunks = ctypes.c_uint64(max(1, sampling[0] // 4096))
    low, high = ctypes.c_double(function.low), ctypes.c_double(function.high)
    library.sample_f64(index, ctypes.c_uint64(index + 1), chunks, low, high, ctypes.byref(piece))
    progress.add(piece)
    progress.next = 1
    return True


def main(arguments: list[str]) -> int:
    """Print the table; exit status 1 if a bound is exceeded or a special value is wrong."""
    names = [f.name for f in FUNCTIONS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help=f"default: all of {', '.join(names)}")
    parser.add_argument("--isa", choices=sorted(ISA_FLAGS), default="native")
    parser.add_argument("--dtype", choices=("float32", "float64", "both"), default="both")
    parser.add_argument("--stride", type=int, default=1, help="test every STRIDE-th float32 (default: every one)")
    parser.add_argument("--dense", action="store_true", help="whatever the stride, every float32 in 2^-26 <= |x| < 128")
    parser.add_argument("--samples", type=int, default=1 << 20, help="float64 inputs per function (default: 2^20)")
    parser.add_argument("--compiler", default=os.environ.get("CC", "gcc"), help="for the kernels (default: $CC or gcc)")
    parser.add_argument("--headers", type=Path, default=SOURCES, help="folder of real_math.h (default: src_c)")
    parser.add_argument("--progress", type=Path, default=DEFAULT_PROGRESS, help=f"default: {DEFAULT_PROGRESS}")
    options = parser.parse_args(arguments)
    unknown = set(options.functions) - set(names)
    if unknown or options.stride < 1 or options.samples < 1:
        parser.error(f"expected functions among {names}, a stride and samples of at least 1. Received: {arguments}")

    failures = 0
    print(
        f"{'function':15s} {'dtype':8s} {'max ULP':>8s} {'bound':>5s} {'at x =':>24s} "
        f"{'tested':>11s} {'wrong':>6s} seconds"
    )
    with tempfile.TemporaryDirectory() as folder:
        library = build(options.isa, options.compiler, options.headers.resolve(), Path(folder))
        for dtype in ("float32", "float64") if options.dtype == "both" else (options.dtype,):
            for index, function in enumerate(FUNCTIONS):
                if options.functions and function.name not in options.functions:
                    continue
                sampling = (options.stride, options.dense) if dtype == "float32" else (options.samples, False)
                flags = (*LANGUAGE_FLAGS, *ISA_FLAGS[options.isa])
                key = fingerprint(options.headers, function, dtype, sampling, flags, options.compiler)
                progress = Progress(**load(options.progress).get(key, {}))  # type: ignore[arg-type]
                start = time.perf_counter()
                step = sweep if dtype == "float32" else sample
                while step(library, index, sampling, progress):
                    save(options.progress, key, progress)
                failed = progress.worst > function.bound or progress.wrong > 0
                failures += failed
                note = f" wrong at {progress.wrong_at!r}" if progress.wrong else ""
                print(
                    f"{function.name:15s} {dtype:8s} {progress.worst:8.3f} {function.bound:5g} {progress.at:24.17g} "
                    f"{progress.tested:11d} {progress.wrong:6d} {time.perf_counter() - start:7.1f}"
                    f"{' FAILED' if failed else ''}{note}",
                    flush=True,
                )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
