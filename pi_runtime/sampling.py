"""One warm-up and the samples, whatever computes; and what the machine did meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pi_runtime import surroundings, system, verdict
from pi_runtime.shape import Sample, State, Times
from pi_runtime.words import rate

Progress = Callable[[str, int | None], None]
"""Receives a line for people, and the number of finished runs if it changed; the warm-up is the first run."""


def quiet(_line: str, _runs: int | None) -> None:
    """A progress listener that ignores everything."""


@dataclass(frozen=True)
class Run:
    """A prompt and what followed it: its tokens, its times, and the prompt tokens that came from a cache."""

    tokens: list[int]
    times: Times
    cached: int


@dataclass(frozen=True)
class Taken:
    """The counted runs, and what the rest of the machine did meanwhile."""

    runs: list[Run]
    samples: list[Sample]
    others_cpu_share: float | None
    major_page_faults: int

    @property
    def alike(self) -> bool:
        """Whether every run chose the same tokens."""
        return all(one.tokens == self.runs[0].tokens for one in self.runs)


def warm_up(work: Callable[[], Run], pid: int, progress: Progress) -> Run:
    """The run that is not counted. pid: the process that computes. Raises what ``work`` raises."""
    progress("warming up", None)
    share = _watch(pid)
    warmup = work()
    progress("warmed up", 1)
    for complaint in verdict.busy(share.others()):
        progress(f"before the samples, {complaint}; the run is unlikely to be valid", None)
    return warmup


def take(work: Callable[[], Run], count: int, pid: int, progress: Progress) -> Taken:
    """The counted runs. pid: the process that computes. Raises what ``work`` raises."""
    share, faults = _watch(pid), surroundings.major_faults(pid)
    runs, samples = list[Run](), list[Sample]()
    for number in range(1, count + 1):
        one = work()
        runs.append(one)
        samples.append({"number": number, **one.times, **_state()})
        progress(
            f"sample {number} of {count}: prompt {one.times['prompt_tokens_per_second']:.1f}, "
            f"decode {rate(one.times['decode_tokens_per_second'])} tokens/s",
            number + 1,
        )
    others = share.others()
    return Taken(runs, samples, others, max(0, surroundings.major_faults(pid) - faults))


def _watch(pid: int) -> system.CpuShare:
    """The CPU time of others than this program and the process that computes for it."""
    return system.CpuShare(own_seconds=lambda: system.own_cpu_seconds() + surroundings.cpu_seconds(pid))


def _state() -> State:
    """The state of the device directly after a sample, before its clock changes again."""
    return {
        "frequency_hertz": system.frequency(),
        "temperature_celsius": system.temperature()[0],
        "throttled_flags": system.throttled(),
    }
