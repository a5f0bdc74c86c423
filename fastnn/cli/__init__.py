"""The command `fastnn`: train, predict, bench, info.

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
    arguments = None
    try:
        arguments = parser.build().parse_args(argv)
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            import_module(f"fastnn.cli.{arguments.command}").run(arguments)
        sys.stdout.flush()  # a closed pipe shows here, not when the interpreter has gone
    except KeyboardInterrupt:
        print("\nfastnn: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # whatever is still buffered must not be written, and fail, at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (ValueError, OSError, ImportError) as error:
        if arguments is not None and arguments.traceback:
            raise
        print(f"fastnn: error: {_one_line(error)}", file=sys.stderr)
        return WRONG_USE
    return 0


def _one_line(message: object) -> str:
    return " ".join(str(message).split()) or type(message).__name__


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"fastnn: warning: {_one_line(message)}", file=sys.stderr)
