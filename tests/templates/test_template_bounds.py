"""A chat template is somebody else's program: what it cannot do here, and what happens to its process."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import waiting

from zoo.errors import ModelFileError, ZooError
from zoo.templates.limits import Limits
from zoo.templates.renderer import OverLimit, Renderer

ASKED = [{"role": "user", "content": "hello"}]
ECHO = "{{ messages[0].content }}"
SHORT = Limits(cpu_seconds=0.3, memory_bytes=128 << 20, characters=100_000)
LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"

REFUSED = {
    "endless": (ECHO + LOOP, "more than 0.3 seconds of processor time"),
    "endless in a condition": ("{% if messages %}" + LOOP + "{% endif %}", "more than 0.3 seconds"),
    "one long operation": ("{{ (7**(7**8))|string|length }}", "more than 0.3 seconds|Exceeds the limit"),
    "lists in lists": (
        "{% set n = namespace(l=[]) %}{% for i in range(99999) %}{% set n.l = n.l + [n.l] %}{% endfor %}",
        "more than 0.3 seconds|128 MiB of memory",
    ),
    "memory": ("{{ 'a' * 10**10 }}", "more than 128 MiB of memory"),
    "memory by a format": ("{{ '%1000000000d' % 1 }}", "more than 128 MiB of memory"),
    "output": ("{% for i in range(99999) %}" + "x" * 100 + "{% endfor %}", "more than 100,000 characters"),
    "recursion": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recurses without end"),
    "recursive loop": (
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}", "recurses without end",
    ),
    "nested brackets": ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "recurses without end"),
    "nested ifs": ("{% if 1 %}" * 2000 + "{% endif %}" * 2000, "recurses without end|nested blocks"),
    "a statement cut short": ("{% if %}", "line 1 of the template: Expected an expression"),
    "a block without an end": ("a\n\n{% for m in messages %}", "Unexpected end of template"),
    "an unknown tag": ("\n{% teleport %}", "line 2 of the template: Encountered unknown tag"),
    "an unknown filter": ("{{ messages|shout }}", "No filter named 'shout'"),
    "an unknown name": ("{{ message.content }}", "'message' is undefined"),
    "types": ("\n\n{{ 'a' + 1 }}", "line 3 of the template: TypeError"),
    "division": ("{{ 1 / 0 }}", "ZeroDivisionError"),
    "attributes of classes": ("{{ ''.__class__.__mro__ }}", "unsafe"),
    "attributes of the clock": ("{{ strftime_now.__globals__.os }}", "unsafe"),
    "attributes of the caller": ("{{ raise_exception.__globals__.os }}", "unsafe"),
    "a changed list": ("{{ messages.append(1) }}", "unsafe"),
    "a private name": ("{% set n = namespace(__class__=1) %}", "must not contain"),
    "a draw": ("{{ messages|random }}", "No filter named 'random'"),
    "random words": ("{{ lipsum() }}", "'lipsum' is undefined"),
    "another file": ("{% include '/etc/passwd' %}", "no loader"),
    "a bad format of the clock": ("{{ strftime_now(1) }}", "AttributeError|TypeError"),
    "its own complaint": ("{{ raise_exception('Roles must alternate') }}", "refuses this conversation: Roles must"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_template_is_refused_in_one_sentence_and_soon(name: str) -> None:
    template, why = REFUSED[name]
    with (
        Renderer(template, special={}, source="a model", limits=SHORT) as renderer,
        pytest.raises(ModelFileError, match=why) as caught,
    ):
        renderer.render(ASKED)
    assert caught.value.exit_code == 1
    assert caught.value.what.startswith("the chat template of a model ")
    assert "\n" not in caught.value.what
    assert caught.value.remedy


def test_a_library_without_limits_is_never_given_what_passes_them(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from tinymodel import make_tiny_llama

    from zoo.training.models import load_tokenizer
    from zoo.training.renderings import renderings

    folder = make_tiny_llama(tmp_path)
    for template, why in (("{{ 'a' * 7 * 10**8 }}", "512 MiB"), REFUSED["recursion"]):
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
        with pytest.raises(OverLimit, match=why):
            renderings(load_tokenizer(folder), [(ASKED, True)])


def test_content_that_is_not_text_is_refused() -> None:
    for content in ([{"type": "text", "text": "a"}], 1, None, b"x"):
        with Renderer(ECHO, special={}, source="m") as renderer, pytest.raises(ZooError, match="not text"):
            renderer.render([{"role": "user", "content": content}])


def test_after_a_refusal_the_next_conversation_is_rendered() -> None:
    template = "{% if messages[0].content == 'loop' %}" + LOOP + "{% endif %}" + ECHO
    with Renderer(template, special={}, source="m", limits=SHORT) as renderer:
        assert renderer.render(ASKED) == "hello"
        with pytest.raises(ModelFileError, match="processor time"):
            renderer.render([{"role": "user", "content": "loop"}])
        assert renderer.render(ASKED) == "hello"


def test_a_killed_process_is_replaced() -> None:
    with Renderer(ECHO, special={}, source="m") as renderer:
        renderer.render(ASKED)
        os.kill(worker_of(renderer), signal.SIGKILL)
        os.waitid(os.P_PID, worker_of(renderer), os.WEXITED | os.WNOWAIT)
        assert renderer.render(ASKED) == "hello"


def test_a_process_that_is_killed_at_work_is_not_blamed_on_the_template() -> None:
    with Renderer(LOOP, special={}, source="m", limits=Limits(cpu_seconds=60)) as renderer:

        def kill() -> None:
            waiting.until(lambda: renderer._is_compiled)
            os.kill(worker_of(renderer), signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(ZooError, match="was killed") as caught:
            renderer.render(ASKED)
        thread.join()
        assert not isinstance(caught.value, ModelFileError)


def test_a_process_that_does_not_answer_is_given_up() -> None:
    with Renderer(ECHO, special={}, source="m") as renderer:
        renderer.render(ASKED)
        os.kill(worker_of(renderer), signal.SIGSTOP)
        usual, renderer._limits = renderer._limits, Limits(wall_seconds=0.5)
        with pytest.raises(ModelFileError, match=r"no answer came within 0\.5 seconds"):
            renderer.render(ASKED)
        renderer._limits = usual
        assert renderer.render(ASKED) == "hello"


def test_closing_ends_the_process() -> None:
    renderer = Renderer(ECHO, special={}, source="m")
    renderer.close()
    renderer.render(ASKED)
    process = worker_of(renderer)
    renderer.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert renderer.render(ASKED) == "hello"
    renderer.close()


def test_the_process_dies_with_its_parent() -> None:
    """Also if the parent ends abruptly, and while the template runs."""
    code = (
        "from zoo.templates.renderer import Renderer; import os, signal, sys\n"
        f"r = Renderer({ECHO!r}, special={{}}, source='m')\n"
        "r.render([{'role': 'user', 'content': 'a'}])\n"
        "print(r._worker._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    process = int(done.stdout)

    def is_gone() -> bool:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        return False

    waiting.until(is_gone, "the worker outlived its parent")


def test_a_forked_process_has_a_worker_of_its_own() -> None:
    with Renderer(ECHO, special={}, source="m") as renderer:
        renderer.render(ASKED)
        child = os.fork()
        if child == 0:
            said = renderer.render([{"role": "user", "content": "from the child"}])
            renderer.close()
            os._exit(0 if said == "from the child" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert renderer.render(ASKED) == "hello"


def test_threads_take_turns() -> None:
    found: list[str] = []
    with Renderer(ECHO, special={}, source="m") as renderer:

        def work(number: int) -> None:
            for turn in range(20):
                text = f"{number}-{turn} " * 100
                found.append("" if renderer.render([{"role": "user", "content": text}]) == text else text)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [""] * 80


def test_every_character_comes_back() -> None:
    text = "".join(chr(code) for code in (*range(0x3000), 0xD800, 0xFEFF, 0xF0000, 0x10FFFF)) + "\r\n\u2028"
    with Renderer(ECHO, special={}, source="m") as renderer:
        assert renderer.render([{"role": "user", "content": text}]) == text


def test_the_process_sees_no_secret_and_loads_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with Renderer(ECHO, special={}, source="m") as renderer:
        renderer.render(ASKED)
        environment = Path(f"/proc/{worker_of(renderer)}/environ")
        if environment.exists():
            assert b"hf_secret" not in environment.read_bytes()
    code = (
        "import sys, zoo.templates.worker; "
        "print([m for m in ('torch', 'llama_cpp', 'numpy', 'transformers', 'yaml') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_a_broken_installation_is_not_blamed_on_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.templates.renderer._CODE", "import no_such_module")
    with (
        Renderer(ECHO, special={}, source="m") as renderer,
        pytest.raises(ZooError, match="no_such_module") as caught,
    ):
        renderer.render(ASKED)
    assert not isinstance(caught.value, ModelFileError)


def worker_of(renderer: Any) -> int:
    return int(renderer._worker._process.pid)


@pytest.mark.parametrize("command", ["plan", "doctor"])
def test_plan_and_doctor_report_a_template_without_running_it_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    from tinyzoo import make_tiny_zoo, tutored_recipe, write_recipe

    from zoo.__main__ import main
    from zoo.plan import systemprompts

    zoo = make_tiny_zoo(tmp_path / "zoo")
    (zoo / "models" / "teacher" / "chat_template.jinja").write_text(ECHO + LOOP, encoding="utf-8")
    write_recipe(zoo, tutored_recipe(zoo))
    monkeypatch.chdir(zoo)

    def never(*_: Any) -> None:
        raise AssertionError("a template was compiled")

    # The cards' own templates are files; a model's is text.
    monkeypatch.setattr("jinja2.environment.Environment.from_string", never)
    monkeypatch.setattr(systemprompts, "Renderer", functools.partial(Renderer, limits=SHORT))
    assert main([command, "tutored"]) == 1
    said = capsys.readouterr()
    assert "the chat template of the student cannot be rendered" in said.out + said.err
    assert "0.3 seconds of processor time. Nothing was made." in said.out + said.err
