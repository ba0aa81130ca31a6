"""A question and its answer in one record, under the names that files for fine-tuning give them. Pure.

Sources: "prompt" and "completion" of TRL's dataset formats, "instruction", "input" and "output" of Stanford Alpaca,
"question" and "answer" of many sets of questions.
"""

from __future__ import annotations

from catalog.jsontext import Json, JsonObject
from zoo.corpora.imports import parts
from zoo.corpora.imports.parts import Part

_ASKED = ("prompt", "instruction", "question", "user")
_ANSWERED = ("completion", "output", "answer", "response")


def made(line: Part) -> JsonObject:
    """The conversation of a line. Raises NotImportable."""
    asked, answer = line.needed(*_ASKED), line.needed(*_ANSWERED)
    # What an instruction is about, if it is about something.
    about = line.text("input", "context")
    texts = {
        "system": line.text("system", "system_hint"),
        "user": f"{asked}\n\n{about}" if about else asked,
        # The completions of TRL begin with the space that joins them to their prompts.
        "assistant": answer.strip(),
    }
    messages: list[Json] = [{"role": role, "content": text} for role, text in texts.items() if text is not None]
    found: JsonObject = {"messages": messages, **parts.kept(line)}
    line.rest()
    return found
