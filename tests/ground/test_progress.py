"""Waits that no reporter was handed in for are heard by whoever the work is for, and by nobody else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from zoo.progress import Silent, carried, heard_by, murmur


class Heard(Silent):
    """A reporter that keeps what it is warned of."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)


def test_two_threads_are_heard_by_their_own_reporters() -> None:
    heard = {name: Heard() for name in ("one", "two")}
    both, done = threading.Barrier(2), threading.Barrier(2)

    def work(name: str) -> None:
        with heard_by(heard[name]):
            both.wait()
            assert murmur(f"a wait of {name}")
            done.wait()

    threads = [threading.Thread(target=work, args=(name,)) for name in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: one.lines for name, one in heard.items()} == {name: [f"a wait of {name}"] for name in heard}
    assert not murmur("nobody listens any more")


def test_the_innermost_listener_hears_and_the_outer_one_comes_back() -> None:
    outer, inner = Heard(), Heard()
    with heard_by(outer):
        with heard_by(inner):
            murmur("a")
        murmur("b")
    assert (outer.lines, inner.lines) == (["b"], ["a"])


def test_work_that_is_carried_to_other_threads_is_heard_here() -> None:
    ours, other = Heard(), Heard()
    begun, over = threading.Event(), threading.Event()

    def somebody_else() -> None:
        with heard_by(other):
            begun.set()
            over.wait()

    thread = threading.Thread(target=somebody_else)
    thread.start()
    begun.wait()
    with heard_by(ours), ThreadPoolExecutor(4) as pool:
        assert all(pool.map(carried(murmur), "abcd"))
        assert not any(pool.map(murmur, "efgh")), "whose work that is, nobody can say"
    over.set()
    thread.join()
    assert (sorted(ours.lines), other.lines) == (list("abcd"), [])
    assert not carried(murmur)("outside of it nobody listens")


def test_a_thread_that_a_library_starts_is_heard_by_the_only_listener() -> None:
    heard = Heard()
    with heard_by(heard), heard_by(heard), ThreadPoolExecutor(2) as pool:
        assert all(pool.map(murmur, "ab"))
    assert sorted(heard.lines) == ["a", "b"]
