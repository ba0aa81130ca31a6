"""Processors and memory, with made-up machines and containers, and with a real quota."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pi_runtime import cores
from zoo.machine import resources

CPU = "sys/devices/system/cpu"
V2 = {"proc/self/cgroup": "0::/"}
V1 = {"proc/self/cgroup": "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/docker/abc"}


def tree(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="ascii")
    return root


def topology(pairs: int, name: str = "thread_siblings_list") -> dict[str, str]:
    """So many cores with two hyperthreads each: 0 and n, 1 and n + 1, ..."""
    return {
        f"{CPU}/cpu{cpu}/topology/{name}": f"{cpu % pairs},{cpu % pairs + pairs}" for cpu in range(2 * pairs)
    }


def speeds(name: str, values: list[int]) -> dict[str, str]:
    return {f"{CPU}/cpu{cpu}/{name}": str(value) for cpu, value in enumerate(values)}


MACHINES = {
    "says nothing": ({}, 4, (4, 4, 4, None), 4),
    "hyperthreads": (topology(4), 8, (8, 4, 4, None), 4),
    "hyperthreads, new name": (topology(4, "core_cpus_list"), 8, (8, 4, 4, None), 4),
    "only one thread of each core allowed": (topology(4), 4, (4, 4, 4, None), 4),
    "Arm with slow cores": (speeds("cpu_capacity", [400] * 4 + [1024] * 4), 8, (8, 8, 4, None), 4),
    "only slow cores allowed": (speeds("cpu_capacity", [400] * 4 + [1024] * 4), 4, (4, 4, 4, None), 4),
    "three kinds, two near": (speeds("cpu_capacity", [250] * 4 + [870] * 3 + [1024]), 8, (8, 8, 4, None), 4),
    "slow by clock": (speeds("cpufreq/cpuinfo_max_freq", [1_400_000] * 2 + [2_400_000] * 2), 4, (4, 4, 2, None), 2),
    "favoured cores": (speeds("cpufreq/cpuinfo_max_freq", [5_000_000] * 3 + [5_300_000]), 4, (4, 4, 4, None), 4),
    "Intel hybrid": (
        {
            "sys/devices/cpu_core/cpus": "0-3", "sys/devices/cpu_atom/cpus": "4-7",
            **{f"{CPU}/cpu{n}/topology/core_cpus_list": f"{n // 2 * 2}-{n // 2 * 2 + 1}" for n in range(4)},
            **speeds("cpufreq/cpuinfo_max_freq", [4_900_000] * 4 + [3_900_000] * 4),
        }, 8, (8, 6, 2, None), 2,
    ),
    "cgroup v2": ({**V2, "sys/fs/cgroup/cpu.max": "150000 100000"}, 4, (4, 4, 4, 1.5), 1),
    "cgroup v2, no limit": ({**V2, "sys/fs/cgroup/cpu.max": "max 100000"}, 4, (4, 4, 4, None), 4),
    "cgroup v2, half a CPU": ({**V2, "sys/fs/cgroup/cpu.max": "50000 100000"}, 4, (4, 4, 4, 0.5), 1),
    "cgroup v2, the least of all above": (
        {
            "proc/self/cgroup": "0::/a.slice/b.scope", "sys/fs/cgroup/a.slice/cpu.max": "200000 100000",
            "sys/fs/cgroup/a.slice/b.scope/cpu.max": "max 100000",
        }, 4, (4, 4, 4, 2.0), 2,
    ),
    "cgroup v1 in a container that shows the host's path": (
        {**V1, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000",
         "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000"}, 8, (8, 8, 8, 3.0), 3,
    ),
    "cgroup v1, its own folder, no limit": (
        {**V1, "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "-1",
         "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000"}, 2, (2, 2, 2, None), 2,
    ),
    "nonsense": (
        {**V2, "sys/fs/cgroup/cpu.max": "many", f"{CPU}/cpu0/topology/core_cpus_list": "0-x",
         f"{CPU}/cpu1/cpu_capacity": "-", "proc/meminfo": "MemTotal"}, 2, (2, 2, 2, None), 2,
    ),
    "a quota larger than the machine": ({**V2, "sys/fs/cgroup/cpu.max": "900000 100000"}, 2, (2, 2, 2, 9.0), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", MACHINES)
def test_processors(name: str, tmp_path: Path) -> None:
    files, allowed, expected, threads = MACHINES[name]
    root = tree(tmp_path, files)
    ours, boards = resources.processors(root, range(allowed)), cores.cores(root, range(allowed))
    assert (ours.logical, ours.physical, ours.fast, ours.quota) == expected
    assert ours.threads == boards.threads == threads
    assert vars(ours) == vars(boards)


MIB = 2**20
MEMINFO = {"proc/meminfo": f"MemTotal: {8 * 1024 * 1024} kB\nMemAvailable: {6 * 1024 * 1024} kB"}
MEMORY = {
    "no limit": ({}, (8192 * MIB, 6144 * MIB)),
    "v2": (
        {**V2, "sys/fs/cgroup/memory.max": str(512 * MIB), "sys/fs/cgroup/memory.current": str(100 * MIB)},
        (512 * MIB, 412 * MIB),
    ),
    "v2, with what the kernel can drop": (
        {
            **V2, "sys/fs/cgroup/memory.max": str(512 * MIB), "sys/fs/cgroup/memory.current": str(500 * MIB),
            "sys/fs/cgroup/memory.stat": f"anon 5\ninactive_file {300 * MIB}",
        }, (512 * MIB, 312 * MIB),
    ),
    "v2, max": ({**V2, "sys/fs/cgroup/memory.max": "max"}, (8192 * MIB, 6144 * MIB)),
    "v1, no limit": (
        {**V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"}, (8192 * MIB, 6144 * MIB),
    ),
    "v1": (
        {**V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": str(1024 * MIB),
         "sys/fs/cgroup/memory/memory.usage_in_bytes": str(2048 * MIB)}, (1024 * MIB, 0),
    ),
    "a limit above the machine": ({**V2, "sys/fs/cgroup/memory.max": str(2**40)}, (8192 * MIB, 6144 * MIB)),
}  # fmt: skip


@pytest.mark.parametrize("name", MEMORY)
def test_memory(name: str, tmp_path: Path) -> None:
    files, expected = MEMORY[name]
    root = tree(tmp_path, {**MEMINFO, **files})
    assert resources.memory_bytes(root) == expected
    limit = cores.memory_limit_bytes(root)
    assert limit is None or min(limit, 8192 * MIB) == expected[0]


def test_nothing_is_known_without_proc(tmp_path: Path) -> None:
    assert resources.memory_bytes(tmp_path) == (0, 0)
    assert resources.quota(tmp_path) is None and cores.memory_limit_bytes(tmp_path) is None


def test_this_machine_is_described_in_words() -> None:
    here = resources.processors()
    assert 1 <= here.threads <= here.fast <= here.physical <= here.logical == len(os.sched_getaffinity(0))
    words = resources.Processors(8, 4, 4, 1.5).words
    assert words == "4 fast of 4 cores, 8 logical CPUs, a quota of 1.5 CPUs: 1 thread"


@pytest.fixture
def half_a_cpu() -> Iterator[Path]:
    """A real control group that allows half a CPU: v1's or v2's, where this process may make one."""
    base = Path("/sys/fs/cgroup")
    folder = (base / "cpu" if (base / "cpu").is_dir() else base) / f"zoo-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("control groups may not be made here")
    try:
        if (folder / "cpu.max").exists():
            (folder / "cpu.max").write_text("50000 100000")
        elif (folder / "cpu.cfs_quota_us").exists():
            (folder / "cpu.cfs_quota_us").write_text("50000")
        else:
            pytest.skip("the control groups here have no quota")
        yield folder
    finally:
        folder.rmdir()


def test_a_real_quota_is_seen(half_a_cpu: Path) -> None:
    code = (
        "import json, sys, pathlib\n"
        "pathlib.Path(sys.argv[1], 'cgroup.procs').write_text('0')\n"
        "from pi_runtime import cores\nfrom zoo.machine import resources\n"
        "print(json.dumps([vars(cores.cores()), vars(resources.processors()), resources.processors().threads]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(half_a_cpu)], capture_output=True, text=True, check=True)
    boards, ours, threads = json.loads(done.stdout)
    assert boards == ours and ours["quota"] == 0.5 and threads == 1
