"""A teacher on a server: every way in which it can fail, between this program and a real server over HTTP."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from answerserver import MODEL, AnswerServer
from faultserver import Fault, FaultServer, proxy_page, too_many
from selfsigned import make_certificate
from waiting import until

from catalog.recipe import Label
from zoo.corpora.rows import Row
from zoo.errors import InputError, RemoteError
from zoo.hub.download import Patience
from zoo.progress import Silent
from zoo.settings import Teacher
from zoo.teachers import asking as asking_room
from zoo.teachers import door as door_room
from zoo.teachers.asking import Asked, Asking
from zoo.teachers.door import Door, Line, opened
from zoo.teachers.pace import Pace
from zoo.teachers.servers import Served, served

SCHEMA = {
    "type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False,
}  # fmt: skip
SPEC = Label(16, 0.0, 1.0, 1, 4, 1, None, None, None)
QUICK = Patience(tries=4, first_pause_seconds=0.01, longest_pause_seconds=0.02, longest_wait_seconds=60.0)


def row(number: int, text: str = "", schema: Any = None) -> Row:
    return Row(f"{number:064x}", "train", number, (("user", text or f"question {number}"),), schema, ())


@contextmanager
def broken(**server: Any) -> Iterator[tuple[AnswerServer, FaultServer]]:
    with AnswerServer(**server) as behind, FaultServer(behind.host) as before:
        yield behind, before


def asking(address: str, patience: Patience = QUICK, **spec: Any) -> Asking:
    door = Door(f"{address}/v1")
    made = Asking(door, served(Line(door).look(), MODEL, door.place), dataclasses.replace(SPEC, **spec), Silent())
    made.pace.patience = patience
    return made


def answers(address: str, *rows: Row, patience: Patience = QUICK, **spec: Any) -> dict[str, Asked]:
    return {one.answer.key: one for one in asking(address, patience, **spec).answers(rows)}


def test_every_row_is_answered_once_and_not_more_at_the_same_time_than_allowed() -> None:
    with AnswerServer(seconds=0.01) as server:
        found = answers(server.host, *(row(n) for n in range(40)))
        assert {one.answer.text for one in found.values()} == {f"You said: question {n}" for n in range(40)}
        assert server.questions.total() == 40 and 1 < server.most_open <= SPEC.batch_rows
        costs = {(one.requests, one.prompt_tokens, one.answer_tokens, one.uncounted) for one in found.values()}
        assert costs == {(1, 7, 3, 0)} and {one.build for one in found.values()} == {"b1-test"}


def test_as_many_rows_are_taken_as_are_asked_or_wait_to_be_recorded() -> None:
    taken: list[int] = []

    def rows() -> Iterator[Row]:
        for number in range(1000):
            taken.append(number)
            yield row(number)

    with AnswerServer() as server:
        found = asking(server.host).answers(rows())
        for count in range(1, 20):
            next(found)
            assert len(taken) <= count - 1 + SPEC.batch_rows, "a kill now would repeat more than that"
        found.close()  # type: ignore[attr-defined]  # a generator
    assert len(taken) < 30


@pytest.mark.parametrize(
    ("owner", "schema_field", "plain"),
    [
        ("llamacpp", {"type": "json_object", "schema": SCHEMA}, {"top_k": 0, "min_p": 0, "repeat_penalty": 1}),
        ("vllm", {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
         {"top_k": -1, "min_p": 0, "repetition_penalty": 1}),
        ("sglang", {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
         {"top_k": -1, "min_p": 0, "repetition_penalty": 1}),
        ("somebody", {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}, {}),
    ],
)  # fmt: skip
def test_each_server_gets_the_names_of_its_own_fields(owner: str, schema_field: Any, plain: Any) -> None:
    with AnswerServer(owner=owner) as server:
        answers(server.host, row(1), row(2, schema=SCHEMA), temperature=0.5, batch_rows=1)
    text, structured = server.bodies
    basics = {
        "model": MODEL, "messages": [{"role": "user", "content": "question 1"}], "max_tokens": 16, "stream": False,
        "n": 1, "temperature": 0.5, "top_p": 1.0, "seed": 1,
    }  # fmt: skip
    assert text == basics | plain
    assert structured["response_format"] == schema_field and structured["max_tokens"] == 32


def test_an_answer_that_does_not_follow_its_schema_is_asked_again_with_more_room() -> None:
    texts = iter(['{"x": "no"}', '{"x": 1}'])
    with AnswerServer(lambda _: next(texts)) as server:
        (found,) = answers(server.host, row(1, schema=SCHEMA)).values()
    assert (found.answer.text, found.answer.attempts, found.answer.invalid) == ('{"x": 1}', 2, "")
    assert (found.requests, found.prompt_tokens, found.answer_tokens) == (2, 14, 6)
    first, second = server.bodies
    assert (first["temperature"], second["temperature"], second["seed"]) == (0.0, asking_room.RETRY_TEMPERATURE, 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda made: made["choices"][0]["message"].update(content=None), "the answer is empty"),
        (lambda made: made["choices"][0].update(finish_reason="content_filter"),
         'the server ended the answer with "content_filter"'),
        (lambda made: made["choices"][0]["message"].update(content="a\ufffdb"), "the answer is not UTF-8"),
        (lambda made: made["choices"][0]["message"].update(content="[1"), None),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_stays_invalid(change: Callable[[Any], Any], reason: str | None) -> None:
    with AnswerServer() as server:
        server.change = lambda made: (change(made), made)[1]
        (found,) = answers(server.host, row(1, schema=None if reason else SCHEMA)).values()
    assert found.answer.invalid.startswith(reason or "the answer is not JSON") and found.answer.attempts == 2


def test_usage_that_is_missing_or_no_count_is_counted_as_unknown() -> None:
    beyond = {"prompt_tokens": 1 << 60, "completion_tokens": True}
    untrue = {"prompt_tokens": 0, "completion_tokens": 2 * SPEC.max_tokens + 1}
    for usage in (None, {}, {"prompt_tokens": -1, "completion_tokens": 2}, beyond, untrue):
        with AnswerServer() as server:
            server.change = lambda made, usage=usage: {**made, "usage": usage}  # type: ignore[misc]  # bound here
            (found,) = answers(server.host, row(1)).values()
        assert (found.uncounted, found.prompt_tokens, found.answer_tokens <= SPEC.max_tokens) == (1, 0, True)


def test_text_that_a_server_reads_as_a_marker_is_never_sent() -> None:
    prompts = ["a <|im_end|> b", "</s> hi", "[INST] x", "<end_of_turn>", "<\uff5cUser\uff5c>"]
    with AnswerServer() as server:
        found = answers(server.host, *(row(n, text) for n, text in enumerate(prompts)), row(9, "a <b> and [1] | x"))
    assert [bool(one.answer.invalid) for _, one in sorted(found.items())] == [True] * 5 + [False]
    assert server.questions.total() == 1


# --- A server or a network with faults


CUT = [Fault("reset", after_bytes=20), Fault("close", after_bytes=20), Fault("lost"), Fault("refuse"),
       Fault("truncate", after_bytes=30), Fault("endless"), proxy_page(), Fault("answer", status=200, body=b"[]"),
       Fault("answer", status=200, body=b'{"choices": [{}, {}]}'), Fault("answer", status=500, body=b"oops"),
       Fault("answer", status=503, body=b'{"error": {"message": "loading model"}}')]  # fmt: skip


@pytest.mark.parametrize("fault", CUT, ids=lambda fault: f"{fault.kind} {fault.status} {fault.body[:12]!r}")
def test_after_a_fault_the_same_row_is_asked_again(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_room, "_BODY_BYTES", 1 << 16)
    with broken() as (_, faulty):
        faulty.break_(fault, path="/chat/", number=2)
        found = answers(faulty.address, *(row(n) for n in range(6)))
    assert len(found) == 6 and not any(one.answer.invalid for one in found.values())


@pytest.mark.parametrize("length", ["-5", "1e3", "7, 8", "", "9" * 30, str(1 << 50), "+7", "0x10"])
def test_an_invalid_or_absurd_length_ends_the_work_after_one_try(length: str) -> None:
    """http.client takes a negative one for none, and waits for the end of a connection that stays open."""
    with broken() as (_, faulty):
        faulty.break_(Fault("headers", headers={"Content-Length": length}), path="/chat/", times=100)
        with pytest.raises(RemoteError, match="announces") as caught:
            answers(faulty.address, row(1))
        assert sum("/chat/" in one.path for one in faulty.exchanges) == 1
    assert (caught.value.kind, caught.value.transient) == ("malformed", False)
    assert caught.value.safe == "The answers so far are kept."


MALFORMED = {
    "not JSON": proxy_page(),
    "without exactly one answer": Fault("answer", status=200, body=b"[]"),
    "without a message": Fault("answer", status=200, body=b'{"choices": [{}]}'),
    "sent more than": Fault("endless"),
}


@pytest.mark.parametrize("words", MALFORMED)
def test_an_answer_of_another_form_is_asked_for_a_few_times_only(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the patience for a server that is away, and however well others are answered."""
    monkeypatch.setattr(asking_room, "_BODY_BYTES", 1 << 16)
    patience = dataclasses.replace(QUICK, tries=12)
    with broken() as (_, faulty):
        faulty.break_(MALFORMED[words], path="/chat/", times=1000)
        with pytest.raises(RemoteError, match=words) as caught:
            answers(faulty.address, row(1), patience=patience)
        assert sum("/chat/" in one.path for one in faulty.exchanges) == 3
    assert caught.value.kind == "malformed" and "Check what is at this address" in caught.value.advice


def test_answers_to_other_rows_do_not_prolong_the_tries_of_one_that_is_malformed() -> None:
    pace = Pace(Silent(), dataclasses.replace(QUICK, tries=12))
    tries = 0

    def ask() -> None:
        nonlocal tries
        tries += 1
        pace.came()
        raise RemoteError("sent something else", kind="malformed", facts={}, transient=True)

    with pytest.raises(RemoteError, match="something else"):
        pace.tried(ask)
    assert tries == 3


def test_what_is_not_http_is_asked_for_a_few_times_only() -> None:
    said = []

    class Odd(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            said.append(self.rfile.readline())
            self.wfile.write(b"220 mail.example ESMTP\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        door = Door(f"http://127.0.0.1:{server.server_address[1]}/v1")
        pace = Pace(Silent(), dataclasses.replace(QUICK, tries=12))
        with pytest.raises(RemoteError, match="sent what is not HTTP") as caught:
            pace.tried(lambda: Line(door).ask({}, 5.0, 1000))
        server.shutdown()
    assert len(said) == 3 and caught.value.kind == "malformed"


def test_a_server_that_stays_away_ends_the_work_and_keeps_what_came() -> None:
    got: list[Asked] = []
    with broken() as (_, faulty):
        faulty.break_(Fault("answer", status=500), path="/chat/", number=4, times=1000)
        with pytest.raises(RemoteError, match="answered HTTP 500") as caught:
            got.extend(asking(faulty.address, batch_rows=1).answers(row(n) for n in range(9)))
    assert len(got) == 3 and caught.value.transient and caught.value.safe == "The answers so far are kept."


@pytest.mark.parametrize("date", [False, True])
def test_every_request_waits_as_long_as_the_server_asks(date: bool) -> None:
    with broken() as (behind, faulty):
        # A date has whole seconds.
        value = formatdate(time.time() + 2.9, usegmt=True) if date else "1"
        faulty.break_(Fault("answer", status=429, headers={"Retry-After": value}), path="/chat/", number=3)
        moments: list[float] = []
        behind.answer = lambda _: (moments.append(time.monotonic()), "fine")[1]
        found = answers(faulty.address, *(row(n) for n in range(12)), batch_rows=2)
    gaps = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert len(found) == 12 and max(gaps) > 0.9, "nobody asked in the meantime"


def test_a_wait_that_is_too_long_is_told_and_not_waited() -> None:
    with broken() as (_, faulty):
        faulty.break_(too_many(86_400), path="/chat/", times=100)
        with pytest.raises(RemoteError) as caught:
            answers(faulty.address, row(1))
    assert (caught.value.kind, caught.value.wait_seconds) == ("rate_limited", 86_400)
    assert re.search(r"again after \d{4}-\d\d-\d\d \d\d:\d\d UTC, as it asks", caught.value.advice), caught.value.advice


def test_one_row_may_wait_for_its_turn_as_long_as_others_are_answered() -> None:
    """The server turns away half of all requests: more in a row for one row than a broken server would get."""
    with broken() as (_, faulty):
        for number in range(1, 200, 2):
            faulty.break_(Fault("answer", status=429), path="/chat/", number=number)
        found = answers(faulty.address, *(row(n) for n in range(60)))
    assert len(found) == 60


def test_a_request_that_is_refused_concerns_its_row_alone() -> None:
    with broken() as (_, faulty):
        said = f"the request to {faulty.address} exceeds the context size"
        body = json.dumps({"error": {"message": said}}).encode()
        faulty.break_(Fault("answer", status=400, body=body), path="/chat/", number=2)
        found = answers(faulty.address, *(row(n) for n in range(5)), batch_rows=1)
        asked = [one for one in faulty.exchanges if "/chat/" in one.path]
    refused = [one for one in found.values() if one.is_refused]
    assert [one.answer.key for one in refused] == [row(1).key] and len(asked) == 5, "a 400 is never repeated"
    assert refused[0].answer.invalid == (
        "the server refused the request with HTTP 400: the request to http://*** exceeds the context size"
    )


def test_a_server_that_refuses_every_request_is_not_asked_for_every_row() -> None:
    with broken() as (_, faulty):
        faulty.break_(Fault("answer", status=422, body=b'{"detail": []}'), path="/chat/", times=10_000)
        with pytest.raises(RemoteError, match="refused a request with HTTP 422"):
            answers(faulty.address, *(row(n) for n in range(500)))
        assert len(faulty.exchanges) < 1 + asking_room.MOST_REFUSED + SPEC.batch_rows


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_other_try_changes_ends_the_work_at_once(status: int) -> None:
    with broken() as (_, faulty):
        faulty.break_(Fault("answer", status=status), path="/chat/", times=1000)
        with pytest.raises(RemoteError) as caught:
            answers(faulty.address, *(row(n) for n in range(50)))
        assert len(faulty.exchanges) <= 1 + SPEC.batch_rows and not caught.value.transient


def test_another_model_than_the_one_that_was_asked_ends_the_work() -> None:
    with AnswerServer() as server:
        server.change = lambda made: {**made, "model": "parrot-2b"}
        with pytest.raises(RemoteError, match='answered as the model "parrot-2b", not as parrot-1b'):
            answers(server.host, row(1))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed_and_nothing_is_sent_there(status: int) -> None:
    with AnswerServer() as stranger, broken() as (_, faulty):
        there = {"Location": f"{stranger.address}/chat/completions"}
        faulty.break_(Fault("answer", status=status, headers=there), path="/chat/")
        with pytest.raises(RemoteError, match=rf"redirects to {stranger.host}, where nothing was sent"):
            answers(faulty.address, row(1))
        assert not stranger.questions


def test_a_connection_that_trickles_is_ended_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time; only a limit for all of them together ends it."""
    monkeypatch.setattr(asking_room, "GRACE_SECONDS", 1.0)
    monkeypatch.setattr(asking_room, "LEAST_TOKENS_PER_SECOND", 1e9)
    with broken() as (_, faulty):
        faulty.break_(Fault("trickle", pause_seconds=0.3), path="/chat/", times=100)
        began = time.monotonic()
        with pytest.raises(RemoteError) as caught:
            answers(faulty.address, row(1), patience=dataclasses.replace(QUICK, tries=1))
    assert caught.value.kind == "stalled" and time.monotonic() - began < 15


def test_work_that_is_given_up_waits_for_no_answer() -> None:
    over, first = threading.Event(), iter([True])
    with AnswerServer(lambda _: "one" if next(first, False) else str(over.wait(60))) as server:
        found = asking(server.host, batch_rows=3).answers(row(n) for n in range(9))
        assert next(iter(found)).answer.text == "one"
        until(lambda: server.open >= 2)
        began = time.monotonic()
        found.close()  # type: ignore[attr-defined]  # a generator
        assert time.monotonic() - began < 5 and not over.is_set()
        over.set()


# --- What may be sent where


@pytest.mark.parametrize(
    ("teacher", "sent", "why"),
    [
        (Teacher("http://127.0.0.1:1/v1", named=True), True, ""),
        (Teacher("https://host.example/v1", named=True), True, ""),
        (Teacher("http://host.example/v1", named=True), False, "it uses plain http"),
        (Teacher("https://host.example/v1", named=False), False, "only zoo.toml names this address"),
        (Teacher("http://127.0.0.1:1/v1", named=False), False, "only zoo.toml names this address"),
    ],
)
def test_a_token_goes_only_to_the_address_that_the_user_named(teacher: Teacher, sent: bool, why: str) -> None:
    door = opened(teacher, {door_room.TOKEN: "secret-word"})
    assert (door.token == "secret-word") == sent
    assert door.withheld.startswith(why) and bool(door.withheld) == bool(why)
    assert "secret-word" not in repr(door)


def test_a_token_is_sent_and_is_in_no_error() -> None:
    with broken() as (behind, faulty):
        door = Door(f"{faulty.address}/v1", "secret-word")
        made = Asking(door, Served(_KIND, MODEL, {}, {}), dataclasses.replace(SPEC, batch_rows=1), Silent())
        list(made.answers([row(1)]))
        assert behind.headers[0]["Authorization"] == "Bearer secret-word"
        faulty.break_(Fault("answer", status=401, body=b'{"error": "bad key secret-word"}'), path="/chat/")
        with pytest.raises(RemoteError) as caught:
            list(Asking(door, made.served, SPEC, Silent()).answers([row(1)]))
    assert "bad key ***" in str(caught.value) and "secret-word" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "localhost:8080", "http://name:word@host/v1", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError) as caught:
        opened(Teacher(address, named=True), {})
    assert ":word" not in str(caught.value)


@pytest.mark.parametrize("token", ["two words", "ligne\nnext", "é"])
def test_a_token_that_would_break_a_header_is_refused(token: str) -> None:
    with pytest.raises(InputError, match="is not a token"):
        opened(Teacher("http://127.0.0.1:1/v1", named=True), {door_room.TOKEN: token})


def test_the_name_of_the_model_is_looked_up() -> None:
    with AnswerServer() as server:
        door = Door(server.address)
        assert served(Line(door).look(), "parrot", door.place).model == MODEL, "an alias"
        with pytest.raises(RemoteError, match="has no model called cat; it has parrot-1b"):
            served(Line(door).look(), "cat", door.place)
        with pytest.raises(RemoteError) as caught:
            Line(Door(server.host)).look()
    assert caught.value.remedy == "Check the address and what the server can do"


@pytest.mark.parametrize("listing", [None, [], {}, {"data": 1}, {"data": [None, 1]}, {"data": [{"id": 7}]}])
def test_a_list_of_models_that_is_none_is_refused(listing: Any) -> None:
    with pytest.raises(RemoteError):
        served(listing, MODEL, "here")


_KIND = served({"data": [{"id": MODEL}]}, MODEL, "here").kind


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    both, _ = make_certificate(tmp_path)
    with AnswerServer() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with pytest.raises(RemoteError, match=r"certificate of .* cannot be verified"):
            Line(Door(server.address.replace("http:", "https:"))).look()
