"""Every real chat template that llama.cpp's source carries, rendered here, by transformers and by llama-cpp-python.

Equal bytes, or refused by all three. REFUSED says of each template which conversations it does not take, and why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from llamasource import template, templates

from zoo.errors import ModelFileError
from zoo.templates.oracle import with_fixed_clock
from zoo.templates.renderer import Renderer

formats = pytest.importorskip("llama_cpp.llama_chat_format")
theirs = pytest.importorskip("transformers.utils.chat_template_utils")

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
USER = {"role": "user", "content": 'Hé  <b>\n\nWhat\'s 2+2? 👍🏽 "q" \u2028 '}
ANSWER = {"role": "assistant", "content": "It is 4."}
SYSTEM = {"role": "system", "content": " Be brief. "}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Adds <two> & é",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer", "description": "one"}},
                "required": ["a"],
            },
        },
    }
]
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {"id": "123456789", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    ],
}
RESULT = {"role": "tool", "name": "add", "tool_call_id": "123456789", "content": "2"}
CASES: Mapping[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "user": ([USER], {}),
    "system": ([SYSTEM, USER], {}),
    "turns": ([USER, ANSWER, USER], {}),
    "thought": ([USER, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nfour"}, USER], {}),
    "answer": ([USER, ANSWER], {"add_generation_prompt": False}),
    "empty": ([{"role": "user", "content": ""}], {}),
    "assistant first": ([ANSWER, USER], {}),
    "two users": ([USER, USER], {}),
    "system alone": ([SYSTEM], {}),
    "documents": ([USER], {"documents": [{"title": "t", "text": "d"}]}),
    "tools": ([USER], {"tools": TOOLS}),
    "call": ([USER, CALL, RESULT], {"tools": TOOLS}),
}
WITHOUT_TOOLS = tuple(name for name in CASES if name not in ("tools", "call"))

NONE = "'NoneType' object is not iterable"
ALTERNATE = ("roles must alternate", ("assistant first", "two users"))
FOR_TOOLS = (NONE, WITHOUT_TOOLS)
"""A template for the use of tools only; its model has another one for plain conversations."""
APPENDS = ("access to attribute 'append' of 'list' object is unsafe", ("call",))
"""It changes a list, which the sandbox of all three forbids."""

Refusals = Mapping[str, Sequence[tuple[str, Sequence[str]]]]
REFUSED: Refusals = {
    "Cohere2MoE": [(NONE, ("documents",))],  # documents come with tools only
    "CohereForAI-c4ai-command-r-plus-tool_use": [FOR_TOOLS],
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use": [(NONE, ("documents",))],
    "Kimi-K2-Instruct": [APPENDS],
    "Kimi-K2-Thinking": [APPENDS],
    "Mistral-Small-3.2-24B-Instruct-2506": [ALTERNATE],
    "NVIDIA-Nemotron-Nano-v2": [("list object has no element -1", ("system alone",))],
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": [FOR_TOOLS],
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": [FOR_TOOLS],
    "Qwen3.5-4B": [("No user query found", ("system alone",))],
    "fireworks-ai-llama-3-firefunction-v2": [
        ("'functions' is undefined", tuple(CASES))
    ],  # a name of its own for tools
    "google-gemma-2-2b-it": [
        ALTERNATE,
        ("roles must alternate", ("call",)),
        ("System role not supported", ("system", "system alone")),
    ],
    "llama-cpp-deepseek-r1": [("generator is not JSON serializable", ("tools", "call"))],
    "meetkai-functionary-medium-v3.2": [
        ('can only concatenate str (not "dict")', ("call",))
    ],  # arguments as text
    "mistralai-Ministral-3-14B-Reasoning-2512": [ALTERNATE],
    "mistralai-Mistral-Nemo-Instruct-2407": [ALTERNATE],
}


def outcomes(name: str, text: str) -> dict[str, str]:
    """Why each refused conversation is refused; the rest was rendered alike by all three."""
    refused = {}
    dated = with_fixed_clock(text)
    formatters: dict[bool, Any] = {}
    with Renderer(text, special=SPECIAL, source=name) as renderer:
        for case, (messages, options) in CASES.items():
            prompt = options.get("add_generation_prompt", True)
            more = {key: value for key, value in options.items() if key != "add_generation_prompt"}
            if prompt not in formatters:
                formatters[prompt] = formats.Jinja2ChatFormatter(
                    dated, add_generation_prompt=prompt, **SPECIAL
                )
            others = [
                lambda messages=messages, prompt=prompt, more=more: theirs.render_jinja_template(
                    [copied(messages)], chat_template=dated, add_generation_prompt=prompt, **more, **SPECIAL
                )[0][0],
                lambda messages=messages, prompt=prompt, more=more: (
                    formatters[prompt](messages=copied(messages), **more).prompt
                ),
            ]
            try:
                ours = renderer.render(messages, **options)
            except ModelFileError as error:
                refused[case] = error.what
                for other in others:
                    with pytest.raises(Exception, match=r".+"):
                        other()
            else:
                for other in others:
                    assert other() == ours, (name, case)
    return refused


def copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("name", templates())
def test_a_real_template_is_rendered_alike_or_refused_for_a_stated_reason(name: str) -> None:
    refused = outcomes(name, template(name))
    expected = {case: why for why, cases in REFUSED.get(name, []) for case in cases}
    assert refused.keys() == expected.keys(), refused
    for case, why in expected.items():
        assert why in refused[case]


def test_the_table_names_real_templates() -> None:
    assert set(REFUSED) <= set(templates())
    assert len(templates()) > 60
