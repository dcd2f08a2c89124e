"""Questions to the REST interface of a Flink cluster."""

import http.client
import json
import math
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, List, Sequence

from pyflink_async_batch.errors import InvalidOptionError

_TIMEOUT_SECONDS = 20
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
        :raises RestError: there is no answer within 20 s, or it is no JSON of at most 64 MiB.
        """
        request = urllib.request.Request(self._url + path, headers={"Accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
                body = response.read(_MAX_ANSWER_BYTES + 1)
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


def number(value: Any) -> float:
    """A number of Flink's, which may be text; NaN if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _checked(url: str) -> str:
    accepted = "an address such as http://host:8081, without user, query or fragment"
    try:
        parts = urllib.parse.urlsplit(url)
        # Raises for a port that is none.
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise InvalidOptionError("--rest", url, accepted)
    if parts.username is not None or parts.password is not None:
        # Not shown: it may be a password.
        raise InvalidOptionError("--rest", parts.scheme + "://…@" + str(parts.hostname), accepted)
    return url.rstrip("/")
