"""Reports of one file over many days, and a zoo whose catalog has the file."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import evidencesamples
from sitesamples import sample

from catalog import index
from catalog.history import Run, of_report
from catalog.release import Model

NAME, TYPE = "smollm2-135m-instruct", "Q8_0"


def model() -> Model:
    """The model of the catalog."""
    found = sample().model(NAME)
    assert found
    return found


def sha256() -> str:
    """The digest of its file."""
    return next(file.sha256 for file in model().releases[0].files if file.type == TYPE)


def report(day: int, speed: float, *, valid: bool = True, llama: str = "0.5.0", **device: Any) -> dict[str, Any]:
    """A report of the day with this number; its median speed of decoding is ``speed`` tokens/s."""
    made = copy.deepcopy(evidencesamples.bench(TYPE, valid=valid, speed=speed, sha256=sha256()))
    for place, one in enumerate(made["samples"]):
        one["decode_tokens_per_second"] = speed * (1 + (place - 2) / 1000)
        one["prompt_tokens_per_second"] = speed * 6 * (1 + (place - 2) / 1000)
    time = datetime.datetime(2026, 1, 1, 8, tzinfo=datetime.UTC) + datetime.timedelta(days=day)
    made["measured_at_utc"] = time.strftime("%Y-%m-%dT%H:%M:%SZ")
    made["software"]["llama_cpp_version"] = llama
    made["device"] |= device
    return made


def runs(speeds: Sequence[float], **more: Any) -> list[Run]:
    """A run per day."""
    return [of_report(report(day, speed, **more), model=NAME, type_=TYPE) for day, speed in enumerate(speeds)]


def zoo(folder: Path) -> Path:
    """A zoo with that catalog."""
    (folder / "zoo.toml").write_text("", encoding="utf-8")
    (folder / "model_catalog.json").write_text(index.to_text(sample()), encoding="utf-8")
    return folder


def written(folder: Path, *reports: dict[str, Any]) -> list[str]:
    """The reports as files; their paths."""
    folder.mkdir(exist_ok=True)
    start = len(list(folder.iterdir()))
    paths = [folder / f"report-{number:03}.json" for number in range(start, start + len(reports))]
    for path, one in zip(paths, reports, strict=True):
        path.write_text(json.dumps(one), encoding="utf-8")
    return list(map(str, paths))
