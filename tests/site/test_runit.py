"""The tabs "Run it": which are there for a file, what they say, and that nothing is offered that cannot work."""

from __future__ import annotations

import base64
import dataclasses
import re
import struct
import zlib

import pytest
from sitesamples import completion, sample

from catalog import device as devices
from catalog.release import Release, YankEvent
from zoo.choose import runtimes
from zoo.site import pages
from zoo.site.pages import Site, qr, runit
from zoo.site.pages.runit import Tab

ADDRESS = "https://zoo.example.org/zoo/"
NAME = "smollm2-135m-instruct"
COMMIT = "a" * 40
HUB = f"https://huggingface.co/local/smollm2-gguf/resolve/{COMMIT}/"
CARRIED = frozenset((f"download/{NAME}/1.0.0/model-Q8_0.gguf", f"download/{NAME}/1.0.0/files.json"))
FULL = Site(address=ADDRESS, engine=True, program="git+https://git.example.org/zoo")


def release_on(hub: str = "https://huggingface.co") -> Release:
    release = sample().models[0].releases[0]
    return dataclasses.replace(release, location=dataclasses.replace(release.location, hub=hub))


def tabs(release: Release, site: Site = FULL, board: str = "", type_: str = "Q8_0") -> dict[str, Tab]:
    file = next(one for one in release.files if one.type == type_)
    found = runit.tabs(NAME, release, file, site, 2048, devices.find(board) if board else None)
    return {tab.id: tab for tab in found}


def lines(tab: Tab, system: str = "linux") -> str:
    """Everything that somebody with one system types."""
    return "\n".join(block.text for step in tab.steps for block in step.blocks if block.system in ("", system))


EVERY = ["ollama", "llama-cpp", "lm-studio", "python", "zoo", "browser", "download"]


@pytest.mark.parametrize(
    ("hub", "site", "wanted"),
    [
        ("https://huggingface.co", FULL, EVERY),
        ("https://huggingface.co", Site(), [*EVERY[:4], "download"]),
        ("https://hub.example.org/", FULL, EVERY),
        ("folder", dataclasses.replace(FULL, carried=CARRIED), EVERY),
        ("folder", Site(carried=CARRIED, engine=True), ["browser", "download"]),
        ("folder", FULL, ["own"]),
        ("http://10.1.2.3", FULL, []),
        ("https://x/$(id)", FULL, []),
    ],
)
def test_only_what_can_work_is_shown(hub: str, site: Site, wanted: list[str]) -> None:
    assert list(tabs(release_on(hub), site)) == wanted


def test_without_the_list_of_files_nothing_can_be_pulled() -> None:
    only = frozenset(path for path in CARRIED if path.endswith(".gguf"))
    assert "zoo" not in tabs(release_on("folder"), dataclasses.replace(FULL, carried=only))


def test_a_board_gets_the_lines_of_its_system() -> None:
    release = release_on()
    pi, mac = tabs(release, board="pi-5-4gb"), tabs(release, board="apple-m4-16gb")
    assert list(pi) == [one for one in EVERY if one != "lm-studio"] and "lm-studio" in mac
    systems = {block.system for tab in pi.values() for step in tab.steps for block in step.blocks}
    assert systems == {"", "linux"}
    assert "apt" not in "".join(lines(tab, "macos") for tab in mac.values())
    assert {"linux", "macos", "windows"} <= {b.system for s in tabs(release)["python"].steps for b in s.blocks}


def test_hub_files_run_with_one_line_and_are_fetched_at_the_exact_commit() -> None:
    found = tabs(release_on())
    assert "ollama run hf.co/local/smollm2-gguf:Q8_0" in lines(found["ollama"])
    assert "llama-cli -hf local/smollm2-gguf:Q8_0 -c 2048 -cnv" in lines(found["llama-cpp"])
    assert "lms get local/smollm2-gguf@Q8_0" in lines(found["lm-studio"])
    assert f"wget -c {HUB}model-Q8_0.gguf" in lines(found["download"])
    assert found["download"].steps[0].url == f"{HUB}model-Q8_0.gguf"
    assert "[hub] @ git+https://git.example.org/zoo" in lines(found["zoo"])
    assert f"zoo pull {NAME}@1.0.0:Q8_0 --from {ADDRESS}" in lines(found["zoo"])


def test_digests_come_from_the_site_else_from_the_hub() -> None:
    for system, check in (("linux", "sha256sum -c"), ("macos", "shasum -a 256 -c"), ("windows", "Get-FileHash")):
        ours = lines(tabs(release_on())["download"], system)
        assert f"{ADDRESS}models/{NAME}/1.0.0/SHA256SUMS" in ours and check in ours
        assert f"{HUB}SHA256SUMS" in lines(tabs(release_on(), Site())["download"], system)


def test_carried_files_come_from_the_site() -> None:
    found = tabs(release_on("folder"), dataclasses.replace(FULL, carried=CARRIED))
    here = f"{ADDRESS}download/{NAME}/1.0.0/model-Q8_0.gguf"
    for id_ in ("ollama", "llama-cpp", "lm-studio", "python", "download"):
        assert f"wget -c {here}" in lines(found[id_])
    assert found["download"].steps[0].url == f"download/{NAME}/1.0.0/model-Q8_0.gguf"
    assert "lms import model-Q8_0.gguf" in lines(found["lm-studio"])
    assert "[hub]" not in lines(found["zoo"])
    page = str(pages.render(sample(), Site(), lambda *_: b"{}")[f"models/{NAME}/index.html"])
    assert f'href="{HUB}model-Q8_0.gguf" rel="nofollow" download' in page


def test_a_type_that_others_do_not_know_is_named_by_its_file() -> None:
    release = release_on()
    files = tuple(dataclasses.replace(one, type=f"mix-{one.type}") for one in release.files)
    found = tabs(dataclasses.replace(release, files=files), type_="mix-Q8_0")
    assert "ollama run hf.co/local/smollm2-gguf:model-Q8_0.gguf" in lines(found["ollama"])
    assert "llama-cli -hf local/smollm2-gguf -hff model-Q8_0.gguf" in lines(found["llama-cpp"])
    assert "lms import model-Q8_0.gguf" in lines(found["lm-studio"])


@pytest.mark.parametrize("hub", ["https://huggingface.co", "https://hub.example.org"])
def test_a_completion_model_gets_no_command_that_chats(hub: str) -> None:
    release = completion(sample()).models[0].releases[0]
    moved = dataclasses.replace(release, location=dataclasses.replace(release.location, hub=hub))
    found = tabs(moved)
    assert "lm-studio" not in found
    every = "\n".join(lines(tab) for tab in found.values())
    assert not re.search(r"llama-cli -|(?<!no)-cnv|create_chat_completion", every)
    assert "llama-completion -" in every and '-no-cnv -p "Once upon a time" -n 64' in every
    assert 'ollama run' in every and every.count('"Once upon a time"') >= 3


def test_no_tab_leaves_a_placeholder_or_a_step_without_sense() -> None:
    names = "name|version|type|path|size|context|repository|tag|link|url|sums|from|try|program|extra|ok"
    for hub in ("https://huggingface.co", "https://hub.example.org", "folder"):
        carried = CARRIED if hub == "folder" else frozenset[str]()
        for site in (Site(), FULL):
            for tab in tabs(release_on(hub), dataclasses.replace(site, carried=carried)).values():
                for step in tab.steps:
                    text = step.words + step.url + "".join(block.text for block in step.blocks)
                    assert not re.search(rf"{{({names})}}", text)
                    assert step.words.endswith((".", ")", "browser")) or step.once
                assert tab.steps, tab.id


def test_every_runtime_has_a_name_of_its_own_and_known_systems() -> None:
    assert len({one.id for one in runtimes.TABLE}) == len(runtimes.TABLE)
    systems = {system for one in runtimes.TABLE for step in one.steps for system in step.lines}
    assert systems == {"", *runtimes.SYSTEMS}


def test_a_withdrawn_version_has_no_commands() -> None:
    model = sample().models[0]
    yank = YankEvent("1.0.0", "2026-11-23", "yank", "A fault.", "high", None)
    catalog = dataclasses.replace(sample(), models=(dataclasses.replace(model, yanks=(yank,)),))
    page = str(pages.render(catalog, FULL, lambda *_: b"{}")[f"models/{NAME}/index.html"])
    assert "zoo-run" not in page and " download><code>" not in page and "was withdrawn" in page


@pytest.mark.parametrize("hub", ["https://huggingface.co", "folder"])
def test_a_release_that_not_everybody_may_read_has_no_tabs(hub: str) -> None:
    release = release_on(hub)
    closed = dataclasses.replace(release.location, access="gated-auto")
    assert tabs(dataclasses.replace(release, location=closed)) == {}


def test_the_qr_code_is_that_of_the_address() -> None:
    """Read back from the picture, a bit for each module; the library's own matrix is the reference."""
    import segno

    html = str(qr.code(FULL, f"models/{NAME}/"))
    png = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', html)[1])
    size, height, depth, colours = struct.unpack(">IIBB", png[16:26])
    assert (height, depth, colours) == (size, 1, 0)
    start = png.index(b"IDAT") + 4
    data, line = zlib.decompress(png[start : png.index(b"IEND") - 8]), 1 + (size + 7) // 8
    rows = [[1 - (data[row * line + 1 + x // 8] >> (7 - x % 8) & 1) for x in range(size)] for row in range(size)]
    wanted = segno.make_qr(f"{ADDRESS}models/{NAME}/", error="m", mask=0, boost_error=False)
    assert rows == [list(row) for row in wanted.matrix_iter(border=4)]
    assert qr.code(Site(), "") == ""
