"""What a page shows for a moment only: kept, so that no test has to look at the right time."""

from __future__ import annotations

from typing import Any

_LISTEN = """(one) => {
  const all = [];
  new MutationObserver(() => all.push(one.textContent))
    .observe(one, {childList: true, characterData: true, subtree: true});
  return all;
}"""


class Heard:
    """Every text that an element has had since this was made. ``element`` is a locator of one element."""

    def __init__(self, element: Any) -> None:
        self._page = element.page
        self._all = element.evaluate_handle(_LISTEN)

    def wait(self, pattern: str, seconds: float = 15) -> None:
        """Return once a text has matched ``pattern``, a regular expression of JavaScript."""
        self._page.wait_for_function(
            "([all, pattern]) => all.some((one) => RegExp(pattern).test(one))",
            arg=[self._all, pattern],
            timeout=1000 * seconds,
        )

    def all(self) -> list[str]:
        """The texts, the oldest first."""
        return [str(one) for one in self._all.json_value()]
