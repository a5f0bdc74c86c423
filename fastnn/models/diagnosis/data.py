"""The samples: numbers that are none, and scales that a network cannot start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastnn.models.data import names_of

from .report import Finding, listed, number

if TYPE_CHECKING:
    from fastnn.models.model import Model

Array = npt.NDArray[Any]

# Samples that are looked at.
SAMPLES = 4096
# Initializers assume inputs of about unit variance: pixels up to 255 have a root mean square near 80, standardised
# inputs 1, counts up to a few units.  Ten times what they assume saturates units; a hundredth leaves outputs to biases.
LARGEST_SCALE, SMALLEST_SCALE = 10.0, 0.01
# One feature this many times as wide as the usual one decides alone where the descent goes (images: less than 10).
UNEVEN_SCALES = 100.0
# All samples look the same from a distance if features lie this many deviations from 0, such as years around 2000.
LARGEST_OFFSET = 10.0

# layers that only hand on what they get, and those that bring any scale to their own
PASSING = ("InputLayer", "Flatten", "Reshape", "Permute", "RepeatVector", "Masking", "Dropout", "GaussianNoise")


def inputs(model: Model, arrays: Any) -> list[Finding]:
    """Findings about x."""
    findings = []
    read = _read_by_kernels(model)
    for name, array, matters in zip(names_of(model._structures[0], "x"), arrays, read):
        values = np.asarray(array[:: -(-len(array) // SAMPLES)], np.float64)
        values = values.reshape(len(values), -1)
        finite = np.isfinite(array).all() if array.dtype.kind == "f" else True
        if not finite:
            share = float(1 - np.isfinite(array).mean())
            findings.append(
                Finding(
                    "not finite",
                    f"{number(100 * share)} % of the numbers in {name} are NaN or infinite; they reach every weight "
                    f"in the first step.",
                    "Remove those samples, or fill the gaps (with the mean of the feature, for example).",
                    (name,), {"share": share},
                )
            )  # fmt: skip
        elif matters:
            findings += _scale(name, values)
    return findings


def _scale(name: str, values: Array) -> list[Finding]:
    deviations = values.std(axis=0)
    alive = deviations > 0
    if not alive.any():
        return []
    scale = float(np.sqrt(np.mean(values**2)))
    typical = float(np.median(deviations[alive]))
    ratio = float(deviations.max()) / typical
    offset = float(np.median(np.abs(values.mean(axis=0)[alive]) / deviations[alive]))
    evidence = {"root_mean_square": scale, "widest_to_usual_feature": ratio, "mean_to_deviation": offset}
    reasons = []
    if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
        reasons.append(f"their root mean square is {number(scale)}, where initial weights expect about 1")
    if ratio > UNEVEN_SCALES:
        reasons.append(f"the widest feature is {number(ratio)} times as wide as the usual one")
    if offset > LARGEST_OFFSET:
        reasons.append(f"the usual feature lies {number(offset)} deviations from 0")
    if not reasons:
        return []
    remedy = (
        "Standardise: subtract the mean of each feature and divide by its deviation, both of the training data "
        "(layers.Normalization with adapt does it); divide pixels by 255."
    )
    return [Finding("inputs not scaled", f"The numbers in {name}: {listed(reasons)}.", remedy, (name,), evidence)]


def _read_by_kernels(model: Model) -> list[bool]:
    """For each input, whether a layer multiplies it with weights as it is."""
    found = []
    for tensor in model.graph.inputs:
        raw, direct = {tensor}, False
        for node in model.graph.nodes:
            if not raw.intersection(node.inputs):
                continue
            if type(node.layer).__name__ in PASSING:
                raw.update(node.outputs)
            direct = direct or any("kernel" in weight.name.rsplit("/", 1)[-1] for weight in node.layer.weights)
        found.append(direct)
    return found
