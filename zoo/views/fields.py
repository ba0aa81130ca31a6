"""Forms: of a command, with the exact command line that they make, and of a recipe."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from catalog import shell, yamltext
from catalog.checks import CheckedRecipe, check_recipe
from catalog.problems import Problem, instead_of
from catalog.unseen import visible
from catalog.words import counted
from zoo.errors import InputError, ZooError
from zoo.forms import commands, recipes
from zoo.forms.commands import Field, Form, Values
from zoo.forms.recipes import Entry
from zoo.plan import prepare, problems
from zoo.plan.known import Known
from zoo.runs import reader
from zoo.views import outline
from zoo.views.asked import Asked
from zoo.views.screen import FIELD, Row, Screen, Table

ELSEWHERE: Mapping[str, str] = {
    "ui": "it is this program",
    "hub serve": "it works until Ctrl-C, which needs a terminal of its own",
    "site serve": "it works until Ctrl-C, which needs a terminal of its own",
    "runs follow": "the view log follows a run",
    "runs replay": "it works for as long as the run did, which needs a terminal of its own",
}
"""Commands whose form is only for copying, with the reason."""
_COLUMNS = ("field", "value", "what it is")
FIRST: Mapping[str, str] = {
    "release": "plan", "build": "plan", "publish": "publish --dry-run", "clean": "clean --dry-run",
    "collection": "collection --dry-run", "yank": "show", "unyank": "show", "sign": "show", "card": "show",
}  # fmt: skip
"""For a command that changes what others see, deletes or takes long: what shows first what it would do."""


def screen(form: Form, given: Values) -> Screen:
    """A form with its values: the command line, what is wrong, and every field."""
    wrong = commands.problems(form, given)
    rows = [
        Row((one.name, _value(one, given), _words(one, wrong.get(one.name, ""))), (FIELD, one.name))
        for one in form.fields
    ]
    line = command_line(form, given)
    name = " ".join(form.path)
    state = [f"WRONG: {words}" for words in wrong.values()] or ["Every field is valid."]
    if name in ELSEWHERE:
        state.append(f"It is not started from here: {ELSEWHERE[name]}.")
    can = not wrong and name not in ELSEWHERE
    parts = ("\n\n".join(form.help), "\n".join((f"$ {line}", *state)), Table(_COLUMNS, rows, flat=True))
    return Screen(f"Form of zoo {name}", parts, (*filter(None, (_first(form, given),)), line) if can else ())


def command_line(form: Form, given: Values) -> str:
    """As it is typed, with ``zoo``."""
    return shlex.join(("zoo", *commands.words(form, given)))


def _value(one: Field, given: Values) -> str:
    if one.name not in given:
        return f"(default: {one.default})" if one.default else ""
    return "yes" if one.kind == "flag" else shlex.join(given[one.name])


def _words(one: Field, wrong: str) -> str:
    allowed = f"Allowed: {', '.join(one.choices)}." if one.choices else ""
    needed = "Required." if one.missing and not wrong else ""
    said = f"WRONG: {wrong.removesuffix('.')}." if wrong else ""
    return " ".join(filter(None, (said, needed, one.words, allowed)))


def _first(form: Form, given: Values) -> str:
    """The command that shows what this one would do; "" if it changes nothing, or shows it itself."""
    name = form.path[0]
    found = FIRST.get(name, "")
    if not found or "--dry-run" in given:
        return ""
    named = [word for one in form.fields if not one.is_option for word in given.get(one.name, ())]
    if found == "plan" or found == "show":
        return f"zoo {found} {shlex.quote(named[0])}" if named else ""
    return shlex.join(("zoo", *commands.words(form, {**given, "--dry-run": commands.ON})))


def offers(asked: Asked, form: Form, one: Field) -> Sequence[str]:
    """Values that a field may have besides others: recipes, models, or runs of this zoo."""
    if form.path == ("new",) or one.name not in OFFERS:
        return ()
    try:
        return OFFERS[one.name](asked)
    except ZooError:
        return ()


def _recipes(asked: Asked) -> Sequence[str]:
    return prepare.every_recipe(asked.settings)


def _models(asked: Asked) -> Sequence[str]:
    return [one.name for one in outline.read(asked.settings)]


def _runs(asked: Asked) -> Sequence[str]:
    return ["last", *(one.id for one in reader.look(asked.settings.work, asked.known))]


OFFERS: Mapping[str, Callable[[Asked], Sequence[str]]] = {
    "RECIPE": _recipes, "RECIPES": _recipes, "NAME": _models, "ID": _runs
}  # fmt: skip


def listed(of: Mapping[str, str]) -> Screen:
    """Every command, to choose a form."""
    rows = [Row((name, words), ("form", name)) for name, words in of.items()]
    return Screen("Forms of commands", (Table(("command", "what it does"), rows, empty="none"),), ("zoo ui form new",))


def look(asked: Asked) -> Screen:
    """The form of a command line without ``zoo``; all commands without one. Raises InputError."""
    words = line(asked.name)
    if not words:
        return listed(asked.forms.commands)
    forms = _forms(asked, words)
    if form := _nearest(forms, words):
        return screen(form, commands.values(form, words[len(form.path) :]))
    if words[1:]:
        known = [one.path[1] for one in forms if one.path[1:]]
        raise InputError(f"zoo {words[0]} has no command {visible(words[1])}", remedy=instead_of(words[1], known))
    return listed({" ".join(one.path): one.help[0] if one.help else "" for one in forms})


def filled(asked: Asked) -> tuple[Form, dict[str, tuple[str, ...]]] | None:
    """The form of a command line and its values; None if it names no form. Raises InputError."""
    words = line(asked.name)
    form = _nearest(_forms(asked, words), words) if words else None
    return (form, commands.values(form, words[len(form.path) :])) if form else None


def line(text: str) -> list[str]:
    """The words of a command line. Raises InputError."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InputError(f"{visible(text)!r} is not a command line", remedy="Close the quotes") from error


def _forms(asked: Asked, words: Sequence[str]) -> Sequence[Form]:
    forms = asked.forms.below(words[0])
    if not forms:
        what = f"command {visible(words[0])!r} was not found"
        raise InputError(what, remedy=instead_of(words[0], asked.forms.commands))
    return forms


def _nearest(forms: Sequence[Form], words: Sequence[str]) -> Form | None:
    """The form with the longest path that begins the words."""
    fitting = [one for one in forms if tuple(words[: len(one.path)]) == one.path]
    return max(fitting, key=lambda one: len(one.path), default=None)


def recipe_screen(shown: str, found: Sequence[Entry], wrong: Sequence[Problem]) -> Screen:
    """A recipe with every field that it has or may have. Problems are first in full, and again at their fields."""
    names = {one.name for one in found}
    at: dict[str, list[str]] = {}
    for problem in wrong:
        at.setdefault(_nearest_field(problem.path, names), []).append(f"WRONG: {problem.what}. {problem.instead}.")
    rows = [
        Row((_label(one), one.shown, " ".join([*at.get(one.name, ()), _needed(one), one.words]).strip()),
            (FIELD, one.name))
        for one in found
    ]  # fmt: skip
    count = f"{counted(len(wrong), 'problem')}." if wrong else "No problems."
    notes = [f"{shown}: {count}", *(f"WRONG: {problem.text}" for problem in wrong)]
    table = Table(_COLUMNS, rows, flat=True)
    name = shell.argument(shown.removeprefix("recipes/").removesuffix(".yaml"))
    has_prompts = any(one.path[:2] == ("corpus", "train") and one.value for one in found)
    views = ["plan"] * (not wrong) + ["coverage"] * has_prompts
    commands_ = (f"zoo check {shell.argument(shown)}", *(f"zoo ui {view} {name}" for view in views))
    return Screen(f"Recipe {name}", ("\n".join(notes), table), commands_)


def every_recipe(found: Sequence[CheckedRecipe]) -> Screen:
    """Every recipe, to choose one."""
    rows = [
        Row((one.file, f"{counted(len(one.problems), 'problem')}" if one.problems else "valid", _summary(one)),
            ("recipe", Path(one.file).stem))
        for one in found
    ]  # fmt: skip
    table = Table(("recipe", "state", "what the model is"), rows, empty="No recipes yet.")
    return Screen("Recipes", (table,), ("zoo ui form new", "zoo check"))


def _summary(one: CheckedRecipe) -> str:
    data = one.document.data
    return str(data.get("summary", "")) if isinstance(data, dict) else ""


def _label(one: Entry) -> str:
    return f"{one.name} (add)" if one.is_new else one.name


def _needed(one: Entry) -> str:
    return "Required." if one.required and one.value is None else ""


def _nearest_field(path: str, names: set[str]) -> str:
    """The field that a problem is about, or the nearest one around or in it; "" for none."""
    if path in names:
        return path
    inside = [name for name in names if name.startswith((f"{path}.", f"{path}["))] if path else []
    if inside:
        return min(inside)
    around = [name for name in names if path.startswith((f"{name}.", f"{name}["))]
    return max(around, key=len, default="")


def look_at_recipe(asked: Asked) -> Screen:
    """The form of a recipe, or all recipes. Raises InputError if it does not exist or is not YAML."""
    settings = asked.settings
    if not asked.name:
        names = [path for path in (settings.root / "recipes").glob("*.yaml") if not path.name.endswith(".lock.yaml")]
        return every_recipe([check_recipe(path, settings.root) for path in sorted(names)])
    checked = check_recipe(prepare.find_recipe(asked.name, settings), settings.root)
    if checked.document.data is None:
        raise InputError("\n".join(map(str, checked.problems)), remedy="Change the file in an editor")
    with Known(settings.work) as known:
        found = problems.every(checked, settings, known)
    return recipe_screen(checked.file, recipes.entries(checked.document.data), found)


def recipe_text(asked: Asked) -> str:
    """The text of a recipe as it is now. Raises InputError."""
    path = prepare.find_recipe(asked.name, asked.settings)
    document = yamltext.read(path, asked.settings.shown(path))
    if document.problems:
        raise InputError("\n".join(map(str, document.problems)), remedy="Change the file in an editor")
    return path.read_bytes().decode("utf-8")


def recipe_stamp(asked: Asked) -> object:
    """Changes when the recipe does."""
    try:
        found = prepare.find_recipe(asked.name, asked.settings).stat()
    except (OSError, InputError):
        return None
    return found.st_mtime_ns, found.st_size
