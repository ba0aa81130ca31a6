"""Every way the zoo says no.

An error is a sentence for a person: what happened, where, what is still safe, what to do next.
``zoo.__main__`` is the only place that turns one into text and an exit code.
This module imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack


@dataclass(frozen=True)
class Again:
    """The same command, run again, continues. when: such as ``in 20 seconds``; note: what else to know of it."""

    when: str = ""
    note: str = ""

    def sentence(self, command: str = "") -> str:
        """For a person; ``command`` if it is known which one."""
        how = f"Continue {self.when} with: {command}" if self.when else f"Continue with: {command}"
        words = how if command else f"Run the same command again {self.when}".rstrip()
        return words if command or not self.note else f"{words}; {self.note}"


AGAIN = Again()
RESUMES = Again(note="it resumes from there")


class Words(TypedDict, total=False):
    """What an error says besides what happened; see ``ZooError``."""

    where: str
    safe: str
    remedy: str
    again: Again | None


class ZooError(Exception):
    """Something could not be done (exit code 1).

    what: what happened, one sentence without the final full stop.
    where: ``file:line`` or another place, if there is one.
    safe: what was not touched or can be relied upon.
    remedy: what to do next, as a command if there is one.
    again: what to do after that, or instead, if the same command then continues. command: that command, if a caller
    knows a better one.
    """

    exit_code = 1
    command = ""

    def __init__(
        self, what: str, *, where: str = "", safe: str = "", remedy: str = "", again: Again | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.safe = safe
        self.remedy = remedy
        self.again = again

    @property
    def advice(self) -> str:
        """What to do next: the remedy, and how to continue."""
        then = self.again.sentence(self.command) if self.again else ""
        return " ".join([_sentence(self.remedy), then]) if self.remedy and then else self.remedy or then

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        first, *others = [_sentence(part) for part in (head, self.safe, self.advice) if part]
        # After a list of lines the rest stands on a line of its own.
        return first + ("\n" if "\n" in first else " ") + " ".join(others) if others else first


class InputError(ZooError):
    """The arguments or the input are invalid (exit code 2)."""

    exit_code = 2


class GateRefused(ZooError):
    """A gate of the recipe refused the release (exit code 3)."""

    exit_code = 3


class MissingExtra(ZooError):
    """An optional part is not installed, or does not load.

    ``extra`` names it as in ``pip install 'model-zoo-publisher[extra]'``, the remedy unless another one is given.
    """

    def __init__(self, what: str, extra: str, remedy: str = "") -> None:
        super().__init__(
            what, remedy=remedy or f"Install it with: pip install 'model-zoo-publisher[{extra}]'"
        )
        self.extra = extra


class SourceError(ZooError):
    """A model or corpus source cannot be had, or is not what its pin says."""


class RemoteError(SourceError):
    """Something on another machine could not be had, or what came is not what was announced.

    kind: a word for programs, such as ``rate_limited``. facts: what a program needs to act, with units in the names.
    transient: another try may help. wait_seconds: what the other side asks to wait before it, None if it did not say.
    """

    def __init__(
        self,
        what: str,
        *,
        kind: str,
        facts: Mapping[str, Any] | None = None,
        transient: bool = False,
        wait_seconds: float | None = None,
        **words: Unpack[Words],
    ) -> None:
        super().__init__(what, **words)
        self.kind, self.facts = kind, dict(facts or {})
        self.transient, self.wait_seconds = transient, wait_seconds


class ModelFileError(ZooError):
    """A weight file is damaged, of another kind, or not what was asked for."""


class Damaged(ZooError):
    """Something on disk no longer is what its record says."""


class DamagedStep(Damaged):
    """A file of a finished step is not what its record says any more. Whoever runs plans makes step ``key`` again."""

    def __init__(self, kind: str, key: str, name: str) -> None:
        why = f"{name} no longer has its recorded content"
        super().__init__(
            f"step {kind} is damaged on disk: {why}",
            safe="Nothing of it was published.",
            again=Again(note="the step is then made again"),
        )
        self.kind, self.key, self.why = kind, key, why


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "`")) or "\n" in text else f"{text}."
