"""Derive the polynomials of src_c/real_math_coefficients.h (needs mpmath; run by a developer, never by the build).

    python tools/minimax.py > src_c/real_math_coefficients.h     write all of them
    python tools/minimax.py erf_small                            print one, in both dtypes

Each polynomial minimises the largest weighted error |p(x) - f(x)| * weight(x) over an interval (Remez's exchange
algorithm on a dense grid of Chebyshev points, 60 decimal digits).  The coefficients are rounded to the dtype one by
one from the constant term upwards, and after each rounding the remaining ones are fitted again, so that they make up
for the rounding.  The weight turns the error of the polynomial into the relative error of the function it serves
(absolute for `erfc_root`, which is subtracted from 1), so the error printed beside each polynomial is comparable with
the unit in the last place: 2^-24 in float32, 2^-53 in float64.

References: E. Ya. Remez (1934); J.-M. Muller, Elementary Functions, 3rd ed., chapter 3; N. Brisebarre, J.-M. Muller,
A. Tisserand, "Computing machine-efficient polynomial approximations", ACM TOMS 32 (2006).
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp  # type: ignore[import-untyped]

mp.mp.dps = 60

Function = Callable[[mp.mpf], mp.mpf]
LN2 = mp.log(2)


@dataclass(frozen=True)
class Fit:
    """One polynomial in one dtype: p(x) ~ target(x) on [low, high], with |p - target| * weight made small."""

    name: str
    bits: int
    degree: int
    low: mp.mpf
    high: mp.mpf
    target: Function
    weight: Function
    meaning: str
    constants: tuple[tuple[str, mp.mpf], ...] = ()


def normal_tail(pole: mp.mpf, origin: mp.mpf) -> Function:
    """z exp(z^2/2) Phi(-z) as a function of w = (z - origin) / (z + pole)."""

    def target(w: mp.mpf) -> mp.mpf:
        z = (origin + pole * w) / (1 - w)
        return z * mp.exp(z * z / 2) * mp.erfc(z / mp.sqrt(2)) / 2

    return target


def fits() -> list[Fit]:
    """All polynomials of the header, in its order."""
    out: list[Fit] = []
    for bits in (32, 64):
        single = bits == 32

        def add(
            name: str,
            degrees: tuple[int, int],
            interval: tuple[float, float],
            target: Function,
            weight: Function,
            meaning: str,
            constants: tuple[tuple[str, mp.mpf], ...] = (),
            bits: int = bits,
        ) -> None:
            low, high = map(mp.mpf, interval)
            degree = degrees[0] if bits == 32 else degrees[1]
            out.append(Fit(name, bits, degree, low, high, target, weight, meaning, constants))

        add(
            "exp_tail",
            (5, 11),
            (-LN2 * 1.0001, LN2 * 1.0001),
            lambda r: (mp.exp(r) - 1 - r) / r**2,
            lambda r: r**2 / mp.exp(r),
            "(exp(r) - 1 - r) / r^2",
        )
        add(
            "expm1_tail",
            (4, 9),
            (-LN2 / 2 * 1.0001, LN2 / 2 * 1.0001),
            lambda r: (mp.exp(r) - 1 - r) / r**2,
            lambda r: r**2 / abs(mp.expm1(r)),
            "(exp(r) - 1 - r) / r^2",
        )
        if single:
            add(
                "log1p_tail",
                (8, 0),
                (mp.sqrt(0.5) - 1, mp.sqrt(2) - 1),
                lambda f: (mp.log1p(f) - f + f * f / 2) / f**3,
                lambda f: abs(f**3 / mp.log1p(f)),
                "(ln(1 + f) - f + f^2/2) / f^3",
            )
            add(
                "log1p_unit",
                (8, 0),
                (0, 1),
                lambda t: (mp.log1p(t) - t) / t**2,
                lambda t: t**2 / mp.log1p(t),
                "(ln(1 + t) - t) / t^2",
            )
        else:
            add(
                "log1p_tail",
                (0, 6),
                (0, (3 - 2 * mp.sqrt(2)) ** 2),
                lambda z: 2 * (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
                lambda z: z / 2,
                "(2 atanh(s) - 2 s) / s^3 as a function of z = s^2",
            )
        add(
            "tanh_small",
            (4, 10),
            (0, 0.625**2),
            lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
            lambda z: z * mp.sqrt(z) / mp.tanh(mp.sqrt(z)),
            "(tanh(x) / x - 1) / x^2 as a function of z = x^2",
        )
        add(
            "erf_small",
            (6, 11),
            (0, 1),
            lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1,
            lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)),
            "erf(x) / x - 1 as a function of z = x^2",
        )
        split, centre, end = mp.mpf(1), mp.mpf("1.5"), mp.mpf("3.95") if single else mp.mpf("5.95")
        add(
            "erfc_root",
            (8, 20),
            (split - centre, end - centre),
            lambda u, c=centre: mp.erfc(u + c) ** mp.mpf("0.25"),  # type: ignore[misc]
            lambda u, c=centre: 4 * mp.erfc(u + c) ** mp.mpf("0.75"),  # type: ignore[misc]
            f"erfc(x)^(1/4) as a function of x - {mp.nstr(centre, 6)}",
        )
        # an origin at which the constant term is almost exact in the dtype
        pole, origin, end = map(mp.mpf, ("3", "1.5", "14.6") if single else ("4", "2.0625", "38.8"))
        split = mp.mpf("0.8")
        add(
            "normcdf_small",
            (4, 9),
            (0, split**2),
            lambda z: mp.erf(mp.sqrt(z / 2)) / mp.sqrt(z) / 2,
            lambda z: mp.sqrt(z) / mp.erfc(mp.sqrt(z / 2)) * 2,
            "(Phi(x) - 1/2) / x as a function of z = x^2",
        )
        tail = normal_tail(pole, origin)
        add(
            "normal_tail",
            (8, 20),
            ((split - origin) / (split + pole), (end - origin) / (end + pole)),
            tail,
            lambda w, f=tail: 1 / f(w),  # type: ignore[misc]
            f"z exp(z^2/2) Phi(-z) as a function of w = (z - {mp.nstr(origin, 6)})/(z + {mp.nstr(pole, 3)})",
        )
        add(
            "tanh_shrink_small",
            (8, 18),
            (0, 1.2**2),
            lambda z: (1 - mp.tanh(mp.sqrt(z)) / mp.sqrt(z)) / z,
            lambda z: z / (1 - mp.tanh(mp.sqrt(z)) / mp.sqrt(z)),
            "(x - tanh(x)) / x^3 as a function of z = x^2",
        )
        add(
            "atan_tail",
            (5, 11),
            (0, 0.25),
            lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
            lambda z: z * mp.sqrt(z) / mp.atan(mp.sqrt(z)),
            "(atan(t) / t - 1) / t^2 as a function of z = t^2",
        )
        eighth = (mp.pi / 4 * mp.mpf("1.03")) ** 2
        add(
            "sin_tail",
            (2, 5),
            (0, eighth),
            lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
            lambda z: z * mp.sqrt(z) / mp.sin(mp.sqrt(z)),
            "(sin(r) / r - 1) / r^2 as a function of z = r^2",
        )
        add(
            "cos_tail",
            (2, 5),
            (0, eighth),
            lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2,
            lambda z: z**2 / mp.cos(mp.sqrt(z)),
            "(cos(r) - 1 + r^2/2) / r^4 as a function of z = r^2",
        )
        add(
            "sinc_slope",
            (3, 6),
            (0, 1),
            lambda z: (mp.cos(mp.sqrt(z)) - mp.sin(mp.sqrt(z)) / mp.sqrt(z)) / z,
            lambda z: z / (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - mp.cos(mp.sqrt(z))),
            "(cos(x) - sin(x) / x) / x^2 as a function of z = x^2",
        )
    return out


def remez(grid: list[mp.mpf], values: list[mp.mpf], weights: list[mp.mpf], degree: int) -> tuple[list[mp.mpf], mp.mpf]:
    """The polynomial (constant term first) of least maximal weighted error on the grid, and that error."""
    points = len(grid)
    unknowns = degree + 2
    best: tuple[list[mp.mpf], mp.mpf] | None = None
    reference = [round(i * (points - 1) / (unknowns - 1)) for i in range(unknowns)]
    for _ in range(60):
        system = mp.matrix(unknowns, unknowns)
        right = mp.matrix(unknowns, 1)
        for row, i in enumerate(reference):
            power = weights[i]
            for column in range(degree + 1):
                system[row, column] = power
                power *= grid[i]
            system[row, degree + 1] = (-1) ** row
            right[row] = values[i] * weights[i]
        solution = mp.lu_solve(system, right)
        coefficients = [solution[i] for i in range(degree + 1)]
        error = weighted_error(grid, values, weights, coefficients)
        extrema: list[int] = []  # the largest error of every run of equal sign
        for i, e in enumerate(error):
            if extrema and (error[extrema[-1]] > 0) == (e > 0):
                if abs(e) > abs(error[extrema[-1]]):
                    extrema[-1] = i
            else:
                extrema.append(i)
        while len(extrema) > unknowns:  # drop the smallest, with a neighbour if signs must go on alternating
            size = [abs(error[i]) for i in extrema]
            small = size.index(min(size))
            if len(extrema) == unknowns + 1:
                del extrema[0 if size[0] < size[-1] else -1]
            elif small in (0, len(extrema) - 1):
                del extrema[small]
            else:
                first = small - 1 if size[small - 1] < size[small + 1] else small
                del extrema[first : first + 2]
        worst = max(abs(e) for e in error)
        if best is None or worst < best[1]:
            best = coefficients, worst
        if worst < abs(solution[degree + 1]) * mp.mpf("1.0005") or len(extrema) < unknowns or extrema == reference:
            break
        reference = extrema
    assert best is not None
    return best


def weighted_error(
    grid: list[mp.mpf], values: list[mp.mpf], weights: list[mp.mpf], coefficients: list[mp.mpf]
) -> list[mp.mpf]:
    """(p(x) - f(x)) * weight(x) on the grid."""
    backwards = coefficients[::-1]
    return [(mp.polyval(backwards, x) - f) * w for x, f, w in zip(grid, values, weights, strict=True)]


def round_to(x: mp.mpf, bits: int) -> mp.mpf:
    """The nearest float32 or float64."""
    with mp.workprec(24 if bits == 32 else 53):
        return +x


def machine_fit(fit: Fit) -> tuple[list[mp.mpf], mp.mpf]:
    """Coefficients that are exact in the dtype, constant term first, and their largest weighted error."""
    count = 24 * (fit.degree + 2)
    half = (fit.high - fit.low) / 2
    grid = [fit.low + half - half * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / count) for i in range(count)]
    values = [fit.target(x) for x in grid]
    weights = [fit.weight(x) for x in grid]
    fixed: list[mp.mpf] = []
    rest, scaled = values, weights
    for left in range(fit.degree, -1, -1):
        first = round_to(remez(grid, rest, scaled, left)[0][0], fit.bits)
        fixed.append(first)
        rest = [(f - first) / x for f, x in zip(rest, grid, strict=True)]
        scaled = [w * abs(x) for w, x in zip(scaled, grid, strict=True)]
    return fixed, max(abs(e) for e in weighted_error(grid, values, weights, fixed))


def hexadecimal(x: mp.mpf, bits: int) -> str:
    """A C literal with exactly this value."""
    value = float(x)
    if bits == 32:
        assert struct.unpack("f", struct.pack("f", value))[0] == value
    mantissa, _, exponent = value.hex().partition("p")
    digits = mantissa.rstrip("0")
    return f"{digits}p{exponent}" if digits[-1] != "." else f"{digits}0p{exponent}"


def c_function(fit: Fit) -> str:
    """The polynomial by Horner's rule in x^2, two terms at a time: as many operations as in x, half the latency.

    The constant term is added last and alone, since its addition is the rounding that matters.
    """
    coefficients, worst = machine_fit(fit)
    first, *rest = [f"K({hexadecimal(c, fit.bits)})" for c in coefficients]
    pairs = [f"{odd} * x + {even}" for even, odd in zip(rest[::2], rest[1::2], strict=False)]
    if len(rest) % 2:
        pairs.append(rest[-1])
    low, high, error = mp.nstr(fit.low, 6), mp.nstr(fit.high, 6), mp.nstr(mp.log(worst, 2), 3)
    lines = [
        f"/* {fit.meaning}",
        f" * on [{low}, {high}], degree {fit.degree}, error 2^{error}.",
        f" * tools/minimax.py {fit.name} */",
        f"INLINE real FN({fit.name})(real x) {{",
        *(["    const real x2 = x * x;"] if len(pairs) > 1 else []),
        f"    real p = {pairs[-1]};",
    ]
    lines += [f"    p = p * x2 + ({pair});" for pair in reversed(pairs[:-1])]
    return "\n".join([*lines, f"    return p * x + {first};", "}", ""])


HEADER = """\
/* The polynomials of real_math.h, made by tools/minimax.py: do not edit.
 *
 * Errors are weighted as real_math.h uses the polynomial: relative errors of the function it serves, before rounding.
 * No include guard: included once per dtype, from real_math.h.
 */
"""


def main(arguments: list[str]) -> int:
    """Print the header, or the named polynomials."""
    known = fits()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="polynomials to print; default: the whole header")
    names = parser.parse_args(arguments).names
    unknown = set(names) - {fit.name for fit in known}
    if unknown:
        parser.error(f"expected names among {sorted({fit.name for fit in known})}. Received: {sorted(unknown)}")
    if names:
        for fit in known:
            if fit.name in names:
                print(f"/* float{fit.bits} */\n{c_function(fit)}")
        return 0
    parts = {bits: "\n".join(c_function(fit) for fit in known if fit.bits == bits) for bits in (32, 64)}
    print(f"{HEADER}#if REAL_BITS == 64\n\n{parts[64]}\n#else\n\n{parts[32]}\n#endif")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
