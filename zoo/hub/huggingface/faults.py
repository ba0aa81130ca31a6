"""What a refused or broken request means: a kind for programs; a sentence and what to do next for people. Pure.

``answers`` reads what the hub answered, this module the connection and the client.

Reading and publishing use the same sentences. The hub's own words are quoted short and without secrets.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from zoo.addresses import origin
from zoo.errors import AGAIN, RESUMES, Again, InputError, RemoteError, ZooError, causes
from zoo.hub.huggingface import answers
from zoo.hub.huggingface.asked import Asked, Facts, failed, not_a_hub, quoted

MAYBE_DONE = frozenset(("server_error", "unreachable", "stalled", "proxy"))
"""After errors of these kinds it is unknown whether the hub did the work."""

_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST")
"""What the TLS library calls an answer that is not TLS."""


def of(error: BaseException, asked: Asked, now: float) -> ZooError | None:
    """The error of the client, or of the HTTP library under it, which differs between versions, as one of ours.

    None for errors that do not concern the hub, such as an unreadable local file. now: seconds of Unix.
    """
    chain = list(causes(error))
    for cause in chain:
        response = getattr(cause, "response", None)
        if response is not None and isinstance(getattr(response, "status_code", None), int):
            headers = {str(name).lower(): str(value) for name, value in response.headers.items()}
            headers.setdefault("x-error-message", str(getattr(cause, "server_message", None) or ""))
            told = _from_elsewhere(response, headers, asked)
            return told or answers.answered(response.status_code, headers, asked, now)
    names = {type(cause).__name__ for cause in chain}
    if "UnicodeEncodeError" in names or any("header value" in str(cause) for cause in chain):
        # The error's own text may contain the token.
        return InputError("the token has characters that cannot be sent", remedy="Set HF_TOKEN again")
    if "HFValidationError" in names:
        return InputError(f"{asked.name} is not a valid name on a hub{quoted(str(error), asked)}")
    if any(isinstance(cause, OSError) and cause.filename for cause in chain):
        return None
    if any(isinstance(cause, RecursionError) for cause in chain):
        return too_deep(asked)
    # A certificate that is not trusted is a ValueError, too.
    if "JSONDecodeError" in names or (isinstance(chain[-1], _MALFORMED) and not isinstance(chain[-1], ssl.SSLError)):
        return not_a_hub(asked)
    return broken(error, asked)


def _from_elsewhere(response: object, headers: Mapping[str, str], asked: Asked) -> RemoteError | None:
    """The error of an answer that did not come from the hub itself: from the storage of contents, or from wherever a
    question was redirected. None for the hub's own. Only uploads use PUT, and signed addresses need no token.
    """
    try:
        request = response.request  # type: ignore[attr-defined]  # of the HTTP library, which differs by version
        status, method, url = int(response.status_code), str(request.method), str(request.url)  # type: ignore[attr-defined]  # the same
        first = str(next((one.request.url for one in response.history), url))  # type: ignore[attr-defined]  # the same
    except (AttributeError, RuntimeError):
        return None
    away = bool(asked.address) and origin(url) != origin(asked.address)
    if away and first.startswith(f"{asked.address}/api/"):
        return answers.redirected(status, "{}://{}:{}".format(*origin(url)), asked)
    if away or method == "PUT" or "signature=" in url.lower():
        return answers.stored(status, headers, asked)
    return None


def broken(error: BaseException, asked: Asked) -> RemoteError:
    """The error of a connection that failed or broke."""
    chain = list(causes(error))
    names = {type(cause).__name__ for cause in chain}
    words = quoted(str(chain[-1]), asked) or f": {type(chain[-1]).__name__}"
    facts: Facts = {
        "address": asked.address,
        "repository": asked.repository,
    }
    if names & {"OfflineModeIsEnabled"}:
        return failed("offline", f"the client is in offline mode, so {asked.name} cannot be fetched", facts,
                      "Unset HF_HUB_OFFLINE", AGAIN)  # fmt: skip
    if any(mark in str(cause) for cause in chain for mark in _NOT_TLS):
        return failed("tls", f"{asked.address} does not speak https: plain http, or something else, is there", facts,
                      "Check the port; for zoo hub serve, the address begins with http://")  # fmt: skip
    if any(isinstance(cause, ssl.SSLError) or "CERTIFICATE_VERIFY" in str(cause) for cause in chain):
        return failed("tls", f"the certificate of {asked.address} is not trusted{words}", facts,
                      "Check this machine's clock; behind a proxy that decrypts traffic, set SSL_CERT_FILE to its "
                      "certificate")  # fmt: skip
    if names & {"ProxyError"}:
        return failed("proxy", f"the proxy for {asked.address} refuses the connection{words}", facts,
                      "Check HTTPS_PROXY and HTTP_PROXY, or bypass the proxy with NO_PROXY")  # fmt: skip
    if names & {"TooManyRedirects"}:
        return failed("refused", f"{asked.address} redirects in a circle", facts,
                      "Check the address: a sign-in page or a proxy may answer instead of the hub")  # fmt: skip
    if names & {"UnsupportedProtocol", "InvalidURL", "LocalProtocolError"}:
        return failed("refused", f"{asked.address} redirected to an invalid address{words}", facts,
                      "Check the address")  # fmt: skip
    if names & {"ReadTimeout", "WriteTimeout", "ConnectTimeout", "PoolTimeout", "TimeoutError"}:
        return RemoteError(f"{asked.address} stopped answering", kind="stalled", facts=facts, transient=True,
                           remedy="Check the network", again=RESUMES)  # fmt: skip
    return RemoteError(f"{asked.address} cannot be reached, or the connection broke{words}", kind="unreachable",
                       facts=facts, transient=True,
                       remedy="Check the address and the network", again=RESUMES)  # fmt: skip


def too_deep(asked: Asked) -> RemoteError:
    """An answer that no parser reads to its end, and no hub needs."""
    what = f"the answer of {asked.address} is not valid: it is nested too deeply. It was not used"
    return failed("malformed", what, {"address": asked.address, "repository": asked.repository}, "Check the address")


def wrong(kind: str, what: str, asked: Asked, expected: str | int, got: str | int) -> RemoteError:
    """An answer that announces a different file from the requested one; none of it is used."""
    facts = {"address": asked.address, "repository": asked.repository, "path": asked.path, "expected": expected,
             "got": got}  # fmt: skip
    return failed(kind, what, facts, "", Again(note="if this happens again, ask the owner of the repository"))
