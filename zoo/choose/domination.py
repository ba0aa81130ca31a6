"""Which files of a release another one beats, and why. Pure.

Loss is the mean KLD from the release's reference in nats; the loss of the reference itself is zero by definition. Two
losses count as different if they differ by more than both standard errors together, which is stricter than the error
of their difference. A file beats another if its loss is lower and it is no larger, or was measured clearly faster on
the same device with as many threads: by more than the spread that a valid measurement may have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from catalog import device as devices
from catalog.device import Device
from catalog.metrics import SPREAD_MAXIMUM
from catalog.release import Architecture, ModelFile
from catalog.words import counted, data_size, plus_minus, rate
from zoo.choose import roofline
from zoo.choose.speeds import place_name

SLOWER_SHARE = 1 - SPREAD_MAXIMUM
"""Slower means less than this share of the other file's speed; two valid measurements can differ by the rest."""


class Beaten(NamedTuple):
    """The path of the better file, and a sentence that explains why it is better."""

    by: str
    sentence: str


class Domination:
    """The files of one release, compared in pairs; each pair is compared once."""

    def __init__(self, files: Sequence[ModelFile], architecture: Architecture) -> None:
        self._measured = {file.path: _measured(file, architecture) for file in files}
        self._places = {place for found in self._measured.values() for place, _ in found}
        self._found: dict[tuple[str, str, str | None], str | None] = {}

    def place(self, device: Device) -> str:
        """The device, as far as it matters here: devices without a measurement all count as the same."""
        return device.id if device.id in self._places else ""

    def among(self, files: Sequence[ModelFile], only: Device | None) -> dict[str, Beaten]:
        """Those of ``files`` that another of them beats, by path. With ``only``, only speeds of that device count."""
        place = None if only is None else self.place(only)
        found = {}
        # The best beater comes first: it is the one to name.
        ordered = sorted(files, key=by_loss)
        for file in files:
            for other in ordered:
                why = self._why(file, other, place) if worse(file, other) else None
                if why:
                    found[file.path] = Beaten(other.path, why)
                    break
        return found

    def _why(self, file: ModelFile, other: ModelFile, place: str | None) -> str | None:
        key = file.path, other.path, place
        if key not in self._found:
            self._found[key] = _why_beaten(file, other, self._measured, place)
        return self._found[key]


def loss(file: ModelFile) -> tuple[float, float]:
    """Mean KLD and its standard error, in nats."""
    return (file.loss.kld_mean_nats, file.loss.kld_mean_se_nats) if file.loss else (0.0, 0.0)


def worse(file: ModelFile, other: ModelFile) -> bool:
    """Whether the loss of ``file`` is higher than that of ``other``, beyond both errors."""
    (mean, error), (other_mean, other_error) = loss(file), loss(other)
    return file.loss is not None and mean - other_mean > error + other_error


def by_loss(file: ModelFile) -> tuple[float, int, str]:
    """Sort key: the lowest loss first."""
    return loss(file)[0], file.size_bytes, file.path


def _why_beaten(
    file: ModelFile,
    other: ModelFile,
    measured: Mapping[str, dict[tuple[str, int], float]],
    only: str | None,
) -> str | None:
    """The sentence, for a ``file`` that is worse than ``other``; None if it is smaller and nowhere clearly slower."""
    if file.size_bytes > other.size_bytes:
        larger = data_size(file.size_bytes - other.size_bytes)
        return f"It is {larger} larger than {other.path} and has a higher loss: {_against(file, other)}."
    if file.size_bytes == other.size_bytes:
        size = data_size(file.size_bytes)
        return f"It has the same size as {other.path} ({size}) and a higher loss: {_against(file, other)}."
    speeds, others = measured[file.path], measured[other.path]
    for place, threads in sorted(speeds.keys() & others.keys()):
        speed, other_speed = speeds[place, threads], others[place, threads]
        if speed < SLOWER_SHARE * other_speed and only in (None, place):
            return (
                f"It has a higher loss than {other.path}: {_against(file, other)}. It is also slower: measured "
                f"{rate(speed)} against {rate(other_speed)} tokens/s on {place_name(place)}, "
                f"{counted(threads, 'thread')}."
            )
    return None


def _against(file: ModelFile, other: ModelFile) -> str:
    return f"{loss_words(file)} against {loss_words(other)}"


def _measured(file: ModelFile, architecture: Architecture) -> dict[tuple[str, int], float]:
    """(device, threads) -> the best valid decode speed, without speeds that a known device's memory cannot reach."""
    found: dict[tuple[str, int], float] = {}
    for speed in file.speeds:
        known = devices.find(speed.device)
        value, key = speed.decode_tokens_per_second, (speed.device, speed.threads)
        bound = roofline.roof(file, architecture, known) if known else None
        if speed.valid and not (bound is not None and value > bound):
            found[key] = max(value, found.get(key, 0.0))
    return found


# --- Words


def loss_words(file: ModelFile) -> str:
    """``mean KLD 0.0056 ± 0.0003 nats``."""
    if file.loss is None:
        return "mean KLD 0 nats (the others are compared with it)"
    return f"mean KLD {plus_minus(file.loss.kld_mean_nats, file.loss.kld_mean_se_nats)} nats"


def same_top(file: ModelFile) -> float:
    """The share of next words that are the same as the reference's."""
    return file.loss.same_top_share if file.loss else 1.0


def quality_words(file: ModelFile) -> str:
    """``93.1 % same next word, mean KLD 0.0056 ± 0.0003 nats``: what a reader grasps comes first."""
    return f"{100 * same_top(file):.1f} % same next word, {loss_words(file)}"
