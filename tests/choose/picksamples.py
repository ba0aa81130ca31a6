"""Releases with few files, for picks and their reasons."""

from __future__ import annotations

import dataclasses

from sitesamples import sample

from catalog.device import Device, find
from catalog.release import Loss, MemoryNeed, ModelFile, Release, Speed

MODEL = sample().models[0]
RELEASE = MODEL.releases[0]


def device(device_id: str) -> Device:
    found = find(device_id)
    assert found is not None
    return found


def file(
    name: str, megabytes: float, kld: float | None, se: float = 0.001, speeds: tuple[Speed, ...] = ()
) -> ModelFile:
    """A file of the release with its size and loss; the KV cache takes 23,040 bytes per token."""
    size = round(megabytes * 1e6)
    memory = (MemoryNeed(512, size + 23_040 * 512 + 4 * 49_152 * 512),)
    loss = None if kld is None else Loss(1024, kld, se, 4 * kld, 0.9, 0.01, 0.0, 0.01)
    base = RELEASE.files[0]
    return dataclasses.replace(
        base, path=f"{name}.gguf", type=name, size_bytes=size, memory=memory, loss=loss, speeds=speeds
    )


def speed(value: float, place: str = "a laptop", threads: int = 2, valid: bool = True) -> Speed:
    base = RELEASE.files[0].speeds[0]
    reasons = () if valid else ("disturbed",)
    return dataclasses.replace(
        base, device=place, threads=threads, decode_tokens_per_second=value, valid=valid, reasons=reasons
    )


def release(*files: ModelFile) -> Release:
    return dataclasses.replace(RELEASE, files=files)
