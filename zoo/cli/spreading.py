"""The options of commands that make many steps: how many at the same time, and where."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import click

from zoo.cli.common import MOST_JOBS
from zoo.jobs import raycluster
from zoo.jobs.pool import Spread

Result = TypeVar("Result")


def spread(*, gated: bool) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Adds --jobs and --on; the function gets them as the Spread ``spread``. gated: a missed gate ends a recipe."""

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def wrapper(*args: object, jobs: int | None, on: str, **kwargs: object) -> Result:
            if on:
                raycluster.refuse_address(on)
            return function(*args, spread=Spread(jobs, on, gated), **kwargs)

        decorated: Callable[..., Result] = click.option(
            "--on", default="", metavar="ADDRESS",
            help="Make the steps on a Ray cluster: ray://HOST:PORT, or ray:// on one of its nodes.",
        )(wrapper)  # fmt: skip
        return click.option(
            "--jobs", type=click.IntRange(1, MOST_JOBS), metavar="N",
            help="Make up to N steps at the same time, each in a process of its own (default: 1; with --on what fits).",
        )(decorated)  # fmt: skip

    return decorate
