"""From the text of a card to its YAML header, every value with its line in the card."""

from __future__ import annotations

import re
from dataclasses import dataclass

from catalog import conflicts, hublists
from catalog.cardrules.dashes import none_found, second_block
from catalog.jsontext import JsonObject
from catalog.problems import Problem
from catalog.yamltext import Document, parse

# As the Hub's server and huggingface_hub.repocard.REGEX_YAML_BLOCK have it.
_BLOCK = re.compile(r"(\s*---(?:\r\n|\r|\n))([\S\s]*?)((?:\r\n|\r|\n)---[ \t]*(\r\n|\n|\Z))")
_DATASET_KEYS = frozenset(
    {"pretty_name", "task_categories", "size_categories", "configs", "dataset_info", "annotations_creators"}
)


@dataclass(frozen=True)
class Header:
    """yaml begins with as many empty lines as it has lines before it in the card, so that lines keep their numbers."""

    yaml: str
    document: Document

    @property
    def data(self) -> JsonObject | None:
        """The metadata; None where something is wrong with the header."""
        return self.document.data if isinstance(self.document.data, dict) else None


def read_header(text: str, shown_as: str) -> Header:
    """The header of a card. What is wrong with it is in ``document.problems``, and ``document.data`` is then None."""
    if line := conflicts.line_in_prose(text):
        found = Problem(shown_as, line, 1, "", conflicts.WHAT, conflicts.SOLVE)
        return Header("", Document(shown_as, problems=[found]))
    match = _BLOCK.match(text)
    if match is None:
        return Header("", Document(shown_as, problems=[none_found(text, shown_as)]))
    yaml = "\n" * len(_lines(match[1])) + match[2]
    document = parse(yaml.encode(), shown_as)
    if document.problems and (tab := re.search(r"^ *\t", yaml, re.MULTILINE)):
        line = yaml.count("\n", 0, tab.start()) + 1
        column = tab.end() - tab.start()
        # The parser's message about a tab does not help.
        document.problems[:] = [
            Problem(shown_as, line, column, "", "the line begins with a tab", "Indent with spaces")
        ]
    elif document.data is not None and not isinstance(document.data, dict):
        what = "the metadata is not a block of `key: value` lines"
        document.problems.append(document.problem((), what, "Write `license: apache-2.0` and the like"))
    elif document.data is not None:
        known = {**hublists.card_keys("model"), **hublists.card_keys("dataset")}
        if second := second_block(text, match.end(), shown_as, document.data, known):
            document.problems.append(second)
    if document.problems:
        document.data = None
    return Header(yaml, document)


def kind_of(data: object) -> str:
    """``dataset`` if the metadata has a key that only datasets have, else ``model``."""
    return "dataset" if isinstance(data, dict) and _DATASET_KEYS & data.keys() else "model"


def _lines(text: str) -> list[str]:
    return re.findall(r"\r\n|\r|\n", text)
