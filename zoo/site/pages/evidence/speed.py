"""Reports of speed: samples, machine, command, versions, and why a run counts or not."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from catalog import jsontext
from catalog.release import Model, ModelFile, Release, Speed
from catalog.shapes import shaped
from catalog.words import count, counted, data_size, rate, shortened
from zoo.choose.speeds import by, place_name
from zoo.site.pages import charts, links
from zoo.site.pages.charts import Chart
from zoo.site.pages.charts.runs import Bench
from zoo.site.pages.kinds import Evidence

_LONGEST = 300
_ENGINE = "python3 -m zoo.llama.measure.speed"
"""What measured in the stage ``benchmark``; without it pi_runtime measures through llama-server."""


class _Distribution(TypedDict):
    median: float
    lower_quartile: float | None
    upper_quartile: float | None
    minimum: float
    maximum: float
    spread: float | None


class _Summary(TypedDict):
    load_seconds: float
    prompt_tokens_per_second: _Distribution
    decode_tokens_per_second: _Distribution
    time_to_first_token_seconds: _Distribution
    peak_memory_bytes: int | None


class _Sample(TypedDict):
    number: int
    prompt_tokens_per_second: float
    decode_tokens_per_second: float
    time_to_first_token_seconds: float
    frequency_hertz: int | None
    temperature_celsius: float | None
    throttled_flags: int | None


class _Machine(TypedDict):
    label: str | None
    board_model: str | None
    cpu_model: str | None
    cores: int | None
    machine: str | None
    kernel: str | None
    operating_system: str | None
    governor: str | None
    memory_total_bytes: int | None


class _Software(TypedDict):
    pi_runtime_version: str
    python_version: str
    llama_cpp_version: str | None
    llama_cpp_system_info: str | None
    llama_cpp_python_version: str | None


class _Settings(TypedDict):
    prompt_tokens: int
    decode_tokens: int
    samples: int
    threads: int
    context_tokens: int


class _File(TypedDict):
    name: str
    size_bytes: int
    sha256: str


class _During(TypedDict):
    others_cpu_share: float | None
    major_page_faults: int


class Report(TypedDict):
    """What a page shows of ``bench-report/1``."""

    measured_at_utc: str
    valid: bool
    reasons: list[str]
    thresholds: dict[str, float]
    file: _File
    device: _Machine
    software: _Software
    settings: _Settings
    summary: _Summary
    conditions: _During
    samples: list[_Sample]
    decoded_alike_every_time: NotRequired[bool]


@dataclass(frozen=True)
class Run:
    """One measured speed of the catalog and its report; report is None if its form is another one. raw: the file from
    the site's root."""

    id: str
    title: str
    file: ModelFile
    speed: Speed
    raw: str
    report: Report | None

    @property
    def command(self) -> str:
        """The command line with the settings of the report."""
        assert self.report
        its = self.report["settings"]
        given = {
            "--prompt-tokens": its["prompt_tokens"], "--decode-tokens": its["decode_tokens"],
            "--samples": its["samples"], "--threads": its["threads"], "--context": its["context_tokens"],
        }  # fmt: skip
        words = ["python3", "-m", "pi_runtime", "bench", self.report["file"]["name"]]
        words += [word for option, value in given.items() for word in (option, str(value))]
        if self.report["software"]["llama_cpp_python_version"]:
            words += ["--engine", _ENGINE]
        words += ["--device", self.report["device"]["label"]] if self.report["device"]["label"] else []
        return shlex.join(shortened(word, _LONGEST) for word in words)

    @property
    def machine(self) -> list[tuple[str, str]]:
        """What is known about the machine."""
        assert self.report
        its, software = self.report["device"], self.report["software"]
        memory = its["memory_total_bytes"]
        found = {
            "Measured by": self.speed.by,
            "Device": its["label"] and place_name(its["label"]),
            "Board": its["board_model"],
            "Processor": its["cpu_model"],
            "Cores": its["cores"] and f"{its['cores']}, {counted(self.report['settings']['threads'], 'thread')} used",
            "Memory": memory and data_size(memory),
            "System": ", ".join(filter(None, (its["operating_system"], its["kernel"], its["machine"]))),
            "Clock governor": its["governor"],
            "llama.cpp": software["llama_cpp_version"],
            "llama-cpp-python": software["llama_cpp_python_version"],
            "Features used": software["llama_cpp_system_info"],
            "Python": software["python_version"],
            "pi_runtime": software["pi_runtime_version"],
        }
        return [(name, shortened(str(value), _LONGEST)) for name, value in found.items() if value]

    @property
    def figures(self) -> list[tuple[str, str, str, str]]:
        """(figure, median, quartiles, range) of each measured figure."""
        assert self.report
        summary = self.report["summary"]
        return [
            _row("Decode, tokens/s", summary["decode_tokens_per_second"]),
            _row("Prompt, tokens/s", summary["prompt_tokens_per_second"]),
            _row("First token after, s", summary["time_to_first_token_seconds"]),
        ]

    @property
    def checks(self) -> list[tuple[str, str]]:
        """(what was checked, what was found) for the rules that decide whether a run counts."""
        assert self.report
        report, limits = self.report, self.report["thresholds"]
        most = _limit(limits, "others_cpu_share_maximum", 100)
        share = report["conditions"]["others_cpu_share"]
        others = "not known" if share is None else f"{100 * share:.1f} %"
        spreads = [report["summary"]["decode_tokens_per_second"], report["summary"]["prompt_tokens_per_second"]]
        spread = " and ".join("not known" if s["spread"] is None else f"{100 * s['spread']:.1f} %" for s in spreads)
        flags = [sample["throttled_flags"] for sample in report["samples"]]
        throttled = "not reported by this machine" if None in flags else "yes" if any(flags) else "no"
        heat = [s["temperature_celsius"] for s in report["samples"] if s["temperature_celsius"] is not None]
        found = [
            ("Samples", f"{count(len(report['samples']))}; at least {_limit(limits, 'samples_minimum')}"),
            ("Processor time of other programs", f"{others}; at most {most} %"),
            ("Spread of decode and prompt speed", f"{spread}; at most {_limit(limits, 'spread_maximum', 100)} %"),
            ("Throttled or low voltage", throttled),
            ("Waits for storage", count(report["conditions"]["major_page_faults"])),
        ]  # fmt: skip
        return [*found, ("Hottest", f"{max(heat):.0f} °C")] if heat else found


def runs(model: Model, release: Release, evidence: Evidence) -> Iterator[Run]:
    """The runs of a release in the order of its files."""
    for file in release.files:
        for speed in file.speeds:
            raw = links.raw_evidence_url(model.name, release, speed.evidence)
            if raw:
                where = f" on {shortened(place_name(speed.device), 60)}"
                title = f"{shortened(file.type, 40)}{where}{by(speed)}"
                report = _read(evidence(release.version, speed.evidence) or b"")
                yield Run(links.anchor(speed.evidence), title, file, speed, raw, report)


def chart(some: Sequence[Run]) -> Chart | None:
    """The samples of all runs; each leads to its run."""
    reports: Mapping[str, Bench] = {
        run.title: {
            "valid": run.speed.valid,
            "samples": [{"decode_tokens_per_second": s["decode_tokens_per_second"]} for s in run.report["samples"]],
        }
        for run in some
        if run.report
    }
    return charts.decode_samples(reports, {run.title: f"#{run.id}" for run in some})


def _read(content: bytes) -> Report | None:
    try:
        found = shaped(jsontext.parse(content or b"null"), Report)
    except ValueError:
        return None
    return found if found["samples"] else None


def _row(name: str, its: _Distribution) -> tuple[str, str, str, str]:
    low, high = its["lower_quartile"], its["upper_quartile"]
    middle = "–" if low is None or high is None else f"{_figure(low)} to {_figure(high)}"
    return name, _figure(its["median"]), middle, f"{_figure(its['minimum'])} to {_figure(its['maximum'])}"


def _figure(value: float) -> str:
    return rate(value) if value >= 1 else f"{value:.3g}"


def _limit(limits: Mapping[str, float], name: str, factor: float = 1) -> str:
    return f"{factor * limits[name]:g}" if name in limits else "not recorded"
