"""One date for every template: the same prompt on any day, for teacher and student, here and in other libraries."""

from __future__ import annotations

import datetime as real
from pathlib import Path
from typing import Any

import pytest

from catalog.templateclock import TEMPLATE_CLOCK, strftime_now
from zoo.templates.oracle import with_fixed_clock
from zoo.templates.renderer import Renderer

MESSAGES = ({"role": "user", "content": "Which day is it?"},)
DATED = "{{ 'Today Date: ' + strftime_now('%d %b %Y') + '\n' }}"
FORMS = (
    "%d %b %Y",
    "%Y-%m-%d",
    "%B %-d, %Y",
    "%A %H:%M:%S",
    "100%% on %d",
    "%%d %%%m %j",
    "%s",
    "%Z|%z",
    "",
    "no code",
)


class Shifted(real.datetime):
    """A day that is not today."""

    @classmethod
    def now(cls, _zone: Any = None) -> Shifted:
        return cls(2031, 12, 24, 18, 30)


def rendered(template: str) -> str:
    with Renderer(template, special={}, source="a test") as renderer:
        return renderer.render(MESSAGES)


@pytest.mark.parametrize("form", FORMS)
def test_the_macro_for_other_libraries_says_what_the_function_says(form: str) -> None:
    jinja2 = pytest.importorskip("jinja2")
    template = f"{{{{ strftime_now({form!r}) }}}}|{{{{ strftime_now(format={form!r}) }}}}"
    other = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    assert other.from_string(with_fixed_clock(template)).render() == rendered(template)
    assert rendered(template) == f"{strftime_now(form)}|{strftime_now(form)}"


@pytest.mark.parametrize(
    "start", ["  {% if true %}x{% endif %}", "\n\n a", "{%- if true %}  b{% endif %}", "{# c #}\n d"]
)
def test_the_macro_changes_nothing_before_the_template(start: str) -> None:
    jinja2 = pytest.importorskip("jinja2")
    plain = start + "{{ 'now' if strftime_now is defined else 'never' }}"
    other = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    assert other.from_string(with_fixed_clock(plain)).render() == rendered(plain)


def test_a_template_without_a_clock_is_left_alone() -> None:
    assert with_fixed_clock("{{ messages }}") == "{{ messages }}"


def test_the_time_zone_of_the_machine_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    seen = set()
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        seen.add(strftime_now("%s %Y-%m-%d %H %Z %z"))
    monkeypatch.undo()
    time.tzset()
    assert len(seen) == 1


def test_teacher_and_student_read_the_same_prompt_on_any_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    import transformers.utils.chat_template_utils as theirs
    from tinymodel import CHAT_TEMPLATE, make_tiny_llama

    from zoo.training.conversations import Conversation, encode
    from zoo.training.models import load_tokenizer
    from zoo.training.renderings import renderings

    folder = make_tiny_llama(tmp_path)
    (folder / "chat_template.jinja").write_text(DATED + CHAT_TEMPLATE, encoding="utf-8")
    tokenizer = load_tokenizer(folder)
    conversation = Conversation("one", (("user", "Which day is it?"), ("assistant", "Friday")))
    seen = set()
    for clock in (real.datetime, Shifted):
        # What transformers' own function of this name looks at; where it looks elsewhere, both are today.
        monkeypatch.setattr(theirs, "datetime", clock, raising=False)
        (row,) = encode(tokenizer, [conversation], 512).rows
        prompt = tokenizer.decode(row.input_ids[: row.mask.index(True)])
        seen.add(prompt)
        (oracle,) = renderings(tokenizer, [(MESSAGES, True)])
        assert oracle.text == prompt, oracle.error
    # The label stage renders through the same function, with the template of the exported file.
    asked = rendered(DATED + CHAT_TEMPLATE)
    assert seen == {asked}
    assert asked.startswith(f"Today Date: {TEMPLATE_CLOCK:%d %b %Y}\n")


def test_llama_cpp_python_reads_the_same_date() -> None:
    formats = pytest.importorskip("llama_cpp.llama_chat_format")
    formatter = formats.Jinja2ChatFormatter(with_fixed_clock(DATED), bos_token="", eos_token="")
    assert formatter(messages=list(MESSAGES)).prompt == rendered(DATED)


def test_the_card_of_a_model_with_a_clock_says_which_date_it_read() -> None:
    from zoo.release import cards

    checks = [{"name": "template", "passed": True}, {"name": "tokenizer", "passed": True, "note": "NFC."}]
    without, dated = ({"checks": checks, "template_clock": day} for day in (None, "2024-07-26"))
    assert cards.remarks(without) == []
    assert "always 2024-07-26" in cards.remarks(dated)[-1]
