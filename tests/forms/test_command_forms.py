"""Forms of commands: every command and option has its field; a form makes exactly the command line that it shows."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import cli
from zoo.cli import forms, walk
from zoo.cli.forms import OfCommandLine
from zoo.errors import InputError
from zoo.forms import commands
from zoo.forms.commands import Field, Form, Values
from zoo.views import fields

EXCEPTIONS: dict[str, str] = {
    "build --given": "written by the program for the nodes of a cluster; hidden, because people have no such file",
}
"""Parameter, as ``release --sign``, without a field: why. One that has a field, or is gone, fails."""


def contexts() -> dict[str, click.Context]:
    found = [context for name in cli.COMMANDS for context in walk.below(name, groups=True)]
    return {" ".join(context.command_path.split()[1:]): context for context in found}


CONTEXTS = contexts()
FORMS = {name: forms.form(context) for name, context in CONTEXTS.items()}


def groups(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command by click itself, not by the program's walk."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner
            yield from groups(inner, f"{path} {name}".strip())


def test_every_command_and_every_parameter_has_its_field() -> None:
    wanted, has = set(), set()
    for path, command in groups(cli.zoo, ""):
        if isinstance(command, click.Group) and not command.invoke_without_command:
            assert not command.params or path == "", "a group that only has commands has no options"
            continue
        assert path in FORMS, f"zoo {path} has no form"
        names = {name: one for one in FORMS[path].fields for name in (one.name, one.also)}
        for param in command.params:
            # The kinds that a form has; another kind needs a field of its own.
            assert param.nargs in (1, -1) and not param.secondary_opts and param.expose_value and not param.is_eager
            assert not isinstance(param, click.Option) or not (param.count or param.prompt)
            assert not isinstance(param, click.Option) or param.hidden == (f"{path} {param.opts[0]}" in EXCEPTIONS)
            assert not isinstance(param, click.Option) or any(name.startswith("--") for name in param.opts)
            argument = str(param.human_readable_name).strip("[].")
            for name in param.opts if isinstance(param, click.Option) else [argument]:
                wanted.add(f"{path} {name}")
                has |= {f"{path} {name}"} & {f"{path} {one}" for one in names}
    assert wanted - has == set(EXCEPTIONS), "a parameter without a field needs a reason; a stale exception goes"


def test_every_command_that_is_not_started_from_a_form_exists() -> None:
    assert set(fields.ELSEWHERE) <= set(FORMS)
    assert {command.split()[0] for command in (*fields.FIRST, *fields.FIRST.values())} <= set(cli.COMMANDS)
    for name, first in fields.FIRST.items():
        assert ("--dry-run" in first) == any(one.name == "--dry-run" for one in FORMS[name].fields)


def test_every_default_and_choice_is_accepted() -> None:
    for form in FORMS.values():
        for one in form.fields:
            if one.kind != "flag":
                wrong = [one.judge(text) for text in (*one.choices, one.default) if text]
                assert not any(wrong), (form.path, one.name, wrong)


TEXT = st.one_of(
    st.sampled_from(
        ["my-model", "-x", "--hub", "a b", "it's", '"', "$HOME", "`id`", "*", "NAME", "7", "0.5", "é", "\\", "--", "-"]
    ),
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8),
)


def valid(one: Field) -> st.SearchStrategy[tuple[str, ...]]:
    if one.kind == "flag":
        return st.just(commands.ON)
    each: st.SearchStrategy[str] = st.sampled_from(one.choices) if one.choices else TEXT
    if one.judge("word"):
        each = st.sampled_from([text for text in ("5", "0.7", "1", "30", "200") if not one.judge(text)] or ["1"])
    if one.choices:
        each = st.sampled_from(one.choices)
    return st.lists(each, min_size=1, max_size=3).map(tuple) if one.kind == "list" else each.map(lambda text: (text,))


@st.composite
def filled(draw: st.DrawFn) -> tuple[str, Form, Values]:
    name = draw(st.sampled_from(sorted(FORMS)))
    form, found = FORMS[name], dict[str, tuple[str, ...]]()
    for one in form.fields:
        if one.missing or draw(st.integers(0, 2)) == 0:
            found = commands.with_value(form, found, one, draw(valid(one)))
    return name, form, found


def parameters(context: click.Context, line: list[str]) -> dict[str, object]:
    """As click reads a command line, with the types of its values."""
    made = context.command.make_context(context.info_name, line, parent=context.parent, resilient_parsing=False)
    return made.params


def check_a_form(name: str, form: Form, given_: Values) -> None:
    shown = fields.command_line(form, given_)
    line = shlex.split(shown)
    assert line[0] == "zoo"
    words = line[1 + len(form.path) :]
    assert tuple(line[1 : 1 + len(form.path)]) == form.path
    context = CONTEXTS[name]
    if isinstance(context.command, click.Group) and any(not word.startswith("-") for word in words[:1]):
        return
    read = parameters(context, list(words))
    for one in form.fields:
        param = next(param for param in context.command.params if param.name == one.key and (
            not one.is_option or one.name in param.opts))  # fmt: skip
        if one.kind == "flag":
            assert isinstance(param, click.Option)
            wanted = param.flag_value if isinstance(param.flag_value, str) else True
            assert (one.name in given_) == (read[one.key] == wanted), shown
        elif one.name in given_:
            raw = given_[one.name]
            wanted = param.type_cast_value(context, raw if one.kind == "list" else raw[0])
            assert read[one.key] == wanted, shown
        if one.default and given_.get(one.name) == (one.default,) and one.is_option:
            assert one.name not in words[: words.index("--") if "--" in words else None], "a default is not written"
    again = commands.values(form, words)
    assert fields.command_line(form, again) == shown
    assert not commands.problems(form, again)


@given(filled())
@settings(max_examples=200, deadline=None)
def test_a_form_makes_the_command_line_that_it_shows(state: tuple[str, Form, Values]) -> None:
    check_a_form(*state)


@pytest.mark.long
@given(filled())
@settings(max_examples=10_000, deadline=None)
def test_ten_thousand_forms_make_the_command_line_that_they_show(state: tuple[str, Form, Values]) -> None:
    check_a_form(*state)


def test_what_is_wrong_is_said_in_the_words_of_the_command_line() -> None:
    form = FORMS["runs log"]
    found = commands.problems(form, commands.values(form, ["--lines", "none"]))
    with pytest.raises(click.UsageError) as raised:
        parameters(CONTEXTS["runs log"], ["--lines", "none", "last"])
    assert found["--lines"] == raised.value.format_message()
    with pytest.raises(click.UsageError) as raised:
        parameters(CONTEXTS["runs log"], [])
    assert found["ID"] == raised.value.format_message()


def test_a_secret_and_an_invisible_character_are_wrong() -> None:
    form = FORMS["release"]
    for text in ("https://ada:hunter2@hub.example", "a\x1b[2J"):
        found = commands.problems(form, {"--hub": (text,)})
        assert "--hub" in found and "hunter2" not in found["--hub"]


def test_options_that_exclude_each_other_replace_each_other() -> None:
    form = FORMS["publish"]
    one = commands.with_value(form, {}, form.field("--dry-run"), commands.ON)
    other = commands.with_value(form, one, form.field("--repair"), commands.ON)
    assert set(other) == {"--repair"}
    assert commands.with_value(form, other, form.field("--repair"), ()) == {}
    assert set(commands.values(form, ["x", "--dry-run", "--repair"])) == {"RECIPE", "--repair"}


@pytest.mark.parametrize(
    ("line", "says"),
    [(["--hubb", "x"], "--hub"), (["a", "--work"], "needs a value"), (["--nothing=1"], "has no --nothing")],
)
def test_a_line_that_is_not_of_this_command(line: list[str], says: str) -> None:
    with pytest.raises(InputError) as raised:
        commands.values(FORMS["plan"], line)
    assert says in str(raised.value)
    with pytest.raises(InputError):
        commands.values(FORMS["show"], ["a", "b"])


def test_a_short_name_and_a_joined_value_are_read() -> None:
    found = commands.values(FORMS["release"], ["-q", "--hub=build/hub", "--", "-odd"])
    assert found == {"--quiet": commands.ON, "--hub": ("build/hub",), "RECIPES": ("-odd",)}
    assert commands.words(FORMS["release"], found) == ("release", "--hub", "build/hub", "--quiet", "--", "-odd")


def test_an_unknown_command_has_no_form() -> None:
    assert OfCommandLine().below("nothing") == ()
