"""When the chooser's answer is whole: its file chosen, and what is fetched afterwards about its model in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ANSWERED = """() => document.querySelector('.zoo-answer').dataset.milliseconds
  && (document.querySelector('.zoo-about') ?? {dataset: {ready: 'yes'}}).dataset.ready"""
"""True once the page has answered. The milliseconds come first; "Good at" and "Bad at" are fetched after them."""


def wait(page: Any) -> None:
    page.wait_for_function(ANSWERED)


def after(page: Any, act: Callable[[], Any]) -> None:
    """Does something that asks another question, and waits for its answer."""
    page.evaluate("() => delete document.querySelector('.zoo-answer').dataset.milliseconds")
    act()
    wait(page)
