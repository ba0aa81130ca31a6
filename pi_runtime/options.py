"""The options of ``pi-zoo``, command by command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pi_runtime import VERSION
from pi_runtime.settings import Settings

NAME = "NAME[@VERSION][:TYPE]"


def parser() -> argparse.ArgumentParser:
    """The command line; argparse refuses unknown arguments with exit code 2."""
    top = argparse.ArgumentParser(
        prog="pi-zoo",
        description="Choose, download, verify, run and measure small language models on this board.",
        epilog="Begin with: pi-zoo list --from ADDRESS-OF-A-SITE",
    )
    top.add_argument("--version", action="version", version=f"pi-zoo {VERSION}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, words: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=words, description=f"{words[:1].upper()}{words[1:]}.", parents=list(parents)
        )

    source, device, question, running = _source(), _device(), _question(), _running()
    output = _flags(("--json", "print the answer as JSON"))
    force = _flags(("--force", "also what would swap, was withdrawn, or is known not to work"))
    command(
        "list", "show the models of the catalog, and what suits this board", source, device, question, output
    )
    asked = command(
        "recommend",
        "show the file that suits this board, with the arithmetic",
        source,
        device,
        question,
        output,
    )
    asked.add_argument("name", nargs="?", metavar="NAME[@VERSION]", help="only this model")
    asked.add_argument("--task", metavar="TASK", help="only models for this task, such as chat")
    asked.add_argument("--language", metavar="CODE", help="only models for this language, such as en")
    asked.add_argument("--min-speed", type=float, metavar="T", help="least decode speed in tokens/s")
    asked.add_argument("--experimental", action="store_true", help="accept an experimental model")
    command(
        "pull", "download a file; a stopped download is continued", source, device, question, force
    ).add_argument("name", metavar=NAME, help="without TYPE: the file that suits this board")
    used = command("use", "set up the background service pi-zoo@INSTANCE for a model", device, running, force)
    used.add_argument("name", metavar=NAME)
    used.add_argument(
        "--as", dest="instance", metavar="INSTANCE", help="name of the service, the model's name without it"
    )
    _address(used)
    talked = command("run", "chat with a model in the terminal", device, running, force)
    talked.add_argument("name", metavar=NAME, help="or a path to a GGUF file")
    talked.add_argument("--prompt", metavar="TEXT", help="answer this one and end")
    talked.add_argument("--tokens", type=int, default=512, metavar="N", help="longest answer, %(default)s tokens")
    words = "%(default)s; 0 takes the most probable word each time, 1 writes more varied and less correct texts"
    talked.add_argument("--temperature", type=float, default=0.2, metavar="T", help=words)
    embedded = command("embed", "turn texts into vectors, as JSON lines", device, running, force)
    embedded.add_argument("name", metavar=NAME, help="or a path to a GGUF file")
    embedded.add_argument("text", nargs="*", metavar="TEXT", help="without any: lines of stdin")
    served = command("serve", "serve a model in the foreground, with OpenAI's API", device, running, force)
    served.add_argument("name", metavar=NAME, help="or a path to a GGUF file")
    served.add_argument("--embeddings", action="store_true", help="serve vectors instead of texts")
    _address(served)
    _bench(command("bench", "measure a model on this board", device, running, force, output))
    kept = command("history", "show how fast the models on this board were, run by run", output)
    kept.add_argument("name", nargs="?", metavar=NAME)
    kept.add_argument("--accept", metavar="REASON", help="the slower level is what is usual now; needs --by")
    kept.add_argument("--by", metavar="NAME", help="who accepts it")
    command("doctor", "show what this board is, what is installed, and what gets in the way", output)
    command("verify", "hash the files on this board again").add_argument("name", nargs="?", metavar=NAME)
    removed = command("remove", "delete a model's file from this board")
    removed.add_argument("name", metavar=NAME)
    removed.add_argument("--all", action="store_true", help="all files of all versions of the model")
    return top


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The parsed command line. The texts of ``embed`` may also follow options, which argparse does not allow."""
    top = parser()
    found, rest = top.parse_known_args(arguments)
    if rest and found.command == "embed" and not any(one.startswith("-") for one in rest):
        found.text = [*found.text, *rest]
    elif rest:
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    return found


def _flags(*some: tuple[str, str]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(add_help=False)
    for option, words in some:
        made.add_argument(option, action="store_true", help=words)
    return made


def _source() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(add_help=False)
    words = "address of the site, or a catalog file; remembered for the next time"
    made.add_argument("--from", dest="source", metavar="SITE", help=words)
    return made


def _device() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(add_help=False)
    made.add_argument(
        "--device", metavar="ID", help="a device with a profile, such as pi-5-4gb; default: this machine"
    )
    made.add_argument("--memory-gb", type=float, metavar="G", help="another machine: its memory, as sold")
    made.add_argument(
        "--bandwidth-gbs", type=float, metavar="B", help="another machine: its memory bandwidth in GB/s"
    )
    return made


def _question() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(add_help=False)
    made.add_argument(
        "--context", type=int, metavar="N", help="context length in tokens; default: the device's"
    )
    made.add_argument("--kv", metavar="TYPE", choices=("f16", "q8_0", "q4_0"), help="type of the KV cache")
    return made


def _running() -> argparse.ArgumentParser:
    made = _question()
    made.add_argument("--threads", type=int, metavar="N", help="threads for decoding; default: the device's")
    made.add_argument("--threads-prompt", type=int, metavar="N", help="threads for the prompt")
    made.add_argument(
        "--accelerator", metavar="NAME", help="cpu, metal, vulkan or cuda; default: the device's"
    )
    return made


def _address(made: argparse.ArgumentParser) -> None:
    made.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="%(default)s: only this machine")
    made.add_argument("--port", type=int, default=8080, metavar="N", help="%(default)s")
    made.add_argument(
        "--api-key-file", metavar="FILE", help="a file with a key per line; an open address needs it"
    )


def _bench(made: argparse.ArgumentParser) -> None:
    defaults = Settings()
    made.add_argument("name", metavar="FILE.gguf", help=f"or {NAME} of a model on this board")
    for option, value, words in (
        (
            "--prompt-tokens",
            None,
            f"length of the prompt; default: 512, with --engine {defaults.prompt_tokens}",
        ),
        (
            "--decode-tokens",
            None,
            f"tokens after the first one; default: 128, with --engine {defaults.decode_tokens}",
        ),
        ("--samples", defaults.samples, "counted runs, %(default)s; fewer than 5 are never valid"),
    ):
        made.add_argument(option, type=int, default=value, metavar="N", help=words)
    words = "measure a file with another program than llama-server; it speaks bench-engine/1"
    made.add_argument("--engine", metavar="COMMAND", help=words)
    made.add_argument(
        "--short", action="store_true", help="without the prompt of 4096 tokens and the chat turn"
    )
    made.add_argument(
        "--meter", type=Path, metavar="FILE", help="a count of joules, or of microjoules in NAME_uj"
    )
    made.add_argument("--cold", action="store_true", help="load the file from storage and not from memory")
    made.add_argument("--compare", action="store_true", help="run llama-bench too, and print its figures")
    made.add_argument("--share", action="store_true", help="write the report for a pull request; needs --by")
    made.add_argument("--dry-run", action="store_true", help="show what --share would write")
    made.add_argument("--by", metavar="NAME", help="your name or nickname, for a report that you share")
    made.add_argument("--out", type=Path, metavar="DIR", help="folder for the report as JSON and CSV")
    made.add_argument(
        "--job", metavar="ID", help="continue if the connection ends; the same command fetches the result"
    )
    made.add_argument(
        "--log",
        choices=("text", "json"),
        default="text",
        help="progress as text, or one JSON object per line",
    )
