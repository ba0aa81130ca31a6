"""Models on this board: where they are, and what was verified about them.

STORE/models/NAME/VERSION/FILE.gguf, FILE.gguf.receipt.json, MANIFEST.json
STORE/catalog.json, source.json     the catalog as it was last read, and where it is
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pi_runtime import plainjson, report
from pi_runtime.settings import CouldNot, InvalidArguments

VARIABLE = "PI_ZOO_HOME"
SYSTEM = Path("/var/lib/pi-zoo")
OWN = Path(".local/share/pi-zoo")
"""In somebody's home."""
RECEIPT, RECEIPT_SCHEMA = ".receipt.json", "pi-zoo-receipt/1"


@dataclass(frozen=True)
class Receipt:
    """What was verified when a file arrived. source: the address that it came from."""

    name: str
    version: str
    file: str
    type: str
    size_bytes: int
    sha256: str
    manifest_sha256: str | None
    source: str


@dataclass(frozen=True)
class Kept:
    """A model file on this board."""

    store: Path
    receipt: Receipt

    @property
    def folder(self) -> Path:
        return folder_of(self.store, self.receipt.name, self.receipt.version)

    @property
    def path(self) -> Path:
        return self.folder / self.receipt.file

    @property
    def spec(self) -> str:
        """``NAME@VERSION:TYPE``, as commands take it."""
        return f"{self.receipt.name}@{self.receipt.version}:{self.receipt.type}"


@dataclass(frozen=True)
class Spec:
    """``NAME[@VERSION][:TYPE]``; None is the usual one."""

    name: str
    version: str | None
    type: str | None


def parse_spec(text: str) -> Spec:
    """Raises InvalidArguments for an empty part, or one that would leave the store's folder."""
    rest, colon, kind = text.partition(":")
    name, sign, version = rest.partition("@")
    parts = [name, *([version] if sign else []), *([kind] if colon else [])]
    if any(not part or "/" in part or part.startswith(".") or not part.isprintable() for part in parts):
        raise InvalidArguments(f"{text!r} is not NAME, NAME@VERSION or NAME@VERSION:TYPE.")
    return Spec(name, version or None, kind or None)


def home() -> Path:
    """Where this user's models are: ``PI_ZOO_HOME``, the system's folder for root, else the user's own."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    if os.geteuid() == 0:
        return SYSTEM
    data = os.environ.get("XDG_DATA_HOME")
    return Path(data, "pi-zoo") if data else Path.home() / OWN


def places() -> list[Path]:
    """Folders that are searched for models: the user's own, then the system's."""
    chosen = home()
    return [chosen] if os.environ.get(VARIABLE) or chosen == SYSTEM else [chosen, SYSTEM]


def of_caller(name: str) -> Path | None:
    """A file in the store of the person who runs this command through sudo; None without one.

    sudo forgets a person's folders, so what ``pi-zoo list --from`` remembered would be unknown to ``sudo pi-zoo pull``.
    Root reads only a file that belongs to this person, not one that a link leads to.
    """
    number = os.environ.get("SUDO_UID", "")
    if os.geteuid() != 0 or not number.isdecimal():
        return None
    try:
        path = Path(pwd.getpwuid(int(number)).pw_dir, OWN, name)
        return path if path.is_file() and path.stat().st_uid == int(number) else None
    except (KeyError, OverflowError, OSError):
        return None


def path_of(text: str) -> Path:
    """A path as a person wrote it. Raises InvalidArguments for the home of somebody who does not exist."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InvalidArguments(f"{text} begins with the home folder of a user who is not known here.") from error


def folder_of(store: Path, name: str, version: str) -> Path:
    return store / "models" / name / version


def kept(stores: list[Path] | None = None) -> list[Kept]:
    """Every file with a receipt, by name, version and type. Damaged receipts are skipped; ``doctor`` names them."""
    found = []
    for store in stores or places():
        for path in sorted((store / "models").glob(f"*/*/*{RECEIPT}")):
            try:
                found.append(Kept(store, _receipt(path)))
            except CouldNot:
                continue
    return found


def damaged(stores: list[Path] | None = None) -> Iterator[Path]:
    """Receipts that cannot be read."""
    for store in stores or places():
        for path in sorted((store / "models").glob(f"*/*/*{RECEIPT}")):
            try:
                _receipt(path)
            except CouldNot:
                yield path


def find(text: str) -> Kept:
    """The model file that ``NAME[@VERSION][:TYPE]`` names. Raises CouldNot if there is none, or more than one."""
    spec = parse_spec(text)
    every = [one for one in kept() if one.receipt.name == spec.name]
    found = [
        one
        for one in every
        if spec.version in (None, one.receipt.version) and spec.type in (None, one.receipt.type)
    ]
    if not found:
        near = f" On this board: {', '.join(one.spec for one in every)}." if every else ""
        raise CouldNot(f"{text} is not on this board.{near} Download it: pi-zoo pull {text}")
    if len(found) > 1:
        raise CouldNot(f"{text} means several files. Name one: {', '.join(one.spec for one in found)}.")
    return found[0]


def write_receipt(one: Kept) -> None:
    """The last thing that is written of a file: without a receipt it is not used."""
    text = json.dumps({"schema": RECEIPT_SCHEMA, **asdict(one.receipt)}, indent=2) + "\n"
    report.write_together({one.folder / f"{one.receipt.file}{RECEIPT}": text})


def digest(path: Path) -> str:
    """The sha256 of a file's content. Raises CouldNot."""
    try:
        with plainjson.opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CouldNot(f"{path} cannot be read: {error.strerror}.") from error


def problem(one: Kept) -> str | None:
    """What is wrong with a file, compared with its receipt; None if its content is as it was verified."""
    receipt = one.receipt
    try:
        size = one.path.stat().st_size
    except OSError:
        return f"{one.path} is missing."
    if size != receipt.size_bytes:
        return f"{one.path} has {size:,} bytes, not {receipt.size_bytes:,}."
    found = digest(one.path)
    return None if found == receipt.sha256 else f"{one.path} has the sha256 {found}, not {receipt.sha256}."


def remove(one: Kept) -> list[Path]:
    """Delete a file, its receipt, and what is left of its folders; returns what was deleted."""
    gone = []
    try:
        for path in (one.folder / f"{one.receipt.file}{RECEIPT}", one.path):
            if path.exists():
                path.unlink()
                gone.append(path)
        if not list(one.folder.glob(f"*{RECEIPT}")):
            (one.folder / "MANIFEST.json").unlink(missing_ok=True)
        _without_empty(one.folder)
    except OSError as error:
        again = f"Run: sudo pi-zoo remove {one.spec}"
        raise CouldNot(f"{error.filename} cannot be deleted: {error.strerror}. {again}") from error
    return gone


def discard(path: Path) -> None:
    """Delete a leftover. Raises CouldNot, also if a download writes it now."""
    try:
        with plainjson.opened(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        if not list(path.parent.glob(f"*{RECEIPT}")):
            (path.parent / "MANIFEST.json").unlink(missing_ok=True)
        _without_empty(path.parent)
    except BlockingIOError as error:
        raise CouldNot(f"Another pi-zoo downloads {path.name} now. Wait until it ends.") from error
    except OSError as error:
        raise CouldNot(f"{path} cannot be deleted: {error.strerror}. Run the command with sudo.") from error


def _without_empty(folder: Path) -> None:
    for one in (folder, folder.parent):
        if one.is_dir() and not any(one.iterdir()):
            one.rmdir()


def leftovers(name: str | None = None) -> list[Path]:
    """Files of stopped commands, of one model or of all: parts of downloads, and model files without a receipt."""
    found = []
    for store in places():
        for path in sorted((store / "models").glob(f"{name or '*'}/*/*")):
            whole = path.suffix == ".gguf" and path.with_name(f"{path.name}{RECEIPT}").exists()
            if path.is_file() and path.suffix in (".part", ".gguf", ".tmp") and not whole:
                found.append(path)
    return found


def make_folder(path: Path) -> None:
    """The folder and its parents, readable for everybody whatever the umask: services run as users of their own."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for one in missing:
        one.chmod(0o755)


def write(path: Path, text: str) -> None:
    """A small file of the store, complete or not at all. Raises CouldNot."""
    try:
        make_folder(path.parent)
        report.write_together({path: text})
    except OSError as error:
        again = f"Run the command with sudo, or set {VARIABLE}"
        raise CouldNot(f"{path} cannot be written: {error.strerror}. {again}.") from error


def _receipt(path: Path) -> Receipt:
    data = plainjson.read(path)
    if data["schema"].text != RECEIPT_SCHEMA:
        raise CouldNot(f"{path} has another format than {RECEIPT_SCHEMA}.")
    manifest = data.get("manifest_sha256")
    texts = {name: data[name].text for name in ("name", "version", "file", "type", "sha256", "source")}
    if path.name != f"{texts['file']}{RECEIPT}" or path.parts[-3:-1] != (texts["name"], texts["version"]):
        raise CouldNot(f"{path} belongs to another file.")
    return Receipt(
        size_bytes=data["size_bytes"].whole, manifest_sha256=manifest.text if manifest else None, **texts
    )
