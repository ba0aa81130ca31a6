"""Absurdly large input: refused by its size with the file named, or worked on with a word within two seconds."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import waiting
from sitesamples import model_and_release

from catalog import entries, index, plainfiles
from zoo import catalogfile, output
from zoo.__main__ import main
from zoo.corpora.prompts import read_prompts
from zoo.errors import InputError
from zoo.output import Output

REPOSITORY = Path(__file__).parents[2]
NAME = "smollm2-135m-instruct"


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo with the starter recipes."""
    (tmp_path / "zoo.toml").touch()
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sparse(path: Path, size_bytes: int) -> Path:
    """A file of zeros that takes no space."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
    return path


def peak_kilobytes(words: list[str], folder: Path) -> tuple[int, str, int]:
    """Exit code, everything printed, and peak memory of a command in a process of its own.

    getrusage would include the peak of the process that started it.
    """
    code = "import sys; from zoo.__main__ import main; code = main(sys.argv[1:]); "
    code += "print(open('/proc/self/status').read()); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    said = done.stdout + done.stderr
    found = re.search(r"VmHWM:\s+(\d+) kB", said)
    assert found, said
    return done.returncode, said, int(found[1])


@pytest.mark.parametrize("size", [40 << 20, 512 << 20, 3 << 30])
@pytest.mark.parametrize("words", [["catalog"], ["check", "model_catalog.json"], ["pull", NAME], ["site", "build"]])
def test_a_large_file_that_is_not_a_catalog_is_not_read(words: list[str], size: int, zoo: Path) -> None:
    sparse(zoo / "model_catalog.json", size)
    code, said, peak = peak_kilobytes(words, zoo)
    assert code == 2 and "model_catalog.json" in said and "bug in zoo" not in said
    assert peak < 200_000


@pytest.mark.parametrize("part", ["train", "evaluation"])
def test_a_large_corpus_is_named_and_not_read(part: str, zoo: Path) -> None:
    recipe = next(p for p in sorted((zoo / "recipes").glob("*.yaml")) if "train:" in p.read_text("utf-8"))
    text = recipe.read_text("utf-8")
    found = re.search(rf"{part}:.*?path: ([\w./-]+)", text, re.DOTALL)
    assert found
    sparse(zoo / found[1], 3 << 30)
    code, said, peak = peak_kilobytes(["check", str(recipe)], zoo)
    assert code == 2 and found[1] in said and "more than 268.4 MB would take days" in said
    assert peak < 300_000
    with pytest.raises(plainfiles.TooLarge):
        read_prompts(zoo / found[1], found[1])
    if found[1].endswith(".jsonl"):
        code, said, _ = peak_kilobytes(["check", found[1]], zoo)
        assert code == 2 and "larger than 256 MiB" in said


@pytest.mark.parametrize("name", ["card.md", "LICENSE.md"])
def test_a_large_card(name: str, zoo: Path) -> None:
    sparse(zoo / name, 3 << 30)
    code, said, _ = peak_kilobytes(["check", name], zoo)
    assert code == 2 and "larger than 4 MiB" in said


def test_a_file_that_grows_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "grows"
    path.write_bytes(b"x" * 10)
    assert plainfiles.read_bounded(path, 10) == b"x" * 10
    with pytest.raises(plainfiles.TooLarge, match="it is larger than"):
        plainfiles.read_bounded(path, 9)


# --- Large catalogs, model by model


def large(path: Path, *names: str) -> index.Catalog:
    found = index.EMPTY
    for name in names:
        found = index.with_release(found, *model_and_release(name=name))
    path.write_text(index.to_text(found), encoding="utf-8")
    return found


def test_a_large_catalog_is_read_model_by_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model_catalog.json"
    wanted = large(path, "a", "b", "c")
    whole = catalogfile.read_catalog(path, "x")
    monkeypatch.setattr(catalogfile, "WHOLE_BYTES", 100)
    pieces, real = list[int](), index.parse
    monkeypatch.setattr(index, "parse", lambda text, shown: (pieces.append(len(text)), real(text, shown))[1])
    assert catalogfile.read_catalog(path, "x") == whole == wanted
    assert len(pieces) == 3 and max(pieces) < path.stat().st_size / 2


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda text: text.replace('"name": "b"', '"name": "b", "x": 1'), 'x, model "b":'),
        (lambda text: text.replace('"name": "b"', '"name": "a"'), "not in the order of names, or twice"),
        (lambda text: text.replace('"name": "b"', '"name": "d"'), "not in the order of names, or twice"),
        (lambda text: text.replace("\n    {", "\n   {"), "it has not the form that zoo writes"),
        (lambda text: text.replace(entries.BETWEEN, entries.BETWEEN + '"x" '), "not valid JSON"),
    ],
)  # fmt: skip
def test_a_large_catalog_with_a_fault(
    edit: object, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model_catalog.json"
    large(path, "a", "b", "c")
    assert callable(edit)
    path.write_text(edit(path.read_text("utf-8")), encoding="utf-8")
    monkeypatch.setattr(catalogfile, "WHOLE_BYTES", 100)
    with pytest.raises(InputError) as caught:
        catalogfile.read_catalog(path, "x")
    assert says in str(caught.value)


def test_a_model_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model_catalog.json"
    path.write_text(entries.HEAD + " " * (1 << 23) + entries.TAIL, encoding="utf-8")
    monkeypatch.setattr(catalogfile, "WHOLE_BYTES", 100)
    monkeypatch.setattr(entries, "MOST_PIECE_BYTES", 1 << 20)
    with pytest.raises(InputError, match="a model has more than 1 MiB"):
        catalogfile.read_catalog(path, "x")


def test_places_in_megabytes_of_brackets_do_not_take_a_minute() -> None:
    text = '{"schema": "model-catalog/1", "models": [' + ",".join(["[]"] * 3_000_000) + "]}"
    began = time.process_time()
    _, problems = index.parse(text, "x")
    assert len(problems) == 61 and problems[0].column > 30
    assert "only 60 problems of this file are listed" in problems[-1].what
    assert time.process_time() - began < 60


# --- A word within two seconds


def test_silence_is_broken(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(output, "PLAIN_SECONDS", 0.4)
    shown, lines, moments = Output(), list[str](), list[float]()

    def heard(number: int) -> bool:
        lines.extend(capsys.readouterr().err.splitlines())
        return len(lines) >= number

    with shown.attended("zoo x"):
        for number in (1, 2, 3):
            waiting.until(lambda number=number: heard(number))
            moments.append(time.monotonic())
        with shown.resting():
            time.sleep(0.3)  # a word that was begun before may still come
            capsys.readouterr()
            time.sleep(0.8)
            assert capsys.readouterr().err == ""
    assert all(re.fullmatch(r"  zoo x is still working, .* so far", one) for one in lines)
    assert len(lines) == 3 and moments[2] - moments[0] > 0.4, "the words come too often"


def test_a_word_that_no_memory_is_left_for_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine silence is long. A traceback of the thread that breaks it was shown instead of the reason."""
    monkeypatch.setattr(output, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(output, "PLAIN_SECONDS", 0.1)
    shown, again = Output(), threading.Event()
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 1:
            raise MemoryError
        again.set()

    monkeypatch.setattr(shown, "say", say)
    with shown.attended("zoo x"):
        assert again.wait(waiting.FAR_SECONDS)


@pytest.mark.parametrize("words", [["--quiet"], []])
def test_work_with_a_progress_line_and_quiet_work_need_no_other(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "QUIET_SECONDS", 0.2)
    shown = Output(quiet=bool(words))
    with shown.attended("zoo x"), shown.task("doing", None, "steps"):
        time.sleep(0.6)
    assert "still working" not in capsys.readouterr().err


def test_a_terminal_shows_the_innermost_work() -> None:
    """Only one line can move on a terminal."""
    code = (
        "from zoo import output; output.QUIET_SECONDS = 0.1; shown = output.Output()\n"
        "with shown.task('outer', 2, 'steps'):\n    with shown.task('inner', 2, 'steps'):\n        input()\n"
        "    input()\n"
    )
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=follower, env={**os.environ, "TERM": "xterm"}
    ) as child:
        assert child.stdin
        for name in (b"inner: ", b"outer: "):
            said = b""
            while name not in said and child.poll() is None:
                said += os.read(leader, 1 << 16) if select.select([leader], [], [], 0.1)[0] else b""
            assert name in said and b"Traceback" not in said, said
            child.stdin.write(b"\n")
            child.stdin.flush()
    os.close(follower)
    os.close(leader)
    assert child.returncode == 0


def test_many_recipes_are_counted(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "QUIET_SECONDS", 0.05)
    for number in range(600):
        (zoo / "recipes" / f"x{number}.yaml").write_text("name: x\n", encoding="utf-8")
    assert main(["check"]) == 2
    assert re.search(r"checking: \d+ %, \d+ of \d+ files", capsys.readouterr().err)
