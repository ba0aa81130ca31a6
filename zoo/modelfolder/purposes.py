"""Folders of a model that does not write text: a classifier, a reward model, an encoder for search. Pure.

transformers would still load such a folder as a language model, without its head or with a new head from the embedding.
``architectures`` of config.json names the class that the weights were saved from.
"""

from __future__ import annotations

from collections.abc import Mapping

from zoo.errors import ModelFileError
from zoo.modelfolder.files import CONFIG

CAUSAL = "ForCausalLM"
OTHER_HEADS: Mapping[str, str] = {
    "ForSequenceClassification": "it scores or sorts texts (a classifier or a reward model)",
    "ForTokenClassification": "it labels the tokens of a text",
    "ForQuestionAnswering": "it marks the answer in a text",
    "ForMultipleChoice": "it picks one of several texts",
    "ForNextSentencePrediction": "it says whether two sentences follow each other",
    "ForMaskedLM": "it fills gaps in a text (an encoder)",
    "ForTextEncoding": "it turns texts into vectors",
}
"""End of a class name in transformers -> what a model of that class does."""
NO_HEAD = "Model"
HEADED = ("LMHeadModel", "DoubleHeadsModel")
"""Endings of older class names that do have a head that writes text."""


def refuse_other(config: Mapping[str, object]) -> None:
    """Raise ModelFileError if the weights were saved from a class that does not write text.

    A class of the folder's own (``auto_map``) is not checked by its name.
    """
    given = config.get("architectures")
    own = config.get("auto_map")
    if not isinstance(given, list) or not given or (isinstance(own, dict) and "AutoModelForCausalLM" in own):
        return
    name = str(given[0])
    for end, does in OTHER_HEADS.items():
        if name.endswith(end):
            raise ModelFileError(
                f"This model does not write text: {does}. architectures says {name}", where=CONFIG,
                remedy="Use the language model that it was made from. base_model on its card usually names it",
            )  # fmt: skip
    if name.endswith(NO_HEAD) and not name.endswith(HEADED):
        causal = name.removesuffix(NO_HEAD) + CAUSAL
        raise ModelFileError(
            "This model has no output head, so it does not write text. Such folders hold models that turn texts into "
            f"vectors (embedding models). architectures says {name}", where=CONFIG,
            remedy="Use the language model that it was made from. If the head is the embedding and the model does "
            f'write text, write "architectures": ["{causal}"] into config.json',
        )  # fmt: skip
