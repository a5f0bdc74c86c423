"""How many threads to use by default: what this process may really have.

In order: FASTNN_NUM_THREADS, OMP_NUM_THREADS, else the smaller of the CPUs in the affinity mask and the quota of the
control group (a container with `--cpus=2` on a 64-core machine has two).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path


def cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """CPUs allowed by the control group (v2, then v1), rounded up; None where there is no limit."""
    try:
        limit, period = (root / "cpu.max").read_text().split()[:2]
    except (OSError, ValueError):
        try:
            limit = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        quota, length = float(limit), float(period)
    except ValueError:  # "max"
        return None
    return max(1, math.ceil(quota / length)) if quota > 0 and length > 0 else None


def available_cpus() -> int:
    """CPUs in this process's affinity mask, capped by the control group."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return min(count, quota) if quota else count


def default_threads(environment: Mapping[str, str] = os.environ) -> int:
    """The number of threads to start with.

    Raises:
        ValueError: FASTNN_NUM_THREADS is not a positive whole number.
    """
    own = environment.get("FASTNN_NUM_THREADS")
    if own:
        if not own.isdigit() or int(own) < 1:
            raise ValueError(f"FASTNN_NUM_THREADS: expected a positive whole number. Received {own!r}")
        return int(own)
    # OMP_NUM_THREADS may be a list for nested regions; others' syntax errors are not ours to judge
    first = environment.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdigit() and int(first) > 0 else available_cpus()
