"""A model's forward pass as torch's exported program, of one fixed length: what coremltools converts."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.export import ExportedProgram
from transformers import PreTrainedModel

from zoo.training.models import load_model

SEED = 1


class _Logits(torch.nn.Module):
    """Logits of ``tokens`` positions. The mask and the positions are constants: coremltools 9.0 cannot convert how
    transformers makes them (``aten.diff``), and a program of a fixed length always has the same."""

    def __init__(self, model: PreTrainedModel, tokens: int) -> None:
        super().__init__()
        self.model = model
        # The lowest number of float16, in which Core ML computes: -inf minus -inf would not be a number.
        lowest = torch.finfo(torch.float16).min
        self.register_buffer("mask", torch.triu(torch.full((tokens, tokens), lowest), 1)[None, None])
        self.register_buffer("positions", torch.arange(tokens)[None])

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """input_ids: int32 [1, tokens]. Returns float32 [1, tokens, vocabulary]."""
        found = self.model(
            input_ids=input_ids, attention_mask=self.mask, position_ids=self.positions, use_cache=False
        )
        logits: torch.Tensor = found.logits
        return logits


def exported(model: PreTrainedModel, tokens: int) -> ExportedProgram:
    """The program of a model that predicts ``tokens`` positions in one run.

    torch's ``alias`` nodes only give a second name to a value. They are taken out: coremltools 9.0 does not know them.
    """
    with torch.no_grad():
        traced = torch.export.export(_Logits(model, tokens).eval(), (samples(model, tokens, 1)[0],))
        program: ExportedProgram = traced.run_decompositions({})
    graph = program.graph_module.graph
    for node in list(graph.nodes):
        if node.target is torch.ops.aten.alias.default:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    program.graph_module.recompile()
    return program


def samples(model: PreTrainedModel, tokens: int, count: int) -> list[torch.Tensor]:
    """Random token ids, int32 [1, tokens] each, the same on every machine."""
    random = torch.Generator().manual_seed(SEED)
    size = int(model.config.get_text_config().vocab_size)
    return [torch.randint(size, (1, tokens), generator=random, dtype=torch.int32) for _ in range(count)]


def reference(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    """Logits as transformers itself computes them, with its own mask and positions: float32 [1, tokens, vocabulary]."""
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
    return logits


def difference(program: ExportedProgram, model: PreTrainedModel, tokens: int, count: int) -> float:
    """Largest difference of the program's logits from transformers', over ``count`` random texts, as a share of the
    largest logit."""
    ran = program.module()
    worst = 0.0
    for ids in samples(model, tokens, count):
        wanted = reference(model, ids)
        with torch.no_grad():
            worst = max(worst, float((ran(ids) - wanted).abs().max() / wanted.abs().max()))
    return worst


def load(folder: Path) -> PreTrainedModel:
    """The model in ``folder``, in float32 on the processor. Raises ModelFileError."""
    return load_model(folder, torch.float32, "cpu")
