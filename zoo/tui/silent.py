"""A reporter that prints nothing: a message would be drawn into the screen of the program."""

from __future__ import annotations

from zoo.progress import Advance, unheard


class Silent:
    """Hears everything and prints nothing; the screens show what matters."""

    def say(self, text: str) -> None:
        """Nothing."""
        del text

    def warn(self, text: str) -> None:
        """Nothing."""
        del text

    def task(self, what: str, total: float | None, unit: str) -> _Task:
        """Nothing is measured."""
        del what, total, unit
        return _Task()


class _Task:
    def __enter__(self) -> Advance:
        return unheard

    def __exit__(self, *_: object) -> None:
        pass
