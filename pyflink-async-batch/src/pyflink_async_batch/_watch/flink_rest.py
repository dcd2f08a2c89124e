"""Questions to the REST interface of a Flink cluster."""

import http.client
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, List, Sequence

from pyflink_async_batch.errors import InvalidOptionError

_TIMEOUT_SECONDS = 20
_CHUNK_BYTES = 64 * 1024
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
# Flink's server answers 404 to a request line of more than 4,096 bytes.
_MAX_PATH_CHARACTERS = 3_000


class RestError(Exception):
    """The cluster did not give an answer that can be used. The message names path and reason."""


class NotFoundError(RestError):
    """What was asked for is not there, or no more."""


class FlinkRest:
    """One cluster. Stateless; may be used by any thread.

    :param url: where the JobManager's REST interface is, as ``http://host:8081``; a path before
        Flink's own, as of a proxy, is kept.
    :raises InvalidOptionError: it is no such address, or holds a password.
    """

    def __init__(self, url: str) -> None:
        self._url = _checked(url)

    def get(self, path: str) -> Any:
        """
        The answer to a GET request.

        :raises NotFoundError: the cluster answers 404.
        :raises RestError: there is no answer within 20 s, or 40 s if it stops in the middle, or it
            is no JSON of at most 64 MiB.
        """
        request = urllib.request.Request(self._url + path, headers={"Accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
                body = _body(response, time.monotonic() + _TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            error.close()
            kind = NotFoundError if error.code == 404 else RestError
            raise kind("%s answered %d to %s" % (self._url, error.code, path)) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise RestError("%s did not answer %s: %s" % (self._url, path, reason)) from None
        if len(body) > _MAX_ANSWER_BYTES:
            raise RestError("%s answered %s with more than 64 MiB" % (self._url, path))
        try:
            return json.loads(body)
        except ValueError:
            raise RestError("%s answered %s with what is no JSON" % (self._url, path)) from None

    def metrics(self, path: str, names: Sequence[str]) -> List[Dict[str, Any]]:
        """The values of metrics, asked for in as many requests as their names need.

        :param path: of one of Flink's lists of metrics.
        """
        answers: List[Dict[str, Any]] = []
        part: List[str] = []
        length = 0
        for name in (urllib.parse.quote(name, safe="") for name in names):
            if part and length + len(name) > _MAX_PATH_CHARACTERS:
                answers += self.get("%s?get=%s" % (path, ",".join(part)))
                part, length = [], 0
            part.append(name)
            length += len(name) + 1
        if part:
            answers += self.get("%s?get=%s" % (path, ",".join(part)))
        return answers


def _body(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """What there is of the answer's body, at most a byte more than is accepted."""
    parts: List[bytes] = []
    length = 0
    while length <= _MAX_ANSWER_BYTES:
        # Each wait has the socket's timeout; who sends a byte now and then would pass all of them.
        if time.monotonic() > deadline:
            raise TimeoutError("timed out")
        part = response.read1(min(_CHUNK_BYTES, _MAX_ANSWER_BYTES + 1 - length))
        if not part:
            break
        parts.append(part)
        length += len(part)
    return b"".join(parts)


def number(value: Any) -> float:
    """A number of Flink's, which may be text; NaN if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _checked(url: str) -> str:
    accepted = "an address such as http://host:8081, without user, query or fragment"
    # What is before an @ or in a query may be a secret, whatever else is wrong with the address.
    shown = url.partition("?")[0]
    if "@" in url:
        shown = "…@" + shown.rpartition("@")[2]
    try:
        parts = urllib.parse.urlsplit(url)
        # Raises for a port that is none.
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in url or parts.query or parts.fragment:
        raise InvalidOptionError("--rest", shown, accepted)
    return url.rstrip("/")
