"""The loss scale of float16: as large as the gradients allow, so that the small ones do not become zero.

A gradient beyond 65,504 is infinite in float16. The step is then left out and the scale halved; after many steps
without one it is doubled again (Micikevicius et al. 2018, "Mixed Precision Training", section 3.2). The scale is part
of the checkpoint, so a resumed training has the one that an uninterrupted training would have. It is a power of two:
scaling rounds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

START = 1024.0
LARGEST = 65_536.0
DOUBLED_AFTER = 2000
"""Steps without an overflow, as in torch's own scaler."""


@dataclass
class LossScale:
    """value: the present scale; steady: steps since it last changed; overflows: the steps left out, counted from 1."""

    value: float = field(default_factory=lambda: START)
    steady: int = 0
    overflows: list[int] = field(default_factory=list)

    def held(self) -> None:
        """A step had finite gradients."""
        self.steady += 1
        if self.steady >= DOUBLED_AFTER and self.value < LARGEST:
            self.value, self.steady = self.value * 2, 0

    def overflowed(self, step: int) -> bool:
        """The gradients of ``step`` were infinite or NaN. False if no smaller scale is left, so that it is not why."""
        if self.value <= 1:
            return False
        self.value, self.steady = self.value / 2, 0
        self.overflows.append(step)
        return True
