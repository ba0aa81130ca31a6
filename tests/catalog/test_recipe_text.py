"""From the bytes of a recipe file to data with lines, or to problems; never a traceback, never a hang."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recipesamples import PLAIN, edited, line_of

from catalog import yamltext
from catalog.checks import CheckedRecipe, check_recipe
from catalog.problems import LIMIT, Problem, did_you_mean, dotted, show

REPOSITORY = Path(__file__).parents[2]
STARTERS = sorted(
    path.stem for path in (REPOSITORY / "recipes").glob("*.yaml") if not path.name.endswith(".lock.yaml")
)

Check = Callable[..., CheckedRecipe]


def only(checked: CheckedRecipe) -> Problem:
    """The only problem."""
    (problem,) = checked.problems
    assert checked.recipe is None
    return problem


# --- Valid recipes


@pytest.mark.parametrize("name", STARTERS)
def test_starter_recipe_is_valid(name: str) -> None:
    checked = check_recipe(REPOSITORY / "recipes" / f"{name}.yaml", REPOSITORY)
    assert checked.problems == ()
    assert checked.recipe and checked.recipe.name == name
    assert checked.text == (REPOSITORY / "recipes" / f"{name}.yaml").read_bytes()
    assert checked.file == f"recipes/{name}.yaml"


def test_there_are_starters() -> None:
    assert {"qwen2.5-0.5b-tutor", "smollm2-135m-instruct", "smollm2-tutor-57m"} <= set(STARTERS)


def test_scalars_follow_the_core_schema_of_yaml_1_2() -> None:
    text = (
        b"a: no\nb: on\nc: true\nd: ~\ne: 12\nf: 1e3\ng: '12'\nh: 1:30\ni: 2026-11-22\nj: .5\nk: -7\nl: 0o7\n"
    )
    assert yamltext.parse(text, "x").data == {
        "a": "no", "b": "on", "c": True, "d": None, "e": 12, "f": 1000.0, "g": "12", "h": "1:30", "i": "2026-11-22",
        "j": 0.5, "k": -7, "l": "0o7",
    }  # fmt: skip


def test_every_value_and_key_knows_its_place() -> None:
    document = yamltext.parse(b"a:\n  - b: 1\n    c: [x, {d: y}]\n", "x")
    assert document.value_places == {
        (): (1, 1), ("a",): (2, 3), ("a", 0): (2, 5), ("a", 0, "b"): (2, 8), ("a", 0, "c"): (3, 8),
        ("a", 0, "c", 0): (3, 9), ("a", 0, "c", 1): (3, 12), ("a", 0, "c", 1, "d"): (3, 16),
    }  # fmt: skip
    assert document.key_places[("a", 0, "c", 1, "d")] == (3, 13)
    assert document.place(("a", 0, "nothing", "deep")) == (2, 5)


def test_places_of_a_list_at_the_top() -> None:
    document = yamltext.parse(b"# words\n- a\n- [b]\n", "x")
    assert document.value_places == {(): (2, 1), (0,): (2, 3), (1,): (3, 3), (1, 0): (3, 4)}


# --- Files that are not recipes


@pytest.mark.parametrize(
    ("raw", "line", "column", "words"),
    [
        (b"", 1, 1, "the file is empty"),
        (b"# only words\n", 1, 1, "the file is empty"),
        (b"null\n", 1, 1, "the file is empty"),
        (b"---\n", 1, 1, "the file is empty"),
        (b"a: &x 1\nb: 2\n", 1, 4, "anchor &x is not allowed"),
        (b"a: 1\nb: [*a, *a]\n", 2, 5, "alias *a is not allowed"),
        (b"a: &a [*a]\n", 1, 4, "anchor &a is not allowed"),
        (b"a: !!python/object/apply:os.system [id]\n", 1, 4, 'tag "tag:yaml.org,2002:python/object/apply:os.system"'),
        (b"a: !mine 1\n", 1, 4, 'tag "!mine" is not allowed'),
        (b"a: 1\n---\nb: 2\n", 2, 1, "a second YAML document begins here"),
        (b"a: 1\nb:\n\t- c\n", 3, 1, "not valid YAML"),
        (b"a: 1\n  b: 2\n", 2, 4, "not valid YAML: mapping values are not allowed here"),
        (b"a: [1, 2\nb: 3\n", 2, 2, "not valid YAML: while parsing a flow sequence"),
        (b'a: "x\n', 2, 1, "not valid YAML"),
        (b"[a]: 1\n", 1, 1, "a key must be a word"),
        (b"a: 1\nb: c\x00d\n", 2, 5, "character U+0000"),
        (b"a: 1\nb: \x1b[31mred\n", 2, 4, "character U+001B"),
        ("a: \u202egnp.exe\n".encode(), 1, 4, "character U+202E"),
        ("a: x\ufeff\n".encode(), 1, 5, "character U+FEFF (byte order mark)"),
        ("a: x\u061cy\n".encode(), 1, 5, "character U+061C"),
        ("a: x\uffffy\n".encode(), 1, 5, "character U+FFFF"),
        (b"a: 1\nb: caf\xe9\n", 2, 7, "byte 0xe9 is not UTF-8"),
        (b"\xff\xfea\x00:\x00", 1, 1, "byte 0xff is not UTF-8"),
        (b'a: 1\nb: "x\\u202ey"\n', 2, 4, "the escape for character U+202E"),
        (b'a: 1\nb: "x\\0y"\n', 2, 4, "the escape for character U+0000"),
        (b'"\\uD800": 1\n', 1, 1, "the escape for character U+D800"),
        (b"a: " + b"9" * 41, 1, 4, "YAML reads this as a number of 41 characters"),
        (b"a: 1e999", 1, 4, 'the number "1e999" is too large'),
        (b"a: " + b"[" * 30 + b"]" * 30, 1, 27, "nested deeper than 24 levels"),
        (b"a:\n" + b"- 1\n" * 20_001, 19_999, 3, "more than 20000 values"),
    ],
)  # fmt: skip
def test_text_that_is_refused_names_the_place(raw: bytes, line: int, column: int, words: str) -> None:
    document = yamltext.parse(raw, "x.yaml")
    (problem,) = document.problems
    assert document.data is None
    assert (problem.line, problem.column) == (line, column), problem
    assert words in problem.what
    assert problem.instead


def test_every_duplicate_key_is_named_with_its_first_line() -> None:
    document = yamltext.parse(b"a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n", "x")
    assert [(p.line, p.column, p.path, p.what) for p in document.problems] == [
        (2, 11, "b.c", 'key "c" is written twice (first on line 2)'),
        (3, 1, "a", 'key "a" is written twice (first on line 1)'),
        (4, 1, "a", 'key "a" is written twice (first on line 1)'),
    ]
    assert document.data is None


def test_billion_laughs_is_refused_at_its_first_anchor() -> None:
    text = "a: &a [lol, lol, lol]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    (problem,) = yamltext.parse(text.encode(), "x").problems
    assert (problem.line, problem.column, problem.what) == (1, 4, "anchor &a is not allowed")


@pytest.mark.parametrize(
    "raw",
    [
        b"languages: [" + b",".join(b"%d,a%d" % (n, n) for n in range(9_000)) + b"]",
        b"\n".join(b"key%d: 1" % n for n in range(9_000)),
        b"languages:\n" + b"  - 1\n" * 19_000,
        b"{" * 200_000,
        b"? " * 100_000,
        b"licence: " + b"(" * 200_000,
        b"owners: [" + b"{a: 1}," * 6_000 + b"]",
    ],
    ids=["mixed-list", "unknown-keys", "wrong-types", "braces", "question-marks", "licence", "like-entries"],
)  # fmt: skip
def test_hostile_size_costs_seconds_at_most(raw: bytes, check_text: Check) -> None:
    clock = time.process_time()
    checked = check_text(raw)
    assert checked.recipe is None
    assert 1 <= len(checked.problems) <= LIMIT + 1
    assert time.process_time() - clock < 8


def test_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(500_000_000)  # sparse
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    problem = only(check_recipe(path, tmp_path))
    assert problem.what == "the file is larger than 256 KiB"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


@pytest.mark.usefixtures("in_time")
def test_folder_pipe_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    said = {
        name: only(check_recipe(tmp_path / f"{name}.yaml", tmp_path)).what
        for name in ("folder", "pipe", "dangling", "no")
    }
    assert said == {
        "folder": "the file is a folder",
        "pipe": "the file is not a regular file",
        "dangling": "the file does not exist",
        "no": "the file does not exist",
    }
    assert only(check_recipe(Path("/"), tmp_path)).what == "the file is a folder"


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(PLAIN, encoding="utf-8")
    original = Path.open

    def refuse(self: Path, *args: Any, **kwargs: Any) -> Any:
        # The tests may run as root, who can read everything.
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    assert only(check_recipe(path, tmp_path)).what == "the file cannot be read (Permission denied)"


# --- What the schema finds


@pytest.mark.parametrize(
    ("old", "new", "at", "column", "path", "instead"),
    [
        ("quantize:", "quantise:", "quantise:", 1, "quantise", "Did you mean `quantize`?"),
        ("licence: Apache-2.0\nown", "license: Apache-2.0\nown", "license:", 1, "license", "Did you mean `licence`?"),
        ("  windows: 12", "  window: 12", "window: 12", 3, "evaluate.window", "Did you mean `windows`?"),
        ("Q5_K_M", "Q5_KM", "Q5_KM", 18, "quantize.ladder[1]", "Did you mean `Q5_K_M`? Allowed: "),
        ("task: chat", "task: Chat", "task: Chat", 7, "task", "Did you mean `chat`? Allowed: "),
        ("version: 1.0.0", "version: 1.0", "version:", 10, "version", "Semantic version of the release, three"),
        ("windows: 12", "windows: twelve", "windows: twelve", 12, "evaluate.windows",
         "Write a whole number (Number of windows"),
        ("windows: 12", "windows: .nan", "windows: .nan", 12, "evaluate.windows", "Write a whole number ("),
        ("windows: 12", "windows: 1", "windows: 1", 12, "evaluate.windows", "Write a number of at least 2"),
        ("windows: 12", "windows: 5000", "windows: 5000", 12, "evaluate.windows", "Write a number of at most 4096"),
        ("languages: [en]", "languages: en", "languages:", 12, "languages", "Write a list: [a, b] or one"),
        ("languages: [en]", "languages: [en, en]", "languages:", 12, "languages", "Delete one of the two"),
        ("languages: [en]", "languages: []", "languages:", 12, "languages", "Write at least 1"),
        ("zoo: 1", "zoo: 2", "zoo: 2", 6, "zoo", "Write 1"),
        ("zoo: 1", "zoo: true", "zoo: true", 6, "zoo", "Write 1"),
    ],
)  # fmt: skip
def test_one_wrong_word_is_one_problem_with_what_to_do(
    old: str, new: str, at: str, column: int, path: str, instead: str, check_text: Check
) -> None:
    text = edited(PLAIN, old, new)
    found = [p for p in check_text(text).problems if p.line == line_of(text, at)]
    assert [(p.column, p.path) for p in found] == [(column, path)]
    assert found[0].instead.startswith(instead)


def test_a_missing_key_says_what_it_is_for(check_text: Check) -> None:
    problem = only(check_text(edited(PLAIN, "owners: [tests]\n", "")))
    assert problem.what == 'key "owners" is missing'
    assert problem.instead == "Add `owners:` (Who is responsible for the model: names or handles)"


@pytest.mark.parametrize(
    ("old", "new"), [("version: 1.0.0", 'version: "1.0.0\\n"'), ("languages: [en]", 'languages: ["en\\n"]')]
)
def test_a_final_newline_does_not_slip_through_a_pattern(old: str, new: str, check_text: Check) -> None:
    assert "has the wrong form" in only(check_text(edited(PLAIN, old, new))).what


def test_all_problems_come_together_in_the_order_of_the_file(check_text: Check) -> None:
    text = (
        PLAIN.replace("zoo: 1", "zoo: 3")
        .replace("date: 2026-11-22", "date: 2026-13-40")
        .replace("chat", "chatt")
    )
    text = text.replace("[Q8_0", "[Q8_1").replace("model: plain-gguf", "modle: x")
    found = check_text(text).problems
    assert [p.path for p in found] == [
        "zoo", "date", "task", "quantize.ladder[0]", "publish", "publish.modle"
    ]  # fmt: skip
    assert list(found) == sorted(found)


def test_a_whole_number_may_be_written_with_a_point(check_text: Check) -> None:
    checked = check_text(edited(PLAIN, "windows: 12", "windows: 12.0"))
    assert checked.recipe and checked.recipe.evaluate.windows == 12
    assert isinstance(checked.recipe.evaluate.windows, int)


def test_problem_texts() -> None:
    problem = Problem("a,b:c.yaml", 3, 4, "gates[0]", "100% wrong\nreally", "Mend it?")
    assert str(problem).startswith("a,b:c.yaml:3:4: gates[0]: 100% wrong")
    assert (
        problem.as_github()
        == "::error file=a%2Cb%3Ac.yaml,line=3,col=4::gates[0]: 100%25 wrong%0Areally. Mend it?"
    )
    assert dotted(("a", 0, "b", 1)) == "a[0].b[1]"
    assert show("x\x1b\u202e") == '"x\\u001b\\u202e"'
    assert len(show("x" * 500)) <= 60
    # What follows is not part of the text.
    assert show("x" * 500).endswith('x ..."') and show(["x"] * 500).endswith(" ...")
    assert did_you_mean("QUANTISE", ["quantize", "x"]) == "quantize"
    assert did_you_mean("zzzz", ["quantize", "x"]) is None


# --- The command


def test_the_command_says_it_without_a_traceback(zoo_folder: Path) -> None:
    bad = {
        "bomb": b"a: &a [x, x]\nb: &b [*a, *a]\n", "nul": b"a: \x00\n", "latin": b"a: caf\xe9\n", "deep": b"[" * 5000,
        "empty": b"", "null": b"~\n", "two": b"a: 1\n---\nb: 1\n", "tab": b"a:\n\tb: 1\n",
        "tag": b"a: !!python/name:os.system x\n",
    }  # fmt: skip
    for name, raw in bad.items():
        (zoo_folder / f"{name}.yaml").write_bytes(raw)
    with (zoo_folder / "huge.yaml").open("wb") as stream:
        stream.truncate(50_000_000)
    os.mkfifo(zoo_folder / "pipe.yaml")
    (zoo_folder / "folder.yaml").mkdir()
    names = [*bad, "huge", "pipe", "absent"]
    command = [sys.executable, "-m", "zoo", "check", *(f"{name}.yaml" for name in names)]
    done = subprocess.run(
        command,
        cwd=zoo_folder,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(REPOSITORY), os.environ["PYTHONPATH"]))},
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"{name}.yaml" for name in names]
    # On a slow machine, progress comes before it.
    assert done.stderr.splitlines()[-1] == f"{len(names)} files checked, {len(names)} problems."


@pytest.mark.parametrize(
    ("text", "line", "column", "name", "instead"),
    [
        ("a: 1\nb:\u00a0chat\n", 2, 3, "U+00A0 (no-break space)", "Write a plain space"),
        ("a: 1\nb: \u202fchat\n", 2, 4, "U+202F (narrow no-break space)", "Write a plain space"),
        ("b: chat\u00a0\n", 1, 8, "U+00A0 (no-break space)", "Write a plain space"),
        ("b: chat\u00a0# task\n", 1, 8, "U+00A0 (no-break space)", "Write a plain space"),
        ("b\u00a0: chat\n", 1, 2, "U+00A0 (no-break space)", "Write a plain space"),
        ("b:\n\u00a0\u00a0c: 1\n", 2, 1, "U+00A0 (no-break space)", "Write a plain space"),
        ("b:\n-\u3000c\n", 2, 2, "U+3000 (ideographic space)", "Write a plain space"),
        ("b: [en,\u00a0fr]\n", 1, 8, "U+00A0 (no-break space)", "Write a plain space"),
        ("b: {c:\u200b1}\n", 1, 7, "U+200B (zero width space)", "Write a plain space"),
        ("- b:\u00a0c\n- d\n", 1, 5, "U+00A0 (no-break space)", "Write a plain space"),
        ("a: 1\nb\uff1achat\n", 2, 2, "U+FF1A (fullwidth colon)", "Write a plain colon"),
    ],
)
def test_a_character_that_looks_like_a_space_or_colon_is_named(
    text: str, line: int, column: int, name: str, instead: str
) -> None:
    (problem,) = yamltext.parse(text.encode(), "x.yaml").problems
    assert (problem.line, problem.column) == (line, column), problem
    assert name in problem.what and problem.instead.startswith(instead)


def test_spaces_of_typography_inside_a_value_stay() -> None:
    text = '\ufeffa: 10\u00a0Mo \u00e0 lire\nb: "\u00a0x\u00a0"\nc: |\n  x\u00a0\nd: \u0645\u06cc\u200c\u062e\n'
    wanted = {"a": "10\u00a0Mo \u00e0 lire", "b": "\u00a0x\u00a0", "c": "x\u00a0\n", "d": "\u0645\u06cc\u200c\u062e"}
    assert yamltext.parse(text.encode(), "x.yaml").data == wanted
