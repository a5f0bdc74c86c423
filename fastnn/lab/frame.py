"""What every experiment gets and gives: settings in; tables, a sentence, findings and the numbers of its pictures out.

A `Result` holds nothing that JSON does not have (arrays become lists, what is not finite becomes None), so that
pictures drawn from a file are those of the run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastnn._errors import unknown
from fastnn.seeds import check_seed

Array = NDArray[Any]
T = TypeVar("T")

DATA = ("digits", "mnist")
BACKENDS = ("native", "reference")
VERDICTS = ("confirmed", "not confirmed", "depends")
QUICK_IMAGES = (2000, 1000)  # of MNIST, for training and testing, in a quick run


class Images(NamedTuple):
    """Pictures as rows of grey levels, float32 (n, pixels) in [0, 1], and their labels, int64 (n,) 0 to 9."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


@dataclass(frozen=True)
class Settings:
    """How an experiment is run.

    Attributes:
        data: "digits" (8 x 8 pixels, 1,438 for training, inside the package) or "mnist" (28 x 28, 60,000).
        data_dir: where the files of MNIST are; None: the usual places, else they are downloaded.
        seed: same seed, same numbers.  The global seed is set before an experiment runs, so what draws without a seed
            of its own repeats itself as well.
        backend: "native" or "reference".
        quick: smaller and shorter, to see that everything works; of MNIST the first 2,000 and 1,000 images.

    Raises:
        ValueError: an unknown data set or backend, or what is no seed.
    """

    data: str = "digits"
    data_dir: str | None = None
    seed: int = 0
    backend: str = "native"
    quick: bool = False

    def __post_init__(self) -> None:
        if self.data not in DATA:
            raise unknown("data set", self.data, DATA)
        if self.backend not in BACKENDS:
            raise unknown("backend", self.backend, BACKENDS)
        check_seed(self.seed)

    def images(self) -> Images:
        """The pictures, the same arrays (which nobody may write into) at every call."""
        everything = _images(self.data, self.data_dir)
        if self.data == "mnist" and self.quick:
            train, test = QUICK_IMAGES
            return Images(everything[0][:train], everything[1][:train], everything[2][:test], everything[3][:test])
        return everything

    @property
    def picture(self) -> tuple[int, int]:
        """Height and width of a picture."""
        return (8, 8) if self.data == "digits" else (28, 28)

    def choose(self, *, quick: T, digits: T, mnist: T) -> T:
        """One of three values (numbers of epochs, sizes), after what is run."""
        if self.quick:
            return quick
        return digits if self.data == "digits" else mnist

    def rng(self, *key: int) -> np.random.Generator:
        """A generator of the experiment's own; each key another one."""
        return np.random.default_rng([self.seed, *key])


@lru_cache(maxsize=2)
def _images(name: str, folder: str | None) -> Images:
    from fastnn.datasets import digits, mnist

    (x_train, y_train), (x_test, y_test) = digits.load_data() if name == "digits" else mnist.load_data(folder)
    white = np.float32(16 if name == "digits" else 255)
    flat = [x.reshape(len(x), -1).astype(np.float32) / white for x in (x_train, x_test)]
    found = Images(flat[0], y_train.astype(np.int64), flat[1], y_test.astype(np.int64))
    for array in found:
        array.flags.writeable = False
    return found


# -------------------------------------------------------------------------------------------------------------- results


@dataclass(frozen=True)
class Table:
    """Numbers for people.

    Attributes:
        title: one line.
        columns: their heads.
        rows: cells are numbers (printed with four digits), text, bools or None (printed as a dash).
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", plain(self.columns))
        object.__setattr__(self, "rows", plain(self.rows))
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"Table {self.title!r}: expected {len(self.columns)} cells a row. Received: {row!r}")

    def cells(self) -> list[list[str]]:
        """The rows as text."""
        return [[_cell(value) for value in row] for row in self.rows]

    def numeric(self) -> list[bool]:
        """Whether a column holds numbers, or text that begins with one; such columns are aligned to the right."""
        columns = zip(*self.cells()) if self.rows else [[] for _ in self.columns]
        return [all(text == "-" or text.lstrip("+-")[:1].isdigit() for text in column) for column in columns]

    def __str__(self) -> str:
        texts = [list(self.columns), *self.cells()]
        widths = [max(len(row[i]) for row in texts) for i in range(len(self.columns))]
        numeric = self.numeric()
        lines = [
            "  ".join(t.rjust(w) if n else t.ljust(w) for t, w, n in zip(row, widths, numeric)).rstrip()
            for row in texts
        ]
        rule = "-" * max(map(len, lines))
        return "\n".join([self.title, "", lines[0], rule, *lines[1:]])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@dataclass(frozen=True)
class Finding:
    """What a run says about a claim.

    Attributes:
        claim: what the notes say.
        verdict: "confirmed", "not confirmed" or "depends"; what should be confirmed and does not hold is not.
        evidence: the numbers of this run.
        holds: whether what the experiment asserts is true; where a claim is not confirmed, the assertion is of what is
            true instead, and the evidence says so.  `fastnn lab --check` fails if this is False.
    """

    claim: str
    verdict: str
    evidence: str
    holds: bool

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise unknown("verdict", self.verdict, VERDICTS)
        object.__setattr__(self, "holds", bool(self.holds))
        if self.verdict == "confirmed" and not self.holds:
            object.__setattr__(self, "verdict", "not confirmed")

    @classmethod
    def asserted(cls, claim: str, true: bool, evidence: str) -> Finding:
        """A claim that is confirmed if it is true, and must be: else the check fails."""
        return cls(claim, "confirmed" if true else "not confirmed", evidence, true)

    def __str__(self) -> str:
        failed = "" if self.holds else "  [CHECK FAILED]"
        return f"{self.verdict}: {self.claim}\n  {self.evidence}{failed}"


def verdict(cases: Iterable[bool]) -> str:
    """ "confirmed" if it is so in all cases, "not confirmed" if in none, else "depends"."""
    seen = [bool(case) for case in cases]
    return "confirmed" if all(seen) else "depends" if any(seen) else "not confirmed"


@dataclass(frozen=True)
class Result:
    """What an experiment found.

    Attributes:
        tables: for people.
        sentence: what was seen in this run, in one or two sentences with its numbers.
        findings: claims and what became of them.
        values: everything that the pictures need: numbers, text, lists and dictionaries with text as keys.
    """

    tables: Sequence[Table]
    sentence: str
    findings: Sequence[Finding]
    values: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", list(self.tables))
        object.__setattr__(self, "findings", list(self.findings))
        object.__setattr__(self, "values", plain(self.values))

    @property
    def holds(self) -> bool:
        """Whether all findings hold."""
        return all(finding.holds for finding in self.findings)

    def __str__(self) -> str:
        return "\n\n".join([*map(str, self.tables), self.sentence, *map(str, self.findings)])

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold; `from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Result:
        """The result whose `to_dict` this was."""
        return cls(
            tables=[Table(**table) for table in found["tables"]],
            sentence=found["sentence"],
            findings=[Finding(**finding) for finding in found["findings"]],
            values=found["values"],
        )


def plain(value: Any) -> Any:
    """`value` in the types of JSON: arrays become lists, keys text, numbers that are not finite None.

    Raises:
        TypeError: something else.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence):
        return [plain(entry) for entry in value]
    raise TypeError(f"Result: expected numbers, text, lists, arrays and dictionaries. Received: {value!r}")
