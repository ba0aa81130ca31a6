"""Shell commands to copy. Only values of a plain form get into one."""

from __future__ import annotations

import re

from catalog.release import Location, ModelFile, Release
from zoo.pages.links import HUB, is_address, is_repository

SUMS = "SHA256SUMS"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*\Z")


def smallest(release: Release) -> ModelFile:
    """The file that the commands name; it is the quickest to fetch."""
    return min(release.files, key=lambda file: (file.size_bytes, file.path))


def download(name: str, release: Release) -> list[str] | None:
    """Commands that fetch the smallest file and SHA256SUMS at the exact commit; None without such a hub."""
    location, file = release.location, smallest(release)
    if not (is_address(location.hub) and is_repository(location.model.name) and _plain(name, location, file)):
        return None
    start = [] if location.hub.rstrip("/") == HUB else [f"export HF_ENDPOINT={location.hub.rstrip('/')}"]
    fetch = f"hf download {location.model.name} {file.path} {SUMS} \\"
    return [*start, fetch, f"  --revision {location.model.commit} \\", f"  --local-dir {name}", f"cd {name}"]


def run(release: Release) -> list[str] | None:
    """Commands inside the folder of the release: check what is there, then chat."""
    file = smallest(release)
    if not _PLAIN.match(file.path):
        return None
    return [f"sha256sum -c --ignore-missing {SUMS}", f"llama-cli -m {file.path} -cnv"]


def _plain(name: str, location: Location, file: ModelFile) -> bool:
    return all(_PLAIN.match(word) for word in (name, location.model.commit, file.path))


def one_line(name: str, release: Release, file: ModelFile, context_tokens: int) -> str | None:
    """One command that fetches a file at its exact commit, checks it and chats with it; in a zoo, `zoo pull`."""
    location = release.location
    if not _plain(name, location, file):
        return None
    if location.hub.rstrip("/") != HUB or not is_repository(location.model.name):
        return f"zoo pull {name}@{release.version}:{file.type}" if _PLAIN.match(file.type) else None
    return (
        f"hf download {location.model.name} {file.path} {SUMS} --revision {location.model.commit} "
        f"--local-dir {name} && cd {name} && sha256sum -c --ignore-missing {SUMS} && "
        f"llama-cli -m {file.path} -c {context_tokens} -cnv"
    )
