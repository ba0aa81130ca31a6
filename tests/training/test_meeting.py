"""How the machines of one training meet: who is told what, who is refused, and nobody waits for one that is gone."""

from __future__ import annotations

import errno
import json
import shutil
import socket
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

from meetings import OFFER, READY, Leading, free, joining, said, waits
from shortchats import Heard
from togetherruns import GIVEN, SPEC
from waiting import until

import zoo
from zoo.errors import InputError, ZooError
from zoo.machine import network
from zoo.training import handover, leading, meeting
from zoo.training import joining as joining_room
from zoo.training.conversations import EncodedRow
from zoo.training.meeting import Offer, Place


def test_every_machine_gets_its_own_number_and_the_same_port() -> None:
    where = free()
    # Two come before the training waits.
    others = [joining(where), joining(where)]
    lead = Leading(where)
    found = [end() for end in others]
    own = lead.end()
    assert isinstance(own, Place) and own == Place(0, 3, 2, "127.0.0.1", own.port, "127.0.0.1") and own.world == 6
    assert all(offer == OFFER for offer, _ in found)
    assert sorted(place.number for _, place in found) == [1, 2]
    assert {(place.machines, place.processes, place.address, place.port) for _, place in found} == {
        (3, 2, "127.0.0.1", own.port)
    }


def test_nobody_waits_for_a_machine_that_is_gone_and_a_stranger_is_none() -> None:
    where = free()
    lead = Leading(where)
    waits(where)
    with said(where, *READY):
        until(lambda: "2 of 3" in " ".join(lead.heard.said))
    until(lambda: any("is gone again" in one for one in lead.heard.said))
    with said(where, b'{"ready": true}') as line:
        line.settimeout(0.5)
        with pytest.raises(TimeoutError):
            line.recv(10)
        assert not any("is ready" in one for one in lead.heard.said[2:]), "it has not said its version"
    for stranger in (b"GET / HTTP/1.1\r\n", b"\xff\xfe", b"[]", b'{"ready": 1}', b"9" * 5000, b"x" * 100_000):
        with said(where, stranger):
            pass
    with said(where, b'{"fault": "no GPU"}') as line:
        assert line.recv(10) == b""
    others = [joining(where), joining(where)]
    assert isinstance(lead.end(), Place)
    assert sorted(end()[1].number for end in others) == [1, 2]
    assert 'The machine 127.0.0.1 cannot take part: "no GPU"' in lead.heard.said


def test_a_machine_that_cannot_take_part_is_told_why_and_the_training_goes_on() -> None:
    where = free()
    lead = Leading(where, Offer("/x", "00", "cuda", 1, 2, 1))
    with pytest.raises(InputError, match="This machine cannot take part: torch finds no GPU"):
        joining_room.arrive(where, lambda offer: f"torch finds no GPU for {offer.device}", Heard())
    with said(where, b'{"zoo": "0.0.1"}') as line:
        told = line.makefile("rb").readline()
    assert json.loads(told) == {"refused": f"that training needs zoo {zoo.__version__}, and here is \"0.0.1\""}
    end = joining(where)
    assert isinstance(lead.end(), Place) and end()[1].number == 1
    assert any('it has zoo "0.0.1"' in one for one in lead.heard.said)


def test_a_machine_that_is_gone_without_a_word_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one without power, or without its network: the connection stays open."""
    monkeypatch.setattr(meeting, "ANSWERED_SECONDS", 1.0)
    where = free()
    lead = Leading(where, Offer("/x", "00", "cpu", 1, 2, 1))
    waits(where)
    with said(where, *READY) as silent:
        until(lambda: any("is gone again" in one for one in lead.heard.said))
        end = joining(where)
        assert isinstance(lead.end(), Place) and end()[1].number == 1
        assert [[*json.loads(one)] for one in silent.makefile("rb")][1:] == [["call"]]
    assert sum("is ready: 2 of 2" in one for one in lead.heard.said) == 2


def test_a_machine_is_not_called_before_enough_are_ready() -> None:
    where = free()
    lead = Leading(where)
    waits(where)
    # What it says of itself before it is asked does not count.
    early = (b'{"here": true}', b'{"here": ""}', b'{"here": null}')
    with said(where, *READY, *early) as first, first.makefile("rb") as lines:
        lines.readline()
        with said(where, *READY) as second:
            call = json.loads(lines.readline())["call"]
            here = json.dumps({"here": call}).encode() + b"\n"
            got = b""
            while call.encode() not in got:
                got += second.recv(1000)
            second.sendall(here)
            second.settimeout(0.5)
            with pytest.raises(TimeoutError):
                second.recv(1000)
            first.sendall(here)
            assert json.loads(lines.readline())["number"] in {1, 2}
    assert isinstance(lead.end(), Place)


def test_machines_that_others_cannot_reach_at_their_loopback_address_take_another() -> None:
    assert leading._shared(["127.0.0.1", "10.0.0.7"]) == "10.0.0.7"
    assert leading._shared(["127.0.0.1", "::1"]) == "127.0.0.1"
    with socket.create_server(("127.0.0.1", 0)) as door:
        end = joining(("127.0.0.1", int(door.getsockname()[1])))
        line, _ = door.accept()
        with line:
            meeting.tell(line, **asdict(OFFER))
            meeting.tell(line, **asdict(meeting.Start(2, 29401, "10.0.0.7")))
            assert end()[1] == Place(2, 3, 2, "10.0.0.7", 29401, "10.0.0.7")


def test_who_comes_too_late_is_told() -> None:
    where = free()
    lead = Leading(where, Offer("/x", "00", "cpu", 1, 2, 1))
    waits(where)
    with said(where, READY[0]) as late, late.makefile("rb") as lines:
        assert "folder" in json.loads(lines.readline())
        end = joining(where)
        assert isinstance(lead.end(), Place) and end()[1].number == 1
        assert json.loads(lines.readline()) == {"refused": "enough machines have come already"}


def test_a_machine_that_cannot_write_in_the_folder_does_not_take_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "job.json").write_text("{}")
    (tmp_path / "rows.safetensors").write_text("")
    offer = Offer(str(tmp_path), handover.digest(tmp_path), "cpu", 1, 2, 1)
    assert joining_room._fault(offer, Heard()) == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.json", "rows.safetensors"]

    def refuse(**_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert joining_room._fault(offer, Heard()) == f"no files can be written in {tmp_path} (Read-only file system)"


def test_a_copy_of_the_folder_is_not_taken_for_it_and_a_late_view_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the zoo's folder was copied to every machine, and where a network's file system shows an old state."""
    monkeypatch.setattr(joining_room, "AGAIN_SECONDS", 0.01)
    folder, rows, heard = tmp_path / "together", [EncodedRow("row 1", (1, 2), (False, True))], Heard()
    handover.write(folder, GIVEN, SPEC, rows)
    shutil.copytree(folder, tmp_path / "copy")
    handover.write(folder, GIVEN, SPEC, rows)
    right = Offer(str(tmp_path / "copy"), handover.digest(folder), "cpu", 1, 2, 1)
    assert joining_room._fault(right, heard, 0.0) == (
        f"{tmp_path}/copy has other files here than there. The work folder must be shared, at the same path"
    )
    threading.Timer(0.2, lambda: shutil.copytree(folder, tmp_path / "copy", dirs_exist_ok=True)).start()
    assert joining_room._fault(right, heard, 30.0) == ""
    assert heard.said == [
        f"{tmp_path}/copy has other files here than there. Looking again for 30 seconds: a shared folder can be late"
    ]


def test_too_few_machines_end_the_training_with_what_to_do() -> None:
    where = free()
    lead = Leading(where, patience_seconds=1.0)
    waits(where)
    with said(where, *READY):
        found = lead.end()
    assert isinstance(found, ZooError) and found.what == "Of 2 other machines, 1 came to train with this one"
    with pytest.raises(ZooError, match="Of 1 other machine, none came"):
        leading.lead(where, Offer("/x", "00", "cpu", 1, 2, 1), Heard(), 0.1)


@pytest.mark.parametrize("where", [("192.0.2.1", 29400), ("no.such.host.invalid", 29400)])
def test_a_meeting_that_is_not_on_this_machine_is_refused(where: tuple[str, int]) -> None:
    with pytest.raises(InputError, match="This machine cannot wait at") as caught:
        leading.lead(where, OFFER, Heard())
    assert "as the others reach it" in caught.value.remedy


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match="Address already in use"):
        leading.lead(("127.0.0.1", int(taken.getsockname()[1])), OFFER, Heard())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is not a training of zoo"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not a training of zoo"),
        (b'{"folder": 7}\n', "is not a training of zoo"),
        (b'{"refused": "enough machines have come already"}\n', "enough machines have come already"),
        (b"", "ended before it began"),
    ],
)
def test_what_answers_and_is_no_training_is_told(answer: bytes, error: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:

        def once() -> None:
            line, _ = door.accept()
            with line:
                line.recv(1000)
                line.sendall(answer)

        thread = threading.Thread(target=once)
        thread.start()
        with pytest.raises(ZooError, match=error):
            joining_room.arrive(("127.0.0.1", int(door.getsockname()[1])), lambda _: "", Heard())
        thread.join()


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_NODATA])
def test_a_name_that_is_not_known_is_refused_and_one_that_cannot_be_looked_up_is_not(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, unknown = socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), socket.gaierror(code, "Name not known")
    errors = [again, unknown]

    def refuse(*_: object, **__: object) -> None:
        raise errors.pop(0)

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(joining_room, "AGAIN_SECONDS", 0.0)
    heard = Heard()
    with pytest.raises(InputError, match="no machine named nowhere is known here"):
        joining_room.arrive(("nowhere", 29400), lambda _: "", heard)
    assert not errors and "Temporary failure" in heard.said[0]


def test_a_name_that_stands_for_the_loopback_address_opens_every_address() -> None:
    """Debian writes its own name beside 127.0.1.1 into /etc/hosts."""
    assert leading._bound("node1", "127.0.1.1") == ""
    assert leading._bound("node1", "10.0.0.7") == "10.0.0.7"
    assert leading._bound("127.0.1.1", "127.0.1.1") == "127.0.1.1"
    assert leading._bound("localhost", "::1") == "::1"


def test_the_interface_of_an_address() -> None:
    pytest.importorskip("psutil")
    assert network.interface("127.0.0.1") in {"lo", "lo0"}
    assert network.interface("192.0.2.1") == ""
