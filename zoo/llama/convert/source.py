"""llama.cpp's converter, from the same source as the installed llama-cpp-python.

The sdist of llama-cpp-python contains llama.cpp (MIT licence) in ``vendor/llama.cpp``. The converter's files are
unpacked into one folder with a stamp: the sdist's version and digest, and a digest of the converter's files. This
module imports nothing heavy; ``zoo.llama.convert.convert`` runs the converter in the folder.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path, PurePosixPath

from catalog import jsontext
from catalog.shapes import shaped
from zoo.errors import InputError, ModelFileError, ZooError
from zoo.files.whole import sync
from zoo.machine import endings
from zoo.progress import Reporter

PACKAGE = "llama-cpp-python"
SCRIPT = "convert_hf_to_gguf.py"
FOLDER = Path(sys.prefix) / "llama.cpp"
STAMP = "zoo-source.json"
FORMAT = "zoo-llama-source/1"
INSTALL = "zoo converter"
PARTS = (SCRIPT, "conversion/*.py", "gguf-py/gguf/*.py", "models/templates/*.jinja")
"""The converter's files that affect its output. It puts some of the templates into files, for models without one."""
LICENCES = ("LICENSE", "gguf-py/LICENSE")
VOCABULARIES = ("models/ggml-vocab-*",)
"""Real vocabularies with test vectors. The converter does not need them; tests do."""
MEMBER_BYTES = 64 << 20
"""No wanted file is larger. The largest vocabulary has 16 MB (0.3.36), with room to grow."""
_VERSION = re.compile(r"^Version: (\S+)$", re.MULTILINE)
_NAME = re.compile(r"^Name: (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Stamp:
    """What a folder was unpacked from. ``converter_sha256`` is ``converter_sha256()`` of the folder at that time."""

    format: str
    llama_cpp_python: str
    sdist_sha256: str
    converter_sha256: str


def folder() -> Path:
    """Where the converter is looked for: ``ZOO_CONVERTER``, else ``llama.cpp`` in the Python environment's folder."""
    return Path(os.environ.get("ZOO_CONVERTER") or FOLDER)


def found() -> Path:
    """The converter's folder. Raises ZooError with the command that installs it if it is missing."""
    place = folder()
    if not (place / SCRIPT).is_file():
        raise ZooError(
            "llama.cpp's converter is not installed",
            remedy=f"Install it with: {INSTALL} (or set ZOO_CONVERTER to its folder)",
        )
    return place


def installed() -> str | None:
    """Version of llama-cpp-python here; None if it is not installed."""
    return next((one.version for one in metadata.distributions(name=PACKAGE, path=sys.path)), None)


def version() -> str:
    """The value for a step's key: the source's version and 12 digits of the converter's digest, or "absent".

    A folder without a stamp, such as a checkout of llama.cpp, has the version 0.
    """
    place = folder()
    if not (place / SCRIPT).is_file():
        return "absent"
    stamp = read_stamp(place)
    return f"{stamp.llama_cpp_python if stamp else '0'}+{converter_sha256(place)[:12]}"


def fault() -> str | None:
    """Why the installed converter does not match the installed library, as part of a sentence; None if it does.

    A folder without a stamp has no known origin and is not checked.
    """
    place, library = folder(), installed()
    stamp = read_stamp(place)
    if stamp is None or not (place / SCRIPT).is_file():
        return None
    which = "llama.cpp's converter" + (" (ZOO_CONVERTER)" if "ZOO_CONVERTER" in os.environ else "")
    if library is not None and stamp.llama_cpp_python != library:
        return f"{which} belongs to {PACKAGE} {stamp.llama_cpp_python}, but version {library} is installed"
    if stamp.converter_sha256 != converter_sha256(place):
        return f"files of {which} were changed after it was unpacked"
    return None


def read_stamp(place: Path) -> Stamp | None:
    """The stamp of a folder; None without one, or if it cannot be read."""
    try:
        stamp = shaped(jsontext.read(place / STAMP), Stamp)
    except (OSError, ValueError):
        return None
    return stamp if stamp.format == FORMAT else None


def converter_sha256(place: Path) -> str:
    """Digest of the names and contents of the converter's files; it does not depend on where the folder is."""
    inner = hashlib.sha256()
    # The second pattern of packages: a converter that was installed from a wheel has gguf next to the script.
    names = {path for part in (*PARTS, "gguf/*.py") for path in _below(place, part)}
    for name in sorted(names):
        digest = hashlib.sha256((place / name).read_bytes()).hexdigest()
        inner.update(f"{digest}  {name}\n".encode())
    return inner.hexdigest()


def _below(place: Path, pattern: str) -> Iterator[str]:
    """Files that ``fnmatch`` would match: ``*`` also crosses folders."""
    head, star, tail = pattern.partition("*")
    if not star:
        yield from (pattern,) if (place / pattern).is_file() else ()
        return
    for path in (place / head).rglob(f"*{tail}"):
        if path.is_file():
            yield path.relative_to(place).as_posix()


def download(version_: str, to: Path, report: Reporter) -> Path:
    """The sdist of llama-cpp-python ``version_`` from the package index that pip uses.

    Raises ZooError with pip's last line.
    """
    report.say(f"downloading the source of {PACKAGE} {version_} (about 77 MB; pip keeps a copy)")
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", PACKAGE]
    command += ["--disable-pip-version-check", "--dest", str(to), f"{PACKAGE}=={version_}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    sdists = sorted(to.glob("*.tar.gz"))
    if ended := endings.fault("pip", done.returncode):
        raise ended
    if done.returncode != 0 or not sdists:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no reason was given"]
        raise ZooError(
            f"pip could not download the source of {PACKAGE} {version_}: {errors[-1]}",
            safe="Nothing was changed.",
            remedy=f"Fetch {PACKAGE.replace('-', '_')}-{version_}.tar.gz from the package index on another machine, "
            f"then: {INSTALL} --sdist FILE",
        )
    return sdists[0]


def unpack(sdist: Path, target: Path, *, vocabularies: bool = False, wanted: str | None = None) -> Stamp:
    """Make ``target`` the converter's folder, atomically; it replaces an earlier one.

    wanted: the version that the sdist must have (None: any).
    Raises InputError for another version, ModelFileError for a file that is not a valid sdist of llama-cpp-python.
    """
    patterns = (*PARTS, *LICENCES, *(VOCABULARIES if vocabularies else ()))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.new-") as scratch:
        made = Path(scratch, "made")
        made.mkdir()
        try:
            with gzip.open(sdist) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
                version_ = _extract(archive, made, patterns)
                # Read to the end, where gzip has its checksum.
                while stream.read(1 << 20):
                    pass
        except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise ModelFileError(
                f"This is not a valid .tar.gz file ({error})", where=sdist.name, remedy="Fetch it again"
            ) from error
        if version_ is None or not (made / SCRIPT).is_file():
            raise ModelFileError(
                f"This is not a source distribution of {PACKAGE} with llama.cpp in it",
                where=sdist.name,
                remedy=f"Use the file that pip download --no-binary {PACKAGE} --no-deps {PACKAGE} fetches",
            )
        if wanted is not None and version_ != wanted:
            raise InputError(
                f"This is the source of {PACKAGE} {version_}, but version {wanted} is installed",
                where=sdist.name,
                safe="Nothing was changed.",
                remedy=f"Use the file of version {wanted}",
            )
        stamp = Stamp(FORMAT, version_, _sha256(sdist), converter_sha256(made))
        (made / STAMP).write_text(json.dumps(asdict(stamp), indent=2) + "\n", encoding="utf-8")
        if target.exists():
            target.rename(Path(scratch, "before"))
        sync(made)
        made.rename(target)
    return stamp


def may_replace(target: Path) -> bool:
    """Whether we may replace a folder: absent, empty, unpacked by us, or the default in the environment's folder."""
    if target.absolute() == FOLDER.absolute() or not target.exists():
        return True
    return target.is_dir() and (read_stamp(target) is not None or not any(target.iterdir()))


def _extract(archive: tarfile.TarFile, to: Path, patterns: tuple[str, ...]) -> str | None:
    """Write the wanted regular files; links, devices and names that lead outside are never written.

    The version that the sdist's PKG-INFO states; None for another package.
    """
    version_ = None
    for member in archive:
        top, _, name = member.name.partition("/")
        if name == "PKG-INFO" and member.isfile() and member.size <= MEMBER_BYTES:
            version_ = _version_in(archive, member)
        inner = name.removeprefix("vendor/llama.cpp/")
        parts = PurePosixPath(inner).parts
        wanted = inner != name and any(fnmatchcase(inner, pattern) for pattern in patterns)
        if not wanted or not member.isfile() or ".." in parts or "" in inner.split("/") or not top:
            continue
        if member.size > MEMBER_BYTES:
            raise ModelFileError(
                f"{member.name} has {member.size} bytes, which is too large for a file of the converter"
            )
        place = to.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        content = archive.extractfile(member)
        assert content is not None
        with place.open("wb") as out:
            shutil.copyfileobj(content, out)
    return version_


def _version_in(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str | None:
    content = archive.extractfile(member)
    text = content.read().decode("utf-8", errors="replace").partition("\n\n")[0] if content else ""
    name, version_ = _NAME.search(text), _VERSION.search(text)
    if name is None or version_ is None or name[1].lower().replace("_", "-") != PACKAGE:
        return None
    return version_[1]


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
