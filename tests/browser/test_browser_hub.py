"""The pages of ``zoo hub serve``: they fit, and axe and html-validate find nothing."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_browser_standards import HERE, LOOKS, installed, node, violations

from zoo.files.listing import FileRecord
from zoo.hub import FolderHub
from zoo.hub.server import Access, HubServer

__all__ = ["violations"]
CARD = "---\nlicense: apache-2.0\npipeline_tag: text-generation\n---\n# M\n\n" + (
    "A [link](other.md), `code`, **words**.\n\n| a | long heading of a column |\n|---|--:|\n"
    + f"| {'x' * 90} | 1 |\n" * 3
)
PAGES = {"front": "", "repository": "local/m", "dataset": "datasets/local/none-yet"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a hub with a model of two versions, and an empty dataset."""
    folder = tmp_path_factory.mktemp("hub")
    made = FolderHub(folder)
    files = {f"evidence/a-rather-long-name-of-a-file-{number}.json": b"{}" * number for number in range(20)}
    repo, records, source = made.repo("model", "local", "m"), [], folder / "source"
    for path, raw in {"README.md": CARD.encode(), **files}.items():
        source.write_bytes(raw)
        records.append(FileRecord(path, len(raw), hashlib.sha256(raw).hexdigest()))
        repo.put(source, records[-1].sha256, lambda _: None)
    oid = repo.commit(None, records, [], "first")
    for tag in ("v1.0.0", "v1.1.0"):
        repo.tag(tag, oid)
    made.repo("dataset", "local", "none-yet").folder.mkdir(parents=True)
    server = HubServer(folder, "127.0.0.1", 0, Access({}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.address
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("kind", PAGES)
def test_page_fits_and_axe_finds_nothing(
    kind: str, width: int, scheme: str, hub: str, open_page: Any, fits: Any, shoot: Any, violations: Any
) -> None:
    page = open_page(f"{hub}/{PAGES[kind]}", width=width, scheme=scheme, bypass_csp=True)
    shoot(page, f"hub-{kind}-{width}-{scheme}")
    fits(page)
    assert violations(page) == []


def test_a_person_finds_a_file(hub: str, open_page: Any) -> None:
    page = open_page(hub + "/")
    page.fill("input[type=search]", "M")
    page.click("button")
    page.click("text=local/m")
    page.click("text=v1.0.0")
    page.wait_for_url("**/tree/v1.0.0")
    assert page.get_attribute("[aria-current=page]", "href") == "/local/m/tree/v1.0.0"
    with page.expect_download() as kept:
        page.click("text=README.md")
    assert kept.value.path().read_text("utf-8") == CARD


def test_html_is_valid(hub: str, tmp_path: Path) -> None:
    for kind, path in PAGES.items():
        with urllib.request.urlopen(f"{hub}/{path}") as answer:
            (tmp_path / f"{kind}.html").write_bytes(answer.read())
    command = [node(), str(installed("html-validate") / "bin" / "html-validate.mjs"), "--config"]
    command += [str(HERE / "html-validate.json"), "--formatter", "json", "--max-warnings", "0", "*.html"]
    told = tmp_path / "told.json"
    with told.open("wb") as stream:
        subprocess.run(command, cwd=tmp_path, stdout=stream, timeout=120, check=False)
    found = json.loads(told.read_text("utf-8"))
    assert [(one["ruleId"], one["message"], one["line"]) for file in found for one in file["messages"]] == []
