"""Which file of a release to recommend for a device, and why not the others. Pure; every sentence gives its numbers.

A file fits if its predicted memory and the device's reserve are within the device's memory. Loss is the mean KLD from
the release's reference in nats, ± one standard error; the loss of the reference itself is zero by definition. Two
losses count as different if they differ by more than both errors together, which is stricter than the error of their
difference. A reader is unlikely to notice a loss within the tolerance. The smallest of such files is recommended, so
that nobody downloads twice the bytes for a difference that cannot be seen.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from catalog import device as devices
from catalog import memory
from catalog.device import Device
from catalog.release import Architecture, Model, ModelFile, Release
from catalog.versions import version_key
from catalog.words import counted, data_size, nats, rate
from zoo.choose import roofline
from zoo.choose.domination import Beaten, Domination, by_loss, loss_words, worse
from zoo.choose.roofline import Prediction


@dataclass(frozen=True)
class Tolerance:
    """A loss that a reader is unlikely to notice: mean KLD in nats at most, share of same top tokens at least."""

    kld_mean_nats: float
    same_top_share: float = 0.0

    def holds(self, file: ModelFile) -> bool:
        """Whether the loss of ``file`` is within the tolerance; the loss of the reference always is."""
        if file.loss is None:
            return True
        return (
            file.loss.kld_mean_nats <= self.kld_mean_nats and file.loss.same_top_share >= self.same_top_share
        )

    @property
    def words(self) -> str:
        top = f" and at least {100 * self.same_top_share:g} % same top token" * (self.same_top_share > 0)
        return f"mean KLD of at most {nats(self.kld_mean_nats)} nats{top}"


TOLERANCE = Tolerance(0.02, 0.9)
"""Probabilities differ from the reference's by two hundredths of a nat on average, and at most one token in ten
differs. A choice of this project: the Q8_0 of a model with 135 million weights, half the size of its reference, is
within it (0.0056 nats, 94 % same top token); its Q5_K_M is not (0.096 nats, 81 %)."""

CONTEXT_TOKENS = 2048
"""Context length of a recommendation, or the model's own if that is shorter: a few pages of conversation."""


class Judged(NamedTuple):
    """A file that was not recommended, and why."""

    file: ModelFile
    reason: str


@dataclass(frozen=True)
class DecodeSpeed:
    """Decode speed in tokens per second: measured on exactly that device, else predicted. The words say which."""

    measured: bool
    low: float
    typical: float
    high: float
    words: str
    prediction: Prediction


@dataclass(frozen=True)
class Pick:
    """The recommended file, or None with the reason; memory_bytes is predicted, for that context."""

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
    """A file to consider. Its speed is computed only when it is needed: most files of most models do not fit."""

    file: ModelFile
    need_bytes: int | None
    look: Callable[[], DecodeSpeed]

    @functools.cached_property
    def speed(self) -> DecodeSpeed:
        return self.look()


@dataclass(frozen=True)
class _Decision:
    """Among usable files: those that pass the smoke test, which of them are beaten, which are left, and the choice."""

    sound: tuple[ModelFile, ...]
    beaten: Mapping[str, Beaten]
    left: tuple[ModelFile, ...]
    best: ModelFile
    chosen: ModelFile


class Shelf:
    """A release for many questions: what the questions have in common is computed once."""

    def __init__(self, release: Release, tolerance: Tolerance = TOLERANCE) -> None:
        self._release, self._tolerance = release, tolerance
        self._domination = Domination(release.files, release.architecture)
        self._decided: dict[tuple[tuple[str, ...], str], _Decision] = {}
        self._asked: dict[tuple[int, int], tuple[Device, list[_Candidate]]] = {}

    def dominated(self) -> dict[str, Beaten]:
        """See ``dominated``."""
        return self._domination.among(self._release.files, None)

    def take(self, device: Device, context_tokens: int, least: float | None = None) -> ModelFile | None:
        """The file of ``pick``, without words."""
        usable = [c for c in self._ask(device, context_tokens, least) if _usable(c, device, least)]
        return self._decide(usable, device).chosen if usable else None

    def pick(self, device: Device, context_tokens: int, least: float | None = None) -> Pick:
        """See ``pick``."""
        candidates = self._ask(device, context_tokens, least)
        usable, rejected = [], []
        for candidate in candidates:
            if _usable(candidate, device, least):
                usable.append(candidate)
            else:
                why = _too_big(candidate, device, context_tokens) or _too_slow(candidate, least or 0.0)
                rejected.append(Judged(candidate.file, why))
        if not usable:
            reason = _nothing(candidates, device, context_tokens, least)
            return Pick(device, context_tokens, None, reason, None, None, tuple(rejected), ())
        made = self._decide(usable, device)
        rejected += _broken([candidate.file for candidate in usable], made.sound)
        rejected += [Judged(f, made.beaten[f.path].sentence) for f in made.sound if f.path in made.beaten]
        left = [candidate for candidate in usable if candidate.file in made.left]
        chosen = next(candidate for candidate in left if candidate.file is made.chosen)
        others = sorted((c for c in left if c is not chosen), key=lambda c: by_loss(c.file))
        number = len(made.sound)
        asked = _Asked(device, context_tokens, least, self._tolerance)
        reason = _reason(chosen, made.best, number, asked)
        beside = tuple(Judged(c.file, _beside(c, chosen)) for c in others)
        need = chosen.need_bytes
        return Pick(device, context_tokens, chosen.file, reason, need, chosen.speed, tuple(rejected), beside)

    def _ask(self, device: Device, context_tokens: int, least: float | None) -> list[_Candidate]:
        shape = self._release.architecture
        _check_asked(shape, context_tokens, least, self._tolerance)
        # By identity, for a device is large to hash; it is kept with the answer, so that its id stays its own.
        key = id(device), context_tokens
        if key not in self._asked:
            candidates = [_candidate(file, shape, device, context_tokens) for file in self._release.files]
            self._asked[key] = device, candidates
        return self._asked[key][1]

    def _decide(self, usable: Sequence[_Candidate], device: Device) -> _Decision:
        files = [candidate.file for candidate in usable]
        key = tuple(file.path for file in files), self._domination.place(device)
        if key not in self._decided:
            self._decided[key] = self._decision(files, device)
        return self._decided[key]

    def _decision(self, files: Sequence[ModelFile], device: Device) -> _Decision:
        # Files that fail as chat models are used only if none passes.
        sound = [file for file in files if file.smoke_passed] or files
        # Slower elsewhere is no reason to be rejected here, so only speeds of this device count.
        beaten = self._domination.among(sound, device)
        left = [file for file in sound if file.path not in beaten]
        best = min(left, key=by_loss)
        anywhere = self._domination.among(sound, None)
        chosen = _smallest_alike(best, left, anywhere, self._tolerance)
        return _Decision(tuple(sound), beaten, tuple(left), best, chosen)


def dominated(release: Release) -> dict[str, Beaten]:
    """Files that another file beats, by path. The other file has a lower loss, beyond both errors, and it is no larger
    or was measured clearly faster on the same device with as many threads. Nothing beats the reference."""
    return Shelf(release).dominated()


def pick(
    release: Release,
    device: Device,
    context_tokens: int,
    least_tokens_per_second: float | None = None,
    tolerance: Tolerance = TOLERANCE,
) -> Pick:
    """Of the files that fit and are fast enough, the smallest whose loss a reader is unlikely to notice. If there is no
    such file: the one with the lowest loss, or a smaller one whose loss is the same within the errors.

    Raises ValueError for a context that is not positive or longer than the model's, and for an invalid speed or
    tolerance.
    """
    return Shelf(release, tolerance).pick(device, context_tokens, least_tokens_per_second)


def recommendations(release: Release) -> tuple[Pick, ...]:
    """One pick for every device profile, in their order, at CONTEXT_TOKENS or the model's own context if that is
    shorter; none for a release that records no context length. Which release to take: ``current``."""
    context_tokens = min(CONTEXT_TOKENS, release.architecture.context_tokens)
    if context_tokens < 1:
        return ()
    shelf = Shelf(release)
    return tuple(shelf.pick(device, context_tokens) for device in devices.DEVICES)


def current(model: Model, *, pre: bool = False) -> Release | None:
    """The only release to recommend: the newest stable one that is not yanked, else the newest pre-release that is not.
    pre: the newest that is not yanked, whether stable or not. None if all are yanked."""
    in_use = model.in_use()
    return max(in_use, key=lambda one: version_key(one.version), default=None) if pre else next(iter(in_use), None)


# --- What fits, and how fast it is


def _check_asked(
    architecture: Architecture, context_tokens: int, least: float | None, tolerance: Tolerance
) -> None:
    if context_tokens < 1:
        raise ValueError(f"{context_tokens:,} tokens is not a valid context")
    if context_tokens > architecture.context_tokens:
        raise ValueError(
            f"a context of {context_tokens:,} tokens is longer than the model's own, "
            f"{architecture.context_tokens:,} tokens"
        )
    if least is not None and not (math.isfinite(least) and least > 0):
        raise ValueError(f"a minimum speed of {least:g} tokens/s is not a valid speed")
    if not (math.isfinite(tolerance.kld_mean_nats) and tolerance.kld_mean_nats >= 0):
        raise ValueError(f"{tolerance.kld_mean_nats:g} nats is not a valid tolerance")


def need_bytes(file: ModelFile, release: Release, context_tokens: int) -> int | None:
    """Predicted memory of a file at that context, or at the model's own if that is shorter; None if not known."""
    shape = release.architecture
    return _need_bytes(file, shape, min(context_tokens, shape.context_tokens))


def _candidate(
    file: ModelFile, architecture: Architecture, device: Device, context_tokens: int
) -> _Candidate:
    need = _need_bytes(file, architecture, context_tokens)
    return _Candidate(file, need, lambda: _speed(file, architecture, device, context_tokens))


def _need_bytes(file: ModelFile, architecture: Architecture, context_tokens: int) -> int | None:
    """Predicted memory at that context: as the catalog lists it, else by the same formula."""
    for need in file.memory:
        if need.context_tokens == context_tokens:
            return need.bytes
    cache = roofline.cache_of(file, architecture)
    if cache is None:
        return None
    return memory.need_bytes(file.size_bytes, cache, architecture.vocabulary_size, context_tokens)


def _speed(file: ModelFile, architecture: Architecture, device: Device, context_tokens: int) -> DecodeSpeed:
    """The best valid speed measured on exactly this device, if the memory allows it; else the prediction."""
    prediction = roofline.predict(file, architecture, device, context_tokens)
    here = [speed for speed in file.speeds if speed.valid and speed.device == device.id]
    refused = ""
    for speed in sorted(here, key=lambda s: s.decode_tokens_per_second, reverse=True):
        value = speed.decode_tokens_per_second
        verdict = roofline.plausible(value, prediction)
        if verdict.kept:
            words = f"measured {rate(value)} tokens/s on {device.id} with {counted(speed.threads, 'thread')}"
            return DecodeSpeed(True, value, value, value, words + refused, prediction)
        refused = refused or f" (a measurement is ignored: {verdict.sentence.rstrip('.')})"
    return DecodeSpeed(
        False, prediction.low, prediction.typical, prediction.high, prediction.words + refused, prediction
    )


def _usable(candidate: _Candidate, device: Device, least: float | None) -> bool:
    need = candidate.need_bytes
    if need is None or need > device.free_bytes:
        return False
    return least is None or candidate.speed.typical >= least


def _too_big(candidate: _Candidate, device: Device, context_tokens: int) -> str | None:
    need = candidate.need_bytes
    if need is None:
        return "Its memory need is not known: the catalog does not record the size of its KV cache."
    if need <= device.free_bytes:
        return None
    return (
        f"It does not fit: it needs a predicted {data_size(need)} at {context_tokens:,} tokens of context, "
        f"{data_size(need - device.free_bytes)} more than {_free(device)}."
    )


def _too_slow(candidate: _Candidate, least: float) -> str:
    speed = candidate.speed
    return f"It is too slow: {speed.words}, {rate(least - speed.typical)} below the minimum of {rate(least)}."


def _broken(usable: Sequence[ModelFile], sound: Sequence[ModelFile]) -> list[Judged]:
    """The files that are rejected because others pass the smoke test."""
    why = f"It failed the smoke test; {len(sound)} of the {len(usable)} usable files passed it."
    return [Judged(file, why) for file in usable if file not in sound]


def _nothing(
    candidates: Sequence[_Candidate], device: Device, context_tokens: int, least: float | None
) -> str:
    """Why no file is usable, and by how much the nearest misses."""
    known = [c for c in candidates if c.need_bytes is not None]
    fitting = [c for c in known if not _too_big(c, device, context_tokens)]
    if fitting and least is not None:
        fastest = max(fitting, key=lambda c: c.speed.typical)
        short = f"{rate(least - fastest.speed.typical)} below the minimum of {rate(least)}"
        verb = "fits" if len(fitting) == 1 else "fit"
        return (
            f"{counted(len(fitting), 'file')} {verb} on {device.name}, but none is fast enough. The fastest is "
            f"{fastest.file.path}: {fastest.speed.words}, {short}."
        )
    if not known:
        return f"It is not known whether a file fits on {device.name}: the catalog records no memory need."
    least_need = min(known, key=lambda c: (c.need_bytes or 0, c.file.path))
    need = least_need.need_bytes or 0
    return (
        f"No file fits on {device.name}. {least_need.file.path} needs the least memory: a predicted "
        f"{data_size(need)} at {context_tokens:,} tokens of context, {data_size(need - device.free_bytes)} more than "
        f"{_free(device)}."
    )


# --- The choice in words


def _smallest_alike(
    best: ModelFile, left: Sequence[ModelFile], beaten: Mapping[str, Beaten], tolerance: Tolerance
) -> ModelFile:
    """The smallest file within the tolerance, else the smallest whose loss is the same as the lowest within the errors;
    never a file that a usable file beats by any evidence."""
    sound = [file for file in left if file.path not in beaten]
    alike = [f for f in sound if tolerance.holds(f)] or [f for f in sound if not worse(f, best)]
    return min(alike, key=lambda f: (f.size_bytes, *by_loss(f)), default=best)


@dataclass(frozen=True)
class _Asked:
    """What a file is wanted for. least: tokens per second."""

    device: Device
    context_tokens: int
    least: float | None
    tolerance: Tolerance


def _reason(chosen: _Candidate, best: ModelFile, usable: int, asked: _Asked) -> str:
    file, least, tolerance = chosen.file, asked.least, asked.tolerance
    reach = "" if least is None else f"{rate(least)} tokens/s"
    fits = f"fits, reaches {reach}" if reach else "fits"
    if usable == 1:
        only = f"fits and reaches {reach}" if reach else "fits"
        choice = f"{file.path} is the only file that {only}: {loss_words(file)}"
    elif file is not best and tolerance.holds(file):
        choice = (
            f"{file.path} is the smallest file that {fits}, is not beaten by another file, and is so close to the "
            f"original that you are unlikely to notice a difference: {loss_words(file)}, "
            f"and its most probable next token is the same in {100 * _same_top(file):.1f} % of cases (limits: "
            f"{tolerance.words})"
        )
    elif file is not best:
        choice = (
            f"{file.path} is the smallest file that {fits}, is not beaten by another file, and has the lowest loss "
            f"within the errors: {loss_words(file)} against {loss_words(best)} of {best.path}"
        )
    else:
        fit = f"fit and reach {reach}" if reach else "fit"
        choice = f"{file.path} has the lowest loss of the {usable} files that {fit}: {loss_words(file)}"
    parts = [
        choice,
        f"It needs a predicted {data_size(chosen.need_bytes or 0)} at {asked.context_tokens:,} tokens of context, "
        f"less than {_free(asked.device)}",
        f"Decode speed: {chosen.speed.words}",
    ]
    if not file.smoke_passed:
        parts.append("It failed the smoke test")
    return ". ".join(parts) + "."


def _beside(candidate: _Candidate, chosen: _Candidate) -> str:
    """How a runner-up compares with the recommended file."""
    file, taken = candidate.file, chosen.file
    difference = file.size_bytes - taken.size_bytes
    size = (
        f"{data_size(abs(difference))} {'larger' if difference > 0 else 'smaller'} than the recommended file"
    )
    if not difference:
        size = "the same size as the recommended file"
    if worse(file, taken):
        loss = "higher"
    elif worse(taken, file):
        loss = "lower"
    else:
        loss = "the same within the errors"
    words = f"Its loss is {loss}: {loss_words(file)} against {loss_words(taken)}. It is {size}"
    smoke = "" if file.smoke_passed else " It failed the smoke test."
    return f"{words}. Decode speed: {candidate.speed.words}.{smoke}"


def _same_top(file: ModelFile) -> float:
    return file.loss.same_top_share if file.loss else 1.0


def _free(device: Device) -> str:
    return f"the {data_size(device.free_bytes)} that {device.name} has free for a model"
