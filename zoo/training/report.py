"""The report of a training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from zoo.training.checkpoints import StepLoss
from zoo.training.heldout import Heldout
from zoo.training.merges import Merges


@dataclass(frozen=True)
class DistillReport:
    """A finished training.

    loss_curve: one {step, loss, learning_rate} per step, step counted from 1, loss in nats per assistant token (of tv:
    half the sum of the differences, a share). timing: everything that depends on time (wall_seconds of the steps over
    all resumed parts, tokens_per_second of row tokens, resumed_from_step); the rest does not depend on interruptions.

    dropped_rows: conversations that were not trained on; refused_rows: {key, reason} of those among them that the chat
    template refuses. overflowed_steps: left out because their gradient is beyond float16. loss: as the recipe has it.
    older_answers: the teacher's were taken over from the cache of an earlier version. processes: that trained together,
    if several did; machines: that they ran on, if several; sharding: ``full`` if each kept its share of the weights.
    teacher: what is known of one on a server. The last eight are only written if there is something in them.
    """

    method: str
    adapter: str
    preset: str
    steps: int
    rows: int
    dropped_rows: int
    assistant_tokens_seen: int
    loss_curve: list[StepLoss]
    dtype: str
    device: str
    threads: int
    heldout_before: Heldout | None
    heldout_after: Heldout | None
    timing: dict[str, float | int | None]
    refused_rows: list[dict[str, str]] = field(default_factory=list)
    overflowed_steps: list[int] = field(default_factory=list)
    loss: dict[str, object] = field(default_factory=dict)
    older_answers: bool = False
    processes: int | None = None
    merges: Merges | None = None
    sharding: str | None = None
    teacher: dict[str, object] = field(default_factory=dict)
    machines: int | None = None

    def to_json(self) -> dict[str, object]:
        """JSON-ready data, keys in field order."""
        rare = (
            "refused_rows", "overflowed_steps", "loss", "older_answers", "processes", "sharding", "merges", "teacher",
            "machines",
        )  # fmt: skip
        return {name: value for name, value in asdict(self).items() if value or name not in rare}
