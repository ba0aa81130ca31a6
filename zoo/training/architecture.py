"""Whether the installed transformers supports the architecture of a model folder, as one that writes text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import transformers

from zoo.errors import ModelFileError
from zoo.training.models import LOCAL

OTHERS = "Use a model of another architecture, one that writes text: such as Llama, Qwen, Mistral, Gemma or GPT-2"


def check(shown: Path, config: Mapping[str, object], where: str) -> None:
    """Raises ModelFileError for an unknown architecture, one of another kind, and invalid values.

    shown: the folder that transformers reads. config: the content of config.json.
    """
    kind = str(config["model_type"])
    version = transformers.__version__
    if kind not in transformers.CONFIG_MAPPING:
        own = "; it requires its own code (auto_map), which zoo never runs" if config.get("auto_map") else ""
        raise ModelFileError(
            f"transformers {version} does not support the architecture {kind} (model_type of config.json){own}",
            where=where, remedy=OTHERS,
        )  # fmt: skip
    try:
        parsed = transformers.AutoConfig.from_pretrained(shown, **LOCAL)
    except Exception as error:
        reason = " ".join(str(error).replace(str(shown), where).split())[:300]
        raise ModelFileError(
            f"transformers {version} does not accept this configuration: {reason}",
            where=f"{where}/config.json".lstrip("/"),
            remedy="Fix what this message names in config.json, or fetch the file again",
        ) from error  # fmt: skip
    if type(parsed) not in transformers.MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelFileError(
            f"The architecture {kind} does not write text from left to right (no causal language model)", where=where,
            remedy=OTHERS,
        )  # fmt: skip
