"""Write the type stubs of what type checkers cannot read: the generated functions of fastnn.ops, the compiled modules.

    python tools/make_stubs.py              write the stubs that changed
    python tools/make_stubs.py --check      exit with status 1 if one is out of date, and say which

The stub of fastnn.ops is made from the imported package: every function with its signature and the first line of its
docstring.  Those of the compiled modules are made from the Cython sources, because compiled functions have no
signatures: C types become Python types, and a result is Any unless the source annotates it.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HEADER = '"""Made by tools/make_stubs.py."""\n'


# -------------------------------------------------------------------------------------------------------- fastnn.ops


def ops_stub() -> str:
    """The stub of fastnn.ops: generated functions in full, the others as imports from their modules."""
    sys.path.insert(0, str(ROOT))
    from fastnn import ops

    public = {name: getattr(ops, name) for name in ops.__all__}
    imports = ["from typing import Any\n", "from numpy.typing import ArrayLike, NDArray\n"]
    imports += [f"from {ops.__name__} import {name}" for name, it in public.items() if inspect.ismodule(it)]
    by_module: dict[str, list[str]] = {}
    for name, it in public.items():
        if inspect.isfunction(it) and it.__module__ != ops.__name__:
            by_module.setdefault(it.__module__, []).append(name)
    for module, names in sorted(by_module.items()):
        line = f"from {module} import {', '.join(sorted(names))}"
        listed = "".join(f"    {name},\n" for name in sorted(names))
        imports.append(line if len(line) <= 120 else f"from {module} import (\n{listed})")
    exported = "__all__ = [\n" + "".join(f'    "{name}",\n' for name in sorted(public)) + "]\n"
    generated = [it for it in public.values() if inspect.isfunction(it) and it.__module__ == ops.__name__]
    more = "def __getattr__(name: str) -> Any: ...  # keras.ops on NumPy\n"
    return "\n".join([HEADER, *imports, "", exported, *map(function_stub, generated), more])


def function_stub(function: Callable[..., Any]) -> str:
    """`def name(...) -> ...:` with the first line of the docstring."""
    signature = inspect.signature(function)
    parts: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        value = json.dumps(parameter.default) if isinstance(parameter.default, str) else repr(parameter.default)
        value = 'float("inf")' if value == "inf" else value
        parts.append(f"{parameter.name}: {parameter.annotation}" + (f" = {value}" if value != EMPTY else ""))
    summary, *_ = (inspect.getdoc(function) or "").splitlines()
    return definition("", function.__name__, parts, signature.return_annotation, "") + f'    """{summary}"""\n'


EMPTY = repr(inspect.Parameter.empty)


def definition(indent: str, name: str, parts: list[str], returns: str, body: str) -> str:
    """The head of a function, broken into lines as the formatter does."""
    arguments = ", ".join(parts)
    for text in (arguments, f"\n{indent}    {arguments}\n{indent}"):
        head = f"{indent}def {name}({text}) -> {returns}:{body}\n"
        if max(map(len, head.splitlines())) <= 120:
            return head
    listed = "".join(f"\n{indent}    {part}," for part in parts)
    return f"{indent}def {name}({listed}\n{indent}) -> {returns}:{body}\n"


# --------------------------------------------------------------------------------------------------- compiled modules

TYPES = {
    "": "Any",
    "bint": "bool",
    "cnp.ndarray": "NDArray[Any]",
    "dict": "dict[Any, Any]",
    "double": "float",
    "float": "float",
    "list": "list[Any]",
    "object": "Any",
    "str": "str",
    "tuple": "tuple[Any, ...]",
}
INTEGER = re.compile(r"int|size_t")
FUNCTION = re.compile(r"^( *)def (\w+)\(((?:[^()]|\([^()]*\))*)\)(?: *-> *([^:]+))?:", re.MULTILINE)
CLASS = re.compile(r"^(?:cdef )?class (\w+)(?:\([^)]*\))?:", re.MULTILINE)
VALUE = re.compile(r"^([A-Za-z]\w*) = (\"|\d)", re.MULTILINE)


def compiled_stub(source: str) -> str:
    """The stub of a Cython module: public values, functions, and classes with their methods."""
    values = "".join(f"{m[1]}: {'str' if m[2] == chr(34) else 'int'}\n" for m in VALUE.finditer(source))
    found = [(match.start(), f"class {match[1]}:\n") for match in CLASS.finditer(source)]
    for match in FUNCTION.finditer(source):
        indent, name, arguments, returns = match.groups()
        if (name.startswith("_") and name not in ("__init__", "__call__")) or len(indent) > 4:
            continue
        result = "None" if name == "__init__" else (returns or "Any").strip()
        found.append((match.start(), definition(indent, name, list(_arguments(arguments)), result, " ...")))
    body = "".join(text for _, text in sorted(found))
    body = re.sub(r"\n(?=class )", "\n\n", body)  # as ruff has it, here and after a class
    body = re.sub(r"^( .*\n)(?=def )", r"\1\n", body, flags=re.MULTILINE)
    if not body and not values:
        return HEADER  # nothing that Python sees
    imports = "from typing import Any\n" + ("\nfrom numpy.typing import NDArray\n" if "NDArray" in body else "")
    return "\n".join([HEADER, imports, *([values] if values else []), body])


def _arguments(text: str) -> Iterator[str]:
    for argument in filter(None, (part.strip() for part in text.replace("\n", " ").split(","))):
        declared, has_default, _ = argument.partition("=")
        declared, _, annotation = declared.partition(":")
        *ctype, name = declared.split()
        if name in ("self", "*"):
            yield name
            continue
        known = TYPES.get(" ".join(ctype), "int" if ctype and INTEGER.search(ctype[-1]) else "Any")
        yield f"{name}: {annotation.strip() or known}{' = ...' if has_default else ''}"


# --------------------------------------------------------------------------------------------------------------- main


def stubs() -> dict[Path, str]:
    """Every stub file with what it should hold."""
    files = {ROOT / "fastnn/ops/__init__.pyi": ops_stub()}
    for source in sorted((ROOT / "fastnn").rglob("*.pyx")):
        files[source.with_suffix(".pyi")] = compiled_stub(source.read_text())
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the type stubs of generated and compiled functions.")
    parser.add_argument("--check", action="store_true", help="only say which stubs are out of date")
    check = parser.parse_args().check
    stale = {path: text for path, text in stubs().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        print(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(text)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
