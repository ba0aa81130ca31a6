"""zoo site"""

from __future__ import annotations

import click

from catalog.words import counted, data_size
from zoo import site
from zoo.cli.common import Call, options
from zoo.settings import MARKER


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Build or serve the catalog's web site."""


@command.command()
@options("catalog", "evidence", "hub", "site_url")
@click.option(
    "--with-files",
    "files_megabytes",
    type=click.FloatRange(min=0),
    metavar="MB",
    help="Copy files of the folder hub up to this size into the site, so that readers can try them. (Setting"
    " site_files_mb.)",
)
def build(call: Call, files_megabytes: float | None) -> None:
    """Build the site from the catalog. A failed build leaves the old site in place."""
    report = site.build(call.settings, call.output, files_megabytes=files_megabytes)
    folder = call.settings.shown(report.folder)
    if not report.address:
        call.output.warn(
            "the site has no address, so its feed and the page for missing addresses are incomplete, and it has no "
            f'sitemap. Before you publish it, add this line to {MARKER}: site_url = "https://..."'
        )
    data = {
        "folder": folder,
        "address": report.address,
        "pages": report.pages,
        "size_bytes": report.size_bytes,
        "seconds": round(report.seconds, 2),
    }
    call.output.answer(
        data, f"{counted(report.pages, 'page')}, {data_size(report.size_bytes)}, in {folder} ({report.seconds:.1f} s)."
    )


@command.command()
@options("catalog", "evidence", "hub", "site_url")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port on 127.0.0.1."
)
def serve(call: Call, port: int) -> None:
    """Bring the site up to date and serve it on this machine until Ctrl-C."""
    site.serve(call.settings, port, call.output, call.output.resting())
