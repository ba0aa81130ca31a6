"""An environment with a package of vLLM's interface that knows the answers, for machines without vLLM.

Objects have the attributes of vLLM 0.32: ``LLM(...)``, ``SamplingParams(...)``, ``LLM.generate(prompts, params)`` with
``prompt_token_ids``, and outputs with ``prompt_logprobs``, which has None for the first token and then, by token id,
the prompt's own token followed by the most probable ones.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PACKAGE = """
import json, sys
from dataclasses import dataclass
from pathlib import Path

KNOWN = json.loads((Path(__file__).parent / "known.json").read_text())

@dataclass
class Logprob:
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None

@dataclass
class SamplingParams:
    max_tokens: int
    temperature: float
    prompt_logprobs: int
    detokenize: bool

@dataclass
class RequestOutput:
    prompt_logprobs: list

class LLM:
    def __init__(self, model, max_logprobs, max_model_len, logprobs_mode, **more):
        print("loading", model)
        if KNOWN.get("fault"):
            raise ValueError(KNOWN["fault"])
        self.most, self.tokens = max_logprobs, max_model_len

    def generate(self, prompts, params, use_tqdm=True):
        if params.prompt_logprobs > self.most:
            raise ValueError("more than max_logprobs")
        return [RequestOutput(self._places(one["prompt_token_ids"], params.prompt_logprobs)) for one in prompts]

    def _places(self, ids, most):
        if len(ids) >= self.tokens:
            raise ValueError("longer than max_model_len")
        places = [None]
        for token, logps in zip(ids[1:], KNOWN[json.dumps(ids)]):
            best = sorted(range(len(logps)), key=lambda one: -logps[one])[:most]
            places.append({one: Logprob(logps[one]) for one in dict.fromkeys([token, *best])})
        return places
"""


def make(folder: Path, known: dict[str, object]) -> Path:
    """An environment. known: log-probabilities of every token but the first by prompt as JSON; or the words of a
    ``fault`` while the model is loaded."""
    package = folder / "lib" / "python3.11" / "site-packages" / "vllm"
    package.mkdir(parents=True)
    (package.parent / "vllm-0.32.0.dist-info").mkdir()
    (package / "__init__.py").write_text(PACKAGE)
    (package / "known.json").write_text(json.dumps(known))
    program = folder / "bin" / "python"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nPYTHONPATH='{package.parent}' exec '{sys.executable}' \"$@\"\n")
    program.chmod(0o755)
    return folder
