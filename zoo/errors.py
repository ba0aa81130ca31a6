"""The errors of the program.

An error is a sentence for a person: what happened, where, what is still safe, what to do next.
``zoo.cli.outcome`` is the only place that turns one into text and an exit code.
At its import, this module imports nothing of ours.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypedDict, Unpack


class Again:
    """The same command continues when it is run again. when: such as ``in 20 seconds``; note: what else to know.

    A plain class: making a dataclass costs half a millisecond at every start of the program.
    """

    def __init__(self, when: str = "", note: str = "") -> None:
        self.when: Final = when
        self.note: Final = note

    def sentence(self, command: str = "") -> str:
        """The advice as a sentence; ``command`` is the one to run, if it is known."""
        how = f"Continue {self.when} with: {command}" if self.when else f"Continue with: {command}"
        words = how if command else f"Run the same command again {self.when}".rstrip()
        return words if command or not self.note else f"{words}; {self.note}"


_LONGEST, _HEAD, _TAIL = 400, 200, 100
_TOO_LONG = rf"\S{{{_LONGEST + 1},}}"
"""Compiled when it is first needed, like the other patterns here: every start of the program would pay for it."""


def short(text: str) -> str:
    """Text in which no word is longer than people can read: a name may come from the input that a message is about.

    The word stays one word, so that a password in a long address is still found and hidden.
    """
    if len(text) <= _LONGEST:
        return text
    return re.sub(_TOO_LONG, lambda word: f"{word[0][:_HEAD]}...{word[0][-_TAIL:]}", text)


AGAIN = Again()
RESUMES = Again(note="it resumes from there")


if TYPE_CHECKING:

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
    safe: what is unchanged or still usable.
    remedy: what to do next, as a command if there is one.
    again: what to do after that, or instead, if the same command then continues. command: that command, if a caller
    knows a better one.
    """

    exit_code = 1
    command = ""

    def __init__(
        self, what: str, *, where: str = "", safe: str = "", remedy: str = "", again: Again | None = None
    ) -> None:
        what, where, safe, remedy = map(short, (what, where, safe, remedy))
        # Words of another program may end with one; callers continue the sentence, or end it.
        what, remedy = map(_without_stop, (what, remedy))
        super().__init__(what)
        self.what = what
        self.where = _on_one_line(where)
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
        # After a list of lines, the rest starts on a new line.
        return first + ("\n" if "\n" in first else " ") + " ".join(others) if others else first


class InputError(ZooError):
    """The arguments or the input are invalid (exit code 2)."""

    exit_code = 2


class GateRefused(ZooError):
    """A gate of the recipe refused the release (exit code 3)."""

    exit_code = 3


class MissingExtra(ZooError):
    """An optional package is not installed, or does not load.

    ``extra`` names it as in ``pip install 'model-zoo-publisher[extra]'``, the remedy unless another one is given.
    """

    def __init__(self, what: str, extra: str, remedy: str = "") -> None:
        super().__init__(
            what, remedy=remedy or f"Install it with: pip install 'model-zoo-publisher[{extra}]'"
        )
        self.extra = extra


class SourceError(ZooError):
    """A model or corpus source is not available, or does not match its pin."""


class RemoteError(SourceError):
    """Something on another machine is not available, or what arrived is not what was announced.

    kind: a word for programs, such as ``rate_limited``. facts: what a program needs to act, with units in the names.
    transient: another try may help. wait_seconds: how long the other side asks to wait, None if it does not say.
    """

    def __init__(
        self,
        what: str,
        *,
        kind: str,
        facts: Mapping[str, object] | None = None,
        transient: bool = False,
        wait_seconds: float | None = None,
        **words: Unpack[Words],
    ) -> None:
        super().__init__(what, **words)
        self.kind, self.facts = kind, dict(facts or {})
        self.transient, self.wait_seconds = transient, wait_seconds


class ModelFileError(ZooError):
    """A weight file is damaged, of the wrong kind, or not the one that was requested."""


class Damaged(ZooError):
    """Something on disk differs from its record."""


class NotTrusted(Damaged):
    """Files are not from whom the user requires. No other place is tried: it could only hide that."""


class DamagedRelease(Damaged):
    """A file of a release folder is not as the release lists it. The caller, who knows the release, says how to make it
    again."""


class DamagedStep(Damaged):
    """A file of a finished step differs from its record. The code that runs plans makes step ``key`` again."""

    def __init__(self, kind: str, key: str, name: str) -> None:
        why = f"{name} has changed since it was recorded"
        super().__init__(
            f"step {kind} is damaged on disk: {why}",
            safe="Nothing of it was published.",
            again=Again(note="it then makes the step again"),
        )
        self.kind, self.key, self.why = kind, key, why


def _without_stop(text: str) -> str:
    """A sentence without its final full stop; three dots stay, and so does the last line of a list."""
    return text[:-1] if text.endswith(".") and not text.endswith("..") and "\n" not in text else text


def _on_one_line(where: str) -> str:
    """A place without line breaks and other control characters, which the name of a file may have."""
    if where.isprintable():
        return where
    from catalog import unseen  # only for such a name: every start of the program would pay for it

    return unseen.visible(where)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "`")) or "\n" in text else f"{text}."


MORE_MEMORY = "Close other programs, raise the limit on memory, or use a machine with more memory"
_NO_MEMORY = (
    r"MemoryError|bad_alloc|(can't|cannot|unable to|failed to) allocate|not enough memory|out of memory"
    r"|can't start new thread"
)
"""How Python, numpy, torch, llama.cpp, Rust and the kernel report that memory ran out."""
_NOT_MAPPED = re.compile(r"failed to map segment from shared object(?!: (Operation not permitted|Permission denied))")
"""How the loader of glibc reports it during an import. What may follow is about a folder without the right to run."""


def says_no_memory(text: str) -> bool:
    """Whether a message of another program reports that memory ran out."""
    return bool(re.search(_NO_MEMORY, text, re.IGNORECASE))


def is_no_memory(error: BaseException) -> bool:
    """Whether memory ran out, in whatever way a library reports it."""
    if isinstance(error, OutOfMemory):
        return False  # it is reported already
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    if isinstance(error, ImportError):
        return bool(_NOT_MAPPED.search(str(error)))
    # Of ours, only a model file's error quotes a library.
    said = error.what if isinstance(error, ModelFileError) else str(error) if isinstance(error, RuntimeError) else ""
    return says_no_memory(said)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def no_memory_behind(error: BaseException) -> BaseException | None:
    """The first report of memory that ran out, of an error and its causes; None if there is none."""
    return next((one for one in causes(error) if is_no_memory(one)), None)


class OutOfMemory(ZooError):
    """Memory ran out (exit code 1). doing: what needs more of it, as the subject of a sentence."""

    def __init__(self, doing: str, *, where: str = "", detail: str = "") -> None:
        why = " ".join(detail.split())[:300].rstrip(".")
        super().__init__(
            f"{doing} needs more memory than is free" + (f" ({why})" if why else ""),
            where=where,
            safe="Finished work is kept.",
            remedy=MORE_MEMORY,
            again=AGAIN,
        )


def remedy_for(error: OSError) -> str:
    """What to do about a file that could not be read or written, without a full stop."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space on the disk"
    if error.errno == errno.EROFS:
        return "Use a folder on a disk that can be written"
    if error.errno in (errno.EACCES, errno.EPERM):
        return permissions(error.filename)
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "Move the file away that has the name of a folder, or name another folder"
    return "Fix this"


def permissions(name: object, grant: str = "u+rwX") -> str:
    """What to do about a file that this user may not use, without a full stop. name: its path, as an OSError has it.

    The place is the file, or the folder that it should be in; only the owner may change either.
    """
    # Modules that a start of the program does not need.
    import shlex
    from contextlib import suppress
    from pathlib import Path

    if not isinstance(name, str | bytes):
        return "Fix the permissions"
    path = Path(os.fsdecode(name))
    place = next((one for one in (path, *path.absolute().parents) if os.path.lexists(one)), path)
    with suppress(OSError):
        owner = place.stat().st_uid
        if owner != os.geteuid():
            return f"{place} belongs to {_user(owner)}. Use a place of your own, or ask {_user(owner)} for access to it"
    return f"Fix the permissions: chmod {grant} {shlex.quote(str(place))}"


def _user(uid: int) -> str:
    import pwd

    try:
        return str(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return f"user {uid}"
