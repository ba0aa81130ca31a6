"""Settings: the file, then the environment, then flags; every value with its origin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zoo import settings as room
from zoo.errors import InputError
from zoo.machine import resources
from zoo.settings import MARKER, Settings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / MARKER).write_text('work = "from-file"\nthreads = 3\n', encoding="utf-8")
    return tmp_path


def refusal(
    root: Path, toml: str | bytes = "", environment: dict[str, str] | None = None, **flags: str
) -> InputError:
    (root / MARKER).write_bytes(toml if isinstance(toml, bytes) else toml.encode())
    with pytest.raises(InputError) as caught:
        room.load(root, flags, environment or {})
    assert caught.value.exit_code == 2
    return caught.value


def origins(settings: Settings) -> dict[str, tuple[str, str]]:
    return {name: (value.text, value.origin) for name, value in settings.values.items()}


def test_file_then_environment_then_flag(root: Path) -> None:
    found = origins(room.load(root, {}, {}))
    assert found["work"] == ("from-file", "zoo.toml")
    assert found["threads"] == ("3", "zoo.toml")
    assert found["hub"] == ("build/hub", "default")
    found = origins(room.load(root, {"work": None}, {"ZOO_WORK": "from-env", "ZOO_HUB": ""}))
    assert found["work"] == ("from-env", "environment ZOO_WORK")
    assert found["hub"] == ("build/hub", "default")
    found = origins(room.load(root, {"work": "from-flag", "hub": "h"}, {"ZOO_WORK": "from-env"}))
    assert found["work"] == ("from-flag", "flag --work")
    assert found["hub"] == ("h", "flag --hub")


def test_every_setting_is_described_and_has_its_variable(root: Path) -> None:
    described = room.describe()
    assert [name for name, *_ in described] == list(room.load(root, {}, {}).values)
    for name, variable, _, words in described:
        assert variable == f"ZOO_{name.upper()}" and words
        own = {"threads": "7", "device": "cuda:1", "builder": "urn:x", "site_url": "https://x.org"}
        own |= {"processes": "3", "sharding": "full", "machines": "3", "meeting": "[fd00::1]:29400"}
        own |= {"teacher": "http://localhost:8080/v1", "teacher_prices": "0.50 1.50 CAD"}
        value = (own | {"site_files_mb": "9", "program": "https://y.org"}).get(name, "given")
        assert origins(room.load(root, {}, {variable: value}))[name] == (value, f"environment {variable}")


def test_paths_are_from_the_folder_of_the_zoo(root: Path) -> None:
    settings = room.load(root, {"releases": "/abs"}, {})
    assert settings.work == root / "from-file"
    assert settings.releases == Path("/abs")
    assert settings.catalog == root / "model_catalog.json"
    assert settings.shown(root / "a" / "b") == "a/b"
    assert settings.shown(Path("/elsewhere/x")) == "/elsewhere/x"


def test_threads(root: Path) -> None:
    assert room.load(root, {}, {}).threads == 3
    assert room.load(root, {"threads": "0"}, {}).threads == resources.processors().threads


def test_processes(root: Path) -> None:
    assert room.load(root, {}, {}).processes == 1
    assert room.load(root, {}, {"ZOO_PROCESSES": "8"}).processes == 8
    assert room.load(root, {}, {"ZOO_PROCESSES": "8"}).sharding == "none"
    assert room.load(root, {}, {"ZOO_PROCESSES": "8", "ZOO_SHARDING": "full"}).sharding == "full"
    assert room.load(root, {}, {"ZOO_SHARDING": "full"}).sharding == "none", "one process has no other share"


def test_machines(root: Path) -> None:
    alone = room.load(root, {}, {})
    assert (alone.machines, alone.meeting) == (1, None)
    found = room.load(root, {}, {"ZOO_MACHINES": "4", "ZOO_MEETING": "node1:29400"})
    assert (found.machines, found.meeting) == (4, ("node1", 29400))


def test_the_nearest_zoo_counts(root: Path) -> None:
    inner = root / "a" / "b"
    inner.mkdir(parents=True)
    assert room.find_root(inner) == root
    (root / "a" / MARKER).touch()
    assert room.find_root(inner) == root / "a"
    (inner / MARKER).mkdir()  # a folder of that name does not count
    assert room.find_root(inner) == root / "a"


def test_no_zoo(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no zoo\.toml in ") as caught:
        room.load(tmp_path, {}, {})
    assert "zoo init" in caught.value.remedy


@pytest.mark.parametrize(
    ("toml", "what", "remedy"),
    [
        ('hubb = "x"', 'unknown setting "hubb"', "Did you mean hub?"),
        ('colour = "x"', 'unknown setting "colour"', "Known settings: namespace, hub,"),
        ("work = ", "not valid TOML", "Fix the end of the file"),
        (b'work = "x"\nhub = "\xff"', "not UTF-8 text", "Save the file as UTF-8"),
        ('work = """a', "not valid TOML", "Fix the end of the file"),
        ('work = "a"\nwork = "b"\nhub = "c"', "not valid TOML", "Fix the line named"),
        ("threads = " + "9" * 5000, "not valid TOML: it has a number that is too long", "Write settings"),
        ("threads = 0x" + "f" * 9999, "the number of setting threads is too large", "Write a"),
        ("work = " + "[" * 5000, "not valid TOML", ""),
        ("work" + ".a" * 5000 + " = 1", "", ""),
        ("w" * 60000 + " = 1", "unknown setting", "Known settings"),
        ('work = "' + "a" * 70000 + '"', "the file is larger than 64 KiB", "Shorten it"),
        (
            'hub = "https://user:p4ss@hub.example"',
            "an address must not contain a name or a password",
            "Write it without",
        ),
        ('builder = "https://user:p4ss@ci.example/x"', "an address must not contain a name", "Write it without"),
        ("threads = true", "setting threads is not a whole number", "Write threads = 0"),
        ("threads = 1.5", "setting threads is not a whole number", "Write threads = 0"),
        ("[hub]", "setting hub is not text", 'Write it in quotes: hub = "..."'),
        ("hub = 3", "setting hub is not text", 'Write it in quotes: hub = "3"'),
        ("namespace = 7", "setting namespace is not text", 'Write it in quotes: namespace = "7"'),
        ("work = true", "setting work is not text", 'Write it in quotes: work = "..."'),
        ('hub = "ftp://x"', 'hub is "ftp://x", but a hub is a folder or an http address', "Write a folder, such as"),
        ('hub = "https://"', '"https://" is not a valid http address', "Write http"),
        ('hub = "http://x:0"', '"http://x:0" is not a valid http address', "Write http"),
        ("threads = -1", 'threads is "-1"', "Write a whole number"),
        ("threads = 1025", 'threads is "1025"', "Write a whole number"),
        ("processes = 0", 'processes is "0"', "Write a whole number from 1"),
        ("processes = 1.5", "setting processes is not a whole number", "Write processes = 1"),
        ('sharding = "half"', 'sharding is "half"', "Write none or full"),
        ("machines = 100", 'machines is "100"', "Write a whole number from 1 to 99"),
        ('meeting = "node1"', 'meeting is "node1"', "Write HOST:PORT, for example node1:29400"),
        ("sharding = true", "setting sharding is not text", 'Write it in quotes: sharding = "..."'),
        ('work = " "', "setting work is empty", "Write a path"),
        ('hub = ""', "setting hub is empty", "Write a path"),
        ('hub = "a\\u0000b"', "setting hub is empty", "Write a path"),
        ('namespace = "a/b"', 'namespace "a/b" is not a valid name on a hub', "Use letters"),
        ('namespace = ""', 'namespace "" is not a valid name on a hub', "Use letters"),
    ],
)
def test_refused_file(toml: str | bytes, what: str, remedy: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, toml)
    assert error.what.startswith(what)
    assert error.remedy.startswith(remedy)
    assert len(str(error)) < 600 and "p4ss" not in str(error)


def test_every_problem_is_reported_with_its_line(tmp_path: Path) -> None:
    lines = 'namespace = "lo cal"\nhbu = "x"\n  "threads" = "many"\n\n[colour]\na = 1\n[hub]\n'
    error = refusal(tmp_path, lines, {"ZOO_DEVICE": "gpu"})
    first, *others = error.what.splitlines()
    assert first == "the settings have 6 problems"
    places = ["environment ZOO_DEVICE", *(f"zoo.toml:{line}" for line in (1, 2, 3, 5, 7))]
    assert [line.partition(": ")[0] for line in others] == places
    assert "Did you mean hub?" in others[2] and error.remedy == "Fix the lines above"
    assert refusal(tmp_path, 'work = "a"\nhub = "https://a:b@c.example"').where == "setting hub, zoo.toml:2"


@pytest.mark.parametrize("threads", ["two", "-1", "1.0", "9" * 5000, "²"])
def test_refused_threads_name_their_origin(threads: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, environment={"ZOO_THREADS": threads}).where == "environment ZOO_THREADS"
    assert refusal(tmp_path, threads=threads).where == "flag --threads"


def test_home_of_nobody_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, work="~nobody-of-this-name/x").where == "flag --work"


def test_what_an_editor_adds_to_the_settings_file(root: Path) -> None:
    (root / MARKER).write_bytes('\ufeffnamespace = "lab"\r\n'.encode())
    assert origins(room.load(root, {}, {}))["namespace"] == ("lab", "zoo.toml")
    found = refusal(root, '# a\u00a0comment\nnamespace =\u00a0"l\u00a0b"\n')
    assert "U+00A0 (no-break space) is used instead of a plain space (at line 2, column 12)" in found.what


def test_a_misspelt_variable_is_named_with_the_nearest_one() -> None:
    known = {variable: "x" for _, variable, _, _ in room.describe()} | dict.fromkeys(room.OTHER_VARIABLES, "x")
    assert room.misspelt({**known, "HOME": "/", "FOO": "1"}) == []
    (said,) = room.misspelt({"ZOO_THREAD": "2"})
    assert said == 'the environment variable "ZOO_THREAD" is not read. Did you mean ZOO_THREADS?'
    assert len(room.misspelt({"ZOO_FOO": "1", "ZOO_WROK": "a"})) == 2


def test_every_variable_that_is_read_is_known() -> None:
    known = {variable for _, variable, _, _ in room.describe()} | {*room.OTHER_VARIABLES}
    house = Path(__file__).parents[2]
    texts = [path.read_text(encoding="utf-8") for path in (house / "zoo").rglob("*.py")]
    texts.append((house / "mkdocs.yml").read_text(encoding="utf-8"))
    assert {name for text in texts for name in re.findall(r"ZOO_[A-Z_]+", text)} <= known
