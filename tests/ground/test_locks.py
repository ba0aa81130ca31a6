"""A lock whose file is deleted while somebody waits for it still lets in one at a time."""

from __future__ import annotations

import threading
from pathlib import Path

from zoo.files.locks import locked


def test_a_lock_that_is_deleted_is_taken_again(tmp_path: Path) -> None:
    path, inside = tmp_path / "a" / "lock", list[str]()
    waits, entered, leave = threading.Event(), threading.Event(), threading.Event()

    def wait() -> None:
        with locked(path, waits.set):
            inside.append("the one who waited")

    def hold() -> None:
        with locked(path):
            entered.set()
            leave.wait(120)
            inside.append("the one who holds the new file")

    threads = [threading.Thread(target=work) for work in (wait, hold)]
    with locked(path):
        threads[0].start()
        assert waits.wait(120)
        path.unlink()
        threads[1].start()
        assert entered.wait(120)
    threads[0].join(0.3)
    assert inside == []
    leave.set()
    for one in threads:
        one.join(20)
    assert inside == ["the one who holds the new file", "the one who waited"]
