"""The arguments of all commands.  Nothing but the standard library is imported here."""

from __future__ import annotations

import argparse
import math
import sys
from typing import NoReturn

from fastnn._version import __version__

SIZE_UNITS = {"k": 1024, "m": 1024**2}


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, instead of repeating the usage first."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: error: {message} (see {self.prog} --help)", file=sys.stderr)
        self.exit(2)


def build() -> Parser:
    """The parser; after parsing, `command` names the module of this package that has `run(arguments)`."""
    parser = Parser(prog="fastnn", description="Train neural networks on the CPU, fast.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    everywhere = Parser(add_help=False)
    everywhere.add_argument("--traceback", action="store_true", help="show where in the program an error came up")
    for name, add, text in (
        ("train", _train, "train a network on digits, MNIST or a file of your own"),
        ("predict", _predict, "let a saved network predict"),
        ("bench", _bench, "measure operations and training steps against the NumPy reference"),
        ("lab", _lab, "run the experiments of the laboratory"),
        ("info", _info, "tell what this installation computes with"),
    ):
        add(
            commands.add_parser(
                name,
                parents=[everywhere],
                help=text,
                description=text[0].upper() + text[1:] + ".",
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
        )
    return parser


def _train(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
a CSV file has one sample a line, a header or none; every column but the target must hold numbers
an NPZ file has the arrays x_train, y_train, x_test, y_test, or x and y, of which a fifth is kept for testing
pixels (uint8) are scaled to [0, 1], other inputs to mean 0 and deviation 1 over the training part

fastnn train                                             the handwritten digits inside the package
fastnn train --data mnist --data-dir FOLDER              MNIST, 60,000 images
fastnn train --data FILE.csv --target species --save flowers.fastnn
fastnn predict flowers.fastnn OTHER.csv
"""
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data", default="digits", metavar="NAME", help="digits, mnist, FILE.csv or FILE.npz (default: digits)"
    )
    data.add_argument("--data-dir", metavar="FOLDER", help="where the files of MNIST are")
    data.add_argument(
        "--target",
        metavar="COLUMN",
        help="what to predict in a CSV file: name or number, from 1 on (default: the last)",
    )
    data.add_argument(
        "--task",
        choices=("auto", "classification", "regression"),
        default="auto",
        help="auto: text, or whole numbers with at most 20 different values, are classes (default)",
    )
    net = parser.add_argument_group("network")
    net.add_argument(
        "--hidden", type=units, metavar="UNITS", help="such as 256,128, or none (default: 64,64; for MNIST 256)"
    )
    net.add_argument("--activation", default="relu", metavar="NAME", help="of the hidden layers (default: relu)")
    net.add_argument("--dropout", type=share, default=0.0, metavar="RATE", help="after each hidden layer (default: 0)")
    how = parser.add_argument_group("training")
    how.add_argument("--optimizer", default="adam", metavar="NAME", help="adam, sgd or rmsprop (default: adam)")
    how.add_argument("--lr", type=positive, metavar="RATE", help="learning rate (default: the optimizer's)")
    how.add_argument("--batch-size", type=count, metavar="N", help="samples per step (default: 32; for MNIST 100)")
    how.add_argument("--epochs", type=count, metavar="N", help="passes over the data (default: 30; for MNIST 5)")
    how.add_argument("--seed", type=whole, default=0, metavar="N", help="same seed, same numbers (default: 0)")
    _add_threads(how)
    how.add_argument(
        "--backend", default="native", metavar="NAME", help="native (compiled) or reference (NumPy); default: native"
    )
    how.add_argument("--no-compare", action="store_true", help="do not measure the speed-up over the reference")
    out = parser.add_argument_group("results")
    out.add_argument("--save", metavar="FILE", help="write the trained model to FILE.fastnn")
    out.add_argument("--plot", metavar="FILE", help="draw the training and its errors into FILE.png (.pdf, .svg)")


def _predict(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
FILE holds samples as the model was trained on (the scaling is stored in the model):
  .csv              columns found by name where there is a header, else by place; the target column may be missing
  .npz              array x_test or x
  .npy              one array, samples along the first axis
  IDX images        such as t10k-images-idx3-ubyte.gz
If FILE also holds the targets, what the model scores on them is told on standard error.
"""
    parser.add_argument("model", metavar="MODEL", help="a .fastnn file")
    parser.add_argument("file", metavar="FILE", help="the samples")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help=".csv: what is printed otherwise, class and probability or number; .npy: all outputs, (samples, outputs)",
    )
    _add_threads(parser)


def _bench(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
fastnn bench                    every operation
fastnn bench silu adam_         all operations of the table row silu; one operation
fastnn bench train              training steps
fastnn bench train --profile    where the time of a training step goes

native, reference: median time of a call; ratio: how many times longer the reference takes, median over the rounds
GB/s: bytes that the operation has to read and write at least, per second; copy: that as a part of what a plain copy of
as many bytes reaches on one thread (over 100 % where threads share the work or memory is updated in place)
The reference (fastnn.reference) is NumPy code written to be read, partly in double precision. NumPy's own BLAS uses as
many threads as OPENBLAS_NUM_THREADS says.
"""
    parser.add_argument("names", nargs="*", metavar="OP", help="operations or table rows, or train (default: all)")
    parser.add_argument(
        "--size",
        type=sizes,
        default=(1024, 65536, 1048576),
        metavar="N,...",
        help="elements of an array; k is 1024, M is 1024 k (default: 1k,64k,1M)",
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="(default: float32)")
    parser.add_argument(
        "--seconds", type=positive, metavar="S", help="for each figure, about (default: 0.2; for training 2)"
    )
    parser.add_argument("--profile", action="store_true", help="with train: what each part of a step takes, native")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    _add_threads(parser)


def _lab(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
fastnn lab list                                          the names of the experiments
fastnn lab vanishing-gradient                            one of them: a table, and what was seen
fastnn lab activations saturation --out pictures         with pictures (PNG) and numbers (JSON) in a folder
fastnn lab all --quick --check --report report.html      all of them; the status is 1 if a finding does not hold

Pictures need matplotlib: pip install 'fastnn-cpu[plot]'
"""
    parser.add_argument("names", nargs="+", metavar="NAME", help="experiments, all, or list")
    parser.add_argument("--data", default="digits", metavar="NAME", help="digits or mnist (default: digits)")
    parser.add_argument("--data-dir", metavar="FOLDER", help="where the files of MNIST are")
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="same seed, same numbers (default: 0)")
    parser.add_argument(
        "--backend", default="native", metavar="NAME", help="native (compiled) or reference (NumPy); default: native"
    )
    parser.add_argument("--quick", action="store_true", help="smaller and shorter: seconds instead of minutes")
    parser.add_argument("--check", action="store_true", help="status 1 if a finding does not hold")
    parser.add_argument("--out", metavar="DIR", help="write pictures and JSON there")
    parser.add_argument("--report", metavar="FILE", help="write all into FILE.html, or FILE.md with pictures beside it")
    parser.add_argument(
        "--workers", type=count, metavar="N", help="experiments at a time (default: the CPUs that may be used)"
    )
    _add_threads(parser)


def _info(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _add_threads(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--threads", type=count, metavar="N", help="(default: the CPUs that this process may use)")


# ------------------------------------------------------------------------------------------------------ types of values


def whole(text: str) -> int:
    """0, 1, 2, ..."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number. Received: {text!r}")
    return int(text)


def count(text: str) -> int:
    """1, 2, 3, ..."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive whole number. Received: {text!r}")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive(text: str) -> float:
    """A number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number. Received: {text!r}")
    return value


def share(text: str) -> float:
    """A number from 0 up to, not including, 1."""
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to less than 1. Received: {text!r}")
    return value


def units(text: str) -> tuple[int, ...]:
    """Sizes of layers: "256,128", or "none"."""
    if text == "none":
        return ()
    try:
        return tuple(count(part.strip()) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"expected sizes such as 256,128, or none. Received: {text!r}") from None


def sizes(text: str) -> tuple[int, ...]:
    """Numbers of elements: "1k,64k,1M"."""
    found = []
    for part in text.split(","):
        number, unit = (part[:-1], part[-1:].lower()) if part[-1:].lower() in SIZE_UNITS else (part, "")
        try:
            found.append(count(number.strip()) * SIZE_UNITS.get(unit, 1))
        except argparse.ArgumentTypeError:
            raise argparse.ArgumentTypeError(f"expected sizes such as 1k,64k,1M. Received: {text!r}") from None
    return tuple(found)
