"""How far a piece of work is: how much is done, how fast, what is left; as a line and as data."""

from __future__ import annotations

import time

from catalog.words import data_size, duration

_MARK_SECONDS = 1.0
"""How often the amount that is done is kept, for the speed of the second half."""

_FEW, _MOST_MARKS, _STEADY = 4, 256, 1.5
"""A remaining time is shown after _FEW reports, when the speed of the second half is within _STEADY of the average."""


class Meter:
    """How much is done, how fast, and how long the rest will take."""

    def __init__(self, what: str, total: float | None, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0.0
        self.started = time.monotonic()
        self._marks: list[tuple[float, float]] = []

    def add(self, amount: float) -> None:
        self.done += amount
        seconds = self.seconds()
        if len(self._marks) < _FEW or seconds - self._marks[-1][0] >= _MARK_SECONDS:
            self._marks.append((seconds, self.done))
        if len(self._marks) > _MOST_MARKS:
            del self._marks[1::2]

    def left(self) -> float | None:
        """Seconds that the rest takes; None until the speed is steady: the first part is often far from the average."""
        marks = list(self._marks)  # another thread adds to it
        if not self.total or not 0 < self.done < self.total or len(marks) < _FEW:
            return None
        whole = self.done / max(self.seconds(), 1e-6)
        since = next((seconds for seconds, done in marks if done >= self.done / 2), 0.0)
        reached = next((done for _, done in marks if done >= self.done / 2), 0.0)
        late = (self.done - reached) / max(self.seconds() - since, 1e-6)
        is_steady = 1 / _STEADY <= late / whole <= _STEADY
        return (self.total - self.done) / whole if is_steady else None

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def data(self, *, over: bool) -> dict[str, object]:
        """The same as data; per_second and seconds_left are None while unknown."""
        seconds, done = self.seconds(), self.done
        rate = done / seconds if seconds > 0 and done else None
        left = self.left()
        return {
            "what": self.what,
            "done": done,
            "total": self.total,
            "unit": self.unit,
            "seconds": round(seconds, 3),
            "per_second": rate and round(rate, 3),
            "seconds_left": 0.0 if over else left and round(max(left, 0.0), 3),
            "over": over,
        }

    def line(self) -> str:
        seconds = max(self.seconds(), 1e-6)
        rate = self.done / seconds
        if self.unit == "B":
            parts = [
                f"{data_size(self.done)} of {data_size(self.total)}" if self.total else data_size(self.done),
                f"{data_size(rate)}/s",
            ]
        elif self.unit == "%":
            parts = []
        else:
            parts = [
                f"{self.done:.10g} of {self.total:.10g} {self.unit}"
                if self.total
                else f"{self.done:.10g} {self.unit}"
            ]
            parts.append(
                f"{rate:.1f} {self.unit}/s"
                if rate >= 1
                else f"{seconds / self.done:.1f} s each"
                if self.done
                else ""
            )
        if self.total:
            parts.insert(0, f"{100 * min(self.done / self.total, 1):.0f} %")
            if (left := self.left()) is not None:
                parts.append(f"{duration(left)} left")
        return f"{self.what}: " + ", ".join(part for part in parts if part)
