"""What computes, and with which arguments: the one place where ``serve``, ``run``, ``embed`` and ``bench`` get them.

Arguments are those of llama.cpp's ``common/arg.cpp`` as llama-cpp-python 0.3.36 has it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pi_runtime.cores import Cores, cores
from pi_runtime.profiles import Machine, Profile
from pi_runtime.settings import CouldNot, InvalidArguments

ACCELERATORS = ("cpu", "metal", "vulkan", "cuda")
ALL_LAYERS = 999
"""More layers than any model has: llama.cpp puts all of them on the accelerator."""

V3D_BOARDS = ("Raspberry Pi 4", "Raspberry Pi 400", "Raspberry Pi 5", "Raspberry Pi 500", "Raspberry Pi Compute Module")
V3D_DRIVERS = ("v3d", "vc4-drm")
V3D_REASON = (
    "Vulkan is refused on this board: its graphics unit (V3D) has 16 KB of shared memory and at most 256 invocations "
    "in a work group, and llama.cpp's shaders need more. llama.cpp stops, or writes wrong text (its issues 26213 and "
    "9801), and was reported as far slower than the processor (5237). Leave out --accelerator, or add --force to try "
    "it."
)


@dataclass(frozen=True)
class Wanted:
    """What the user asks for; None leaves it to the profile. force: also what is known not to work."""

    accelerator: str | None = None
    threads: int | None = None
    threads_prompt: int | None = None
    context_tokens: int | None = None
    kv_type: str | None = None
    force: bool = False


@dataclass(frozen=True)
class Plan:
    """What computes and how: the same for serving, for embeddings and for benchmarks."""

    accelerator: str
    threads_decode: int
    threads_prompt: int
    context_tokens: int
    kv_type: str
    flags: tuple[str, ...]

    @property
    def gpu_layers(self) -> int:
        """Layers that the accelerator computes."""
        return 0 if self.accelerator == "cpu" else ALL_LAYERS

    def _common(self) -> list[str]:
        found = ["--threads", str(self.threads_decode), "--n-gpu-layers", str(self.gpu_layers)]
        if self.kv_type != "f16":
            found += ["--cache-type-k", self.kv_type, "--cache-type-v", self.kv_type, "--flash-attn", "on"]
        return found

    def server(self, *, embeddings: bool = False, idle_seconds: int | None = None) -> list[str]:
        """Arguments of llama-server without model, address and key. One conversation at a time: the memory need that is
        predicted is that of one. idle_seconds: after so long without a request the model leaves the memory."""
        found = [*self._common(), "--threads-batch", str(self.threads_prompt), "--ctx-size", str(self.context_tokens)]
        found += ["--parallel", "1", "--no-webui", *self.flags]
        if embeddings:
            found += ["--embeddings", "--pooling", "mean"]
        if idle_seconds is not None:
            found += ["--sleep-idle-seconds", str(idle_seconds)]
        return found

    def bench(self, prompt_tokens: Sequence[int], decode_tokens: int, repetitions: int) -> list[str]:
        """Arguments of llama-bench without the model."""
        found = self._common()
        if self.kv_type != "f16":
            found[found.index("on")] = "1"
        prompts = ",".join(map(str, prompt_tokens))
        return [*found, "-p", prompts, "-n", str(decode_tokens), "-r", str(repetitions), "-o", "json"]


def plan(profile: Profile, machine: Machine, wanted: Wanted = Wanted(), usable: Cores | None = None) -> Plan:
    """The plan for a device. Raises CouldNot for an accelerator that does not work there, InvalidArguments for a
    request that makes no sense."""
    runtime, usable = profile.runtime, usable or cores()
    accelerator = wanted.accelerator or runtime.accelerator
    if accelerator not in ACCELERATORS:
        raise InvalidArguments(f"--accelerator must be one of {', '.join(ACCELERATORS)}.")
    if accelerator == "vulkan" and is_v3d(machine) and not wanted.force:
        raise CouldNot(V3D_REASON)
    kv_type = wanted.kv_type or runtime.kv_types[0]
    if kv_type not in runtime.kv_types:
        raise InvalidArguments(f"--kv must be one of {', '.join(runtime.kv_types)} on {profile.name}.")
    decode = _threads("--threads", wanted.threads, runtime.threads_decode, usable)
    prompt = _threads("--threads-prompt", wanted.threads_prompt, runtime.threads_prompt or decode, usable)
    context = wanted.context_tokens or runtime.context_tokens
    if context < 1:
        raise InvalidArguments("--context must be 1 or more.")
    return Plan(accelerator, decode, prompt, context, kv_type, runtime.flags)


def is_v3d(machine: Machine, root: Path = Path("/")) -> bool:
    """Whether the graphics unit is a V3D: by the board's name, else by the kernel's driver of a graphics device."""
    if (machine.board or "").startswith(V3D_BOARDS):
        return True
    links = (root / "sys/class/drm").glob("card*/device/driver")
    return any(Path(os.path.realpath(link)).name in V3D_DRIVERS for link in links)


def _threads(option: str, asked: int | None, usual: int | None, usable: Cores) -> int:
    """The number asked for, else the profile's within what this process may use, else one for each fast core."""
    if asked is None:
        return min(usual, max(1, usable.logical)) if usual else usable.threads
    if not 1 <= asked <= usable.logical:
        # ggml's threads spin while they wait, so surplus threads take time from the working ones.
        raise InvalidArguments(f"{option} must be from 1 to {usable.logical}, the cores that this process may use.")
    return asked
