"""zoo sign"""

from __future__ import annotations

from pathlib import Path

import click

from catalog import shell
from zoo import commandline, flow
from zoo.cli.common import Call, options
from zoo.commandline import TAKES
from zoo.hub.located import at_home
from zoo.plan import prepare
from zoo.publish.asked import Asked
from zoo.release import sign
from zoo.release.provenance import SIGNATURE


@click.command()
@options(*TAKES["sign"])
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="PEM file with an elliptic-curve key. [default: sign with the identity of this CI job]",
)
@click.option("--as-built", is_flag=True, help="Take the release of this recipe that another machine built.")
@click.argument("recipe")
def command(call: Call, recipe: str, key: Path | None, as_built: bool) -> None:
    """Sign the built release of RECIPE (a name or a file), before it is published.

    The signature model.sig covers every file of the repository; zoo publish uploads it too.
    """
    settings = call.settings
    planned = prepare.make_plan(recipe, settings)
    settings = at_home(planned.plan.name, planned.plan.version, settings, call.output)
    again = commandline.of(settings, "sign", planned.plan.name, *(("--key", shell.argument(str(key))) if key else ()))
    release = flow.existing_release(planned, settings, Asked(as_built=as_built), again)
    signed, changed = sign.sign(release, settings, call.output, key=key)
    name, version = signed.model.name, signed.release.version
    files = [part for part in ("model", "dataset") if (signed.folder / part / SIGNATURE).is_file()]
    data = {"name": name, "version": version, "changed": changed, "signed": files, "keyless": key is None}
    how = "was signed before" if not changed else "is signed"
    call.output.answer(data, f"{name} {version} {how}: {', '.join(f'{part}/{SIGNATURE}' for part in files)}.")
