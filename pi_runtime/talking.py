"""``pi-zoo run``, ``embed`` and ``serve``: use a model that is on this board."""

from __future__ import annotations

import argparse
import ipaddress
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pi_runtime import board as boards
from pi_runtime import store
from pi_runtime.accelerate import Plan
from pi_runtime.asking import printable, say, warn
from pi_runtime.keeping import need_of
from pi_runtime.plainjson import Json
from pi_runtime.server import Address, Model, Server
from pi_runtime.settings import CouldNot, InvalidArguments
from pi_runtime.store import Kept
from pi_runtime.words import counted

Message = dict[str, str]


@dataclass(frozen=True)
class Limits:
    """Of one answer: its longest length in tokens, and the temperature that it is sampled with."""

    tokens: int
    temperature: float


def model_of(arguments: argparse.Namespace) -> Model:
    """A model on this board by its name, or a GGUF file by its path. Raises CouldNot."""
    name = arguments.name
    if name.endswith(".gguf") or "/" in name:
        path = store.path_of(name)
        if not path.is_file():
            raise CouldNot(f"{path} is not a file.")
        return Model(path.resolve(), None)
    kept = store.find(name)
    return Model(kept.path, kept.receipt.sha256)


def planned(arguments: argparse.Namespace) -> tuple[Model, Plan]:
    """The file and how it runs, after the check that it fits. Raises CouldNot."""
    model, board = model_of(arguments), boards.of(arguments)
    plan = board.plan(arguments)
    kept = _kept(arguments.name)
    need = need_of(kept, plan.context_tokens, plan.kv_type) if kept else None
    boards.check_memory(need, model.path.name, board, plan.context_tokens, arguments.force)
    boards.check_free_now(need, model.path.name, plan.context_tokens, arguments.force)
    return model, plan


def _kept(name: str) -> Kept | None:
    return None if name.endswith(".gguf") or "/" in name else store.find(name)


def run(arguments: argparse.Namespace) -> None:
    """Chat in the terminal, or answer one prompt."""
    model, plan = planned(arguments)
    warn(f"Loading {model.path.name} with {counted(plan.threads_decode, 'thread')} ...")
    limits = Limits(arguments.tokens, arguments.temperature)
    with Server(model, plan.server()) as server:
        chats = _chats(server)
        if arguments.prompt is not None:
            _answer(server, [{"role": "user", "content": arguments.prompt}], chats, limits)
            return
        what = "Type a question" if chats else "This is a completion model: type the beginning of a text"
        warn(f"{what}, then Enter. /new starts again, Ctrl-D ends.")
        _converse(server, chats, limits)


def _chats(server: Server) -> bool:
    template = server.ask("/props").get("chat_template")
    return template is not None and template.text.strip() != ""


def _converse(server: Server, chats: bool, limits: Limits) -> None:
    talk: list[Message] = []
    while True:
        try:
            text = input("> " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        if text == "/new":
            talk = []
            continue
        if not text:
            continue
        talk.append({"role": "user", "content": text})
        try:
            talk.append(
                {"role": "assistant", "content": _answer(server, talk if chats else talk[-1:], chats, limits)}
            )
        except CouldNot as error:
            # The usual reason: the conversation is longer than the context.
            warn(f"{error} The conversation starts again.")
            talk = []


def _answer(server: Server, talk: list[Message], chats: bool, limits: Limits) -> str:
    """Print the answer as it is written, and return it."""
    heat = {"temperature": limits.temperature}
    if chats:
        events = server.stream("/v1/chat/completions", {"messages": talk, "max_tokens": limits.tokens, **heat})
        pieces = (_delta(event) for event in events)
    else:
        events = server.stream("/completion", {"prompt": talk[-1]["content"], "n_predict": limits.tokens, **heat})
        pieces = (event["content"].text for event in events)
    return _printed(pieces)


def _delta(event: Json) -> str:
    error = event.get("error")
    if error is not None:
        raise CouldNot(f"llama-server stopped: {error['message'].text}")
    for choice in event["choices"].items:
        content = choice["delta"].get("content")
        if content is not None:
            return content.text
    return ""


def _printed(pieces: Iterator[str]) -> str:
    found = []
    for piece in pieces:
        # A model may write what moves a terminal's cursor.
        shown = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in piece)
        print(shown, end="", flush=True)
        found.append(piece)
    print(flush=True)
    return "".join(found)


def embed(arguments: argparse.Namespace) -> None:
    """One vector for each text, as JSON lines: from the arguments, or from stdin, a line each."""
    model, plan = planned(arguments)
    texts = arguments.text or [line.rstrip("\n") for line in sys.stdin]
    with Server(model, plan.server(embeddings=True)) as server:
        for text in texts:
            data = server.ask("/v1/embeddings", {"input": text})["data"].items[0]
            vector = [one.number for one in data["embedding"].items]
            say(json.dumps({"text": text, "embedding": vector}, ensure_ascii=False))


def serve(arguments: argparse.Namespace) -> None:
    """Serve the API in the foreground until Ctrl-C. Raises InvalidArguments for an open address without a key."""
    if not 0 <= arguments.port <= 65_535:
        raise InvalidArguments("--port must be from 0 to 65535; 0 takes a free one.")
    model, plan = planned(arguments)
    address = Address(arguments.host, arguments.port, _keys(arguments))
    with Server(model, plan.server(embeddings=arguments.embeddings), address) as server:
        host = f"[{address.host}]" if ":" in address.host else address.host
        say(
            f"{printable(model.path.name)} is served at http://{host}:{server.port}/v1 (OpenAI's API). Ctrl-C ends it."
        )
        server.wait()


def _keys(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The keys of --api-key-file, one a line; only addresses of this machine do without."""
    if arguments.api_key_file is None:
        if not _is_loopback(arguments.host):
            raise InvalidArguments(
                f"{arguments.host} can be reached from the network, which needs an API key: add --api-key-file FILE, "
                "or use --host 127.0.0.1."
            )
        return ()
    try:
        lines = Path(arguments.api_key_file).read_text(encoding="utf-8").split()
    except OSError as error:
        raise CouldNot(f"{arguments.api_key_file} cannot be read: {error.strerror}.") from error
    keys = tuple(line for line in lines if len(line) >= 16 and "," not in line)
    if not keys:
        raise InvalidArguments(f"{arguments.api_key_file} has no key of at least 16 characters.")
    return keys


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
