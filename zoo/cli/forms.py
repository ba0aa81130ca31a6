"""The forms of all commands, made from the command line's own definition. See ``zoo.forms``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import click

from catalog.unseen import visible
from zoo import addresses, cli
from zoo.cli import walk
from zoo.errors import InputError
from zoo.forms.commands import Field, Form


class OfCommandLine:
    """Forms of this program's commands. A command is imported when its form is asked for."""

    @property
    def commands(self) -> Mapping[str, str]:
        """As ``zoo --help`` lists them."""
        return cli.COMMANDS

    def below(self, command: str) -> Sequence[Form]:
        """The form of a command, or those of a group; none for an unknown one."""
        return [form(context) for context in walk.below(command, groups=True)] if command in cli.COMMANDS else ()


def form(context: click.Context) -> Form:
    """The form of the command of a context."""
    command = context.command
    paragraphs = tuple(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    common = [one for one in options if one.name in ("json_", "quiet", "log")]
    ordered = [*arguments, *(one for one in options if one not in common), *common]
    path = tuple(context.command_path.split()[1:])
    return Form(path, paragraphs, tuple(_field(one, context) for one in ordered))


def _field(param: click.Parameter, context: click.Context) -> Field:
    is_flag = isinstance(param, click.Option) and param.is_flag
    several = param.multiple or param.nargs == -1
    return Field(
        _name(param), str(param.name), _words(param), "flag" if is_flag else "list" if several else "value",
        also=next((name for name in param.opts if name.startswith("-") and not name.startswith("--")), ""),
        choices=_choices(param), default="" if is_flag or several else _default(param, context),
        judge=_judge(param, context),
        missing=click.MissingParameter(ctx=context, param=param).format_message() if param.required else "",
    )  # fmt: skip


def _name(param: click.Parameter) -> str:
    if isinstance(param, click.Option):
        return next(name for name in param.opts if name.startswith("--"))
    return str(param.human_readable_name).strip("[].")


def _words(param: click.Parameter) -> str:
    words = param.help or "" if isinstance(param, click.Option) else ""
    shown = param.show_default if isinstance(param, click.Option) else None
    return f"{words} Default: {shown}." if isinstance(shown, str) else words


def _choices(param: click.Parameter) -> tuple[str, ...]:
    if isinstance(param.type, click.Choice):
        return tuple(map(str, param.type.choices))
    if param.name != "device_id":
        return ()
    # It reads every profile, which the program itself does not need.
    from catalog import device as devices

    return tuple(device.id for device in devices.DEVICES)


def _default(param: click.Parameter, context: click.Context) -> str:
    found = param.get_default(context)
    return "" if found is None or not isinstance(found, str | int | float | bool) else str(found)


def _judge(param: click.Parameter, context: click.Context) -> Callable[[str], str]:
    def judge(text: str) -> str:
        if visible(text) != text:
            return "it has characters that cannot be seen"
        try:
            addresses.refuse_secret(text, f"flag {param.opts[0]}")
            param.type_cast_value(context, (text,) if param.multiple or param.nargs == -1 else text)
        except click.UsageError as error:
            return error.format_message()
        except InputError as error:
            return f"{error.what}. {error.advice}"
        return ""

    return judge


def every() -> Iterator[Form]:
    """The form of every command."""
    for command in cli.COMMANDS:
        yield from OfCommandLine().below(command)
