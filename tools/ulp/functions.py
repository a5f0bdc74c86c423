"""The functions that tools/ulp_sweep.py measures.  To add one, add one line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    """A row expression, the oracle's formula in the macros of oracle.c, and where float64 samples lie densest."""

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
    Function("softplus", "fsoftplus(x)", "SOFTPLUS(x)", -40, 40, 4),
    Function("tanh_softplus", "ftanh_softplus(x)", "TANH_SOFTPLUS(x)", -40, 25, 4),
    Function("normpdf", "fnormpdf(x)", "EXP(-x * x / 2) / SQRT(2 * PI)", -39, 39, 4),
    Function("normcdf", "fnormcdf(x)", "ERFC(-x / SQRT(2)) / 2", -39, 9, 4),
    Function("silu", "fsilu(x)", "FALLING(x, x / (1 + EXP(-x)))", -760, 40, 4),
    Function("gelu", "fgelu(x)", "FALLING(x, x * ERFC(-x / SQRT(2)) / 2)", -39, 9, 4),
    Function("gelu_tanh_gate", "fgelu_tanh_gate(x)", "1 / (1 + EXP(-GELU_TANH(x)))", -23, 6, 4),
    Function("gelu_tanh", "fgelu_tanh(x)", "FALLING(x, x / (1 + EXP(-GELU_TANH(x))))", -23, 6, 4),
    Function("mish", "fmish(x)", "FALLING(x, x * TANH_SOFTPLUS(x))", -760, 25, 4),
    Function("atan", "fatan(x)", "ATAN(x)", -4, 4, 2),
    Function("sin", "fsin(x)", "PICK(ABS(x) > MOST, x - x, SIN(WITHIN(x)))", -50, 50, 2),
    Function("cos", "fcos(x)", "PICK(ABS(x) > MOST, x - x, COS(WITHIN(x)))", -50, 50, 2),
    Function("sinc", "fsinc(x)", "PICK(x == 0, 1, PICK(ABS(x) > MOST, 0, SIN(WITHIN(x)) / x))", -50, 50, 4),
    Function("log_sigmoid", "-fsoftplus(-x)", "-SOFTPLUS(-x)", -40, 40, 4),
    Function("tanh_shrink", "ftanh_shrink(x)", "TANH_SHRINK(x)", -3, 3, 4),
    Function("lecun_tanh", "K(1.7159) * ftanh(x * K(0.66666666666666666667))", "C(1.7159) * TANH(2 * x / 3)", -9, 9, 4),
    Function(
        "selu",
        "select(x > 0, K(1.0507009873554805) * x, K(1.7580993408473768) * fexpm1(x))",
        "PICK(x > 0, C(1.0507009873554805) * x, C(1.0507009873554805) * C(1.6732632423543772) * EXPM1(x))",
        -40,
        2,
        4,
    ),
    Function("celu_3", "select(x > 0, x, K(3) * fexpm1(x / K(3)))", "PICK(x > 0, x, 3 * EXPM1(x / 3))", -40, 2, 4),
    Function(
        "softsign",
        "ffinite(x) / (K(1) + ffinite(fabs_(x)))",
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
