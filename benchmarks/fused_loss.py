"""Processor time and memory of the output head with its loss, chunk by chunk, compared with all positions together.

A is ``zoo.training.fused``: a chunk of positions is multiplied, compared and differentiated, then the next one.
B is the way of ``zoo.training.losses``: the logits of all positions, their loss, and torch's own gradients.
Both learn from the same teacher's top tokens and end with the same gradients of the hidden states and, unless it is
frozen, of the head. No model is needed: the shapes are those of SmolLM2-135M. ``settings.memory`` has the peaks of
processes of their own; ``settings.positions`` how many positions A takes within B's peak; ``settings.gradient`` how far
each is from float64 in bfloat16, near the teacher.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import material, pairs
from benchmarks.pairs import Comparison, Say, Side, Target
from zoo.errors import ZooError
from zoo.training import require

PAIRS = 7
POSITIONS, VOCABULARY, WIDTH, TOP_K = 512, 49_152, 576, 64
WARM, PROCESSES = 128, 3
MORE = 8
"""Times as many positions should fit into the same memory."""

MOST_TIME = 0.6
MOST_MEMORY = {"trained": 0.25, "frozen": 0.02}

NEAR = {"positions": 64, "vocabulary": 16_384, "width": 896, "logits_deviation": 3.1, "teacher_distance": 0.098}
"""A student at about 0.003 nats from its teacher, where rounded logits spoil the gradient most."""

_CHILD = "import sys, json; from benchmarks import fused_loss; print(json.dumps(fused_loss.peak(*sys.argv[1:])))"


class Lesson:
    """Hidden states, a head and a teacher's answers at ``positions``. head: ``trained`` or ``frozen``."""

    def __init__(self, positions: int, head: str) -> None:
        import torch

        from zoo.training.teacher import top_of

        random = torch.Generator().manual_seed(0)
        self.hidden = torch.empty(positions, WIDTH).normal_(generator=random).requires_grad_()
        self.weight = torch.empty(VOCABULARY, WIDTH).normal_(std=3 / WIDTH**0.5, generator=random)
        self.weight.requires_grad_(head == "trained")
        # Row by row, because all of the teacher's logits together would hide the peak that is measured.
        one = torch.empty(1, VOCABULARY)
        rows = [top_of(one.normal_(std=3, generator=random), TOP_K, 1.0) for _ in range(positions)]
        self.goal = [torch.cat([row[name] for row in rows]) for name in ("top_ids", "top_logp", "tail_logp")]

    def run(self, way: str) -> float:
        """One forward and backward pass; the loss in nats per position."""
        value = self._chunked() if way == "chunked" else self._together()
        value.backward()
        self.hidden.grad = self.weight.grad = None
        return float(value.detach())

    def _chunked(self) -> Any:
        from zoo.training.fused import Goal, Loss, sparse_loss

        return sparse_loss(self.hidden, self.weight, Goal(*self.goal), Loss(), denominator=len(self.hidden))

    def _together(self) -> Any:
        from zoo.training.losses import topk_kld

        return topk_kld(self.hidden @ self.weight.T, *self.goal, 1.0).mean()


def peak(way: str, positions: str, head: str, threads: str) -> dict[str, float]:
    """Memory of this process above what the lesson itself needs, in bytes. It starts with a fresh process."""
    import torch

    torch.set_num_threads(int(threads))
    # Loads what torch loads at its first products, and makes the buffers of its matrix library.
    Lesson(WARM, head).run(way)
    lesson = Lesson(int(positions), head)
    # What making a lesson left in memory would hide what is needed now, and so would its peak.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _kilobytes("VmRSS")
    loss = lesson.run(way)
    return {"peak_bytes": (_kilobytes("VmHWM") - before) * 1024, "loss_nats_per_position": loss}


def _kilobytes(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:"))


def _peak(way: str, positions: int, head: str, threads: int) -> int:
    """The smallest of several processes: pages of the program that are read again count as memory of the run."""
    command = [sys.executable, "-c", _CHILD, way, str(positions), head, str(threads)]
    found = []
    for _ in range(PROCESSES):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ZooError(f"the measuring process failed: {done.stderr.strip()[-300:]}")
        found.append(int(json.loads(done.stdout)["peak_bytes"]))
    return min(found)


def memory(head: str, threads: int, say: Say) -> dict[str, Any]:
    """Peaks of both ways, and of ``MORE`` times as many positions chunk by chunk."""
    say("measuring memory in separate processes")
    asked = (("a", "chunked", POSITIONS), ("b", "together", POSITIONS), ("a_more", "chunked", MORE * POSITIONS))
    found = {f"{name}_bytes": _peak(way, positions, head, threads) for name, way, positions in asked}
    share, most = found["a_bytes"] / found["b_bytes"], MOST_MEMORY[head]
    fits = found["a_more_bytes"] <= found["b_bytes"]
    return {
        "memory": {**found, "ratio": share, "at_most": most, "reached": share <= most},
        "positions": {"b": POSITIONS, "a": MORE * POSITIONS, "within_b_peak": fits},
    }


def gradient() -> dict[str, Any]:
    """The error of the gradient of the hidden states in bfloat16, as a share of that in float64."""
    import torch

    from zoo.training.fused import Goal, Loss, sparse_loss
    from zoo.training.losses import topk_kld
    from zoo.training.teacher import top_of

    random = torch.Generator().manual_seed(0)
    width, vocabulary = int(NEAR["width"]), int(NEAR["vocabulary"])
    hidden = torch.randn(int(NEAR["positions"]), width, generator=random).bfloat16().requires_grad_()
    weight = (torch.randn(vocabulary, width, generator=random) * NEAR["logits_deviation"] / width**0.5).bfloat16()
    exact, head = hidden.detach().double().requires_grad_(), weight.double()
    z = exact @ head.T
    teacher = z.detach() + NEAR["teacher_distance"] * torch.randn(z.shape, generator=random)
    top = top_of(teacher, TOP_K, 1.0)
    goal = Goal(top["top_ids"], top["top_logp"], top["tail_logp"])
    probabilities = teacher.softmax(-1)
    ids = goal.ids.long()
    p = torch.cat([probabilities.gather(-1, ids), probabilities.scatter(-1, ids, 0.0).sum(-1, keepdim=True)], -1)
    soft = z.softmax(-1)
    q = torch.cat([soft.gather(-1, ids), soft.scatter(-1, ids, 0.0).sum(-1, keepdim=True)], -1)
    right = (p * (p / q).log()).sum(-1).mean()
    (true,) = torch.autograd.grad(right, exact)
    ours = sparse_loss(hidden, weight, goal, Loss(), denominator=len(hidden))
    rounded = topk_kld((hidden @ weight.T).float(), *goal, 1.0).mean()
    errors = {
        name: float((torch.autograd.grad(value, hidden)[0].double() - true).norm() / true.norm())
        for name, value in (("a", ours), ("b", rounded))
    }
    return {**NEAR, "divergence_nats": float(right.detach()), **errors, "at_most": 0.01, "reached": errors["a"] <= 0.01}


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Both ways on one lesson, with what is measured once."""
    require()
    import torch

    threads, head = material.threads_or_cores(arguments.threads), arguments.head
    found = memory(head, threads, say)
    torch.set_num_threads(threads)
    say("comparing gradients with float64")
    near, lesson = gradient(), Lesson(POSITIONS, head)

    def side(way: str) -> Side:
        def run() -> Mapping[str, float]:
            started = time.process_time()
            loss = lesson.run(way)
            return {"cpu_seconds": time.process_time() - started, "loss_nats_per_position": loss}

        return Side("chunk by chunk" if way == "chunked" else "all positions together", run)

    yield Comparison(
        name=f"fused_loss_{head}",
        question="How much processor time does a loss take chunk by chunk, compared with all positions together?",
        a=side("chunked"),
        b=side("together"),
        target=Target("ratio", at_most=MOST_TIME),
        figure="cpu_seconds",
        packages=("torch",),
        settings={
            "positions_per_run": POSITIONS, "vocabulary": VOCABULARY, "width": WIDTH, "top_k": TOP_K, "head": head,
            "dtype": "float32", "threads": threads, **found, "gradient": near,
        },
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = pairs.parser("fused_loss", str(__doc__), PAIRS, threads=True)
    parser.add_argument("--head", choices=tuple(MOST_MEMORY), default="trained", help="%(default)s unless given")
    return pairs.main(parser.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
