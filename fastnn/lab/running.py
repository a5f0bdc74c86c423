"""Run experiments, one or all, and write their files.

Several experiments run in processes of their own, with one thread each; numbers do not depend on it, nor on the order,
since every experiment starts from the seed.  An experiment that raises does not stop the others.
"""

from __future__ import annotations

import json
import multiprocessing
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fastnn.backend import use_backend
from fastnn.configuration import configuration
from fastnn.lab import catalogue, drawing
from fastnn.lab.frame import Result, Settings
from fastnn.seeds import set_random_seed
from fastnn.threads import num_threads

KILLED = (
    "the process of this experiment ended abruptly; was it killed, or short of memory? Try fewer workers: --workers 1"
)
SUFFIXES = {bytes: ".png", str: ".svg"}


@dataclass(frozen=True)
class Run:
    """An experiment that was run.

    Attributes:
        name: of the experiment.
        settings: it was run with.
        seconds: it took, without its pictures.
        result: None if it failed.
        pictures: PNG files as bytes and SVG files as text, by their names.
        failure: the traceback, or what ended its process, or "".
    """

    name: str
    settings: Settings
    seconds: float
    result: Result | None
    pictures: dict[str, bytes | str] = field(default_factory=dict)
    failure: str = ""

    @property
    def broken(self) -> list[str]:
        """The claims of findings that do not hold."""
        return [finding.claim for finding in self.result.findings if not finding.holds] if self.result else []

    @property
    def command(self) -> str:
        """What repeats this run."""
        s = self.settings
        options = [f"--data {s.data}"] * (s.data != "digits") + [f"--seed {s.seed}"]
        options += [f"--backend {s.backend}"] * (s.backend != "native") + ["--quick"] * s.quick
        return " ".join(["fastnn lab", self.name, *options])

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, for JSON."""
        return {
            "experiment": self.name,
            "description": catalogue.EXPERIMENTS[self.name],
            "command": self.command,
            "settings": asdict(self.settings) | {"data_dir": None},  # where files are is nobody's business
            "seconds": round(self.seconds, 3),
            "machine": machine(),
            "result": self.result.to_dict() if self.result else None,
            "failure": self.failure,
        }


def machine() -> dict[str, Any]:
    """What figures of a run depend on, without names of folders."""
    found = configuration()
    wanted = ("fastnn", "isa", "processor", "cpus", "platform", "blas")
    python = found["python"].split(" ")[0]
    packages = {name: version for name, version in found["packages"].items() if version}
    return {name: found[name] for name in wanted} | {"python": python, "packages": packages}


def run(name: str, settings: Settings | None = None, *, draw: bool = False) -> Run:
    """Run an experiment.

    Parameters:
        name: one of `fastnn.lab.names()`.
        settings: by default `Settings()`.
        draw: make the pictures as well (needs matplotlib).

    Raises:
        ValueError: there is no such experiment.
    """
    module, settings = catalogue.module(name), settings or Settings()
    started = time.perf_counter()
    with use_backend(settings.backend):
        set_random_seed(settings.seed)
        result = module.run(settings)
    seconds = time.perf_counter() - started
    return Run(name, settings, seconds, result, pictures(name, result) if draw else {})


def pictures(name: str, result: Result) -> dict[str, bytes | str]:
    """The pictures of a result, from its values alone."""
    drawn = catalogue.module(name).draw(result)
    return {key: made if isinstance(made, str) else drawing.png(made) for key, made in drawn.items()}


def run_all(
    names: Sequence[str], settings: Settings | None = None, *, draw: bool = False, workers: int = 1
) -> Iterator[Run]:
    """Run several experiments; give each when it and those before it are done.

    Parameters:
        names: of experiments.
        settings, draw: as for `run`.
        workers: processes, of one thread each; 1: in this process, with its threads.
    """
    settings = settings or Settings()
    for name in names:
        catalogue.check(name)
    task = partial(_guarded, settings=settings, draw=draw)
    if workers == 1 or len(names) == 1:
        yield from map(task, names)
        return
    with ThreadPoolExecutor(min(workers, len(names))) as waiting:
        yield from waiting.map(partial(_apart, task), names)


def _apart(task: Any, name: str) -> Run:
    """Run the experiment in a new process: one that is killed takes no other along."""
    spawn = multiprocessing.get_context("spawn")  # a fork would copy the state of threads that it does not copy
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        try:
            return pool.submit(_alone, task, name).result()
        except BrokenProcessPool:
            return Run(name, task.keywords["settings"], 0.0, None, failure=KILLED)


def _alone(task: Any, name: str) -> Run:
    with num_threads(1):
        return task(name)


def _guarded(name: str, settings: Settings, draw: bool) -> Run:
    started = time.perf_counter()
    try:
        return run(name, settings, draw=draw)
    except Exception:
        return Run(name, settings, time.perf_counter() - started, None, failure=traceback.format_exc())


def write(done: Run, folder: Path) -> list[Path]:
    """Write NAME.json and the pictures, NAME.png or NAME-KEY.png; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    record = json.dumps(done.to_dict(), indent=1, allow_nan=False) + "\n"
    files: dict[str, bytes | str] = {f"{done.name}.json": record}
    for key, picture in done.pictures.items():
        files[f"{file_stem(done.name, key)}{SUFFIXES[type(picture)]}"] = picture
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return [folder / name for name in files]


def file_stem(name: str, key: str) -> str:
    """`name` for the picture that has the experiment's own name, else name-key."""
    return name if key in ("", name) else f"{name}-{key}"


def read(path: Path) -> Run:
    """The run that a JSON file tells of, without its pictures (`pictures` draws them anew)."""
    found = json.loads(path.read_text(encoding="utf-8"))
    result = Result.from_dict(found["result"]) if found["result"] else None
    settings = Settings(**found["settings"])
    return Run(found["experiment"], settings, found["seconds"], result, failure=found["failure"])
