"""Personal data: what is found and what is not, what takes its place, and that nothing else changes."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import random
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from corpussamples import DIALECT, LABELLED, LIGHTS, conversation, write
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from privacysentences import CLEAN, MARKED

from catalog import schema
from zoo.corpora import check, kinds, records
from zoo.corpora.privacy import checks, finding, keys, leaves, redact, sieve, signs
from zoo.corpora.privacy.decide import Seen
from zoo.corpora.privacy.finders import FINDERS, KINDS, Finder
from zoo.corpora.privacy.finding import PLACEHOLDER, Find, find
from zoo.corpora.privacy.folding import fold
from zoo.corpora.privacy.placeholders import Placeholders
from zoo.errors import InputError

phones = pytest.importorskip("zoo.corpora.privacy.phones")
ONE, OTHER = Placeholders(b"1" * 32), Placeholders(b"2" * 32)
EMAIL, PHONE = "marie.gagnon@videotron.ca", "418 683-4471"


def parts(sentence: str) -> tuple[str, list[tuple[str, str]]]:
    """The text of a marked sentence, and (kind, value) of what must be found in it."""
    marked = re.findall(r"<([A-Z]+)\|([^>]*)>", sentence)
    return re.sub(r"<[A-Z]+\|([^>]*)>", r"\1", sentence), marked


def found(text: str, hint: str = "user") -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find(text, hint, phones.is_valid)]


def made(record: dict[str, Any], placeholders: Placeholders = ONE) -> leaves.Redacted:
    kind = kinds.kind_of(record)
    assert kind is not None and records.read(json.dumps(record).encode(), kind).record is not None
    return leaves.redact(record, kind, placeholders, phones.is_valid)


@pytest.mark.parametrize("sentence", [one for found in MARKED.values() for one in found])
def test_personal_data_is_found(sentence: str) -> None:
    text, wanted = parts(sentence)
    assert found(text) == wanted


def test_telephones_are_found_with_every_mark_and_grouping() -> None:
    """As cards, signs and messages in Québec have them, in a sentence of each language, and alone."""
    marks = (" ", "-", ".", "/", "·", "•", "–", "\u00a0", "\u2011", " - ", " – ", " / ", " · ", "  ", "")
    begins = ("", "1 ", "1-", "1.", "+1", "+1 ", "+1-", "+1.", "+1/", "(1) ", "001 ")
    forms = list(itertools.product(begins, ("{}{m}", "({}) ", "({})", "({})-"), marks, marks[:9], ("3434", "34{m}34")))
    missed = []
    for begin, area, mark, last, end in random.Random(514).sample(forms, 250):
        written = f"{begin}{area.format(514, m=mark)}872{last}{end.format(m=last)}"
        text = random.Random(written).choice(("Le plombier répond au {}.", "Text me at {} please.", "{}"))
        text = text.format(written)
        if ("PHONE", written) not in found(text):
            missed.append(text)
    assert not missed


@pytest.mark.parametrize("sentence", [one for found in CLEAN.values() for one in found])
def test_what_only_looks_like_it_stays(sentence: str) -> None:
    assert found(sentence) == []


def test_check_digits() -> None:
    assert checks.ramq("TEST54122816"), "the public test value of a clinic's booking site"
    assert [checks.ramq(f"TEST5412281{digit}") for digit in "0123456789"].count(True) in (1, 2)
    assert not checks.ramq("TEST54132816") and not checks.ramq_date("ABCD12345678")
    assert checks.card("2221 0000 0000 0009") and not checks.card("1700000000000")
    assert checks.iban("GB82 WEST 1234 5698 7654 32 Hello") == 27 and not checks.iban("GB83 WEST 1234 5698 7654 32")
    assert not checks.sin("046 454 286"), "numbers that begin with 0 are given to nobody"


@given(st.text(alphabet="ae\u0301\u200b\u00ad ４é’-\u2011\u00a0ﬁ½①", max_size=30))
@hypothesis_settings(max_examples=200, deadline=None)
def test_a_span_leads_back_to_its_characters(text: str) -> None:
    folded = fold(text)
    for start in range(len(folded.text)):
        first, last = folded.place(start, start + 1)
        assert 0 <= first < last <= len(text)
        assert fold(text[first:last]).text and folded.text[start] in fold(text[first:last]).text


def test_letters_with_separate_accents_are_found_and_replaced_completely() -> None:
    text = unicodedata.normalize("NFD", "Née le 12 août 1980, elle vit au 4865 rue Sainte-Zoé.")
    assert [kind for kind, _ in found(text)] == ["BIRTH", "ADDRESS"]
    first = made({"user": text}).record
    assert first is not None and not re.search("[\u0300-\u036f]", str(first["user"]).partition("Ne\u0301e")[2])


@given(st.lists(st.sampled_from([parts(one)[0] for texts in MARKED.values() for one in texts]), max_size=4))
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_second_time_changes_nothing(sentences: list[str]) -> None:
    record = {"user": " ".join(["Bonjour.", *sentences])}
    first = made(record).record
    assert first is not None and made(first) == (first, {}, 0)


def test_one_value_has_one_placeholder_and_each_corpus_its_own() -> None:
    texts = {"user": "514 872-3434, (514) 872 3434 p. 2, 514.872.3434", "system_hint": "call 5148723434"}
    texts["goal"] = "Tél.514-872-3434 et _514-872-3434_, pas v1.514-872-3434 ni 10.514.872.3434"
    first, second = made(texts).record, made(texts, OTHER).record
    assert first and second
    words = re.findall(r"\[PHONE-\w{10}\]", json.dumps(first))
    assert len(words) == 6 and len(set(words)) == 1
    assert not set(words) & set(re.findall(r"\[PHONE-\w{10}\]", json.dumps(second)))
    digests = {hashlib.sha256(b"5148723434").hexdigest()[:10], hashlib.md5(b"5148723434").hexdigest()[:10]}
    assert not digests & {word[7:17] for word in words} and "1111" not in repr(ONE)


def test_only_values_change() -> None:
    record = conversation()
    tool = json.loads(json.dumps(LIGHTS))
    tool["function"]["description"] = f"Ask {EMAIL}"
    tool["function"]["parameters"]["properties"]["state"]["enum"] += [PHONE]
    tool["function"]["parameters"]["properties"]["note"] = {"type": "string"}
    record["tools"] = [tool]
    call = record["messages"][1]["tool_calls"][0]["function"]
    call["arguments"] = {"room": "hall", "state": PHONE, "note": f"mail {EMAIL}"}
    changed = made(record)
    assert changed.record and changed.found == {"EMAIL": 1}
    assert changed.record["tools"] == record["tools"]
    arguments = changed.record["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert arguments["state"] == PHONE and arguments["note"].startswith("mail [EMAIL-")


def test_a_schema_that_asks_for_a_form_gets_a_reserved_value() -> None:
    record = conversation()
    tool = json.loads(json.dumps(LIGHTS))
    properties = tool["function"]["parameters"]["properties"]
    properties["mail"] = {"type": "string", "pattern": "^[a-z0-9.]+@[a-z0-9.]+$"}
    properties["phone"] = {"type": "integer"}
    record["tools"] = [tool]
    call = record["messages"][1]["tool_calls"][0]["function"]
    call["arguments"] |= {"mail": EMAIL, "phone": 4186834471}
    changed = made(record)
    assert changed.record is not None and changed.found == {"EMAIL": 1, "PHONE": 1}
    arguments = changed.record["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert arguments["mail"].endswith("@example.com") and arguments["phone"] == 0
    assert records.read(json.dumps(changed.record).encode(), kinds.KINDS["conversation"]).record
    assert not made(changed.record).found
    properties["mail"]["pattern"] = "^marie"
    assert made(record).record is None


@pytest.mark.parametrize(
    ("value", "asked", "form"),
    [
        (EMAIL, {"format": "email"}, r"[a-z2-7]+@example\.com"),
        ("24.48.12.7", {"format": "ipv4"}, r"192\.0\.2\.\d+"),
        ("2607:fa48::1", {"format": "ipv6"}, r"2001:db8::[0-9a-f:]+"),
        ("418-683-4471", {"pattern": "^[0-9]{3}-[0-9]{3}-[0-9]{4}$"}, r"418-555-01\d\d"),
        ("+14186834471", {"pattern": r"^\+[0-9]{11}$"}, r"\+141855501\d\d"),
        ("G1R 4P5", {"pattern": "^[A-Z][0-9][A-Z] [0-9][A-Z][0-9]$"}, "H0H 0H0"),
    ],
)
def test_a_value_keeps_the_form_that_its_schema_asks_for(value: str, asked: dict[str, str], form: str) -> None:
    record = conversation()
    tool = json.loads(json.dumps(LIGHTS))
    tool["function"]["parameters"]["properties"]["who"] = {"type": "string", **asked}
    record["tools"] = [tool]
    record["messages"][1]["tool_calls"][0]["function"]["arguments"]["who"] = value
    changed = made(record)
    assert changed.record is not None and changed.found.total() == 1
    found = changed.record["messages"][1]["tool_calls"][0]["function"]["arguments"]["who"]
    assert re.fullmatch(form, found), found
    again = made(changed.record)
    assert again.record == changed.record


def test_json_in_texts_and_escapes() -> None:
    inner = '{"to": "marie.gagnon\\u0040videotron.ca", "n": [1, true], "phone": 4186834471}'
    row = LABELLED | {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": inner}]}
    changed = made(row)
    assert changed.record and changed.found == {"EMAIL": 1, "PHONE": 1}
    answer = json.loads(changed.record["messages"][1]["content"])
    assert answer["to"].startswith("[EMAIL-") and answer["n"] == [1, True]
    assert changed.record["key"] == row["key"]
    plain = LABELLED | {"messages": [{"role": "user", "content": "W"}, {"role": "assistant", "content": '{"a" :1}'}]}
    assert made(plain).record == plain


def test_finds_in_keys_are_counted_and_stay() -> None:
    record = conversation()
    record["tools"][0] = json.loads(json.dumps(LIGHTS))
    del record["tools"][0]["function"]["parameters"]["additionalProperties"]
    record["messages"][1]["tool_calls"][0]["function"]["arguments"][EMAIL] = "x"
    changed = made(record)
    assert (changed.in_keys, changed.record) == (1, record)


def test_long_and_hostile_texts_end() -> None:
    for text in ("@" * 100_000, "a@" * 50_000, "1-" * 50_000, "A1" * 50_000, "né le " * 20_000, "1 rue A" * 10_000):
        find(text, "user", phones.is_valid)
        assert sieve.suspects([b"a", json.dumps(text, ensure_ascii=False).encode()], ["a", text]) in ([1], [])


def redacted(folder: Path, *paths: Path, placeholders: Placeholders = ONE) -> list[redact.Count]:
    files = [check.File(path, path.name) for path in paths]
    return redact.redact(files, folder, redact.Way(placeholders, False))


def test_files_and_report(tmp_path: Path) -> None:
    rows = [{"user": f"Écris à {EMAIL}"}, {"user": "Rien ici."}, {"user": f"Call {PHONE}"}]
    one = write(tmp_path / "a.jsonl", *rows)
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(DIALECT | {"notes": EMAIL}).encode()))
    redacted(tmp_path / "out", one, packed)
    made_lines = (tmp_path / "out/a.jsonl").read_bytes().splitlines()
    assert made_lines[1] == one.read_bytes().splitlines()[1]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jsonl", "b.jsonl", redact.REPORT]
    raw = (tmp_path / "out" / redact.REPORT).read_text(encoding="utf-8")
    report = json.loads(raw)
    assert not schema.violations(report, "redaction-report-v1")
    assert (report["records"], report["changed"], report["found"]["EMAIL"], report["found"]["PHONE"]) == (4, 3, 2, 1)
    assert report["files"][0]["sha256"] == hashlib.sha256((tmp_path / "out/a.jsonl").read_bytes()).hexdigest()
    everything = raw + "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir())
    assert EMAIL not in everything and PHONE not in everything
    assert not set(re.findall(r"-(\w{10})\]", "".join(everything.splitlines()[:-1]))) & set(raw.split())
    assert not re.search("anonymi[sz]ed", raw)
    assert not check.check([check.File(tmp_path / "out/a.jsonl", "a")]).problems


def test_a_bad_record_leaves_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"user": "a"}, {"usr": "b"})
    with pytest.raises(InputError, match="the record is not valid") as caught:
        redacted(tmp_path / "out", path)
    assert caught.value.where == "a.jsonl:2" and [one.name for one in tmp_path.iterdir()] == ["a.jsonl"]
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="exists already"):
        redacted(tmp_path / "out", path)


def test_files_without_records_are_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n\n")
    with pytest.raises(InputError, match="the files have no records"):
        redacted(tmp_path / "out", tmp_path / "a.jsonl")
    assert [one.name for one in tmp_path.iterdir()] == ["a.jsonl"]


def test_what_a_killed_run_left_is_removed_and_what_a_running_one_makes_is_not(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *({"user": f"{EMAIL} {number}"} for number in range(3)))
    code = (
        "import os, sys, time; from pathlib import Path; from zoo.files.whole import new_folder\n"
        "with new_folder(Path('[o]ut')) as folder: (folder / 'a').write_text('x'); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        (running,) = tmp_path.glob(".*.tmp")
        redacted(tmp_path / "[o]ut", path)
        assert (running / "a").exists()
        process.kill()
    shutil.rmtree(tmp_path / "[o]ut")
    redacted(tmp_path / "[o]ut", path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["[o]ut", "a.jsonl"]


def test_a_key_is_made_kept_and_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first = keys.kept(path)
    assert keys.kept(path) == first and len(first) == 32 and path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(InputError, match="others may read"):
        keys.kept(path)
    path.chmod(0o600)
    keys.forget(path)
    assert not path.exists() and keys.kept(path) != first
    other = tmp_path / "other"
    other.write_text("text", encoding="utf-8")
    other.chmod(0o600)
    with pytest.raises(InputError, match="holds no key"):
        keys.forget(other)
    assert other.read_text(encoding="utf-8") == "text"


def spliced(chance: random.Random) -> str:
    """Two sentences cut and joined, with a few characters changed for such as patterns look at."""
    one, other = chance.choice(SENTENCES), chance.choice(SENTENCES)
    between = chance.choice(("", " ", "1", "A", "\n"))
    text = one[: chance.randrange(len(one) + 1)] + between + other[chance.randrange(9) :]
    for _ in range(chance.choice((0, 0, 1, 3))):
        place = chance.randrange(len(text) + 1)
        new = chance.choice("0159 -.:@=_+()/,\"x#eAP\n’“\u00a0·•²\u0130\u0663")
        text = text[:place] + new + text[place + chance.randrange(2) :]
    return text


SENTENCES = [parts(one)[0] for some in (*MARKED.values(), *CLEAN.values()) for one in some]


def found_by_all(text: str) -> list[Find]:
    """What every finder finds, none of which is passed over."""
    folded = fold(text)
    seen, taken, finds = Seen(folded.text, "user", phones.is_valid), set[int](), []
    for match in PLACEHOLDER.finditer(folded.text):
        taken.update(range(*match.span()))
    for finder in FINDERS:
        for match in finder.search.finditer(folded.text):
            span = finder.choose(seen, match)
            if span and taken.isdisjoint(range(*span)):
                taken.update(range(*span))
                finds.append(Find(*folded.place(*span), finder.kind, finder.same(folded.text[slice(*span)])))
    return sorted(finds)


def test_passing_over_finders_without_a_sign_loses_nothing() -> None:
    chance = random.Random(16)
    every = [spliced(chance) for _ in range(1500)]
    assert [found_by_all(text) for text in every] == [find(text, "user", phones.is_valid) for text in every]
    # A finder is passed over by the signs that it names, so each was found here.
    assert {one.kind for text in every for one in found_by_all(text)} == set(KINDS)


@pytest.mark.parametrize("finder", FINDERS, ids=lambda one: one.what)
def test_every_match_has_a_sign_that_its_finder_names(finder: Finder) -> None:
    chance, matches = random.Random(finder.what), 0
    every = [one for one in SENTENCES if finder.search.search(fold(one).text)]
    assert every
    for _ in range(300):
        text = fold(f"{chance.choice(SENTENCES)[: chance.randrange(30)]} {chance.choice(every)}").text
        for match in finder.search.finditer(text):
            matches += 1
            assert not signs.seen_in(text).isdisjoint(finder.signs)
            assert finder.needs in text
            if finder.near is None:
                continue
            runs = list(finding.NUMBERS.finditer(text))
            assert any(finder.near.search(finding.shape(run.group())) for run in runs)
            assert runs[0].start() - 16 < match.start() and match.end() < runs[-1].end() + 22
    assert matches > 50


def test_lines_that_are_not_suspect_have_nothing() -> None:
    """Also next to other lines, with escapes, with JSON in a text, and with numbers."""
    chance = random.Random(5)
    rows: list[dict[str, Any]] = [{"user": spliced(chance)} for _ in range(1200)]
    rows[::9] = [{"user": "", "goal": json.dumps({row["user"][:9]: row["user"], "n": 4186834471})} for row in rows[::9]]
    rows[::11] = [{"user": "b", "tool_schema": {"a": {row["user"]: 4186834471}}} for row in rows[::11]]
    for is_ascii in (True, False):
        lines = [json.dumps(row, ensure_ascii=is_ascii).encode() for row in rows]
        suspects = set(sieve.suspects(lines, rows))
        for number, row in enumerate(rows):
            one = leaves.redact(row, kinds.KINDS["prompt"], ONE, phones.is_valid)
            assert number in suspects or (one.record == row and not one.found and not one.in_keys), row
        assert len(suspects) < len(rows), "some lines are passed over"


def test_files_are_the_same_with_and_without_the_sieve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(3)
    path = write(tmp_path / "a.jsonl", *({"user": f"{number} {spliced(chance)}"} for number in range(400)))
    first = redacted(tmp_path / "one", path)
    monkeypatch.setattr("zoo.corpora.quickjson.encoder", lambda: None)
    second = redacted(tmp_path / "two", path)
    assert first == second and first[0].changed > 50 and first[0].records == 400
    for one in (tmp_path / "one").iterdir():
        assert one.read_bytes() == (tmp_path / "two" / one.name).read_bytes()


def test_digits_of_every_script_are_digits() -> None:
    assert found("My card: ٤٥٣٢ ٠١٥١ ١٢٨٣ ٠٣٦٦") == [("CARD", "٤٥٣٢ ٠١٥١ ١٢٨٣ ٠٣٦٦")]


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        ("Rotate AKIAIYYJIAMKWDDWKNJT now.", "AKIAIYYJIAMKWDDWKNJT"),
        ("It is glpat-abcdefghijklmnopqrst.", "glpat-abcdefghijklmnopqrst"),
        ("Allow aa:bb:cc:dd:ee:fa there.", "aa:bb:cc:dd:ee:fa"), ("Write to **jo@telus.net**.", "jo@telus.net"),
        ("We live at 12 St. Clair Avenue.", "12 St. Clair Avenue"), ("It is 9 King St. East.", "9 King St. East"),
        ("mdp :\n- sapin!714", "sapin!714"), ("password: (sapin!714).", "sapin!714"),
        ("Le mot de passe est **sapin!714**, merci.", "sapin!714"), ("mdp : `sapin!714`", "sapin!714"),
        ("(password: sapin!714)", "sapin!714"), ("The password is 🔑 sapin!714.", "sapin!714"),
        ("Mot de passe = *sa(pin)!714)", "*sa(pin)!714)"), ("Date de naissance :\n1968-12-25", "1968-12-25"),
    ],
)  # fmt: skip
def test_what_made_up_records_once_showed(sentence: str, value: str) -> None:
    assert [text for _, text in found(sentence)] == [value]


KEYCAPS = "5\ufe0f\u20e31\ufe0f\u20e34\ufe0f\u20e3-872-343\u03364\u0336"


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        (r'Voici: {"note": "Bob\n514-872-3434"}', "514-872-3434"),
        (r'```{"m":"jo\u0040telus.net"}```', r"jo\u0040telus.net"), (r'x {"a":"\njo@telus.net"}', "jo@telus.net"),
        (r'"d":"n\u00e9 le 12 ao\u00fbt 1980"', r"12 ao\u00fbt 1980"), (r"\\u002B15148723434", r"\\u002B15148723434"),
        (r'"u":"https:\/\/jo:sapin714@telus\/"', "jo:sapin714"), (r'"Jo\t4532 0151 1283 0366"', "4532 0151 1283 0366"),
        ("mailto:jo%40telus.net", "jo%40telus.net"), ("jo&#64;telus.net", "jo&#64;telus.net"),
        ("n&eacute; le 12 ao&#xFB;t 1980", "12 ao&#xFB;t 1980"), (r"mdp : ab\nX9!kd", r"ab\nX9!kd"),
        (KEYCAPS, KEYCAPS),
    ],
)  # fmt: skip
def test_escapes_and_marks_in_a_sentence_hide_nothing(sentence: str, value: str) -> None:
    assert [text for _, text in found(sentence)] == [value]
    line = json.dumps({"user": sentence}, ensure_ascii=False)
    assert sieve.suspects([b"{}", line.encode(), b"{}"], [{}, {"user": sentence}, {}]) == [1]
    first = made({"user": sentence}).record
    assert first is not None and made(first) == (first, {}, 0)


def test_a_text_full_of_values_takes_no_minutes() -> None:
    """A comparison of each find with each other would make 10^8 of them here."""
    assert len(find(r"jo@telus.net\n" * 12_000, "user", phones.is_valid)) == 12_000


def test_marks_of_direction_hide_no_number() -> None:
    text = "Card \u202b4532 0151 1283 0366\u202c, \u200f5105105105105100\u200e."
    assert [kind for kind, _ in found(text)] == ["CARD", "CARD"]
