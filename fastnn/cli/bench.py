"""`fastnn bench`: tables of measured times, native against the reference."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from fastnn import benchmarks, threads
from fastnn.cli.report import duration
from fastnn.configuration import configuration


def run(arguments: argparse.Namespace) -> None:
    training = "train" in arguments.names
    names = [name for name in arguments.names if name != "train"]
    if arguments.profile and not training:
        raise ValueError(f"--profile is for training steps: fastnn bench train --profile. Received: {names}")
    selected = benchmarks.select(names) if names or not training else ()
    target = _check_output(arguments.json) if arguments.json else None
    if arguments.threads:
        threads.set_num_threads(arguments.threads)
    machine = configuration()
    _introduce(machine)
    found: dict[str, Any] = {"configuration": machine, "operations": [], "training": []}
    if selected:
        found["operations"] = _operations(selected, arguments)
    if training:
        found["training"] = _profiles(arguments) if arguments.profile else _training(arguments)
    if target:
        target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"\nWrote {target}")


def _check_output(path: str) -> Path:
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"--json: there is no such folder. Received: {str(target.parent)!r}")
    return target


def _introduce(machine: dict[str, Any]) -> None:
    print(
        f"fastnn {machine['fastnn']}, {machine['isa']}, {machine['threads']} thread{'s' * (machine['threads'] > 1)}, "
        f"on {machine['processor']} ({machine['cpus']} CPUs); NumPy {machine['packages']['numpy']}"
    )
    print("Medians; native and reference take turns. What the columns mean: fastnn bench --help")
    busy = benchmarks.load()
    if busy is not None and busy > (os.cpu_count() or 1) / 2:
        print(
            f"The machine is busy (load {busy:.1f} on {os.cpu_count()} CPUs): figures are rough, most so with threads."
        )
    print(flush=True)


def _operations(selected: Any, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    width = max(len(op.name) for op in selected)
    titles = f"{'native':>8} {'reference':>9} {'ratio':>6} {'ns/elem':>8} {'GB/s':>6} {'copy':>5}"
    print(f"{'operation':<{width}} {'size':>7} {titles}")
    results = []
    for op in selected:
        for size in arguments.size:
            r = benchmarks.bench_operation(op, size, arguments.dtype, arguments.seconds or 0.2)
            print(
                f"{r.name:<{width}} {r.elements:>7} {duration(r.native):>8} {duration(r.reference):>9} {r.ratio:>6.3g} "
                f"{r.ns_per_element:>8.3g} {r.bytes_per_second / 1e9:>6.3g} {r.of_copy:>5.0%}",
                flush=True,
            )
            results.append(
                dataclasses.asdict(r) | {"ns_per_element": r.ns_per_element, "bytes_per_second": r.bytes_per_second}
            )
    return results


def _training(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    print(f"{'training step':<22} {'parameters':>10} {'native':>8} {'reference':>9} {'ratio':>6}")
    results = []
    for workload in benchmarks.WORKLOADS:
        r = benchmarks.bench_training(workload, arguments.seconds or 2.0)
        print(
            f"{r.name:<22} {r.parameters:>10,} {duration(r.native):>8} {duration(r.reference):>9} {r.ratio:>6.3g}",
            flush=True,
        )
        results.append(dataclasses.asdict(r))
    return results


def _profiles(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    results = []
    for workload in benchmarks.WORKLOADS:
        x, y = workload.data(8)
        profile = workload.model().profile(x, y, batch_size=workload.batch, seconds=arguments.seconds or 1.0)
        print(profile, end="\n\n", flush=True)
        results.append(profile.to_dict())
    return results
