"""Which file of a release to recommend for a device, and why not the others. Pure; every sentence gives its numbers.

Loss is the mean KLD from the release's reference in nats, ± one standard error; the loss of the reference itself is
zero by definition. Two losses count as different if they differ by more than both errors together, which is stricter
than the error of their difference. A reader is unlikely to notice a loss within the tolerance. Of the files that leave
room to spare and write as fast as people read, the smallest of such files is recommended, so that nobody downloads
twice the bytes for a difference that cannot be seen. If no file is that fast: the fastest good one. A file that failed
the smoke test is never recommended.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from catalog import device as devices
from catalog.device import Device
from catalog.memory import KV_TYPE, KV_TYPES
from catalog.release import Architecture, Model, ModelFile, Release
from catalog.versions import version_key
from zoo.choose import candidates, reasons
from zoo.choose.candidates import Candidate, Level, Tolerance, Wish
from zoo.choose.domination import Beaten, Domination, by_loss, worse
from zoo.choose.speeds import DecodeSpeed

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
class Pick:
    """The recommended file, or None with the reason; memory_bytes is predicted, for that context. level: None without a
    file."""

    device: Device
    context_tokens: int
    file: ModelFile | None
    reason: str
    memory_bytes: int | None
    speed: DecodeSpeed | None
    rejected: tuple[Judged, ...]
    runners_up: tuple[Judged, ...]
    level: Level | None = None


class Standing(NamedTuple):
    """What a release has for a question about a device, whatever the speed: the speed of its fastest good file with
    room to spare, of its fastest good file that fits, both 0.0 without one. poor: whether a file with a higher loss
    fits. broken: whether a file that failed the smoke test fits."""

    roomy: float
    fitting: float
    poor: bool
    broken: bool = False


@dataclass(frozen=True)
class _Decision:
    """Among usable files: which of them are beaten, which are left, and the choice."""

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
        self._asked: dict[tuple[int, int, str], tuple[Device, list[Candidate]]] = {}

    def dominated(self) -> dict[str, Beaten]:
        """See ``dominated``."""
        return self._domination.among(self._release.files, None)

    def standing(self, wish: Wish) -> Standing:
        """What there is, without a choice."""
        every = [one for one in self._ask(wish) if one.fits(wish)]
        good = [one for one in every if one.good]
        return Standing(
            max((one.typical for one in good if one.roomy(wish)), default=0.0),
            max((one.typical for one in good), default=0.0),
            any(one.sound and not one.good for one in every),
            not all(one.sound for one in every),
        )

    def take(self, device: Device, context_tokens: int, least: float | None = None) -> ModelFile | None:
        """The file of ``pick``, without words."""
        wish = Wish(device, context_tokens, least)
        found = candidates.usable(self._ask(wish), wish)
        return self._choose(*found, wish)[0].file if found else None

    def pick(
        self, device: Device, context_tokens: int, least: float | None = None, kv: str = KV_TYPE
    ) -> Pick:
        """See ``pick``."""
        wish = Wish(device, context_tokens, least, kv)
        every = self._ask(wish)
        found = candidates.usable(every, wish)
        if found is None:
            why = tuple(Judged(c.file, reasons.rejected(c, wish, Level(True, True))) for c in every)
            return Pick(device, context_tokens, None, reasons.nothing(every, wish), None, None, why, ())
        return self._explained(*found, wish)

    def points(self, wish: Wish) -> list[Pick]:
        """The good files between the best and the fastest, each the choice of somebody who asks for more speed than the
        one before it has. The first may be tight, if it is better than all that are not."""
        found: list[Pick] = []
        tight = self._tightest(wish)
        least = candidates.ANY_SPEED
        while True:
            one = self.pick(wish.device, wish.context_tokens, least, wish.kv)
            if one.file is None or one.speed is None or not candidates.is_good(one.file):
                break
            found.append(one)
            least = math.nextafter(one.speed.typical, math.inf)
        if tight and tight.file and (not found or self._better(tight.file, found[0].file)):
            found.insert(0, tight)
        return found

    def _tightest(self, wish: Wish) -> Pick | None:
        """The choice if room did not matter, if it is tight."""
        asked = replace(wish, least=candidates.ANY_SPEED)
        level = Level(False, True)
        some = [one for one in candidates.at(level, self._ask(asked), asked) if one.good]
        if not some:
            return None
        one, _ = self._choose(level, some, asked)
        return None if one.roomy(asked) else self._explained(level, some, asked)

    def _better(self, file: ModelFile, other: ModelFile | None) -> bool:
        """Whether a reader may notice that ``file`` is closer to its source than ``other``."""
        return other is not None and worse(other, file) and not self._tolerance.holds(other)

    def _explained(self, level: Level, some: Sequence[Candidate], wish: Wish) -> Pick:
        chosen, made = self._choose(level, some, wish)
        every = self._ask(wish)
        rejected = [Judged(c.file, reasons.rejected(c, wish, level)) for c in every if c not in some]
        rejected += [Judged(c.file, made.beaten[c.file.path].sentence) for c in some if c.file.path in made.beaten]
        left = [one for one in some if one.file in made.left and one is not chosen]
        others = sorted(left, key=lambda c: by_loss(c.file))
        found = reasons.Chosen(chosen, made.best, some, every, level)
        reason = reasons.chosen(found, wish, self._tolerance)
        beside = tuple(Judged(c.file, reasons.compared(c, chosen.file)) for c in others)
        place = wish.device, wish.context_tokens
        return Pick(
            *place, chosen.file, reason, chosen.need_bytes, chosen.speed, tuple(rejected), beside, level
        )

    def _ask(self, wish: Wish) -> list[Candidate]:
        shape = self._release.architecture
        _check_asked(shape, wish, self._tolerance)
        # By identity, for a device is large to hash; it is kept with the answer, so that its id stays its own.
        key = id(wish.device), wish.context_tokens, wish.kv
        if key not in self._asked:
            self._asked[key] = wish.device, candidates.of(self._release.files, shape, wish)
        return self._asked[key][1]

    def _choose(self, level: Level, some: Sequence[Candidate], wish: Wish) -> tuple[Candidate, _Decision]:
        files = [candidate.file for candidate in some]
        key = tuple(file.path for file in files), self._domination.place(wish.device)
        if key not in self._decided:
            self._decided[key] = self._decision(files, wish.device)
        made = self._decided[key]
        left = [candidate for candidate in some if candidate.file in made.left]
        good = [candidate for candidate in left if candidate.good]
        if not level.quick and good:
            fastest = min(good, key=lambda c: (-c.typical, *by_loss(c.file)))
            return fastest, made
        return next(candidate for candidate in left if candidate.file is made.chosen), made

    def _decision(self, files: Sequence[ModelFile], device: Device) -> _Decision:
        # Slower elsewhere is no reason to be rejected here, so only speeds of this device count.
        beaten = self._domination.among(files, device)
        left = [file for file in files if file.path not in beaten]
        best = min(left, key=by_loss)
        anywhere = self._domination.among(files, None)
        chosen = _smallest_alike(best, left, anywhere, self._tolerance)
        return _Decision(beaten, tuple(left), best, chosen)


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
    kv: str = KV_TYPE,
) -> Pick:
    """Of the files that leave room to spare and are fast enough, the smallest whose loss a reader is unlikely to
    notice. If there is no such file: the one with the lowest loss, or a smaller one whose loss is the same within the
    errors. If no speed is asked for and no file reaches reading speed: the fastest good one.

    Raises ValueError for a context that is not positive or longer than the model's, and for an invalid speed, tolerance
    or type of the cache.
    """
    return Shelf(release, tolerance).pick(device, context_tokens, least_tokens_per_second, kv)


def recommendations(release: Release) -> tuple[Pick, ...]:
    """One pick for every device profile, in their order, at CONTEXT_TOKENS or the model's own context if that is
    shorter; none for a release that records no context length. Which release to take: ``current``."""
    context_tokens = min(CONTEXT_TOKENS, release.architecture.context_tokens)
    if context_tokens < 1:
        return ()
    shelf = Shelf(release)
    return tuple(shelf.pick(device, context_tokens) for device in devices.DEVICES)


def usual_context(release: Release) -> int:
    """Tokens of context for somebody who asks for none: CONTEXT_TOKENS, or the model's own if that is shorter."""
    return max(min(CONTEXT_TOKENS, release.architecture.context_tokens), 1)


def current(model: Model, *, pre: bool = False) -> Release | None:
    """The only release to recommend: the newest stable one that is not yanked, else the newest pre-release that is not.
    pre: the newest that is not yanked, whether stable or not. None if all are yanked."""
    in_use = model.in_use()
    return max(in_use, key=lambda one: version_key(one.version), default=None) if pre else next(iter(in_use), None)


def need_bytes(file: ModelFile, release: Release, context_tokens: int) -> int | None:
    """Predicted memory of a file at that context, or at the model's own if that is shorter; None if not known."""
    shape = release.architecture
    return candidates.need_bytes(file, shape, min(context_tokens, shape.context_tokens))


def _check_asked(architecture: Architecture, wish: Wish, tolerance: Tolerance) -> None:
    context_tokens, least = wish.context_tokens, wish.least
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
    if wish.kv not in KV_TYPES:
        raise ValueError(f"{wish.kv!r} is not a type of the KV cache; there are {', '.join(KV_TYPES)}")


def _smallest_alike(
    best: ModelFile, left: Sequence[ModelFile], beaten: Mapping[str, Beaten], tolerance: Tolerance
) -> ModelFile:
    """The smallest file within the tolerance, else the smallest whose loss is the same as the lowest within the errors;
    never a file that a usable file beats by any evidence, and only a good file if the best one is good."""
    sound = [file for file in left if file.path not in beaten]
    alike = [f for f in sound if tolerance.holds(f)] or [
        f for f in sound if not worse(f, best) and (candidates.is_good(f) or not candidates.is_good(best))
    ]
    return min(alike, key=lambda f: (f.size_bytes, *by_loss(f)), default=best)
