"""Checkpoints of a training: a folder that is renamed into place once complete; the last two are kept."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from catalog import jsontext
from catalog.jsonvalues import table
from catalog.shapes import shaped
from zoo.files.digests import digest, sha256_file
from zoo.files.whole import fsync
from zoo.progress import Reporter
from zoo.training.files import read_json, write_json
from zoo.training.scaling import LossScale
from zoo.training.shares import divided_as, gathered
from zoo.training.writing import writing

if TYPE_CHECKING:
    from transformers import PreTrainedModel

KEPT = 2
RUN, STATE = "run.json", "state.json"


class StepLoss(TypedDict):
    """One step, counted from 1: its loss in nats per assistant token, and its learning rate."""

    step: int
    loss: float
    learning_rate: float


@dataclass
class Progress:
    """The state of a training: steps done, {step, loss, learning_rate} of each, tokens and seconds so far.

    scale: of the loss, changed and used in float16 only. processes: that trained together.
    """

    step: int
    losses: list[StepLoss]
    assistant_tokens: int
    row_tokens: int
    seconds: float
    threads: int
    scale: LossScale = field(default_factory=LossScale)
    processes: int = 1


def open_run(scratch: Path, identity: str, report: Reporter) -> None:
    """Prepare ``scratch`` for the run ``identity``: files of another run are deleted."""
    scratch.mkdir(parents=True, exist_ok=True)
    known = read_json(scratch / RUN)
    if known == {"identity": identity}:
        return
    if known is not None and _folders(scratch):
        report.say(
            "The checkpoints belong to a different student, corpus or setting. Training starts from the beginning"
        )
    for path in [*scratch.glob("checkpoint-*"), *scratch.glob("heldout-*.json")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(scratch / RUN, {"identity": identity})


def save(
    scratch: Path,
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    *,
    write: bool = True,
) -> None:
    """Write the trained weights, the optimizer's state and ``progress``; older checkpoints beyond two are
    removed.

    write: False for a process that only gives its shares of them to the one that writes.
    """
    names = trainable(model)
    files: dict[str, Mapping[str, torch.Tensor]] = {"weights": names, "optimizer": _optimizer_tensors(names, optimizer)}
    if not write:
        for tensors in files.values():
            gathered(tensors, keep=False)
        return
    final = scratch / f"checkpoint-{progress.step:08d}"
    part = scratch / f"checkpoint-{progress.step:08d}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    with writing():
        for file, tensors in files.items():
            save_file(gathered(tensors, keep=True), part / f"{file}.safetensors")
    digests = {name: sha256_file(part / f"{name}.safetensors") for name in files}
    state = {**asdict(progress), "sha256": digests}
    write_json(part / STATE, {**state, "state_sha256": digest(state)})
    for path in part.iterdir():
        fsync(path)
    shutil.rmtree(final, ignore_errors=True)
    part.replace(final)
    fsync(scratch)
    for old in _folders(scratch)[:-KEPT]:
        shutil.rmtree(old)


def restore(
    scratch: Path, model: PreTrainedModel, optimizer: torch.optim.Optimizer, report: Reporter, *, sweep: bool = True
) -> Progress | None:
    """Load the newest complete checkpoint into ``model`` and ``optimizer``; None if there is none.

    sweep: damaged ones are deleted. Only the process that writes them may do so: what another machine sees may be old.
    """
    for part in scratch.glob("checkpoint-*.part") if sweep else ():
        shutil.rmtree(part)
    for folder in reversed(_folders(scratch)):
        try:
            progress = _sound(folder)
            weights = load_file(folder / "weights.safetensors")
            moments = load_file(folder / "optimizer.safetensors")
            _refuse_others(model, weights, moments)
        except (OSError, SafetensorError, ValueError, TypeError, KeyError, AttributeError):
            report.warn(f"{folder.name} is damaged and is ignored")
            if sweep:
                shutil.rmtree(folder)
            continue
        _fill(model, optimizer, weights, moments)
        return progress
    return None


def last(scratch: Path) -> int | None:
    """The step of the newest checkpoint, if it is complete; damaged ones are left to ``restore``."""
    try:
        return _sound(_folders(scratch)[-1]).step
    except (IndexError, OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _sound(folder: Path) -> Progress:
    """The progress of a checkpoint whose files are unchanged. Raises ValueError, KeyError or other errors that a record
    of another shape causes.
    """
    state = table(jsontext.read(folder / STATE, bounded=False))
    if state.pop("state_sha256") != digest(state):
        raise ValueError("the record has changed since it was written")
    for name, sha256 in table(state.pop("sha256")).items():
        if sha256_file(folder / f"{name}.safetensors") != sha256:
            raise ValueError(f"{name} has changed since it was written")
    return shaped(state, Progress)


def _refuse_others(
    model: PreTrainedModel, weights: dict[str, torch.Tensor], moments: dict[str, torch.Tensor]
) -> None:
    """Checked before the model changes: raises ValueError unless everything exists and has the right shape."""
    names = trainable(model)
    if weights.keys() != names.keys() or any(weights[n].shape != names[n].shape for n in names):
        raise ValueError("the weights belong to another model")
    if any(key.rpartition("|")[0] not in names for key in moments):
        raise ValueError("the optimizer's state belongs to another model")


def trainable(model: PreTrainedModel) -> dict[str, torch.nn.Parameter]:
    """The trained parameters, by name, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _folders(scratch: Path) -> list[Path]:
    return sorted(path for path in scratch.glob("checkpoint-*") if path.is_dir() and path.suffix != ".part")


def _optimizer_tensors(
    names: Mapping[str, torch.Tensor], optimizer: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    return {
        f"{name}|{kind}": torch.as_tensor(value)
        for name, parameter in names.items()
        for kind, value in optimizer.state[parameter].items()
    }


def _fill(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    weights: dict[str, torch.Tensor],
    moments: dict[str, torch.Tensor],
) -> None:
    for name, parameter in trainable(model).items():
        with torch.no_grad():
            parameter.copy_(divided_as(parameter, weights[name]))
        state = {
            key.rsplit("|", 1)[1]: value for key, value in moments.items() if key.rsplit("|", 1)[0] == name
        }
        # A fused AdamW keeps its step count beside the weight, any other one on the CPU.
        fused = optimizer.defaults.get("fused") or optimizer.defaults.get("capturable")
        optimizer.state[parameter] = {
            kind: divided_as(parameter, value) if kind != "step" else value.to(parameter.device) if fused else value
            for kind, value in state.items()
        }
