"""Reading a kernel object with GNU binutils: its symbols, the code of each function, and what of it can run again.

Used by check_kernels.py. Understands ELF objects and the disassembly of x86-64 and aarch64; it looks at control flow
and at mnemonics, never at values.
"""

from __future__ import annotations

import re
import subprocess
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PREFIXES = re.compile(r"^((bnd|notrack|repn?z?|data16|cs|lock|addr32) +)+")
CALL = re.compile(r"(call|callq|bl|blr) ")
BRANCH = re.compile(r"(j[a-z]+|b|b\.[a-z]+|cbn?z|tbn?z) ")  # jumps of any kind
STOP = re.compile(r"(jmp|ret|retq|ud2|hlt|b|br|udf|brk)\b(?!\.)")  # what stands behind it is not run next


class Instruction(NamedTuple):
    """One instruction: its address, 'mnemonic operands', and the address or symbol that a call or jump names."""

    address: int
    text: str
    to: int | str | None


class ObjectFile:
    """One ELF object, read once; `cc` is the compiler that made it and knows which binutils go with it."""

    def __init__(self, path: Path, cc: Sequence[str]) -> None:
        self.path, self.cc = path, cc
        self.functions: dict[str, tuple[str, int, int]] = {}  # name -> section, address, size
        for line in self._run("objdump", "-t"):
            # 00000000000184b0 l     F .text  00000000000001e0 [.hidden] elu_backward_f32
            if found := re.match(r"([0-9a-f]+) .{6}F (\S+)\s+([0-9a-f]+)\s+(?:\.\w+ )?(\S+)$", line):
                self.functions[found[4]] = found[2], int(found[1], 16), int(found[3], 16)
        self._sections: dict[str, list[Instruction]] = {}
        section: list[Instruction] = []
        for line in self._run("objdump", "-drw", "--no-show-raw-insn"):
            if found := re.match(r"Disassembly of section (\S+):", line):
                section = self._sections.setdefault(found[1], [])
            elif found := re.match(r" *([0-9a-f]+):\t(.*?)(?:\t[0-9a-f]+: R_\w+\t(\S+))?$", line):
                section.append(self._instruction(int(found[1], 16), found[2], found[3]))

    def _run(self, tool: str, *arguments: str) -> list[str]:
        named = subprocess.run([*self.cc, f"-print-prog-name={tool}"], check=True, capture_output=True, text=True)
        command = [named.stdout.strip(), *arguments, str(self.path)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    @staticmethod
    def _instruction(address: int, text: str, relocation: str | None) -> Instruction:
        text = PREFIXES.sub("", " ".join(re.split(" # |//", text)[0].split())) + " "
        if not CALL.match(text) and not BRANCH.match(text):
            return Instruction(address, text, None)
        # "call 185f0 <f+0x140>", relocated by "memcpy-0x4": where there is a relocation, it tells the truth
        if relocation:
            return Instruction(address, text, re.sub(r"[-+]0x[0-9a-f]+$", "", relocation))
        target = re.search(r"([0-9a-f]+) <", text)
        return Instruction(address, text, int(target[1], 16) if target else None)

    def global_symbols(self) -> tuple[set[str], set[str]]:
        """Names of the global symbols that the object defines, and of those it wants from elsewhere."""
        symbols = [line.split() for line in self._run("nm", "--format=posix", "--extern-only")]
        return {s[0] for s in symbols if s[1] != "U"}, {s[0] for s in symbols if s[1] == "U"}

    def code(self, name: str) -> list[Instruction]:
        """The instructions of a function."""
        section, address, size = self.functions[name]
        every = self._sections[section]
        first, last = (bisect_left(every, at, key=lambda i: i.address) for at in (address, address + size))
        return every[first:last]

    def calls(self, name: str) -> set[str]:
        """Names of the functions that a function calls or, at its end, jumps to."""
        code, section = self.code(name), self.functions[name][0]
        inside = {instruction.address for instruction in code}
        there = {start: other for other, (where, start, _) in self.functions.items() if where == section}
        outside = {i.to for i in code if CALL.match(i.text) or (BRANCH.match(i.text) and i.to not in inside)}
        return {there.get(to, f"{to:x}") if isinstance(to, int) else to or "a pointer" for to in outside}

    def parts(self, name: str) -> list[str]:
        """Pieces that the compiler has split off a function: name.cold, name.part.0 ..."""
        return [other for other in self.functions if other.startswith(f"{name}.")]


def repeated(code: Sequence[Instruction]) -> list[Instruction]:
    """The instructions that one run of the function can execute more than once: those on cycles of its control flow."""
    position = {instruction.address: n for n, instruction in enumerate(code)}
    followers: list[list[int]] = []
    for n, instruction in enumerate(code):
        follows = [n + 1] if n + 1 < len(code) and not STOP.match(instruction.text) else []
        if BRANCH.match(instruction.text) and instruction.to in position:
            follows.append(position[instruction.to])
        followers.append(follows)

    reachable = [0] * len(code)  # bit k of reachable[n]: instruction k can run after instruction n
    changed = True
    while changed:
        changed = False
        for n in reversed(range(len(code))):
            bits = 0
            for k in followers[n]:
                bits |= reachable[k] | 1 << k
            changed |= bits != reachable[n]
            reachable[n] = bits
    return [instruction for n, instruction in enumerate(code) if reachable[n] >> n & 1]
