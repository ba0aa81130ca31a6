"""zoo pull --from: a site that carries its files is enough, it is remembered, and it never gets a token."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pullsamples import NAME, Say, Zoo, make_zoo

from zoo import settings as settings_room
from zoo.errors import InputError
from zoo.files.whole import place_file
from zoo.pull import remembered
from zoo.pull.sites import catalog_address, site_address
from zoo.site import carried

TARGET = f"{NAME}-1.0.0"
TOKEN = "hf_" + "x" * 20


class _Handler(http.server.SimpleHTTPRequestHandler):
    """A plain static host that keeps what it was asked and with which headers."""

    def __init__(self, *arguments: object, asked: list[dict[str, str]], **named: object) -> None:
        self._asked = asked
        super().__init__(*arguments, **named)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Notes the request."""
        self._asked.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass
class Served:
    """A site below ``/zoo/``. folder: its files; asked: the requests."""

    folder: Path
    address: str
    zoo: Zoo
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def carried(self) -> Path:
        return self.folder / "download" / NAME / "1.0.0"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The current folder is in no zoo."""
    zoo = make_zoo(tmp_path / "zoo", licences={"LICENSE": b"The licence."})
    folder = tmp_path / "www" / "zoo"
    settings = settings_room.load(zoo.folder, {}, {})
    wanted = carried.wanted(settings, 100)
    for path, source in wanted.files.items():
        place_file(source, folder / path)
    for path, text in wanted.lists.items():
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "catalog.json").write_bytes((zoo.folder / "model_catalog.json").read_bytes())
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.chdir(home)
    asked: list[dict[str, str]] = []
    handler = functools.partial(_Handler, directory=str(tmp_path / "www"), asked=asked)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Served(folder, f"http://127.0.0.1:{server.server_port}/zoo/", zoo, asked)
    server.shutdown()
    server.server_close()


def test_a_site_is_enough_to_pull_from(site: Served, say: Say) -> None:
    code, out, err = say("pull", f"{NAME}@1.0.0:Q8_0", "--from", site.address)
    assert code == 0, err
    assert f"Catalog: {site.address}catalog.json" in err and "This address is remembered" in err
    there = Path(TARGET)
    assert (there / "model-Q8_0.gguf").read_bytes() == site.zoo.contents["model-Q8_0.gguf"]
    assert (there / "LICENSE").read_bytes() == b"The licence."
    assert {"README.md", "recipe.yaml", "MANIFEST.json", "SHA256SUMS"} <= {path.name for path in there.iterdir()}
    assert "It matches the hub, MANIFEST.json, SHA256SUMS and the catalog" in out
    assert say("verify", TARGET)[0] == 0


def test_the_address_is_remembered_and_shown(site: Served, say: Say) -> None:
    assert say("pull", f"{NAME}:Q4_0", "--from", site.address)[0] == 0
    code, _, err = say("pull", f"{NAME}:Q8_0")
    assert code == 0
    assert f"Catalog: {site.address}catalog.json (remembered; --from ADDRESS names another one)" in err
    assert remembered.address() == f"{site.address}catalog.json"


def test_in_a_zoo_its_own_catalog_counts(site: Served, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remembered.note(f"{site.address}catalog.json")
    monkeypatch.chdir(site.zoo.folder)
    code, _, err = say("pull", f"{NAME}:Q8_0")
    assert code == 0 and "remembered" not in err and not site.asked


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("noted", ["{", '{"format": 1, "catalog": 7}', '{"format": 9, "catalog": "https://x.org"}'])
def test_a_damaged_note_counts_as_none(noted: str, say: Say) -> None:
    assert remembered.note("https://zoo.example.org/catalog.json")
    (Path.cwd() / "model-zoo-publisher" / "from.json").write_text(noted)
    code, _, err = say("pull", NAME)
    assert code == 2 and "Add --from" in err


def test_no_token_goes_to_the_site(site: Served, say: Say) -> None:
    assert say("pull", f"{NAME}:Q8_0", "--from", site.address)[0] == 0
    assert say("pull", f"{NAME}:Q4_0")[0] == 0
    assert len(site.asked) > 6
    assert not [one for one in site.asked if "authorization" in one or TOKEN in json.dumps(one)]


def test_an_interrupted_file_of_a_host_without_ranges_is_fetched_again(site: Served, say: Say) -> None:
    part = Path(TARGET) / ".zoo" / "partial"
    assert say("pull", f"{NAME}:Q8_0", "--from", site.address)[0] == 0
    (Path(TARGET) / "model-Q8_0.gguf").unlink()
    part.mkdir(parents=True, exist_ok=True)
    assert say("pull", f"{NAME}:Q8_0")[0] == 0
    assert (Path(TARGET) / "model-Q8_0.gguf").read_bytes() == site.zoo.contents["model-Q8_0.gguf"]


def test_changed_bytes_and_lists_are_refused(site: Served, say: Say) -> None:
    file = site.carried / "model-Q4_0.gguf"
    raw = file.read_bytes()
    file.unlink()
    file.write_bytes(raw[:-1] + b"!" if raw[-1:] != b"!" else raw[:-1] + b"?")
    code, _, err = say("pull", f"{NAME}:Q4_0", "--from", site.address)
    assert code != 0 and "wrong content" in err and not (Path(TARGET) / file.name).exists()
    file.write_bytes(raw[:-1])
    code, _, err = say("pull", f"{NAME}:Q4_0", "--from", site.address)
    assert code != 0 and f"has {len(raw) - 1} bytes, not the {len(raw)}" in err
    (site.carried / "files.json").unlink()
    (site.carried / "files.json").write_text('{"files": [{"path": "../x", "size_bytes": 1, "sha256": "0"}]}')
    code, _, err = say("pull", f"{NAME}:Q4_0", "--from", site.address)
    assert code != 0 and "is not a list of files" in err
    assert remembered.address() is None, "nothing was pulled, so nothing is remembered"


def test_a_site_without_the_files_says_what_its_owner_can_do(site: Served, say: Say) -> None:
    (site.carried / "files.json").unlink()
    code, _, err = say("pull", f"{NAME}:Q4_0", "--from", site.address)
    assert code == 2 and f"does not carry the files of {NAME}/1.0.0" in err
    assert "site_files_mb" in err and "--hub" in err


def test_two_catalogs_are_refused(site: Served, say: Say) -> None:
    code, _, err = say("pull", NAME, "--from", site.address, "--catalog", "x.json")
    assert code == 2 and "both name a catalog" in err


@pytest.mark.parametrize(
    ("given", "catalog", "there"),
    [
        ("https://x.org", "https://x.org/catalog.json", "https://x.org/"),
        ("https://x.org/zoo/", "https://x.org/zoo/catalog.json", "https://x.org/zoo/"),
        ("https://x.org/a/model_catalog.json", "https://x.org/a/model_catalog.json", "https://x.org/a/"),
        ("https://x.org/c.json?v=1", "https://x.org/c.json?v=1", "https://x.org/"),
    ],
)
def test_what_an_address_means(given: str, catalog: str, there: str) -> None:
    assert catalog_address(given, "flag --from") == catalog
    assert site_address(catalog) == there


@pytest.mark.parametrize("given", ["x", "ftp://x.org", "https://u:p@x.org/", "https://"])
def test_what_is_not_an_address(given: str) -> None:
    with pytest.raises(InputError):
        catalog_address(given, "flag --from")
