"""The command `fastnn`: train, predict, bench, lab, info.

Errors of use (unknown names, missing or damaged files, numbers out of range) are one line on standard error and exit
status 2; Ctrl-C is 130; a reader that closes the pipe ends the program quietly with 141, as it would end any other.
What a command needs is imported when it is run, so that `fastnn --help` answers at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from fastnn.cli import parser

__all__ = ["main"]

INTERRUPTED, BROKEN_PIPE, WRONG_USE = 130, 141, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Parameters:
        argv: the arguments, without the program's name; by default those of the process.
    """
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()  # a closed pipe shows here, and not when the interpreter has gone
    except KeyboardInterrupt:
        print("\nfastnn: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # whatever is still buffered must not be written, and fail, at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(argv: Sequence[str] | None) -> int:
    syntax = parser.build()
    if not (sys.argv[1:] if argv is None else argv):
        syntax.print_help()
        return 0
    arguments = syntax.parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return import_module(f"fastnn.cli.{arguments.command}").run(arguments) or 0
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ImportError) as error:
        # what the library has to say to users ends with what it received; anything else is a fault of the program
        told = isinstance(error, OSError) or "Received" in str(error)
        if not told or arguments.traceback:
            raise
        print(f"fastnn: error: {_one_line(error)}", file=sys.stderr)
        return WRONG_USE


def _one_line(message: object) -> str:
    return " ".join(str(message).split()) or type(message).__name__


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"fastnn: warning: {_one_line(message)}", file=sys.stderr)
