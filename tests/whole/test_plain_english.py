"""The words that people read: no word of the table of replacements in documents, pages, messages or schemas.

Add a row where a reader stumbles. A word that is right in one place gets a row in ``ALLOWED`` with the words around it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What not to write (a regular expression, without regard to case), and what to write instead.
WORDS: dict[str, str] = {
    r"mend(s|ed|ing)?": "fix",
    r"(?<!there )is no(?! (?:longer|larger|smaller|worse|better|more than|more \w+ than)\b)": (
        "is not a valid ..., or: no ... found"
    ),
    r"(?<!there )(?<!until )(is|are|was|were) (?-i:none)(?! of\b)": "none found, or: there is no ...",
    r"no number any more": "became NaN or infinite",
    r"told": "reported, shown, prints",
    r"(say|says|said|saying) so": "reports it, shows it",
    r"(stands?|stood) (in|at|on|beside|under|there|next|below|above)": "is in, is next to",
    r"(lies|lay) (in|at|on|beside|under|there|next|below|above)": "is in, is next to",
    r"(the )?way out": "what to do next",
    r"wrongly": "invalid, by mistake",
    r"(gives?|gave|given|giving) back": "frees, deletes, returns",
    r"dear(er|est)?": "expensive",
    r"at once": "at the same time, all at once, immediately",
    r"half-?way": "partway",
    r"(go|goes|went|gone|going) on (from|where|with|at)": "resumes, continues",
    r"whole or not at all|completely out or not": "either everything or nothing",
    r"unbeaten": "files that no other file beats",
    r"(struck|strikes?|striking) (out|through)": "crossed out, marked as invalid",
    r"(makes?|made) no (practical )?difference": "you are unlikely to notice a difference",
    r"loses at most(?! (?:one|a|the)\b)": "stays close to the original (KLD ≤ ...)",
    r"least speed": "minimum speed",
    r"for my board": "find a model for your device",
    r"anew": "again",
    r"in the same go|in one go": "in one command, in one step",
    r"beside": "next to",
    r"the very(?! (?:first|last|same)\b)": "exactly the, that same",
    r"all the same(?! \w)": "anyway, still",
    r"nowhere to|to be had": "not available",
    r"(is|are) to be \w+(ed|en)": "must be ..., or say who does it",
    r"thereof|wherein|whereby|whence|thence|hither|thither|hitherto|henceforth": "a usual word",
    r"lest|ere|nought|whilst|amongst|thus|hence|albeit": "a usual word",
    r"shall": "must, will",
    r"least loss": "lowest loss",
    r"passed over": "skipped",
    r"whoever": "anyone who, the owner",
    r"(say|says|said) otherwise|otherwise than": "differs",
    r"(not|is|are) sound": "valid, invalid",
    r"in the place of a": "instead of",
    r"a good deal|a great many|not a few|ever so": "much, many",
    r"(?<=[.;:] )who (is|has|pins|pinned|comes|wants|needs|gives|holds) [^?.]*": "If you ...",
    r"by heart|on its own feet|out of hand|needs must|for want of|in want of": "plain words",
    r"is (of|in) no (use|avail)": "does not help",
    r"come to naught|comes? to nothing|in vain": "fails",
    # What readers of the site stumbled over: German word order, riddles, and figures without their word.
    r"(?-i:Taken|Drawn|Shown|Named|Left|Chosen) (is|are)": "We pick ..., the charts show ...",
    r"(go|goes|going|gone|went) on(?! to\b)": "continues, resumes",
    r"let go": "dropped",
    r"to go by": "to compare with, to use",
    r"(is|are|was|were) there already|already there": "already exists",
    r"no zoo here": "no zoo.toml here",
    r"(?-i:Runners-up)|(?-i:runners-up)|(?-i:Runner-up)": "next best",
    r"(?<=, )disturbed": "unreliable: other programs used the processor",
    r"(can|may) be asked for": "is valid, from ... to ...",
    r"(could|can) not be asked|was not asked": "could not run, was not checked",
    r"did not work": "failed",
    r"rank(s|ed)? (higher|lower) and": "is better but does not fit",
    r"(took|take|takes) the [^.;:,]*probes": "was tested with the standard questions",
    r"talk on (stderr|stdout)": "log, messages",
    r"back into use": "restore",
    r"made of one file|out of one file": "Data: ...",
    r"(say|says|said) (this|that|it) of": "wrote about, is marked as",
    r"growing steps": "unfinished steps",
    r"mark(s|ed)? as beaten|beaten files": "files that are worse than another one of the same model",
    r"no (other )?number that": "must be a number from ... to ...",
    r"the owners( name| say| wrote)": "the maintainers",
    # British spelling.
    r"(colo|behavio|favo|hono|neighbo|flavo|labo)r(s|ed|ing|ite|ites|able|ing|hood)?(?![-:=\"'(\w.])": "-our",
    r"(cent|met)er(s|ed)?(?![-:=\"';)\w.])": "-re",
    r"(label|cancel|model|travel|signal|level)(ed|ing)(?![-:=\"'])": "-lled, -lling",
    r"gr[a]y(s|ed|ish)?(?![-:=\"'_;])": "grey",
    r"(analy|paraly|cataly)z(e|ed|es|ing)": "-yse",
    r"(defen|offen|preten)se": "-ce",
    r"(?<!model-)(?-i:[Ll]icens(e|es))(?![-:=\"'`_./])": "licence; license is a verb, and the Hub's key in code style",
}  # fmt: skip

# Where a word of the table is right: (a regular expression for the path, the words around it).
ALLOWED: tuple[tuple[str, str], ...] = (
    ("recipes/.*", "facts it was not told"),
    ("site/hooks.py", "text-align: .left.center"),
    # Names of licences, and texts that are measured on.
    ("catalog/(terms|licences).py", "ommunity [Ll]icense"),
    ("zoo/judge/parity/material.py", ".*"),
    # Sentences of evidence, whose bytes are released.
    ("zoo/judge/parity/(compare|source).py", "goes on"),
)

# How many such words each root still has (0 if not named). Lower a figure when you replace words; never raise one.
YET: dict[str, int] = {}

# Each root and the files in it that people read.
ROOTS: dict[str, tuple[str, ...]] = {
    "README.md": ("README.md",),
    "CONTRIBUTING.md": ("CONTRIBUTING.md",),
    "CHANGELOG.md": ("CHANGELOG.md",),
    "Makefile": ("Makefile",),
    "mkdocs.yml": ("mkdocs.yml",),
    "scripts": ("scripts/**/*.sh",),
    "recipes": ("recipes/*.yaml", "recipes/corpora/*.md"),
    "benchmarks": ("benchmarks/*.md", "benchmarks/**/*.py"),
    "site/docs": ("site/docs/**/*.md",),
    "site/templates": ("site/templates/**/*.html",),
    "site/assets": ("site/assets/*.js", "site/*.py"),
    "catalog/schemas": ("catalog/schemas/*.json",),
    "catalog/devices": ("catalog/devices/*.json",),
    "catalog": ("catalog/**/*.py",),
    "pi_runtime": ("pi_runtime/**/*.py",),
    **{f"zoo/{room}": (f"zoo/{room}/**/*.py", f"zoo/{room}/**/*.md", f"zoo/{room}/**/*.j2") for room in sorted(
        path.name for path in (ROOT / "zoo").iterdir() if path.is_dir() and path.name != "__pycache__")},
    "zoo": ("zoo/*.py",),
}  # fmt: skip


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of what a person reads in a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from _strings(ast.parse(text))
    elif path.suffix == ".json":
        for value in _values(json.loads(text)):
            yield _line(text, value), re.sub(r"`[^`\n]+`", "", value)
    elif path.suffix == ".md":
        prose = re.sub(r"^ *```.*?^ *```", _blank, text, flags=re.MULTILINE | re.DOTALL)
        yield from _paragraphs(re.sub(r"`[^`\n]+`|\]\([^)]*\)|<[^>]+>", _blank, prose))
    elif path.suffix == ".html":
        text = re.sub(r"\{#.*?#\}", _blank, text, flags=re.DOTALL)
        text = re.sub(r"\{[{%].*?[%}]\}", _quoted, text, flags=re.DOTALL)
        yield from _paragraphs(re.sub(r"</?[a-z][^\s>]*|\b(?:class|href|id)=\"[^\"]*\"", _blank, text))
    elif path.suffix == ".js":
        yield from _paragraphs(_quoted(text))
    else:
        yield from _paragraphs(text)


def _strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, re.sub(r"``[^`]+``|`[^`\n]+`", "", node.value)


def _values(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for value in document.values():
            yield from _values(value)
    elif isinstance(document, list):
        for value in document:
            yield from _values(value)
    elif isinstance(document, str) and " " in document:
        yield document


def _line(text: str, value: str) -> int:
    return text[: text.find(json.dumps(value, ensure_ascii=False)[1:-1])].count("\n") + 1


def _quoted(code: re.Match[str] | str) -> str:
    """Only what is in quotes, and comments, at their place; code between ``${`` and ``}`` is no text."""
    text = code if isinstance(code, str) else code[0]
    kept = re.compile(r'"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|(?<!:)//[^\n]*')
    spans = [(hit.start(), hit.end()) for hit in kept.finditer(text)]
    quoted, end = "", 0
    for start, stop in spans:
        quoted += re.sub(r"[^\n]", " ", text[end:start]) + re.sub(r"\$\{[^}]*\}", _blank, text[start:stop])
        end = stop
    return quoted + re.sub(r"[^\n]", " ", text[end:])


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    line = 1
    for part in re.split(r"(\n\s*\n)", text):
        yield line, part
        line += part.count("\n")


PATTERNS = [
    (re.compile(rf"(?<![\w-])(?:{word})(?![\w-])", re.IGNORECASE), better) for word, better in WORDS.items()
]


def found(path: Path, name: str) -> list[str]:
    """One line for each word of the table in a file."""
    lines = []
    allowed = [words for where, words in ALLOWED if re.fullmatch(where, name)]
    for line, text in sentences(path):
        plain = re.sub(r"\s+", " ", text)
        for words in allowed:
            plain = re.sub(words, "", plain)
        for pattern, better in PATTERNS:
            lines += [
                f'{name}:{line}: "{plain[max(0, hit.start() - 30) : hit.end() + 30]}": write {better}'
                for hit in pattern.finditer(plain)
            ]
    return lines


def found_in(root: str) -> list[str]:
    """The same for all files of a root."""
    paths = sorted({path for pattern in ROOTS[root] for path in ROOT.glob(pattern)})
    return [line for path in paths for line in found(path, path.relative_to(ROOT).as_posix())]


@pytest.mark.parametrize("root", ROOTS)
def test_no_word_of_the_table_is_read(root: str) -> None:
    lines = found_in(root)
    assert len(lines) <= YET.get(root, 0), "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("page.md", "Mend the file.\n\n`mend` it\n\n```\nmend\n```\n", 1),
        ("code.py", 'mend = told = 1\nprint(f"{mend} is no number, he was told", "mended")\n', 2),
        ("code.js", "const told = `mend ${told}`; // told", 2),
        ("page.html", '<p class="told">{{ told or "told" }}{# told #}{% if told %}mended{% endif %}</p>', 2),
        ("some.json", '{"told": "was told", "description": "a dear file"}', 2),
        ("page.md", "There is no file. It is no longer there. None is none.", 1),
        ("page.md", "The color of a license, labeled grey.", 3),
        # Sentences that were once on the site or in a terminal.
        ("page.html", "<p>Drawn are the models that were released last.</p><p>Taken is the smallest file.</p>", 2),
        ("page.html", "<p>A file in grey is shown. Hide beaten files. Runners-up. It did not work.</p>", 3),
        ("page.html", "<p>Models that took the catalog's usual task probes; the last two are let go.</p>", 2),
        ("page.html", "<p>Something in the form is no number that can be asked for. The owners say this of it.</p>", 5),
        ("code.py", 'print("no zoo here, so no catalog to go by", "the command goes on", "F is there already")', 4),
        ("code.py", 'print("Talk on stderr as text", "growing steps", "Take a version back into use")', 3),
        ("page.md", "What could not be asked is told. Whoever pinned it goes on with the very bytes.", 6),
    ],
)
def test_the_words_are_found_where_people_read_them(tmp_path: Path, name: str, text: str, words: int) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert len(found(tmp_path / name, name)) == words
