"""Sample recipes for frequent wishes: what ``zoo new --profile`` fills in besides the name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """source: of the student, with its licence. teaching: the sections between the student and quantize, as YAML.
    gates: more lines of them."""

    words: str
    source: str
    licence: str
    student: str
    summary: str
    languages: tuple[str, ...]
    good_at: tuple[str, ...]
    bad_at: tuple[str, ...]
    teaching: str
    gates: str


_TEACHER = """\
teacher:
  source: hf:Qwen/Qwen2.5-7B-Instruct
  licence: Apache-2.0
  upstream: Qwen/Qwen2.5-7B-Instruct
  parameters: 7615616512
  size_bytes: 15243000000
  # To train it first, on conversations of yours, see site/docs/how-to/train-the-teacher.md.
"""
_PROMPTS = """\
  # Replace these prompts by your own.
  train:
    - {path: recipes/corpora/tutor/prompts.train.jsonl, licence: CC0-1.0, source: written by the project}
  heldout:
    - {path: recipes/corpora/tutor/prompts.heldout.jsonl, licence: CC0-1.0, source: written by the project}
"""
_ENGLISH = """\
    - {path: recipes/corpora/texts/evaluation.en.txt, licence: CC0-1.0, source: written by the project, language: en}
"""
_FRENCH = _ENGLISH.replace("evaluation.en", "evaluation.fr-CA").replace("language: en", "language: fr-CA")
_TRAINING = """\
  # This needs a GPU with 24 GB: zoo release NAME --device cuda. For a small trial without one: preset: cpu-small.
  adapter: qlora
  preset: ampere-balanced
  steps: 600
  batch_rows: 8
  row_tokens: 512
  learning_rate: 0.0002
  warmup_steps: 30
  checkpoint_every_steps: 50
"""

PROFILES: Mapping[str, Profile] = {
    "tinyllama-tutoring": Profile(
        "TinyLlama learns from the answers of Qwen2.5 7B", "hf:TinyLlama/TinyLlama-1.1B-Chat-v1.0", "Apache-2.0",
        "  upstream: TinyLlama/TinyLlama-1.1B-Chat-v1.0\n  parameters: 1100048384\n  size_bytes: 2200000000\n",
        "TinyLlama 1.1B Chat, tutored by Qwen2.5 7B Instruct on prompts of this zoo.", ("en",),
        ("short answers in English",), ("facts that are not in the question", "long reasoning"),
        f"""
{_TEACHER}
corpus:
{_PROMPTS}  evaluation:
{_ENGLISH}
label:
  max_tokens: 256

distill:
  # The two models have different vocabularies, so the student learns from the teacher's text.
  method: labels
{_TRAINING}""",
        "  - {metric: label_valid_share, at_least: 0.95}\n  - {metric: distill_ppl_ratio, at_most: 0.9}\n",
    ),
    "qwen-bilingual": Profile(
        "a Qwen2.5 0.5B assistant in English and French", "hf:Qwen/Qwen2.5-0.5B-Instruct", "Apache-2.0",
        "  upstream: Qwen/Qwen2.5-0.5B-Instruct\n  parameters: 494032768\n  size_bytes: 999000000\n",
        "A bilingual assistant: Qwen2.5 0.5B Instruct, tutored by Qwen2.5 7B Instruct.", ("en", "fr-CA"),
        ("short answers in English and French", "small JSON records"),
        ("facts that are not in the question", "long reasoning"),
        f"""
{_TEACHER}
corpus:
{_PROMPTS}  evaluation:
{_ENGLISH}{_FRENCH}  # Nothing is made from prompts with less of one language.
  coverage:
    - {{share: "language:en", at_least: 0.4}}
    - {{share: "language:fr", at_least: 0.4}}

label:
  max_tokens: 256

distill:
  method: logits
{_TRAINING}""",
        "  - {metric: label_valid_share, at_least: 0.95}\n  - {metric: distill_kld_ratio, at_most: 0.9}\n",
    ),
}  # fmt: skip
