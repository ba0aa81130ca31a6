"""What a bare install, or one with a single extra, must do: the calls, and how their answers are checked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pullsamples
from packaging.requirements import Requirement
from pullsamples import NAME

from zoo import extras
from zoo.hub.server import Access, HubServer

SCRIPT = Path(__file__).with_name("everycommand.py")
STARTER = "smollm2-135m-instruct"
EXTRAS = tuple(extras.table())
_UNFORESEEN = re.compile(r"Traceback|bug in zoo|No module named|ModuleNotFoundError|ImportError")


@dataclass(frozen=True)
class Call:
    """A command and what it must answer. needs: without this extra it exits with 1 and names it; ``says`` is part of
    what it prints if it works, with exit code ``code``."""

    folder: Path
    words: tuple[str, ...]
    code: int = 0
    says: str = ""
    needs: str = ""


def promised(extra: str) -> tuple[str, ...]:
    """What an extra does: transformers brings the Hub client."""
    return ("train", "hub") if extra == "train" else (extra,)


def closure(*wanted: str) -> set[str]:
    """Names of the packages that an install with these extras brings, as the installed metadata tell it."""
    found: set[str] = set()
    waiting = [(extras.DISTRIBUTION, frozenset(filter(None, wanted)))]
    while waiting:
        name, some = waiting.pop()
        try:
            told = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name.lower().replace("_", "-"))
        for requirement in map(Requirement, told):
            environments = [{"extra": one} for one in (some or [""])]
            if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
                key = requirement.name.lower().replace("_", "-")
                if key not in found or requirement.extras:
                    waiting.append((requirement.name, frozenset(requirement.extras)))
    return found


def refused(*wanted: str) -> dict[str, list[str]]:
    """Everything that is installed here and not with these extras; a module of two packages is refused if both are."""
    allowed = closure(*wanted)
    everything = {name: {one.lower().replace("_", "-") for one in ones}
                  for name, ones in metadata.packages_distributions().items()}  # fmt: skip
    modules = [name for name, packages in everything.items() if not packages & allowed]
    packages = {name for ones in everything.values() for name in ones} - allowed
    return {"modules": sorted(modules), "packages": sorted(packages)}


HELP = Call(Path(), (), says="Usage: zoo")


@dataclass(frozen=True)
class Released:
    """A zoo with a release in a folder hub, which is also served at ``address``; no model is built for it."""

    folder: Path
    address: str


@contextmanager
def released(folder: Path, key: Path | None = None) -> Iterator[Released]:
    """Makes one and serves it. key: signs the release."""
    made = pullsamples.make_zoo(folder, key)
    server = HubServer(made.hub.folder, "127.0.0.1", 0, Access({}, anonymous_write=True))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield Released(folder, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def environment() -> dict[str, str]:
    """Environment of a process outside this test run, with the network shut in the same way."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZOO_", "HF_"))}
    return {**kept, "COLUMNS": "200"}


def calls(fresh: Path, released: Released, extra: str) -> Iterator[Call]:
    """The main path on a zoo that ``zoo init`` makes in ``fresh``, and on one with a release, with ``extra`` alone."""
    there, hub = released.folder, ("--hub", released.address)
    yield Call(fresh.parent, ("init", "--quiet", str(fresh)))
    yield Call(fresh, ("check",), says="no problems")
    yield Call(fresh, ("plan", STARTER), says="steps to run")
    yield Call(fresh, ("catalog",), says="Nothing is released yet")
    yield Call(fresh, ("doctor",), says="Python")
    yield Call(fresh, ("doctor", STARTER), code=1, says="model-zoo-publisher[")
    yield Call(fresh, ("release", STARTER), code=1, says="cannot be built here yet")
    yield Call(fresh, ("build", STARTER), code=1, says="cannot be built here yet")
    yield Call(fresh, ("publish", STARTER), code=1, says="not built")
    yield Call(fresh, ("sign", STARTER, "--key", "key.pem"), code=1, says="not built")
    if "hub" not in promised(extra):
        yield Call(fresh, ("lock", "qwen2.5-0.5b-tutor"), code=1, says="model-zoo-publisher[hub]")
    pinned = extra == "starter"
    yield Call(fresh, ("new", "my-model"), says="edit it" if pinned else "not pinned")
    yield Call(fresh, ("check",), code=0 if pinned else 2, says="no problems" if pinned else "not pinned")
    yield Call(fresh, ("clean",), says="can be deleted")
    yield Call(fresh, ("site", "build"), says="pages", needs="site")
    yield Call(there, ("catalog",), says=NAME)
    yield Call(there, ("ui", "--plain", "catalog"), says=NAME)
    yield Call(there, ("check", "model_catalog.json"), says="no problems")
    yield Call(there, ("show", NAME), says=NAME)
    yield Call(there, ("pick", NAME, "--device", "pi-5-4gb"), says=".gguf")
    yield Call(there, ("pull", f"{NAME}@1.0.0:Q8_0", "--to", str(fresh.parent / "pulled")))
    yield Call(there, ("verify", str(fresh.parent / "pulled")))
    yield Call(there, ("verify", NAME, "--on-hub"))
    yield Call(there, ("watch", "--no-upstream"), code=3, says="1 difference to the record")
    yield Call(there, ("reproduce", NAME), code=2, says="cannot be built here")
    yield Call(there, ("verify", NAME, "--on-hub", *hub), needs="hub")
    yield Call(there, ("pull", NAME, *hub, "--to", str(fresh.parent / "byhttp")), needs="hub")


def run(
    python: str | Path,
    folder: Path,
    asked: Collection[Call],
    environment: dict[str, str],
    refused: dict[str, list[str]] | None = None,
) -> dict[str, Any]:
    """Answers of the commands, run by another Python."""
    words = {
        "folder": str(folder),
        "refused": refused,
        "calls": [[str(call.folder), call.words] for call in asked],
    }
    command = [str(python), str(SCRIPT), json.dumps(words)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def judge(answers: list[dict[str, Any]], asked: Collection[Call], extra: str) -> None:
    """Every answer is as expected with only ``extra`` installed (empty: none)."""
    helps = len(answers) - len(asked)
    assert helps > 20
    for call, answer in zip([*[HELP] * helps, *asked], answers, strict=True):
        words = " ".join(answer["words"])
        said = answer["out"] + answer["err"]
        assert not _UNFORESEEN.search(said), f"zoo {words}: {said}"
        assert call is HELP or call.words == tuple(answer["words"])
        if call.needs in ("", *promised(extra)):
            assert answer["code"] == call.code and call.says in said, f"zoo {words}: {said}"
        else:
            assert answer["code"] == 1 and answer["err"], f"zoo {words}: {said}"
            *_, last = answer["err"].strip().splitlines()
            assert last.startswith("zoo: ") and last.endswith(
                f"pip install 'model-zoo-publisher[{call.needs}]'."
            ), f"zoo {words}: {said}"

