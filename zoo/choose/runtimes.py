"""The programs that run a file, and what a person types for each, from a fresh system to the first answer.

``TABLE`` is the only list of them: one row adds a program to every page. Its texts have ``{placeholders}``, so that
``site/assets/runit.js`` fills in the same texts for the answers that a browser computes. Pure.

Sources of the lines, all read in November 2026: Ollama's download page and ``docs/hub/ollama`` of the Hugging Face Hub
(``ollama run hf.co/USER/NAME:TAG``, where TAG is a quantization or a file name), llama.cpp's ``docs/install.md``,
``docs/build.md`` and ``llama-cli --help`` (``-hf``, ``-hff``), LM Studio's ``docs/cli`` (``lms get``, ``lms import``,
``lms chat``), llama-cpp-python's README.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from zoo.choose.commands import PROMPT, started

SYSTEMS: Mapping[str, str] = {
    "linux": "Raspberry Pi OS, Debian, Ubuntu",
    "macos": "macOS",
    "windows": "Windows (PowerShell)",
}
"""The systems that lines are for, and what people call them."""

EVERY = ""
"""Used as a system: the same lines for every system."""


@dataclass(frozen=True)
class Step:
    """A sentence, and the lines to type below it by system.

    needs: words that must be among the facts of a file; ``!word`` must not. link: where the sentence leads.
    once: it is done once, so pages fold it. shared: several programs begin with it, so pages have it once, before the
    other steps. A step with lines, but none for a system, is not for it.
    """

    words: str
    lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: str = ""
    link: str = ""
    once: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Runtime:
    """A program, or a way to get the file. needs: as in a Step, for all of it."""

    id: str
    title: str
    needs: str
    steps: tuple[Step, ...]


def holds(needs: str, facts: Collection[str]) -> bool:
    """Whether the facts are as ``needs`` asks."""
    return all(word[1:] not in facts if word.startswith("!") else word in facts for word in needs.split())


_PLACE = re.compile(r"\{(\w+)\}")


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with values for its placeholders; braces around other words stay."""
    return _PLACE.sub(lambda found: values.get(found[1], found[0]), text)


_LINK = Step("Download {path} ({size})", link="{link}", shared=True)

_FETCH = Step(
    "Or download the file and check its digest. The last line must end with {ok}.",
    {
        "linux": ("wget -c {url}", "wget -qO- {sums} | grep ' {path}$' | sha256sum -c"),
        "macos": ("curl -fL -C - -o {path} {url}", "curl -fsL {sums} | grep ' {path}$' | shasum -a 256 -c"),
        "windows": (
            "curl.exe -fL -o {path} {url}",
            "(Get-FileHash {path}).Hash -eq (@(curl.exe -fsL {sums}) -match ' {path}$').Substring(0, 64)",
        ),
    },
    shared=True,
)

_LLAMA = Step(
    "Install llama.cpp (on Linux it is compiled: minutes on a PC, longer on a small board)",
    {
        "linux": (
            "sudo apt install -y git cmake g++ libssl-dev",
            "git clone --depth 1 https://github.com/ggml-org/llama.cpp",
            "cmake -S llama.cpp -B llama.cpp/build -DCMAKE_BUILD_TYPE=Release",
            "cmake --build llama.cpp/build -j 2 --target llama-cli llama-completion",
            'export PATH="$PWD/llama.cpp/build/bin:$PATH"',
        ),
        "macos": ("brew install llama.cpp",),
        "windows": ("winget install llama.cpp",),
    },
    once=True,
)

_PROMPT = f'"{PROMPT}"'
_CONTINUED = "llama-completion -hf {repository} -hff {path} -c {context}{cache} -no-cnv" + f" -p {_PROMPT} -n 64"
_CHATS = "A prompt appears. Type a question and press Enter; Ctrl+C ends the program."
_CONTINUES = "The model continues the text: it completes texts and does not chat."

_OLLAMA = Runtime(
    "ollama",
    "Ollama",
    "url",
    (
        Step(
            "Install Ollama",
            {
                "linux": ("sudo apt install -y curl", "curl -fsSL https://ollama.com/install.sh | sh"),
                "macos": ("curl -fsSL https://ollama.com/install.sh | sh",),
                "windows": ("irm https://ollama.com/install.ps1 | iex",),
            },
            once=True,
        ),
        Step(
            "Download and run it.",
            {EVERY: ("ollama run hf.co/{repository}:{tag}",)},
            "hf chat",
        ),
        Step(
            "Download and run it.",
            {EVERY: (f"ollama run hf.co/{{repository}}:{{tag}} {_PROMPT}",)},
            "hf !chat",
        ),
        replace(_LINK, needs="!hf"),
        replace(_FETCH, needs="!hf"),
        Step(
            "Create a model from the file and run it.",
            {
                EVERY: (
                    'echo "FROM ./{path}" > Modelfile',
                    "ollama create {name} -f Modelfile",
                    "ollama run {name}",
                )
            },
            "!hf chat",
        ),
        Step(
            "Create a model from the file and run it.",
            {
                EVERY: (
                    'echo "FROM ./{path}" > Modelfile',
                    "ollama create {name} -f Modelfile",
                    f"ollama run {{name}} {_PROMPT}",
                )
            },
            "!hf !chat",
        ),
        Step("The prompt >>> appears. Type a question and press Enter; /bye ends the program.", needs="chat"),
        Step("Ollama takes the newest version of the file from the Hub.", needs="hf"),
        Step(_CONTINUES, needs="!chat"),
    ),
)

_LLAMA_CPP = Runtime(
    "llama-cpp",
    "llama.cpp",
    "url",
    (
        _LLAMA,
        Step(
            "Download and run it.",
            {EVERY: ("llama-cli -hf {repository}:{type} -c {context}{cache} -cnv",)},
            "hf chat quant",
        ),
        Step(
            "Download and run it.",
            {EVERY: ("llama-cli -hf {repository} -hff {path} -c {context}{cache} -cnv",)},
            "hf chat !quant",
        ),
        Step(
            "Download and run it.",
            {EVERY: (_CONTINUED,)},
            "hf !chat",
        ),
        replace(_LINK, needs="!hf"),
        replace(_FETCH, needs="!hf"),
        Step("Run it.", {EVERY: (started("{path} -c {context}{cache}", chats=True),)}, "!hf chat"),
        Step(
            "Run it.",
            {EVERY: (started("{path} -c {context}{cache}", chats=False),)},
            "!hf !chat",
        ),
        Step(_CHATS, needs="chat"),
        Step(_CONTINUES, needs="!chat"),
        Step("llama.cpp takes the newest version of the file from the Hub.", needs="hf"),
    ),
)

_LM_STUDIO = Runtime(
    "lm-studio",
    "LM Studio",
    "url chat desktop",
    (
        Step("Install LM Studio and start it once.", link="https://lmstudio.ai/download"),
        Step("Download the model in a terminal.", {EVERY: ("lms get {repository}@{type}",)}, "hf quant"),
        replace(_LINK, needs="!hf"),
        replace(_FETCH, needs="!hf"),
        replace(_LINK, needs="hf !quant"),
        replace(_FETCH, needs="hf !quant"),
        Step("Import the file.", {EVERY: ("lms import {path}",)}, "!hf"),
        Step("Import the file.", {EVERY: ("lms import {path}",)}, "hf !quant"),
        Step("Chat.", {EVERY: ("lms chat",)}),
        Step("A list of models appears. Choose {name}, then type a question."),
    ),
)

_ENVIRONMENT = {
    "linux": (
        "sudo apt install -y python3-venv python3-dev cmake g++",
        "python3 -m venv llm",
        "llm/bin/pip install llama-cpp-python",
    ),
    "macos": ("python3 -m venv llm", "llm/bin/pip install llama-cpp-python"),
    "windows": ("py -m venv llm", "llm\\Scripts\\pip install llama-cpp-python"),
}

_PYTHON = Runtime(
    "python",
    "Python",
    "url",
    (
        Step(
            "Install llama-cpp-python (pip compiles it, which needs a C++ compiler and takes minutes)",
            _ENVIRONMENT,
            once=True,
        ),
        _LINK,
        _FETCH,
        Step(
            "Save this as answer.py.",
            {
                EVERY: (
                    "from llama_cpp import Llama",
                    "",
                    'model = Llama("{path}", n_ctx={context}, verbose=False)',
                    'question = {"role": "user", "content": "What is the capital of France?"}',
                    "answer = model.create_chat_completion([question], max_tokens=200, temperature=0.2)",
                    'print(answer["choices"][0]["message"]["content"])',
                )
            },
            "chat",
        ),
        Step(
            "Save this as answer.py.",
            {
                EVERY: (
                    "from llama_cpp import Llama",
                    "",
                    'model = Llama("{path}", n_ctx={context}, verbose=False)',
                    f'answer = model({_PROMPT}, max_tokens=64)',
                    'print(answer["choices"][0]["text"])',
                )
            },
            "!chat",
        ),
        Step(
            "Run it.",
            {
                "linux": ("llm/bin/python answer.py",),
                "macos": ("llm/bin/python answer.py",),
                "windows": ("llm\\Scripts\\python answer.py",),
            },
        ),
        Step("The answer is printed.", needs="chat"),
        Step(_CONTINUES, needs="!chat"),
    ),
)

_ZOO = Runtime(
    "zoo",
    "zoo pull",
    "zoo",
    (
        Step(
            "Install zoo, the program that made this site (for Linux and macOS, with Python 3.11 or newer)",
            {
                "linux": (
                    "sudo apt install -y git python3-venv",
                    "python3 -m venv zoo-env",
                    'zoo-env/bin/pip install "model-zoo-publisher{extra} @ {program}"',
                ),
                "macos": (
                    "python3 -m venv zoo-env",
                    'zoo-env/bin/pip install "model-zoo-publisher{extra} @ {program}"',
                ),
            },
            "program",
            once=True,
        ),
        Step(
            "Install zoo, the program that made this site. It is not on a package index: build it from its source "
            "code, as its README describes.",
            needs="!program",
        ),
        Step(
            "Download the file, its card and its licences. Each is compared with the catalog.",
            {EVERY: ("zoo-env/bin/zoo pull {name}@{version}:{type} --from {from}",)},
            "program",
        ),
        Step(
            "Download the file, its card and its licences. Each is compared with the catalog.",
            {EVERY: ("zoo pull {name}@{version}:{type} --from {from}",)},
            "!program",
        ),
        Step("It prints the command that runs the file with llama.cpp."),
    ),
)

_OWN = Runtime(
    "own",
    "zoo pull",
    "folder",
    (
        Step(
            "The files of this release are only in the folder hub of the zoo that made it. In that zoo's folder:",
            {EVERY: ("zoo pull {name}@{version}:{type}",)},
        ),
        Step("It prints the command that runs the file with llama.cpp."),
    ),
)

_BROWSER = Runtime(
    "browser",
    "Browser",
    "browser",
    (
        Step("Try it in the browser", link="{try}"),
        Step("The page downloads the file, checks its digest and runs it on your machine. Nothing is installed."),
    ),
)

_DOWNLOAD = Runtime(
    "download",
    "Download",
    "link",
    (
        _LINK,
        replace(_FETCH, needs="url"),
        Step("Open the file in any program that runs GGUF files."),
    ),
)

TABLE: tuple[Runtime, ...] = (
    _OLLAMA,
    _LLAMA_CPP,
    _LM_STUDIO,
    _PYTHON,
    _ZOO,
    _OWN,
    _BROWSER,
    _DOWNLOAD,
)
"""In the order of the tabs; the first that works for a file is open."""
