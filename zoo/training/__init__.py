"""The only door to torch, transformers and peft: from weights and conversations to a distilled student.

The mechanism, in the order in which a release uses it:

1. ``importing`` converts a GGUF file or a Hugging Face folder to one plain folder (safetensors of 16 bits,
   tokenizer, chat template), optionally with some decoder layers only (depth pruning).
2. ``conversations`` renders chats with the model's own template and marks the tokens that the assistant
   wrote. Only those are learned and measured; everywhere below the output head is computed at those positions
   alone.
3. ``pairing`` compares the teacher's tokens, chat template and width of the head with the student's; ``teacher``
   writes its top-k log-probabilities once, in shards that survive a SIGKILL.
4. ``head`` multiplies the last product in float32; ``losses`` compares the student with the teacher (or with the text
   itself), and ``fused`` does both chunk by chunk, for any loss; ``adapters`` decides which weights move; ``schedule``
   says which rows and which learning rate a step has, as a pure function of the step.
5. ``step`` is one step, in ``parts`` that fit the memory, each through the ``objective`` (student, head and loss as one
   module), with the loss scale of float16 from ``scaling``; ``trainer`` runs the steps with atomic
   ``checkpoints``, and ``loop`` what comes before and after them; the same call after a SIGKILL ends with the same
   bytes. Several processes (``ranks``) share a step, each with all weights or with its ``shares`` of them: ``together``
   starts them by ``launch``, and each ``worker`` gets its ``handover``.
6. ``heldout`` measures the student before and after on conversations that were not trained on.

In addition, ``importance`` collects an importance matrix with hooks, to check the one from llama.cpp.

Importing this package loads none of the heavy libraries; importing its submodules does. Call ``require``
first.
"""

from __future__ import annotations

from zoo import extras

LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes", "safetensors")
LOADED = ("torch", "safetensors", "transformers")
NEEDED = ("torch", "transformers", "peft", "safetensors")
UNTRAINED = "Nothing was trained. Finished steps are kept."
"""What is safe after an error before the first step of a training."""


def versions() -> dict[str, str]:
    """Installed versions of the libraries that affect trained bytes; absent ones are omitted."""
    found = {name: extras.version(name) for name in LIBRARIES}
    return {name: version for name, version in found.items() if version != extras.ABSENT}


def require() -> None:
    """Raises MissingExtra if a library that every training needs is missing, broken or of another version."""
    extras.require("Training", *NEEDED)
    for name in LOADED:
        extras.load(name)
