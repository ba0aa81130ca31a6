"""How much each tensor group of a model matters: the KLD that quantizing it alone causes, by type.

Every group is quantized alone to one type (PROBE_TYPES) and measured; groups that hold much of the model
(MEASURED_SHARE) are measured as every type. For the other types the figure is scaled by the ratio of weighted squared
errors, because for small errors the KLD is a quadratic form of the change of the weights: on SmolLM2-135M measured KLD
over squared error varied by less than a factor of two between 4.5 and 8.5 bits.

A journal stores the measurements, so that a killed run resumes where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypedDict

from catalog.jsonvalues import listed
from zoo.errors import ModelFileError
from zoo.files import journal as journals
from zoo.llama.search.tensors import Tensors
from zoo.llama.search.trials import Mix, Trials
from zoo.progress import Reporter

CANDIDATES = (
    "Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS", "Q3_K", "IQ3_S", "Q2_K",
)  # fmt: skip
"""Types that a search may choose, as far as a tensor's rows divide."""
PROBE_TYPES = ("Q4_0", "Q4_K", "Q8_0")
"""A group is measured alone as the first of these types that it can have."""
MEASURED_SHARE = 0.05
MOST_GROUPS = 256
_WHAT = "journal of measurements"
WINDOWS = 2
"""Windows that a group alone is measured on."""


@dataclass(frozen=True)
class Group:
    """Tensors that get the same type. types: those that all of its tensors can have."""

    name: str
    tensors: tuple[str, ...]
    types: tuple[str, ...]
    weights: int


class Described(TypedDict):
    """What is known of a group, by type: bytes in a file, weighed squared error, and the KLD in nats by window."""

    tensors: list[str]
    weights: int
    size_bytes: dict[str, int]
    weighed_squared_error: dict[str, float]
    kld_nats_by_window: dict[str, list[float]]


def groups_of(tensors: Tensors) -> list[Group]:
    """One group per tensor; if there would be more than MOST_GROUPS, neighbouring layers of a kind share one."""
    names = list(tensors.matrices)
    per = 1
    while len(merged := _merged(names, per)) > MOST_GROUPS and per < len(names):
        per += 1
    found = []
    for name, own in merged.items():
        shared = [t for t in CANDIDATES if all(t in tensors.types(tensor, CANDIDATES) for tensor in own)]
        if shared:
            weights = sum(tensors.matrices[tensor].weights for tensor in own)
            found.append(Group(name, tuple(own), tuple(shared), weights))
    if not found:
        raise ModelFileError(
            f"no tensor of {tensors.path.name} can be quantized: rows are not a multiple of 32",
            where=str(tensors.path),
        )
    return found


def _merged(names: Sequence[str], per: int) -> dict[str, list[str]]:
    """Tensor names by group; ``blk.7.ffn_up.weight`` and the same tensor of ``per`` neighbouring layers form one."""
    found: dict[str, list[str]] = {}
    for name in names:
        head, _, rest = name.partition(".")
        number, _, kind = rest.partition(".")
        if head == "blk" and number.isdigit() and per > 1:
            first = int(number) // per * per
            found.setdefault(f"blk.{first}-{first + per - 1}.{kind}", []).append(name)
        else:
            found.setdefault(name, []).append(name)
    return found


@dataclass
class Journal:
    """Measured figures by key, one JSON line each, in a file that only grows.

    errors: weighed squared errors; their keys begin with "error ". kld: in nats, by window.
    """

    path: Path
    errors: dict[str, float] = field(default_factory=dict)
    kld: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Journal]:
        """The figures of ``path``, which may be absent."""
        journal = cls(path)
        for key, figure in journals.read(path, _figure):
            journal._keep(key, figure)
        with journals.open_to_append(path, _WHAT) as stream:
            journal._stream = stream
            yield journal

    def add(self, key: str, value: float | list[float]) -> None:
        """Store a figure; it is on the disk when this returns."""
        assert self._stream is not None, "an open journal has a stream"
        self._keep(key, value)
        journals.append(self._stream, [key, value], _WHAT)

    def _keep(self, key: str, value: float | list[float]) -> None:
        if isinstance(value, list):
            self.kld[key] = value
        else:
            self.errors[key] = value

    _stream: IO[bytes] | None = None


def _figure(data: object) -> tuple[str, float | list[float]]:
    """An error is a number, everything else numbers by window."""
    key, value = listed(data)
    key = journals.text(key)
    if key.startswith("error "):
        return key, journals.number(value)
    if not isinstance(value, list) or not value:
        raise TypeError("not figures by window")
    return key, [journals.number(one) for one in value]


def kld_key(group: str, type_name: str) -> str:
    """The journal's key of the KLD that was measured with ``group`` in this type and all else in the reference."""
    return f"kld {group} {type_name}"


def measure(
    trials: Trials, groups: Sequence[Group], journal: Journal, report: Reporter
) -> dict[str, Described]:
    """Errors by type and measured KLD (nats, per window) by type of every group, by its name; ready for JSON."""
    _errors(trials, groups, journal, report)
    probes = [(group, type_name) for group in groups for type_name in _probed(trials.tensors, group)]
    alone(trials, probes, journal, report, "Measuring each tensor alone")
    return {group.name: describe(trials.tensors, group, journal) for group in groups}


def describe(tensors: Tensors, group: Group, journal: Journal) -> Described:
    """What the journal has about a group."""
    errors = {t: sum(journal.errors[f"error {name} {t}"] for name in group.tensors) for t in group.types}
    measured = {
        t: journal.kld[kld_key(group.name, t)] for t in group.types if kld_key(group.name, t) in journal.kld
    }
    return {
        "tensors": list(group.tensors),
        "weights": group.weights,
        "size_bytes": {t: size_bytes(tensors, group, t) for t in group.types},
        "weighed_squared_error": errors,
        "kld_nats_by_window": measured,
    }


def size_bytes(tensors: Tensors, group: Group, type_name: str) -> int:
    """Bytes of the group in a file, padding included."""
    return sum(
        -(-tensors.matrices[name].bytes_as(type_name) // tensors.alignment) * tensors.alignment
        for name in group.tensors
    )


def alone(
    trials: Trials,
    probes: Iterable[tuple[Group, str]],
    journal: Journal,
    report: Reporter,
    what: str,
) -> None:
    """Measure groups quantized alone that the journal does not have."""
    wanted = [(group, t) for group, t in probes if kld_key(group.name, t) not in journal.kld]
    mixes: list[Mix] = [dict.fromkeys(group.tensors, t) for group, t in wanted]
    with report.task(what, float(len(wanted)), "trials") as advance:

        def done(number: int, kld: list[float]) -> None:
            group, type_name = wanted[number]
            journal.add(kld_key(group.name, type_name), kld)
            advance(1)

        trials.run(mixes, done, windows=WINDOWS)


def _probed(tensors: Tensors, group: Group) -> list[str]:
    total = sum(matrix.weights for matrix in tensors.matrices.values())
    if group.weights > MEASURED_SHARE * total:
        return list(group.types)
    return [next((t for t in PROBE_TYPES if t in group.types), group.types[-1])]


def _errors(trials: Trials, groups: Sequence[Group], journal: Journal, report: Reporter) -> None:
    tensors = trials.tensors
    wanted = [
        (name, type_name)
        for group in groups
        for name in group.tensors
        for type_name in group.types
        if f"error {name} {type_name}" not in journal.errors
    ]
    weights = float(sum(tensors.matrices[name].weights for name, _ in wanted))

    def work(name: str, type_name: str) -> tuple[str, str, float]:
        return name, type_name, tensors.error(name, tensors.quantized(name, type_name), type_name)

    with (
        report.task("Quantizing every tensor as every type", weights, "weights") as advance,
        ThreadPoolExecutor(trials.count) as pool,
    ):
        jobs = [pool.submit(work, *pair) for pair in wanted]
        try:
            for job in as_completed(jobs):
                name, type_name, error = job.result()
                journal.add(f"error {name} {type_name}", error)
                advance(tensors.matrices[name].weights)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def predicted(described: Described, type_name: str) -> float:
    """KLD in nats of a described group quantized alone to a type: as measured, else scaled from the measured type
    whose error is nearest.
    """
    errors, measured = described["weighed_squared_error"], described["kld_nats_by_window"]
    if type_name in measured:
        return mean(measured[type_name])
    error = errors[type_name]
    near = min(measured, key=lambda t: (abs(errors[t] - error), t))
    return mean(measured[near]) * error / errors[near] if errors[near] else 0.0


def mean(values: Sequence[float]) -> float:
    """Plain mean; windows of a search are equally long."""
    return sum(values) / len(values)
