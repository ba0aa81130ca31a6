"""zoo hub"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from catalog import shell
from zoo import addresses
from zoo.cli.common import Call, options
from zoo.errors import InputError, ZooError
from zoo.hub import approved
from zoo.output import visible


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Serve a folder hub over HTTP, or approve the hub of a zoo."""


@command.command(short_help="Serve a folder to the official client, until Ctrl-C.")
@options("hub")
@click.argument("folder", required=False)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0 picks a free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--token-file", help="Private file with lines ROLE TOKEN. ROLE is read or write.")
@click.option(
    "--allow-anonymous-write", is_flag=True, help="Let this machine write without a token (loopback only)."
)
@click.option("--verbose", is_flag=True, help="Print a line per request to stderr.")
def serve(
    call: Call,
    folder: str | None,
    port: int,
    host: str,
    token_file: str | None,
    allow_anonymous_write: bool,
    verbose: bool,
) -> None:
    """Serve FOLDER (or the setting hub) through the Hub's API until Ctrl-C.

    Without a token file, everybody who reaches the port can read, and nobody can write. Private repositories are served
    with a token file only.
    """
    from zoo.hub.server import Access, HubServer, read_tokens

    if token_file and allow_anonymous_write:
        raise InputError("--token-file and --allow-anonymous-write cannot be used together")
    access = Access(read_tokens(Path(token_file)) if token_file else {}, allow_anonymous_write)
    place = Path(folder) if folder else _folder_of(call.settings.hub, call.settings.root)
    if place.exists() and not place.is_dir():
        raise InputError(f"{place} is not a folder", remedy="Name a folder, such as: zoo hub serve build/hub")
    # The setting's folder is made by the first upload; a folder that was named and is missing is a slip.
    if folder and not place.exists():
        raise InputError(
            f"folder {place} was not found", remedy=f"Name another one, or make it: mkdir -p {shell.argument(folder)}"
        )
    try:
        server = HubServer(place, host, port, access, _log if verbose else None)
    except (OSError, OverflowError) as error:
        raise ZooError(
            f"{host} port {port} cannot be used: {error}", remedy="Choose another --port or --host"
        ) from error
    with server:
        human = f"Serving {server.address} until Ctrl-C"
        try:
            call.output.answer({"address": server.address}, human)
            call.output.say("For the official client: " + _hint(server.address))
            with call.output.resting():
                server.serve_forever()
        except KeyboardInterrupt:
            call.output.say("Stopped")


@command.command(short_help="Approve a hub for your token, or list those that are.")
@options()
@click.option("--forget", is_flag=True, help="Take the approval back.")
@click.argument("address", required=False)
def trust(call: Call, address: str | None, forget: bool) -> None:
    """Let your token be sent to the hub at ADDRESS from this zoo. Without ADDRESS: list the hubs that you approved.

    Others may have written zoo.toml and the catalog, so your token is sent to an address that only they name after you
    approved it for this folder. Hubs that --hub or ZOO_HUB names need no approval, and neither does the hub of your
    login.
    """
    root = call.settings.root
    if address is None:
        if forget:
            raise InputError("--forget needs an address", remedy="To list them, run: zoo hub trust")
        known = approved.listed(root)
        words = known or ["No hub is approved for this zoo."]
        call.output.answer({"zoo": str(root), "hubs": known}, "\n".join(words))
        return
    named = addresses.parse(address, "ADDRESS")
    if forget:
        was = approved.forget(root, named)
        human = f"Your token is no longer sent to {named} from this zoo" if was else f"{named} was not approved"
    elif not addresses.is_private_way(named):
        raise InputError(
            f"no token is ever sent to {named}: it uses plain http, which others on the network can read",
            safe="Nothing was approved.", remedy="Name an https address, or a tunnel to this machine",
        )  # fmt: skip
    else:
        approved.approve(root, named)
        human = f"Your token may be sent to {named} from this zoo, {root}"
    call.output.answer({"hub": named, "zoo": str(root), "approved": not forget}, f"{human}.")


def _folder_of(hub: str, root: Path) -> Path:
    if "://" in hub:
        raise InputError("the setting hub is not a folder", remedy="Name the folder: zoo hub serve build/hub")
    return root / Path(hub).expanduser()


def _hint(address: str) -> str:
    # The server has no xet storage, and hf upload has no other way.
    return f"export HF_ENDPOINT={address} (for hf upload also HF_HUB_DISABLE_XET=1)"


def _log(line: str) -> None:
    sys.stderr.write(visible(line) + "\n")
