"""How many cores are idle right now. More threads than idle cores make ggml slower, because its threads spin."""

from __future__ import annotations

import os
import time
from pathlib import Path

_SAMPLE_SECONDS = 0.2


def free_cores(most: int, *, stat: Path = Path("/proc/stat"), sample_seconds: float = _SAMPLE_SECONDS) -> int:
    """At most ``most``, at least 1: the cores that were idle over a short look at the machine.

    ``most`` where the system does not say. The load average would not do: it still remembers our own last step.
    """
    cores = os.cpu_count() or 1
    before = _ticks(stat)
    time.sleep(sample_seconds)
    after = _ticks(stat)
    if before is None or after is None or after[1] <= before[1]:
        return max(1, most)
    idle = (after[0] - before[0]) / (after[1] - before[1])
    return max(1, min(most, round(idle * cores)))


def _ticks(stat: Path) -> tuple[int, int] | None:
    """(idle, all) ticks of all cores together since the start."""
    try:
        line = stat.read_text(encoding="ascii").splitlines()[0].split()
        numbers = [int(number) for number in line[1:9]]
        return numbers[3] + numbers[4], sum(numbers)
    except (OSError, ValueError, IndexError):
        return None
