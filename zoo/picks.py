"""Which file of a release to take on a device, and why not the others. Pure; every sentence says its numbers.

A file fits if its predicted memory and the device's reserve are within the device's memory. Loss is the mean KLD from
the release's reference in nats, ± one standard error; that of the reference itself is zero by definition. Two losses
can be told apart if they differ by more than both errors together, which is stricter than the error of their
difference. A loss within the tolerance makes no practical difference: among such files the smallest is taken, so that
nobody loads twice the bytes for a difference that cannot be seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from catalog import device as devices
from catalog import memory
from catalog.device import Device
from catalog.release import Architecture, Model, ModelFile, Release
from zoo import roofline
from zoo.roofline import Prediction, rate


@dataclass(frozen=True)
class Tolerance:
    """A loss that makes no practical difference: mean KLD in nats at most, share of same top tokens at least."""

    kld_mean_nats: float
    same_top_share: float = 0.0

    def holds(self, file: ModelFile) -> bool:
        """Whether the loss of ``file`` is within it; that of the reference always is."""
        if file.loss is None:
            return True
        return (
            file.loss.kld_mean_nats <= self.kld_mean_nats and file.loss.same_top_share >= self.same_top_share
        )

    @property
    def words(self) -> str:
        top = f" and at least {100 * self.same_top_share:g} % same top token" * (self.same_top_share > 0)
        return f"mean KLD of at most {_nats(self.kld_mean_nats)} nats{top}"


TOLERANCE = Tolerance(0.02, 0.9)
"""Probabilities two hundredths of a nat from the reference's on average, and at most one token in ten another one. A
choice of this project: the Q8_0 of a model with 135 million weights, half the size of its reference, lies within it
(0.0056 nats, 94 % same top token), its Q5_K_M does not (0.096 nats, 81 %)."""

CONTEXT_TOKENS = 2048
"""Context length of a recommendation, as far as the model goes: a few pages of conversation."""


class Beaten(NamedTuple):
    """The path of the better file, and the sentence that says why it is better."""

    by: str
    sentence: str


class Judged(NamedTuple):
    """A file that was not taken, and why."""

    file: ModelFile
    reason: str


@dataclass(frozen=True)
class DecodeSpeed:
    """Decode speed in tokens per second: measured on that very device, else predicted. The words say which."""

    measured: bool
    low: float
    typical: float
    high: float
    words: str
    prediction: Prediction


@dataclass(frozen=True)
class Pick:
    """The one file to take, or None with the reason; memory_bytes is predicted, for that context."""

    device: Device
    context_tokens: int
    file: ModelFile | None
    reason: str
    memory_bytes: int | None
    speed: DecodeSpeed | None
    rejected: tuple[Judged, ...]
    runners_up: tuple[Judged, ...]


@dataclass(frozen=True)
class _Candidate:
    file: ModelFile
    need_bytes: int | None
    speed: DecodeSpeed


def dominated(release: Release) -> dict[str, Beaten]:
    """Files that another beats, by path: it is no larger, or was measured faster on the same device with as many
    threads, and its loss is lower beyond both errors. The reference is never among them: nothing loses less."""
    return _beaten(release.files, None)


def pick(
    release: Release,
    device: Device,
    context_tokens: int,
    least_tokens_per_second: float | None = None,
    tolerance: Tolerance = TOLERANCE,
) -> Pick:
    """Of the files that fit and are fast enough, the smallest whose loss makes no practical difference; if there is no
    such file, the one with the least loss, or a smaller one whose loss cannot be told from it.

    Raises ValueError for a context that is no length or longer than the model's, a speed or a tolerance that is none.
    """
    _check_asked(release.architecture, context_tokens, least_tokens_per_second, tolerance)
    candidates = [_candidate(file, release.architecture, device, context_tokens) for file in release.files]
    usable, rejected = [], []
    for candidate in candidates:
        why = _too_big(candidate, device, context_tokens) or _too_slow(candidate, least_tokens_per_second)
        if why:
            rejected.append(Judged(candidate.file, why))
        else:
            usable.append(candidate)
    if not usable:
        reason = _nothing(candidates, device, context_tokens, least_tokens_per_second)
        return Pick(device, context_tokens, None, reason, None, None, tuple(rejected), ())
    usable, broken = _sound(usable)
    rejected += broken
    # Slower elsewhere is no reason to be rejected here, so only speeds of this device count.
    beaten = _beaten([candidate.file for candidate in usable], device)
    left = [candidate for candidate in usable if candidate.file.path not in beaten]
    rejected += [Judged(c.file, beaten[c.file.path].sentence) for c in usable if c.file.path in beaten]
    best = min(left, key=_by_loss)
    chosen = _smallest_alike(best, left, _beaten([candidate.file for candidate in usable], None), tolerance)
    return Pick(
        device,
        context_tokens,
        chosen.file,
        _reason(chosen, best, len(usable), device, context_tokens, least_tokens_per_second, tolerance),
        chosen.need_bytes,
        chosen.speed,
        tuple(rejected),
        tuple(Judged(c.file, _beside(c, chosen)) for c in sorted(left, key=_by_loss) if c is not chosen),
    )


def recommendations(release: Release) -> tuple[Pick, ...]:
    """One pick for every device profile, in their order, at CONTEXT_TOKENS or the model's own context if that is
    shorter; none for a release that records no context length. Which release to take: ``current``."""
    context_tokens = min(CONTEXT_TOKENS, release.architecture.context_tokens)
    if context_tokens < 1:
        return ()
    return tuple(pick(release, device, context_tokens) for device in devices.DEVICES)


def current(model: Model) -> Release | None:
    """The newest release that is not yanked: the only one to recommend. None if all are yanked."""
    return next((release for release in model.releases if model.yank_of(release.version) is None), None)


# --- Loss and domination


def _loss(file: ModelFile) -> tuple[float, float]:
    """Mean KLD and its standard error, in nats."""
    return (file.loss.kld_mean_nats, file.loss.kld_mean_se_nats) if file.loss else (0.0, 0.0)


def _worse(file: ModelFile, other: ModelFile) -> bool:
    """Whether ``file`` loses more than ``other``, beyond both errors."""
    (mean, error), (other_mean, other_error) = _loss(file), _loss(other)
    return file.loss is not None and mean - other_mean > error + other_error


def _by_loss(candidate: _Candidate) -> tuple[float, int, str]:
    file = candidate.file
    return _loss(file)[0], file.size_bytes, file.path


def _beaten(files: Sequence[ModelFile], only: Device | None) -> dict[str, Beaten]:
    """``dominated`` among some files; with ``only``, speeds count that were measured on that device."""
    found = {}
    # The best beater comes first: it is the one to name.
    ordered = sorted(files, key=lambda file: (_loss(file)[0], file.size_bytes, file.path))
    measured = {file.path: _measured(file) for file in files}
    for file in files:
        for other in ordered:
            why = _why_beaten(file, other, measured, only) if _worse(file, other) else None
            if why:
                found[file.path] = Beaten(other.path, why)
                break
    return found


def _why_beaten(
    file: ModelFile,
    other: ModelFile,
    measured: Mapping[str, dict[tuple[str, int], float]],
    only: Device | None,
) -> str | None:
    """The sentence, for a ``file`` that is worse than ``other``; None if it is smaller and nowhere slower."""
    if file.size_bytes > other.size_bytes:
        return f"It is {_megabytes(file.size_bytes - other.size_bytes)} larger and {_loses(file, other)}."
    if file.size_bytes == other.size_bytes:
        return f"It has the same size of {_megabytes(file.size_bytes)} and {_loses(file, other)}."
    speeds, others = measured[file.path], measured[other.path]
    for place, threads in sorted(speeds.keys() & others.keys()):
        speed, other_speed = speeds[place, threads], others[place, threads]
        if speed < other_speed and (only is None or place == only.id):
            return (
                f"It {_loses(file, other)}; and it is slower: measured {rate(speed)} against "
                f"{rate(other_speed)} tokens/s on {place} with {_count(threads, 'thread')}."
            )
    return None


def _loses(file: ModelFile, other: ModelFile) -> str:
    return f"loses more than {other.path}: {loss_words(file)} against {loss_words(other)}"


def _measured(file: ModelFile) -> dict[tuple[str, int], float]:
    """(device, threads) -> the best valid decode speed, without those above the roof of a device that we know."""
    found: dict[tuple[str, int], float] = {}
    for speed in file.speeds:
        known = devices.find(speed.device)
        value, key = speed.decode_tokens_per_second, (speed.device, speed.threads)
        if speed.valid and not (known and value > roofline.roof(file, known)):
            found[key] = max(value, found.get(key, 0.0))
    return found


# --- What fits, and how fast it is


def _check_asked(
    architecture: Architecture, context_tokens: int, least: float | None, tolerance: Tolerance
) -> None:
    if context_tokens < 1:
        raise ValueError(f"a context of {context_tokens:,} tokens is none")
    if context_tokens > architecture.context_tokens:
        raise ValueError(
            f"a context of {context_tokens:,} tokens is longer than the model's own, "
            f"{architecture.context_tokens:,} tokens"
        )
    if least is not None and not (math.isfinite(least) and least > 0):
        raise ValueError(f"a least speed of {least:g} tokens/s is no speed")
    if not (math.isfinite(tolerance.kld_mean_nats) and tolerance.kld_mean_nats >= 0):
        raise ValueError(f"a tolerance of {tolerance.kld_mean_nats:g} nats is none")


def need_bytes(file: ModelFile, release: Release, context_tokens: int) -> int | None:
    """Predicted memory of a file at that context, or at the model's own if that is shorter; None if not known."""
    shape = release.architecture
    return _need_bytes(file, shape.vocabulary_size, min(context_tokens, shape.context_tokens))


def _candidate(
    file: ModelFile, architecture: Architecture, device: Device, context_tokens: int
) -> _Candidate:
    need = _need_bytes(file, architecture.vocabulary_size, context_tokens)
    return _Candidate(file, need, _speed(file, architecture, device, context_tokens))


def _need_bytes(file: ModelFile, vocabulary_size: int, context_tokens: int) -> int | None:
    """Predicted memory at that context: as the catalog lists it, else by the same formula."""
    for need in file.memory:
        if need.context_tokens == context_tokens:
            return need.bytes
    per_token = roofline.kv_bytes_per_token(file, vocabulary_size)
    if per_token is None:
        return None
    return memory.need_bytes(file.size_bytes, per_token * context_tokens, vocabulary_size, context_tokens)


def _speed(file: ModelFile, architecture: Architecture, device: Device, context_tokens: int) -> DecodeSpeed:
    """The best speed that was measured on this very device, validly and below the roof; else the prediction."""
    prediction = roofline.predict(file, architecture, device, context_tokens)
    here = [speed for speed in file.speeds if speed.valid and speed.device == device.id]
    refused = ""
    for speed in sorted(here, key=lambda s: s.decode_tokens_per_second, reverse=True):
        value = speed.decode_tokens_per_second
        verdict = roofline.plausible(value, prediction)
        if verdict.kept:
            words = f"measured {rate(value)} tokens/s on {device.id} with {_count(speed.threads, 'thread')}"
            return DecodeSpeed(True, value, value, value, words + refused, prediction)
        refused = refused or f" (a measurement is refused: {verdict.sentence.rstrip('.')})"
    return DecodeSpeed(
        False, prediction.low, prediction.typical, prediction.high, prediction.words + refused, prediction
    )


def _too_big(candidate: _Candidate, device: Device, context_tokens: int) -> str | None:
    need = candidate.need_bytes
    if need is None:
        return "Its memory need is not known: the catalog does not record the size of its KV cache."
    if need <= device.free_bytes:
        return None
    return (
        f"It does not fit: it needs a predicted {_megabytes(need)} at {context_tokens:,} tokens of context, "
        f"{_megabytes(need - device.free_bytes)} more than {_free(device)}."
    )


def _too_slow(candidate: _Candidate, least: float | None) -> str | None:
    speed = candidate.speed
    if least is None or speed.typical >= least:
        return None
    return (
        f"It is too slow: {speed.words}, {rate(least - speed.typical)} short of the {rate(least)} asked for."
    )


def _sound(usable: Sequence[_Candidate]) -> tuple[list[_Candidate], list[Judged]]:
    """Without the files that fail as chat models, if any passes."""
    sound = [c for c in usable if c.file.smoke_passed]
    if not sound:
        return list(usable), []
    why = f"It failed the chat smoke test; {len(sound)} of the {len(usable)} files that could be taken passed it."
    return sound, [Judged(c.file, why) for c in usable if not c.file.smoke_passed]


def _nothing(
    candidates: Sequence[_Candidate], device: Device, context_tokens: int, least: float | None
) -> str:
    """Why no file can be taken, and by how much the nearest misses."""
    known = [c for c in candidates if c.need_bytes is not None]
    fitting = [c for c in known if not _too_big(c, device, context_tokens)]
    if fitting and least is not None:
        fastest = max(fitting, key=lambda c: c.speed.typical)
        short = f"{rate(least - fastest.speed.typical)} short of the {rate(least)} asked for"
        verb = "fits" if len(fitting) == 1 else "fit"
        return (
            f"{_count(len(fitting), 'file')} {verb} on {device.name}, but none is fast enough: {fastest.file.path} "
            f"comes nearest with {fastest.speed.words}, {short}."
        )
    if not known:
        return f"Whether a file fits on {device.name} is not known: the catalog records no memory need."
    least_need = min(known, key=lambda c: (c.need_bytes or 0, c.file.path))
    need = least_need.need_bytes or 0
    return (
        f"No file fits on {device.name}: the one that needs the least, {least_need.file.path}, needs a predicted "
        f"{_megabytes(need)} at {context_tokens:,} tokens of context, {_megabytes(need - device.free_bytes)} more than "
        f"{_free(device)}."
    )


# --- The choice in words


def _smallest_alike(
    best: _Candidate, left: Sequence[_Candidate], beaten: dict[str, Beaten], tolerance: Tolerance
) -> _Candidate:
    """The smallest file within the tolerance, else the smallest whose loss cannot be told from the least; none that a
    usable file beats by any evidence."""
    sound = [c for c in left if c.file.path not in beaten]
    alike = [c for c in sound if tolerance.holds(c.file)] or [
        c for c in sound if not _worse(c.file, best.file)
    ]
    return min(alike, key=lambda c: (c.file.size_bytes, *_by_loss(c)), default=best)


def _reason(
    chosen: _Candidate,
    best: _Candidate,
    usable: int,
    device: Device,
    context_tokens: int,
    least: float | None,
    tolerance: Tolerance,
) -> str:
    file = chosen.file
    kind = "that fit" if least is None else f"that fit and reach {rate(least)} tokens/s"
    if usable == 1:
        only = kind.replace("fit", "fits").replace("reach", "reaches")
        choice = f"{file.path} is the only file {only}: {loss_words(file)}"
    elif chosen is not best and tolerance.holds(file):
        choice = (
            f"{file.path} is the smallest of the unbeaten files {kind} whose loss makes no practical difference "
            f"({tolerance.words}): {loss_words(file)}, {100 * _same_top(file):.1f} % same top token"
        )
    elif chosen is not best:
        choice = (
            f"{file.path} is the smallest of the unbeaten files {kind} whose loss cannot be told from the least: "
            f"{loss_words(file)} against {loss_words(best.file)} of {best.file.path}"
        )
    else:
        choice = f"{file.path} has the least loss of the {usable} files {kind}: {loss_words(file)}"
    parts = [
        choice,
        f"It needs a predicted {_megabytes(chosen.need_bytes or 0)} at {context_tokens:,} tokens of context, "
        f"within {_free(device)}",
        f"Its decode speed: {chosen.speed.words}",
    ]
    if not file.smoke_passed:
        parts.append("It failed the chat smoke test")
    return ". ".join(parts) + "."


def _beside(candidate: _Candidate, chosen: _Candidate) -> str:
    """How a runner-up compares with the file that was taken."""
    file, taken = candidate.file, chosen.file
    difference = file.size_bytes - taken.size_bytes
    size = f"{_megabytes(abs(difference))} {'larger' if difference > 0 else 'smaller'} than the pick"
    if not difference:
        size = "of the same size as the pick"
    if _worse(file, taken):
        loss = "loses more"
    elif _worse(taken, file):
        loss = "loses less"
    else:
        loss = "has a loss that cannot be told from the pick's"
    words = f"It {loss}, {loss_words(file)} against {loss_words(taken)}, and is {size}"
    smoke = "" if file.smoke_passed else "; it failed the chat smoke test"
    return f"{words}; {candidate.speed.words}{smoke}."


def _same_top(file: ModelFile) -> float:
    return file.loss.same_top_share if file.loss else 1.0


def loss_words(file: ModelFile) -> str:
    """``mean KLD 0.0056 ± 0.00033 nats``."""
    if file.loss is None:
        return "mean KLD 0 nats (it is the reference)"
    return f"mean KLD {_nats(file.loss.kld_mean_nats)} ± {_nats(file.loss.kld_mean_se_nats)} nats"


def _free(device: Device) -> str:
    return f"the {_megabytes(device.free_bytes)} that {device.name} has left beside the system"


def _nats(value: float) -> str:
    """Four decimals, fewer digits where those would be none."""
    size = abs(value)
    if value == 0 or 0.001 <= size < 1e4:
        return f"{value:.4f}"
    if 1e-8 <= size < 0.001:
        return f"{value:.{1 - int(f'{size:.1e}'.split('e')[1])}f}"
    return f"{value:.2g}"


def _megabytes(size_bytes: int) -> str:
    """MB of 10^6 bytes; bytes where that would be 0.0."""
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes >= 100_000 else f"{size_bytes:,} bytes"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
