"""Write the table of what fastnn does not serve of Keras into docs/keras.md.

    python tools/make_keras_table.py              write it
    python tools/make_keras_table.py --check      exit with status 1 if it is out of date

The table is made from fastnn._keras.ABSENT and from what the modules have now.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fastnn import _keras

PAGE = Path(__file__).resolve().parent.parent / "docs" / "keras.md"
BEGIN, END = "<!-- made by tools/make_keras_table.py -->\n", "<!-- end -->\n"


def table() -> str:
    """The rows, one for each module and reason."""
    lines = ["| of | not served | because |", "|---|---|---|"]
    for module, reasons in _keras.ABSENT.items():
        for why, names in reasons.items():
            of = f"`keras.{module}`" if module else "`keras`"
            what = " ".join(f"`{name}`" for name in names.split())
            lines.append(f"| {of} | {what} | {why} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page with the table of now."""
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return head + BEGIN + table() + END + rest.partition(END)[2]


def main(arguments: list[str]) -> int:
    """Write or check the page; the exit status."""
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 2
    if arguments == ["--check"]:
        fresh = page() == PAGE.read_text(encoding="utf-8")
        print(f"{PAGE.name} is {'up to date' if fresh else 'out of date: run tools/make_keras_table.py'}")
        return 0 if fresh else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
