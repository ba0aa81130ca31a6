"""What the layers of each architecture keep in memory while a text is written, as llama.cpp allocates it. Data only.

Source: llama.cpp as ``llama-cpp-python`` 0.3.36 carries it (``src/models/*.cpp``, ``load_arch_hparams``;
``src/llama-model.cpp``, ``create_memory``). For a name that is not listed here, every layer is assumed to keep
everything.
"""

from __future__ import annotations

from dataclasses import dataclass

ALWAYS, IF_GIVEN, UNLESS_ZERO, AT_64_LAYERS = "always", "if given", "unless zero", "at 64 layers"
NO_KV_HEADS, INTERVAL, ALL, BOTH, NO_KV_AND_NO_FF = (
    "no kv heads",
    "interval",
    "all",
    "both",
    "no kv and no ff",
)


@dataclass(frozen=True)
class Window:
    """Layers that see only the last tokens.

    period: of so many layers, all but one have the window; 0: the header lists them layer by layer; 1: all that have
    keys and values. dense_first: the one without it is the first of the group, else the last. when: ALWAYS, IF_GIVEN
    (the header's window is more than 0), UNLESS_ZERO (also if it says nothing), AT_64_LAYERS. default_tokens: the
    window if the header has none. forced_tokens: the window whatever the header says.
    """

    period: int
    when: str = ALWAYS
    dense_first: bool = False
    default_tokens: int = 0
    forced_tokens: int = 0


@dataclass(frozen=True)
class Architecture:
    """recurrent: the layers with a state of fixed size instead of keys and values: those with NO_KV_HEADS, those
    between every INTERVAL-th, ALL; BOTH: every layer has both. experts: models of it have experts. shares_from: layers
    from this one on use the keys and values of earlier ones (None: none, -1: the header counts them).
    """

    window: Window | None = None
    recurrent: str | None = None
    experts: bool = False
    shares_from: int | None = None


_DENSE = (
    "llama", "falcon", "gpt2", "gptj", "gptneox", "mpt", "baichuan", "starcoder", "refact", "bloom", "stablelm",
    "qwen", "qwen2", "qwen2vl", "qwen3", "qwen3vl", "phi2", "phi3", "plamo", "codeshell", "orion", "internlm2",
    "minicpm", "minicpm3", "gemma", "starcoder2", "xverse", "command-r", "olmo", "openelm", "chatglm", "glm4",
    "bitnet", "jais", "jais2", "nemotron", "exaone", "granite", "chameleon", "plm", "arcee", "ernie4_5",
    "hunyuan-dense", "hunyuan_vl", "smollm3", "seed_oss", "apertus", "cogvlm", "pangu-embedded", "mistral3",
    "paddleocr", "llama-embed", "maincoder", "talkie", "deci",
)  # fmt: skip
_EXPERTS = (
    "grok", "qwen2moe", "qwen3moe", "qwen3vlmoe", "phimoe", "dbrx", "olmoe", "arctic", "deepseek", "deepseek2",
    "deepseek2-ocr", "mistral4", "glm4moe", "granitemoe", "bailingmoe", "bailingmoe2", "dots1", "ernie4_5-moe",
    "hunyuan-moe", "hy_v3", "grovemoe", "minimax-m2",
)  # fmt: skip

ARCHITECTURES: dict[str, Architecture] = {
    **{name: Architecture() for name in _DENSE},
    **{name: Architecture(experts=True) for name in _EXPERTS},
    "gemma2": Architecture(Window(2, default_tokens=4096)),
    "gemma3": Architecture(Window(6, IF_GIVEN)),
    "gemma3n": Architecture(Window(5), shares_from=20),
    "gemma4": Architecture(Window(0), experts=True, shares_from=-1),
    "cohere2": Architecture(Window(4)),
    "cohere2moe": Architecture(Window(4, dense_first=True), experts=True),
    "olmo2": Architecture(Window(4, IF_GIVEN)),
    "exaone4": Architecture(Window(4, AT_64_LAYERS, default_tokens=4096)),
    "exaone-moe": Architecture(Window(4, default_tokens=128), experts=True),
    "gpt-oss": Architecture(Window(2), experts=True),
    "llama4": Architecture(Window(4, UNLESS_ZERO, forced_tokens=8192), experts=True),
    "smallthinker": Architecture(Window(4, IF_GIVEN, dense_first=True, forced_tokens=4096), experts=True),
    "plamo3": Architecture(Window(8, IF_GIVEN)),
    "afmoe": Architecture(Window(4, IF_GIVEN), experts=True),
    "laguna": Architecture(Window(4, IF_GIVEN, dense_first=True), experts=True),
    "mellum": Architecture(Window(4, IF_GIVEN), experts=True),
    "muse-glimmer": Architecture(Window(4)),
    "granite_swa": Architecture(Window(0), experts=True),
    "maple": Architecture(Window(0), experts=True),
    "mimo2": Architecture(Window(0), experts=True),
    "step35": Architecture(Window(0), experts=True),
    "spark2_5": Architecture(Window(0)),
    "lfm2": Architecture(Window(1, IF_GIVEN), recurrent=NO_KV_HEADS),
    "lfm2moe": Architecture(recurrent=NO_KV_HEADS, experts=True),
    "jamba": Architecture(recurrent=NO_KV_HEADS, experts=True),
    "granitehybrid": Architecture(recurrent=NO_KV_HEADS, experts=True),
    "plamo2": Architecture(recurrent=NO_KV_HEADS),
    "kimi-linear": Architecture(recurrent=NO_KV_HEADS, experts=True),
    "nemotron_h": Architecture(recurrent=NO_KV_AND_NO_FF),
    "nemotron_h_moe": Architecture(recurrent=NO_KV_AND_NO_FF, experts=True),
    "falcon-h1": Architecture(recurrent=BOTH),
    "qwen3next": Architecture(recurrent=INTERVAL, experts=True),
    "qwen35": Architecture(recurrent=INTERVAL),
    "qwen35moe": Architecture(recurrent=INTERVAL, experts=True),
    "minimax-01": Architecture(recurrent=INTERVAL, experts=True),
    "mamba": Architecture(recurrent=ALL),
    "mamba2": Architecture(recurrent=ALL),
    "rwkv6": Architecture(recurrent=ALL),
    "rwkv6qwen2": Architecture(recurrent=ALL),
    "rwkv7": Architecture(recurrent=ALL),
    "arwkv7": Architecture(recurrent=ALL),
}  # fmt: skip
"""Name in the header (``general.architecture``) -> what its layers keep. phi3, llama (Mistral) and mistral3 have no
window here: llama.cpp gives their layers the full context, whatever window the header names."""


def dense(name: str) -> bool:
    """Whether every weight of every model of this architecture is used for every token. False if it is not known."""
    return name in ARCHITECTURES and not ARCHITECTURES[name].experts


def keeps_all(name: str) -> bool:
    """Whether every layer keeps keys and values of the whole context. True if the architecture is not known."""
    found = ARCHITECTURES.get(name, Architecture())
    return not (found.window or found.recurrent or found.shares_from is not None)
