"""Source URIs: ``package:MODULE/FILE``, ``file:PATH``, ``hf:ORG/NAME@REVISION``, ``hf:ORG/NAME/FILE.gguf@REVISION`` and
``server:MODEL``. Pure: nothing is read or fetched."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from catalog import shell
from catalog.paths import unsafe_reason

_PACKAGE = re.compile(r"(?P<module>[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*)/(?P<file>.+)\Z")
_HF = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(/(?P<file>[^@]+))?(@(?P<revision>[\w./-]+))?\Z", re.ASCII
)
_GGUF = ".gguf"
_SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf\Z")
_PAGE = re.compile(r"https?://[^/\s]+/(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)/?\Z", re.ASCII | re.IGNORECASE)
_CACHED = re.compile(
    r"/models--(?P<org>[A-Za-z0-9][\w.-]*?)--(?P<name>[A-Za-z0-9][\w.-]*?)(/snapshots/(?P<commit>[0-9a-f]{40}))?/?\Z",
    re.ASCII,
)
"""A repository in the cache of the Hub's client: models--ORG--NAME/snapshots/COMMIT."""
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_SERVED = re.compile(r"[A-Za-z0-9][\w./:@+-]{0,199}\Z", re.ASCII)


@dataclass(frozen=True)
class PackageSource:
    """A file that an installed Python package ships."""

    module: str
    file: str


@dataclass(frozen=True)
class FileSource:
    """A file or model folder inside the zoo."""

    path: str


@dataclass(frozen=True)
class HubSource:
    """A model repository on the Hugging Face Hub, or one GGUF file of it; revision is None when the URI names none."""

    repo: str
    revision: str | None
    file: str | None = None

    @property
    def pinned(self) -> bool:
        """True when the revision is a full commit, which never moves."""
        return bool(self.revision and _COMMIT.match(self.revision))


@dataclass(frozen=True)
class ServerSource:
    """A model by the name under which a server answers for it. Where the server is, is a setting."""

    model: str


class SourceSyntax(ValueError):
    """The URI cannot be understood; ``args`` are what is wrong and what to write instead."""


def parse(uri: str) -> PackageSource | FileSource | HubSource | ServerSource:
    """The parts of a source URI. Raises SourceSyntax(what, instead)."""
    kind, _, rest = uri.partition(":")
    if kind == "package":
        match = _PACKAGE.match(rest)
        if not match:
            raise SourceSyntax("a package source needs a module and a file", "Write package:MODULE/FILE")
        if reason := unsafe_reason(match["file"]):
            raise SourceSyntax(f"the file {reason}", "Write a file inside the package")
        return PackageSource(match["module"], match["file"])
    if kind == "file":
        if rest.startswith(("/", "~")):
            raise SourceSyntax("the path is absolute", _copied(rest))
        if _is_outside(rest):
            raise SourceSyntax("the path leads outside the zoo (..)", _copied(rest))
        if reason := unsafe_reason(rest):
            raise SourceSyntax(f"the path {reason}", "Write a path inside the zoo, from its folder")
        return FileSource(rest)
    if kind == "hf":
        match = _HF.match(rest)
        if not match:
            raise SourceSyntax("a Hub source needs a repository", "Write hf:ORG/NAME@COMMIT")
        return HubSource(match["repo"], match["revision"], _of_hub(match["file"]))
    if kind == "server":
        if rest.startswith("//") or "://" in rest:
            what = "the source has an address, but a recipe names only the model"
            raise SourceSyntax(what, "Write server:MODEL, and set the address with: export ZOO_TEACHER=ADDRESS")
        if not _SERVED.match(rest):
            raise SourceSyntax("a server's source needs the name of the model there", "Write server:MODEL")
        return ServerSource(rest)
    raise SourceSyntax("the source does not begin with package:, file:, hf: or server:", _likely(uri))


def _of_hub(file: str | None) -> str | None:
    """The file of a Hub source. Raises SourceSyntax for one that no source can be."""
    if file is None:
        return None
    if reason := unsafe_reason(file):
        raise SourceSyntax(f"the file {reason}", "Write hf:ORG/NAME/FILE.gguf@COMMIT")
    if not file.endswith(_GGUF):
        raise SourceSyntax(
            "one file of a repository is a source only if it is a GGUF file",
            "Write hf:ORG/NAME@COMMIT for a model folder, or hf:ORG/NAME/FILE.gguf@COMMIT",
        )
    if _SPLIT.search(file):
        raise SourceSyntax(
            "the GGUF file is one part of several, which are not read",
            "Name a file that is whole, or hf:ORG/NAME@COMMIT of the model that it was made from",
        )
    return file


def is_gguf(uri: str) -> bool:
    """True if a source is a single GGUF file, which llama.cpp can read directly.

    A Hub source that names no file is a model folder, whatever the repository or the revision is called.
    """
    source = parse(uri)
    return source.file is not None if isinstance(source, HubSource) else uri.endswith(_GGUF)


def is_served(uri: str) -> bool:
    """Whether a source is a model on a server, whose weights nobody here sees."""
    return bool(served_model(uri))


def served_model(uri: str) -> str:
    """The name of the model of a source on a server; empty for another source."""
    kind, _, model = uri.partition(":")
    return model if kind == "server" else ""


def _likely(text: str) -> str:
    """What to write for a source without a kind: a path, a repository name, or the address of its page."""
    if page := _PAGE.match(text):
        return f"Write hf:{page['repo']}@COMMIT for that repository on the Hub"
    if text.startswith(("/", "~")) or _is_outside(text):
        return _copied(text)
    if unsafe_reason(text):
        return "Write package:MODULE/FILE, file:PATH or hf:ORG/NAME@COMMIT"
    own = f"Write file:{text} for a file or folder of the zoo"
    if (match := _HF.match(text)) and not match["file"]:
        return f"{own}, or hf:{text.partition('@')[0]}@COMMIT for a repository on the Hub"
    return own


def _is_outside(path: str) -> bool:
    """Whether a relative path names something outside the zoo, and not a folder that has the zoo in it."""
    parts = posixpath.normpath(path).split("/")
    return parts[0] == ".." and parts[-1] != ".."


def _copied(path: str) -> str:
    """How a file or folder elsewhere on this machine becomes a source."""
    cached = _CACHED.search(path)
    last = PurePosixPath(path).name
    name = cached["name"] if cached else last or "NAME"
    # In quotes, a shell would not know ~ as the home folder.
    place = f"~/{shell.argument(path[2:])}" if path.startswith("~/") and path != "~/" else shell.argument(path)
    copy = f"mkdir -p models && cp -rL {place} {shell.argument(f'models/{name}')}"
    words = f"A source is a file or folder of the zoo. Copy it with: {copy}; then write file:models/{name}"
    if cached and cached["commit"]:
        words += f". Or write hf:{cached['org']}/{name}@{cached['commit']}, which is fetched from the Hub"
    return words
