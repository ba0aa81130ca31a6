"""zoo new"""

from __future__ import annotations

import datetime
import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from catalog import licences, packed, placeholders, plainfiles, schema, shell, yamledit
from catalog import sources as source_uris
from catalog.checks import check_recipe
from catalog.paths import unusable_name
from catalog.secrets import has_secret
from zoo import commandline
from zoo.cli.common import Call, options
from zoo.errors import InputError, ModelFileError
from zoo.files.whole import write_atomic
from zoo.forms.profiles import PROFILES, Profile
from zoo.plan import foresight
from zoo.plan.known import Known
from zoo.review import issue as offers
from zoo.review.issue import Offer
from zoo.settings import Settings
from zoo.sources import facts as sourcefacts
from zoo.sources import resolve
from zoo.sources.packages import STARTER

STARTER_LICENCE = "Apache-2.0"
UNNAMED_LICENCE = "LicenseRef-other"

_TEMPLATE = """\
# Every key is explained in site/docs/reference/recipe.md, and on the zoo's site under Reference, Recipe.
# `zoo check recipes/{name}.yaml` shows what is wrong with this file.
zoo: 1
name: {name}
version: 0.1.0
date: {date}
summary: {summary}
task: {task}
languages: {languages}
licence: {licence}
owners: [{owner}]
good_at: {good_at}
bad_at: {bad_at}
# experimental keeps the model out of recommendations; recommended says that you would choose it yourself.
maturity: usable

student:
  source: {source}
{pin}  licence: {licence}
{student}{teaching}
quantize:
  ladder: [Q8_0, Q4_K_M, Q4_0]
  # true accepts tensors whose rows do not divide and so become another type than asked; the report lists them.
  allow_fallback: true

gates:
  - {{metric: smoke_passed, at_least: 1}}
  - {{metric: kld_mean_nats, file: Q8_0, at_most: 0.02}}
{gates}
publish:
  model: {name}-gguf
{dataset}"""

_CORPUS = """
corpus:
  evaluation:
    - {{path: {text}, licence: CC0-1.0, source: written by us, language: en}}
"""


_NO_OFFER = Offer("", "", "", (), (), (), ())
_SAVE = "Save the text of the issue with: gh issue view NUMBER --json body --jq .body > issue.md"


@dataclass(frozen=True)
class _Begin:
    """What the recipe begins with besides the command's own options: a profile, or the text of an issue."""

    profile: str | None
    issue: Path | None

    def offer(self, source: str | None) -> tuple[Offer, Profile | None]:
        """What it says. Raises InputError if several things name the source, and for a file that is not an issue."""
        if self.profile and (source or self.issue):
            other = "--source" if source else "--from-issue"
            raise InputError(f"--profile has a source of its own, so {other} cannot be used with it")
        sample = PROFILES.get(self.profile or "")
        if sample:
            return Offer("", sample.source, sample.licence, sample.languages, sample.good_at, sample.bad_at, ()), sample
        return _offer(self.issue) if self.issue else _NO_OFFER, None


def _begin(function: Callable[..., None]) -> Callable[..., None]:
    """Adds --profile and --from-issue, which the function gets as one value."""

    @functools.wraps(function)
    def wrapped(*args: object, profile: str | None, issue: Path | None, **kwargs: object) -> None:
        function(*args, begin=_Begin(profile, issue), **kwargs)

    decorated: Callable[..., None] = wrapped
    for option in (
        click.option(
            "--from-issue", "issue", type=click.Path(path_type=Path), metavar="FILE",
            help="Take the name, source and more from the text of an issue that was made by the form for a model.",
        ),
        click.option(
            "--profile", type=click.Choice(tuple(PROFILES)),
            help=f"A sample with a teacher. {'; '.join(f'{name}: {one.words}' for name, one in PROFILES.items())}.",
        ),
    ):  # fmt: skip
        decorated = option(decorated)
    return decorated


@click.command()
@options()
@_begin
@click.option("--source", show_default=STARTER, help="Where the weights come from.")
@click.option(
    "--licence", show_default="what the source says, or a placeholder",
    help="SPDX licence of the weights and the release.",
)  # fmt: skip
@click.option("--owner", default="me", show_default=True, help="Who is responsible for the release.")
@click.argument("name", required=False)
def command(
    call: Call, name: str | None, source: str | None, licence: str | None, owner: str, begin: _Begin
) -> None:
    """Start recipe NAME in recipes/NAME.yaml, and pin its source if it is on this machine.

    Exit code 1, and no recipe, for a source on this machine that cannot be used. One that is not here yet is named as a
    problem of the recipe.
    """
    settings = call.settings
    offer, sample = begin.offer(source)
    name, source = name or offer.name, source or offer.source or (STARTER if begin.issue is None else "")
    _refuse_secret(source)
    licence = licence or offer.licence or None
    if not name or not source:
        what = "name" if not name else "source"
        where = f": the field is empty in {begin.issue}" if begin.issue else ""
        ask = f"Ask the author of the issue for the {what}" if begin.issue else "Write, for example: zoo new my-model"
        raise InputError(f"no {what} was given{where}", remedy=ask)
    pattern = schema.load("recipe-v1")["properties"]["name"]["pattern"]
    if not re.fullmatch(pattern, name) or not 2 <= len(name) <= 64:
        raise InputError(
            f"{name!r} is not a valid recipe name", remedy="Use 2 to 64 lower-case letters, digits, dots and hyphens"
        )
    if why := unusable_name(name):
        raise InputError(f"the name {name!r} {why}", remedy="Choose another name")
    if not re.fullmatch(r"[\w.-]+", owner):
        raise InputError(f"{owner!r} is not a valid owner name", remedy="Use letters, digits, - _ .")
    target = settings.root / "recipes" / f"{name}.yaml"
    if target.exists():
        raise InputError(
            f"{settings.shown(target)} already exists",
            safe="It was not changed.",
            remedy="Choose another name",
        )
    path = _located(source, settings)
    with Known(settings.work) as known:
        # Its pin would be the digest of what has to change.
        foresight.refuse_source(source, settings.root, known, safe="No recipe was written.")
        chosen = replace(offer, name=name, source=source, licence=licence or _licence(path, source))
        write_atomic(target, _text(chosen, path, owner, settings, sample))
        checked = check_recipe(target, settings.root)
        found = foresight.problems(checked, settings.root, known=known)
    problems = [*map(str, checked.problems), *map(str, found)]
    shown = settings.shown(target)
    words = [f"Started {shown}.", *(f"The issue does not say: {label}." for label in offer.missing), *problems]
    look = f"fix these, then run: zoo check {shell.argument(shown)}"
    plan = commandline.line(settings, "plan", name)
    words.append(f"Next: {look}" if problems else f"Next: edit it, then run: {plan}")
    data = {"recipe": shown, "problems": problems, "missing": list(offer.missing)}
    call.output.answer(data, "\n".join(words))


def _text(offer: Offer, path: Path | None, owner: str, settings: Settings, sample: Profile | None) -> str:
    """The recipe. path: the source on this machine, None if it is not here."""
    return _TEMPLATE.format(
        name=offer.name,
        summary=yamledit.flow(sample.summary if sample else placeholders.SUMMARY),
        student=sample.student if sample else "",
        teaching=sample.teaching if sample else _CORPUS.format(text=_evaluation_text(settings)),
        gates=sample.gates if sample else "",
        dataset=f"  dataset: {offer.name}-prompts\n" if sample else "",
        date=datetime.date.today().isoformat(),
        task=_task(path, settings),
        licence=offer.licence,
        owner=owner,
        source=offer.source,
        pin=f"  sha256: {resolve.content_sha256(path, settings.root)}\n" if path else "",
        languages=offers.as_yaml(offer.languages or ("en",)),
        good_at=offers.as_yaml(offer.good_at),
        bad_at=offers.as_yaml(offer.bad_at),
    )


def _refuse_secret(source: str) -> None:
    """Raises InputError, which does not repeat it, for a source with what may be a name and a password. No source has
    an @ before its first slash: a revision comes after NAMESPACE/NAME."""
    scheme, _, rest = source.partition(":")
    if has_secret(source) or (scheme == "hf" and "@" in rest.partition("/")[0]):
        raise InputError(
            "a source must not contain a name or a password",
            where="flag --source",
            safe="Nothing was written.",
            remedy="Write it without them, such as hf:NAMESPACE/NAME, and put the token of the hub into HF_TOKEN",
        )


def _offer(path: Path) -> Offer:
    """Raises InputError for a file that is not the text of such an issue."""
    try:
        raw = plainfiles.read_bounded(path, offers.MOST_BYTES)
        text = raw.decode("utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", remedy=_SAVE) from error
    except UnicodeDecodeError as error:
        what, _ = packed.undecoded(raw, str(path))
        raise InputError(f"{path}: {what}", remedy=_SAVE) from error
    found = offers.parse(text)
    if len(found.missing) == len(offers.LABELS):
        raise InputError(f"{path} is not the text of an issue that was made by the form for a model", remedy=_SAVE)
    return found


def _located(uri: str, settings: Settings) -> Path | None:
    """The source on this machine; None if it is not here. Raises InputError for an invalid source."""
    try:
        source_uris.parse(uri)
    except source_uris.SourceSyntax as error:
        what, instead = error.args
        written = uri.removeprefix("file:")
        given = Path(os.path.normpath(Path.cwd() / written))
        if written.startswith(("/", "../")) and given.is_relative_to(settings.root) and given != settings.root:
            instead = f"Write file:{given.relative_to(settings.root).as_posix()}"
        raise InputError(f"{uri!r}: {what}", remedy=instead) from error
    return resolve.locate(uri, settings.root, settings.work)


def _licence(path: Path | None, uri: str) -> str:
    """The SPDX expression that the source states, else the placeholder: a licence is never guessed."""
    try:
        said = sourcefacts.stated_licence(path) if path else None
    except ModelFileError:
        said = None
    if said is None:
        return STARTER_LICENCE if uri == STARTER else placeholders.LICENCE
    return licences.of_hub(said) or UNNAMED_LICENCE


def _task(path: Path | None, settings: Settings) -> str:
    """chat, or completion for a base model, which has no chat template."""
    try:
        return "chat" if path is None or sourcefacts.read(path, settings.root).has_template else "completion"
    except ModelFileError:
        return "chat"


def _evaluation_text(settings: Settings) -> str:
    """An English evaluation text of the zoo, or the path where one is expected."""
    found = sorted(settings.root.glob("recipes/**/evaluation.en.txt")) or sorted(
        settings.root.glob("recipes/**/*.txt")
    )
    return settings.shown(found[0]) if found else "recipes/corpora/evaluation.en.txt"
