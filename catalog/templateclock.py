"""The date that every chat template sees, in every step that renders it."""

from __future__ import annotations

from datetime import UTC, datetime

TEMPLATE_CLOCK = datetime(2024, 7, 26)
"""What a template reads as now: midnight of 26 July 2024, on any day and in any time zone.

One fixed date, so that the same conversation is the same prompt tomorrow, and so that a student learns from exactly the
prompt that its teacher answered. It is this date, because the chat templates of Llama 3.1 to 3.3 write "26 Jul 2024"
when they have no clock: a day that models of many families have seen as today's.
"""


_SECONDS = str(int(TEMPLATE_CLOCK.replace(tzinfo=UTC).timestamp()))


def strftime_now(format: str) -> str:  # the name that templates know for the argument
    """The date as ``format`` says (Python's strftime codes), as the templates' own function of this name does.

    Raises TypeError, AttributeError or ValueError for a format that is not valid.
    """
    # The C library would count %s in the time zone of this machine.
    parts = [part.replace("%s", _SECONDS) for part in format.split("%%")]
    return TEMPLATE_CLOCK.strftime("%%".join(parts))
