"""Shell commands to copy. They contain only values of a plain form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from catalog import shell
from catalog.release import Location, ModelFile, Release
from zoo.choose.pick import Pick

HUB = "https://huggingface.co"
SUMS = "SHA256SUMS"
COMPLETES = "This is a completion model: it has no chat template, and it continues the text of its prompt."
"""Shown next to the commands of such a model."""
PROMPT = "Once upon a time"
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_ADDRESS = re.compile(
    r"(?:https://|http://(?=(?:127\.0\.0\.1|localhost)[:/]))"
    r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._-]+)*/?\Z"
)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*\Z")


def recommended(picks: Sequence[Pick], release: Release) -> ModelFile:
    """The file that commands name: the one recommended for most boards (of two, the smaller one), else the smallest
    that passed the smoke test, else the smallest."""
    votes = Counter(pick.file.path for pick in picks if pick.file)
    return min(
        release.files, key=lambda file: (-votes[file.path], not file.smoke_passed, file.size_bytes, file.path)
    )


def is_repository(text: str) -> bool:
    """True for ``ORG/NAME`` in plain letters."""
    return bool(_REPOSITORY.match(text)) and ".." not in text


def is_address(text: str) -> bool:
    """True for an https address of a hub or site in plain letters, or an http address of this machine."""
    return bool(_ADDRESS.match(text))


def is_plain(text: str) -> bool:
    """True for a name, version or path that no shell and no page reads as anything else."""
    return bool(_PLAIN.match(text)) and ".." not in text


def download(name: str, release: Release, file: ModelFile) -> list[str] | None:
    """Commands that fetch a file and SHA256SUMS at the exact commit; None if the hub has no such commands."""
    location = release.location
    if not (is_address(location.hub) and is_repository(location.model.name) and _plain(name, location, file)):
        return None
    start = [] if location.hub.rstrip("/") == HUB else [f"export HF_ENDPOINT={location.hub.rstrip('/')}"]
    fetch = f"hf download {location.model.name} {file.path} {SUMS} \\"
    return [
        *start,
        fetch,
        f"  --revision {location.model.commit} \\",
        f"  --local-dir {name}-{release.version}",
        f"cd {name}-{release.version}",
    ]


def completes(release: Release) -> bool:
    """True for a completion model: its files have no chat template, so llama.cpp cannot chat with it."""
    return release.architecture.template_sha256 is None


def start(release: Release, path: str | Path, context_tokens: int = 0) -> str:
    """The command that runs a file through llama.cpp, quoted where the path needs it; 0: its usual context.

    It chats, or a completion model continues an example. llama-completion does that since llama.cpp b7348, where
    llama-cli became a program that only chats and ignores -no-cnv.
    """
    rest = f"{shell.argument(str(path))}{f' -c {context_tokens}' if context_tokens else ''}"
    return started(rest, chats=not completes(release))


def started(file: str, *, chats: bool) -> str:
    """The same for a file that is written with its options, ready for a shell."""
    return f"llama-cli -m {file} -cnv" if chats else f'llama-completion -m {file} -no-cnv -p "{PROMPT}" -n 64'


def _plain(name: str, location: Location, file: ModelFile) -> bool:
    return all(map(is_plain, (name, location.model.commit, file.path)))
