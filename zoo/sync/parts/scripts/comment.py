"""The report of a pull request as one comment on it, which later runs edit.

    python3 .github/scripts/comment.py

It runs as the main branch has it, after the workflow ``report`` ended, and runs nothing of the pull request. The report
is a stranger's text, because a pull request can change what makes it. So the pull request is found by its commit in
GitHub's API, never in the artifact; the archive is one small file, which is never unpacked; and every line outside of a
block of code is one that ``zoo review`` writes. Only a report that asks its author for something begins a comment.
Variables: GITHUB_API_URL, GITHUB_EVENT_PATH, GITHUB_REPOSITORY, GITHUB_SERVER_URL, GITHUB_TOKEN.
"""

from __future__ import annotations

import io
import json
import os
import re
import stat
import sys
import unicodedata
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

MOST_ARCHIVE_BYTES, MOST_BYTES, MOST_ANSWER_BYTES = 200_000, 60_000, 4_000_000
TIMEOUT_SECONDS = 60
MOST_PAGES = 20
WORKFLOW, ARTIFACT, FILE = ".github/workflows/report.yml", "report", "report.md"
MARK, AUTHOR = "<!-- zoo review -->", "github-actions[bot]"
ASKS = "**Next: the author.** Fix what is listed here, and push again. No maintainer is asked before."
_ALLOWED = re.compile(
    "|".join((
        "",
        "## Review",
        re.escape(ASKS),
        r"\*\*Next: a maintainer\*\*, within \d{1,2} days\. "
        r"After \d{1,2} days without an answer, ask for a second one\.",
        "### (?:Checked by the program|Problems|What got worse in the data|Worth a look|"
        "Changed files outside of recipes|Other changed files|(?:Recipe|File of records), (?:added|changed|deleted)|"
        "Dataset cards|For a maintainer)",
        "#### (?:Keys|Plan|Sources and licences)",
        r"- \[[x ]\] (?:`zoo check` finds no problem in the changed files"
        r"|nothing got worse in corpora, licences and digests|at most one recipe|only files below `recipes/`"
        r"|every corpus has a valid dataset card)(?: \(\d{1,6} [a-z ]{1,20}\))?",
        r"- \[ \] (?:The licence of every source allows this release\."
        r"|`good_at` and `bad_at` say what the model is really good and bad at\."
        r"|The corpora contain nothing private, and may be redistributed\."
        r"|The costs of the plan are worth it\.|The gates bound what people would notice\.)",
        "The report is too long, so it ends here. To see all of it:",
    ))
)  # fmt: skip
_NEVER = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
"""Unicode categories of characters that cannot be seen, or that change the direction of others."""
_JOINERS = "\u200c\u200d"
"""Parts of words and emoji that belong to them."""


class Refused(Exception):
    """What this run refuses; the text says why."""


class Api:
    """GitHub's API for one repository."""

    def __init__(self, address: str, repository: str, token: str) -> None:
        self.base, self.token = f"{address.rstrip('/')}/repos/{repository}", token

    def json(self, method: str, path: str, data: object = None) -> object:
        """The answer as JSON. Raises Refused."""
        raw = self.raw(method, f"{self.base}{path}", json.dumps(data).encode() if data else None, MOST_ANSWER_BYTES)
        try:
            return json.loads(raw)
        except ValueError as error:
            raise Refused(f"the answer to {method} {path} is not JSON") from error

    def raw(self, method: str, address: str, data: bytes | None, most_bytes: int) -> bytes:
        """The bytes of an answer. Raises Refused, also for more than ``most_bytes``."""
        request = urllib.request.Request(address, data, method=method)
        request.add_header("Accept", "application/vnd.github+json")
        request.add_header("X-GitHub-Api-Version", "2022-11-28")
        # Archives are answered by a redirect to another host, which must not get the token.
        request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                found: bytes = answer.read(most_bytes + 1)
        except (OSError, urllib.error.URLError) as error:
            path = urllib.parse.urlsplit(address).path
            raise Refused(f"{method} {path} failed: {error}. Run the job again.") from error
        if len(found) > most_bytes:
            raise Refused(f"the answer to {method} has more than {most_bytes} bytes")
        return found


def at(data: object, *keys: str) -> str:
    """The text or number at a path of an answer, as text; "" if nothing is there."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return str(data) if isinstance(data, (str, int)) else ""


def number(data: object, key: str) -> int:
    """The number at a key of an answer. Raises Refused."""
    found = at(data, key)
    if not re.fullmatch("[0-9]{1,20}", found):
        raise Refused(f"GitHub names no {key}")
    return int(found)


def rows(data: object) -> list[object]:
    return data if isinstance(data, list) else []


def pull_request(api: Api, run: object, repository: str) -> str:
    """The number of the open pull request whose newest commit was reported; "" if there is none any more."""
    if at(run, "event") != "pull_request" or at(run, "path") != WORKFLOW:
        raise Refused(f"the run is not one of {WORKFLOW} for a pull request")
    commit, branch, owner = at(run, "head_sha"), at(run, "head_branch"), at(run, "head_repository", "owner", "login")
    if not re.fullmatch("[0-9a-f]{40}", commit) or not branch or not owner:
        raise Refused("the run names no commit, branch and owner")
    asked = urllib.parse.urlencode({"state": "open", "head": f"{owner}:{branch}", "per_page": "100"})
    found = [
        str(number(one, "number")) for one in rows(api.json("GET", f"/pulls?{asked}"))
        if at(one, "head", "sha") == commit and at(one, "base", "repo", "full_name") == repository
    ]  # fmt: skip
    if len(found) > 1:
        raise Refused(f"{len(found)} open pull requests have this commit")
    return found[0] if found else ""


def archive(api: Api, run: object) -> bytes | None:
    """The artifact of a run; None if it made none. Raises Refused."""
    answer = api.json("GET", f"/actions/runs/{number(run, 'id')}/artifacts?name={ARTIFACT}&per_page=100")
    listed = rows(answer.get("artifacts")) if isinstance(answer, dict) else []
    found = [one for one in listed if at(one, "name") == ARTIFACT]
    if len(found) > 1:
        raise Refused(f"the run has {len(found)} artifacts with the name {ARTIFACT}")
    if not found:
        return None
    if number(found[0], "size_in_bytes") > MOST_ARCHIVE_BYTES:
        raise Refused(f"the artifact has more than {MOST_ARCHIVE_BYTES} bytes")
    return api.raw("GET", f"{api.base}/actions/artifacts/{number(found[0], 'id')}/zip", None, MOST_ARCHIVE_BYTES)


def report(raw: bytes) -> str:
    """The text in an archive that is one plain file. Raises Refused."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as opened:
            members = opened.infolist()
            if [one.filename for one in members] != [FILE]:
                raise Refused(f"the archive does not contain {FILE} alone")
            (member,) = members
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG) or member.flag_bits & 1 or member.is_dir():
                raise Refused(f"{FILE} is not a plain file")
            with opened.open(member) as stream:
                text = stream.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise Refused(f"the archive is damaged: {error}") from error
    if len(text) > MOST_BYTES:
        raise Refused(f"{FILE} has more than {MOST_BYTES} bytes")
    try:
        return judged(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Refused(f"{FILE} is not UTF-8") from error


def judged(text: str) -> str:
    """The text, if it is a report in which everything of a stranger is in blocks of code. Raises Refused."""
    if any(unicodedata.category(letter) in _NEVER for letter in text if letter not in f"\n{_JOINERS}"):
        raise Refused(f"{FILE} has characters that cannot be seen")
    if not text.startswith("## Review\n") or len(list(outside(text))) < 3:
        raise Refused(f"{FILE} is not a report")
    return text


def outside(text: str) -> Iterator[str]:
    """The lines that are in no block of code. Raises Refused for one that no report has, or a block without end."""
    fence = ""
    for at_line, line in enumerate(text.split("\n"), 1):
        if fence:
            if line == fence:
                fence = ""
            elif any(len(run) >= len(fence) for run in re.findall("`+", line)):
                raise Refused(f"line {at_line} of {FILE} could end its block of code")
        elif begun := re.fullmatch("(`{3,})text", line):
            fence = begun[1]
        elif _ALLOWED.fullmatch(line):
            yield line
        else:
            raise Refused(f"line {at_line} of {FILE} is not a line of a report")
    if fence:
        raise Refused(f"a block of code in {FILE} has no end")


def comment(text: str, address: str) -> str:
    """The body of the comment."""
    return (
        f"{MARK}\n{text}\n\nFrom [this run]({address}) of the pull request, which can change how its report is made: "
        "the required checks decide.\n"
    )


def place(api: Api, pull: str, body: str, asks: bool) -> str:
    """Write or edit the comment. Returns what was done. asks: whether a new one may be written."""
    for page in range(1, MOST_PAGES + 1):
        some = rows(api.json("GET", f"/issues/{pull}/comments?per_page=100&page={page}"))
        for one in some:
            if at(one, "user", "login") == AUTHOR and at(one, "body").startswith(MARK):
                if at(one, "body").strip() == body.strip():
                    return "the comment is up to date"
                api.json("PATCH", f"/issues/comments/{number(one, 'id')}", {"body": body})
                return "the comment was edited"
        if len(some) < 100:
            break
    if not asks:
        return "the report asks its author for nothing, so no comment was written"
    api.json("POST", f"/issues/{pull}/comments", {"body": body})
    return "a comment was written"


def act(environment: dict[str, str]) -> str:
    """What was done, as a sentence. Raises Refused."""
    event: object = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    run = event.get("workflow_run") if isinstance(event, dict) else None
    repository = environment["GITHUB_REPOSITORY"]
    api = Api(environment["GITHUB_API_URL"], repository, environment["GITHUB_TOKEN"])
    pull = pull_request(api, run, repository)
    if not pull:
        return "no open pull request has this commit as its newest one"
    raw = archive(api, run)
    if raw is None:
        return "the run made no report"
    text = report(raw)
    address = f"{environment['GITHUB_SERVER_URL']}/{repository}/actions/runs/{number(run, 'id')}"
    return place(api, pull, comment(text, address), ASKS in text.split("\n"))


def main() -> int:
    names = ("GITHUB_API_URL", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL", "GITHUB_TOKEN")
    try:
        if absent := [name for name in names if not os.environ.get(name)]:
            raise Refused(f"{', '.join(absent)} is not set. This runs in a job of GitHub Actions.")
        print(f"comment: {act(dict(os.environ))}")
    except Refused as error:
        print(f"comment: nothing was written: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
