"""A teacher on a server that gives log-probabilities: what is refused before anything is learnt, what is retried."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faultserver import Fault, FaultServer, too_many
from tinymodel import make_tiny_llama

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from logitserver import MODEL, LogitServer  # noqa: E402 - after the skip
from shortchats import Heard  # noqa: E402 - after the skip
from test_training_loop import HELDOUT, SPEC, TRAIN  # noqa: E402 - after the skip
from test_training_loop import run as trained  # noqa: E402 - after the skip

from zoo.errors import InputError, RemoteError, ZooError  # noqa: E402 - after the skip
from zoo.teachers.door import Door  # noqa: E402 - after the skip
from zoo.teachers.logits import opened as server_of  # noqa: E402 - after the skip
from zoo.training.conversations import encode  # noqa: E402 - after the skip
from zoo.training.loop import Run, distill  # noqa: E402 - after the skip
from zoo.training.models import load_tokenizer  # noqa: E402 - after the skip
from zoo.training.teacher.served import KEPT, identity_of, probe_of, wanted  # noqa: E402 - after the skip

WIDTH = 355
TOP_K = SPEC.top_k
TOKEN = "secret-token-of-the-teacher"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served-teacher")
    make_tiny_llama(folder / "student", layers=1)
    make_tiny_llama(folder / "teacher", layers=2)
    return folder


@pytest.fixture(scope="module")
def rows(home: Path) -> Any:
    return encode(load_tokenizer(home / "student"), TRAIN, SPEC.row_tokens).rows


@pytest.fixture(scope="module", params=["vllm", "sglang"])
def serving(home: Path, request: pytest.FixtureRequest) -> Iterator[LogitServer]:
    with LogitServer(home / "teacher", request.param) as server:
        yield server


@pytest.fixture
def server(serving: LogitServer) -> Iterator[LogitServer]:
    before = vars(serving).copy()
    yield serving
    for name in ("owner", "most", "late", "room", "change", "split"):
        setattr(serving, name, before[name])


def asked(home: Path, rows: Any, address: str, engine: str, top_k: int = TOP_K) -> list[Any]:
    """The answers at the first rows, after the checks."""
    server = server_of(Door(address, TOKEN), MODEL, engine, top_k, Heard())
    server.check(probe_of(load_tokenizer(home / "student"), rows, WIDTH))
    return server.answers([wanted(row) for row in rows[:6]])


def refused(home: Path, rows: Any, server: LogitServer, **changes: Any) -> ZooError:
    with pytest.raises(ZooError) as raised:
        asked(home, rows, f"{server.host}/v1", changes.pop("engine", server.owner), **changes)
    assert TOKEN not in str(raised.value) and raised.value.safe and raised.value.advice
    return raised.value


def places(answer: Any) -> list[Any]:
    """The lists of places in an answer."""
    if "choices" in answer:
        return [answer["choices"][0]["prompt_logprobs"]]
    meta = answer["meta_info"]
    return [meta[name] for name in ("input_token_logprobs", "input_top_logprobs") if name in meta]


def without(answer: Any) -> Any:
    answer.get("choices", [{}])[0].pop("prompt_logprobs", None)
    answer.get("meta_info", {}).pop("input_token_logprobs", None)
    return answer


def rotated(answer: Any) -> Any:
    for every in places(answer):
        every[1:] = [*every[2:], *every[1:2]]
    return answer


def scaled(factor: float, shift: float) -> Callable[[Any], Any]:
    """Other numbers than log-probabilities."""

    def changed(answer: Any) -> Any:
        for place in (place for every in places(answer) for place in every[1:]):
            pairs = place.values() if isinstance(place, dict) else place if isinstance(place[0], list) else [place]
            for pair in pairs:
                key = "logprob" if isinstance(pair, dict) else 0
                pair[key] = pair[key] * factor + shift
        return answer

    return changed


def test_a_server_of_another_kind_or_without_probabilities_is_refused(
    home: Path, rows: Any, server: LogitServer
) -> None:
    other = {"vllm": "sglang", "sglang": "vllm"}[server.owner]
    error = refused(home, rows, server, engine=other)
    assert f"but the recipe asks it as {'vLLM' if other == 'vllm' else 'SGLang'}" in error.what
    assert error.remedy == f"Write engine: {server.owner} under teacher:"
    server.change = without
    assert "without log-probabilities of the prompt" in refused(home, rows, server).what
    server.owner = "llamacpp"
    error = refused(home, rows, server, engine=other)
    assert "is llama-server, which gives no log-probabilities of a prompt" in error.what
    assert "engine: llama.cpp" in error.remedy


def test_another_vocabulary_is_refused(home: Path, rows: Any, server: LogitServer) -> None:
    right = server.split
    server.split = lambda text: {"input_ids": [1, *right(text)["input_ids"][:0:-1]]}
    error = refused(home, rows, server)
    assert isinstance(error, InputError) and "splits text into other tokens" in error.what
    server.split = right
    with pytest.raises(RemoteError, match="the student's vocabulary has 300 tokens"):
        probe = probe_of(load_tokenizer(home / "student"), rows, 300)
        server_of(Door(f"{server.host}/v1"), MODEL, server.owner, TOP_K, Heard()).check(probe)


def test_another_k_is_refused(home: Path, rows: Any, server: LogitServer) -> None:
    server.most = 5
    error = refused(home, rows, server)
    if server.owner == "vllm":
        assert "greater than max allowed: 5" in error.what and f"--max-logprobs {TOP_K}" in error.remedy
    else:
        assert f"it gave 5 tokens of a place where {TOP_K} were asked for" in error.what
    assert error.remedy.endswith("or lower distill.top_k")


def test_shifted_positions_are_refused(home: Path, rows: Any, server: LogitServer) -> None:
    server.change = rotated
    assert "its places are shifted, or it read another prompt" in refused(home, rows, server).what
    server.change = lambda answer: answer
    # Each place then has the right token, and the probabilities after it.
    server.late = 1
    assert "they change with the token that they should predict" in refused(home, rows, server).what


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (scaled(1.0, 9.0), "as a log-probability, which is at most 0"),
        (scaled(0.1, 0.0), "its probabilities of a place add up to"),
    ],
)
def test_numbers_that_are_not_log_probabilities_are_refused(
    change: Callable[[Any], Any], words: str, home: Path, rows: Any, server: LogitServer
) -> None:
    server.change = change
    assert words in refused(home, rows, server).what


def test_a_context_that_is_too_short_is_refused(home: Path, rows: Any, server: LogitServer) -> None:
    server.room = 20
    error = refused(home, rows, server)
    option = {"vllm": "--max-model-len", "sglang": "--context-length"}[server.owner]
    assert "reads at most 19" in error.what and "Lower distill.row_tokens" in error.remedy and option in error.remedy


@pytest.mark.parametrize(
    "fault",
    [too_many(0), Fault("answer", status=503), Fault("reset", after_bytes=300), Fault("truncate", after_bytes=300),
     Fault("trickle", piece_bytes=20_000, pause_seconds=0.01)],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)  # fmt: skip
def test_what_is_broken_is_asked_again(fault: Fault, home: Path, rows: Any, server: LogitServer) -> None:
    right = asked(home, rows, f"{server.host}/v1", server.owner)
    with FaultServer(server.host) as faulty:
        faulty.break_(fault, method="POST", number=7)
        assert asked(home, rows, f"{faulty.address}/v1", server.owner) == right
        # Six of the checks, six rows, and one of them once more.
        assert sum(one.method == "POST" for one in faulty.exchanges) == 12 + (fault.kind != "trickle")


def earlier(logps: Any) -> Any:
    return torch.cat([logps[:1], logps[:-1]])


def first_alone(logps: Any) -> Any:
    return logps[:1].expand_as(logps)


@pytest.mark.parametrize("change", [earlier, first_alone])
def test_places_that_have_not_seen_the_token_before_them_are_refused(
    change: Callable[[Any], Any], home: Path, rows: Any, server: LogitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = server.logps
    monkeypatch.setattr(server, "logps", lambda ids: change(real(ids)))
    said = refused(home, rows, server)
    assert "places are shifted: they do not change with the token before them" in said.what
    assert said.remedy == "Check what is at this address, or use another server"


def test_requests_ask_for_nothing_else_and_carry_the_token(home: Path, rows: Any, server: LogitServer) -> None:
    server.bodies.clear()
    server.headers.clear()
    asked(home, rows, f"{server.host}/v1", server.owner)
    assert {one["Authorization"] for one in server.headers} == {f"Bearer {TOKEN}"}
    for body in server.bodies:
        sampling = body.get("sampling_params", body)
        assert (sampling["temperature"], sampling["top_p"], sampling["repetition_penalty"]) == (1, 1, 1)
        assert body["stream"] is False and TOKEN not in json.dumps(body)
    row = wanted(rows[0])
    (sent,) = [body for body in server.bodies[6:] if list(row.ids) in (body.get("prompt"), body.get("input_ids"))]
    assert sent.get("prompt_logprobs", sent.get("top_logprobs_num")) == TOP_K
    assert sent.get("logprob_start_len", row.skipped) == row.skipped
    address = json.dumps(identity_of(server_of(Door(f"{server.host}/v1"), MODEL, server.owner, TOP_K, Heard())))
    assert server.host not in address and str(server.server_address[1]) not in address


def served_run(home: Path, name: str, address: str, engine: str, **changes: Any) -> Run:
    server = server_of(Door(address, TOKEN), MODEL, engine, TOP_K, Heard())
    places = home / f"{name}-out", home / f"{name}-scratch"
    run = Run(home / "student", None, TRAIN, HELDOUT, SPEC, *places, Heard(), threads=1, server=server)
    return dataclasses.replace(run, **changes)


@pytest.mark.long
def test_a_training_by_a_server_is_that_by_its_folder(home: Path, server: LogitServer) -> None:
    name, address = server.owner, f"{server.host}/v1"
    by_server = distill(served_run(home, name, address, name))
    by_folder = trained(home, f"{name}-folder", SPEC, Heard())
    for one, other in zip(by_server.loss_curve, by_folder.loss_curve, strict=True):
        # The cache keeps both in steps of 1/64 nat at most.
        assert one["loss"] == pytest.approx(other["loss"], rel=0.002)
    assert by_server.heldout_after and by_server.heldout_after.kld_mean_nats is None
    assert by_server.heldout_after.perplexity == pytest.approx(by_folder.heldout_after.perplexity, rel=0.01)
    about = by_server.teacher
    assert about["model"] == MODEL and about["asked_as"] == name and about["reproducible"] is False
    assert about["builds"] == (["vllm-0.32.0-test"] if name == "vllm" else [])
    for path in (home / f"{name}-scratch").rglob("*.json*"):
        text = path.read_text(errors="replace")
        assert TOKEN not in text and server.host not in text
    # Where all answers are kept, nothing is asked: nothing is there to answer.
    again = distill(served_run(home, name, "http://127.0.0.1:9/v1", name))
    assert again.teacher == about and (home / f"{name}-scratch" / KEPT).exists()
    together = served_run(home, f"{name}-together", address, name, processes=2)
    assert [one["loss"] for one in distill(together).loss_curve] == pytest.approx(
        [one["loss"] for one in by_server.loss_curve]
    )


def test_another_temperature_is_refused(home: Path) -> None:
    spec = dataclasses.replace(SPEC, temperature=2.0)
    with pytest.raises(InputError, match="temperature 1"):
        distill(dataclasses.replace(served_run(home, "warm", "http://127.0.0.1:9/v1", "vllm"), spec=spec))
