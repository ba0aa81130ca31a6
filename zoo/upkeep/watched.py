"""One repository of a release, compared with its records: its tag, its files at the recorded commit, and its branch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from catalog import access
from catalog.release import Location, Model, Release, Repository
from catalog.watch import Unchecked
from zoo import commandline
from zoo.errors import RemoteError, ZooError
from zoo.files.listing import FileRecord
from zoo.hub import BRANCH, Hub, Refs, Repo, approval, otherrepo, withheld
from zoo.hub.download import Patience
from zoo.hub.interface import ABSENT_COMMIT, ABSENT_CONTENT, Served, is_same_commit
from zoo.hub.otherrepo import OtherRepository
from zoo.progress import carried
from zoo.publish import line, repaired
from zoo.pull.accounts import Difference
from zoo.pull.verifyhub import read_back
from zoo.upkeep.branch import Known, strange
from zoo.upkeep.cardnow import CARD
from zoo.upkeep.notes import Notes, Part, accounts_of
from zoo.upkeep.recorded import Expected, verdict
from zoo.upkeep.remedies import ACCESS, LOST, MOVED, NEWER, OTHER, UNFINISHED, UNKNOWN

_SOUND = ("equal", "size only")


def look_at(
    model: Model, release: Release, part: Part, refs: Refs, notes: Notes, pool: ThreadPoolExecutor
) -> tuple[int, int, int] | None:
    """Files, those that are equal, and those of which only the size was compared; None if the hub does not answer."""
    commit, name, head = part.place.commit, part.place.name, refs.branches.get(BRANCH)
    try:
        account = part.account(release)
    except (ZooError, OSError) as error:
        why = reason(error, model.name, release.location, notes)
        notes.unchecked.append(Unchecked(f"{model.name} {release.version}", why))
        return None
    for fault in account.faults:
        part.spot(notes, model, release).note("digest", None, commit, None, None, fault)
    expected = account.files
    pinned, failed = _ask(part.repo, commit, expected, notes, pool)
    if failed:
        why = reason(failed, model.name, release.location, notes)
        notes.unchecked.append(Unchecked(f"{model.name} {release.version}", why))
        return None
    equal, size_only, wrong = _compare(model, release, part, expected, pinned, notes)
    if notes.full and equal + size_only:
        wrong |= _read(model, release, part, [file for file in account.readable if file.path not in wrong], notes)
        equal, size_only = sum(file.path not in wrong for file in expected), 0
    if head and release == _highest_there(model, part, name) and not _newer(model, release, part, refs, notes):
        if is_same_commit(head, commit):
            is_lost = any(answer.absent == ABSENT_COMMIT for answer in pinned)  # reported already
        elif not (is_lost := _is_lost(model, release, part, head, notes)):
            if _unfinished(model, release, part, refs, notes) or _moved(model, release, part, refs, notes):
                return len(expected), equal, size_only
            _head(model, release, part, head, notes, pool)
        if not is_lost:
            _branch(model, release, part, head, notes)
    return len(expected), equal, size_only


def _is_lost(model: Model, release: Release, part: Part, head: str, notes: Notes) -> bool:
    """Whether the hub no longer has the commit that the branch is on."""
    notes.requests += 1
    try:
        if part.repo.served(head, CARD).absent != ABSENT_COMMIT:
            return False
    except (ZooError, OSError):
        return False  # what is asked next reports it
    what = f"branch {BRANCH} of {part.place.name} is on commit {head[:12]}, which the hub no longer has"
    part.spot(notes, model, release).note("branch", None, BRANCH, part.place.commit, head, what)
    return True


def _unfinished(model: Model, release: Release, part: Part, refs: Refs, notes: Notes) -> bool:
    """Whether the branch holds a version that was never published completely. Then nothing of it can be compared."""
    name, owner = part.place.name, line.owner_of(model.name, model, release.location.hub)
    notes.requests += 2
    try:
        held = line.unfinished(name, part.repo, refs, owner, notes.versions[model.name])
    except (ZooError, OSError):
        return False  # what is asked next reports it
    if held:
        what = repaired.unfinished(held, f"the branch of {name}")
        part.spot(notes, model, release).note(f"branch{UNFINISHED}", None, BRANCH, release.version, held, what)
    return held is not None


def _moved(model: Model, release: Release, part: Part, refs: Refs, notes: Notes) -> bool:
    """Whether the branch still holds a higher version that moved to another place. Nothing is recorded of it here."""
    name, owner = part.place.name, line.owner_of(model.name, model, release.location.hub)
    there = {one.version for one in model.releases if (place := part.of(one)) and place.name == name}
    try:
        held = line.moved(name, part.repo, refs, release.version, owner, {*notes.versions[model.name]} - there)
    except (ZooError, OSError):
        return False  # what is asked next reports it
    if held:
        what = repaired.moved(held, f"the branch of {name}")
        part.spot(notes, model, release).note(f"branch{MOVED}", None, BRANCH, release.version, held, what)
    return held is not None


def _newer(model: Model, release: Release, part: Part, refs: Refs, notes: Notes) -> bool:
    """Whether only the hub knows the version that the branch should hold. Then the branch is not compared. Other tags
    of unknown versions are only reported."""
    name, owner = part.place.name, line.owner_of(model.name, model, release.location.hub)
    try:
        version = line.newer(name, part.repo, refs, release.version, owner, notes.versions[model.name])
    except (ZooError, OSError) as error:
        notes.unchecked.append(Unchecked(f"the branch of {name}", reason(error, model.name, release.location, notes)))
        return True
    for one in line.unknown(refs, notes.versions[model.name]):
        kind = f"tag{NEWER if one == version else UNKNOWN}"
        tag = f"v{one}"
        part.spot(notes, model, release).note(kind, None, tag, None, refs.tags[tag], repaired.unknown(one, name))
    return version is not None


def _read(model: Model, release: Release, part: Part, files: Sequence[FileRecord], notes: Notes) -> set[str]:
    """Read every byte of files back. Returns the paths of those that are not what they should be or could not be read.
    """
    spot = part.spot(notes, model, release)
    notes.requests += len(files)
    wrong = list(read_back(part.repo, part.place.commit, files, notes.report, Patience()))
    for one in wrong:
        if isinstance(one, Difference):
            what = f"{one.path} of {part.place.name} at {part.place.commit[:12]}: {one.what}"
            spot.note("digest", one.path, part.place.commit, one.expected, one.got, what)
        else:
            notes.unchecked.append(Unchecked(f"{one.path} of {part.place.name}", one.why))
    return {one.path for one in wrong}


def _branch(model: Model, release: Release, part: Part, head: str, notes: Notes) -> None:
    """Files of the branch that no release has, and its card."""
    name = part.place.name
    # The damaged list of another version is reported with that version.
    accounts = {
        version: one for version, one in accounts_of(model, part).items()
        if version == release.version or one.listed is not None or not one.faults
    }  # fmt: skip
    if any(account.listed is None for account in accounts.values()):
        again = notes.command("publish", model.name, "--repair")
        why = f"the list of files of a release could not be read. If nothing else says why, repair it with: {again}"
        notes.unchecked.append(Unchecked(f"the branch of {name}", why))
        return
    notes.requests += 2
    try:
        known = Known(part.kind, name, model, accounts, notes.recorded(model))
        for one in strange(part.repo, head, known):
            part.spot(notes, model, release).note(one.kind, one.path, BRANCH, None, one.found, one.what)
    except (ZooError, OSError) as error:
        notes.unchecked.append(Unchecked(f"the branch of {name}", reason(error, model.name, release.location, notes)))


def refs_of(model: Model, release: Release, part: Part, notes: Notes) -> Refs | None:
    """Branches and tags after checking the tag; None if the repository no longer exists."""
    repo, place, note = part.repo, part.place, part.spot(notes, model, release).note
    refs = repo.refs()
    notes.requests += 1
    wanted = release.location.access
    if not refs.branches and not refs.tags and wanted:
        what_to_do = " ".join(filter(None, _to_read(release.location, notes)))
        raise ZooError(f"{place.name} does not exist, or this machine may not read it: {what_to_do}")
    if wanted:
        notes.requests += 1
        if (found := repo.access()) != wanted:
            what = f"{place.name} is {found} now, but was published as {wanted}"
            note(f"repository{ACCESS}", None, None, None, None, what)
    if not refs.branches and not refs.tags:
        what = f"{place.name} no longer exists or is no longer public"
        if hidden := withheld(notes.hubs.open(release.location.hub)):
            what += f". {hidden}"
        note(f"repository{LOST}", None, None, place.commit, None, what)
        return None
    try:
        otherrepo.refuse(repo, place, model, notes.settings.releases, notes.hub or notes.settings.hub)
    except OtherRepository as error:
        note(f"repository{OTHER}", None, None, place.commit, None, error.what)
        return None
    there = refs.tags.get(place.tag)
    if not there:
        notes.requests += 1
        lost = LOST if repo.served(place.commit, CARD).absent == ABSENT_COMMIT else ""
        note(f"tag{lost}", None, place.tag, place.commit, None, f"tag {place.tag} of {place.name} no longer exists")
    elif not is_same_commit(there, place.commit):
        what = f"tag {place.tag} of {place.name} moved from {place.commit[:12]} to {there[:12]}"
        note(f"tag{MOVED}", None, place.tag, place.commit, there, what)
    if not refs.branches.get(BRANCH):  # a damaged one is empty
        note("branch", None, BRANCH, place.commit, None, f"branch {BRANCH} of {place.name} no longer exists")
    return refs


def _to_read(place: Location, notes: Notes) -> tuple[str, ...]:
    """What to do to read a place that is not public: approve its hub for the token, or get a token first."""
    hub = notes.hubs.open(place.hub)
    if hidden := withheld(hub):
        return (hidden,)
    return f"{access.sentence(place)}.", _then_approve(hub)


def _then_approve(hub: Hub) -> str:
    command = approval(hub)
    return command and f"Then let it be sent to {hub.name}, which only the catalog or zoo.toml names: {command}"


_NO_TOKEN = frozenset(("token_missing", "gated", "not_found", "forbidden"))
"""Kinds of a RemoteError that the right token may end."""


def reason(error: ZooError | OSError, name: str, place: Location, notes: Notes) -> str:
    """Why a place of the model ``name`` could not be checked. The report is read later, without the warning about the
    token."""
    if isinstance(error, ZooError):
        error.remedy = commandline.named(error.remedy, name, notes.command)
    if not isinstance(error, ZooError):
        at = f" ({notes.settings.shown(Path(error.filename))})" if isinstance(error.filename, str | Path) else ""
        return f"{error.strerror or error}{at}"
    if not isinstance(error, RemoteError) or error.kind not in _NO_TOKEN:
        return str(error)
    hub = notes.hubs.open(place.hub)
    if hidden := withheld(hub):
        return f"{error.what}. {hidden}"
    return " ".join(filter(None, (str(error), _then_approve(hub))))


def _ask(
    repo: Repo, revision: str, expected: Sequence[Expected], notes: Notes, pool: ThreadPoolExecutor
) -> tuple[list[Served], ZooError | OSError | None]:
    """What is served for each file, or why that could not be checked."""

    def one(file: Expected) -> Served | ZooError | OSError:
        try:
            return repo.served(revision, file.path)
        except (ZooError, OSError) as error:
            return error

    notes.requests += len(expected)
    answers = list(pool.map(carried(one), expected))
    failed = next((answer for answer in answers if not isinstance(answer, Served)), None)
    return [answer for answer in answers if isinstance(answer, Served)], failed


def _compare(
    model: Model,
    release: Release,
    part: Part,
    expected: Sequence[Expected],
    answers: Sequence[Served],
    notes: Notes,
) -> tuple[int, int, set[str]]:
    """Files that are equal, files of which only the size could be compared, and the paths of all others, which become
    findings."""
    equal, size_only, wrong = 0, 0, set[str]()
    place, note = part.place, part.spot(notes, model, release).note
    at = place.commit[:12]
    if answers and all(answer.absent == "commit" for answer in answers):
        what = f"{place.name} no longer has commit {at}"
        note(f"commit{LOST}", None, place.commit, place.commit, None, what)
        return 0, 0, {file.path for file in expected}
    for file, answer in zip(expected, answers, strict=True):
        kind = verdict(file, answer)
        equal += kind == "equal"
        size_only += kind == "size only"
        if kind in _SOUND:
            continue
        wrong.add(file.path)
        found, words = answer.sha256 or answer.git_sha1, "has different content from the recorded"
        if answer.absent == ABSENT_CONTENT:
            words = "is listed, but the hub has lost its content"
        elif kind == "missing":
            words = "is no longer served"
        elif kind == "size":
            words = f"has {answer.size_bytes} bytes, but the record says {file.size_bytes}"
            found = str(answer.size_bytes)
        what = f"{file.path} of {place.name} at {at} {words}"
        note(kind, file.path, place.commit, file.sha256, found, what)
    return equal, size_only, wrong


def _head(
    model: Model, release: Release, part: Part, head: str, notes: Notes, pool: ThreadPoolExecutor
) -> None:
    """The branch must have ``release`` completely; else the nearest release of this repository shows what differs."""
    repo, place = part.repo, part.place
    # The model's card may have a notice, and either card a correction; ``_branch`` looks at them.
    card = CARD if part.kind == "model" or model.corrected(part.kind) else ""
    files = {
        version: [file for file in account.files if file.path != card]
        for version, account in accounts_of(model, part).items()
        if account.files
    }
    paths = {file.path: file for expected in files.values() for file in expected}
    answers, failed = _ask(repo, head, list(paths.values()), notes, pool)
    if failed:
        why = reason(failed, model.name, release.location, notes)
        notes.unchecked.append(Unchecked(f"the branch of {place.name}", why))
        return
    served_now = dict(zip(paths, answers, strict=True))
    wrong = {
        version: [file for file in expected if verdict(file, served_now[file.path]) not in _SOUND]
        for version, expected in files.items()
    }
    if release.version not in wrong:
        return  # nothing is known of its files, which is reported already
    # The first of equals is the newest.
    version = min(wrong, key=lambda one: len(wrong[one]) / max(len(files[one]), 1))
    for file in wrong[version]:
        kind, answer = verdict(file, served_now[file.path]), served_now[file.path]
        words = "no longer exists" if kind == "missing" else f"differs from what {version} recorded"
        what = f"on the branch of {place.name}, {file.path} {words}"
        found = answer.sha256 or answer.git_sha1
        part.spot(notes, model, release).note(kind, file.path, BRANCH, file.sha256, found, what)
    # Two versions may have the same data.
    if not wrong[version] and wrong.get(release.version):
        what = f"the branch of {place.name} holds {version}, but people should get {release.version}"
        part.spot(notes, model, release).note("branch", None, BRANCH, release.version, version, what)


def _highest_there(model: Model, part: Part, name: str) -> Release:
    """The release of the repository ``name`` that its branch should hold: the highest stable one, if there is one."""
    there: Iterable[Release] = model.preferred()
    return next(one for one in there if (place := part.of(one)) and place.name == name)


def repo_of(hub: Hub, kind: str, place: Repository) -> Repo:
    namespace, _, name = place.name.partition("/")
    return hub.repo(kind, namespace, name)
