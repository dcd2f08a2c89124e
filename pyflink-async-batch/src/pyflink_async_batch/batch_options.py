"""The options of batch inference, under the names that they have in Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from pyflink_async_batch.errors import InvalidOptionError, InvalidOptionTypeError
from pyflink_async_batch.option_checks import (
    MAX_JAVA_INT,
    MAX_JAVA_LONG,
    DurationLike,
    one_of,
    positive_int,
    positive_millis,
)

__all__ = ["BatchInferenceOptions"]


#: The options by their names in a configuration of Flink's.
_KEYS = frozenset(
    {
        "ml.batch.enabled",
        "ml.batch.api.endpoint",
        "ml.batch.size",
        "ml.batch.fill.time",
        "ml.batch.poll.interval",
        "ml.batch.max.wait",
        "ml.batch.max.jobs",
        "ml.batch.max.resubmissions",
        "ml.batch.on.failure",
        "ml.batch.api.shape",
        "ml.batch.api.request-url",
        "batch_number",
        "ml.batch.local.dir",
        "ml.batch.submit.after-checkpoint",
        "ml.batch.results.topic",
        "ml.batch.api.timeout",
        "ml.batch.api.max-retries",
        "ml.batch.api.retry-delay",
        "ml.batch.api.max-result-size",
        "ml.batch.api-key.env",
        "ml.batch.api-key.file",
    }
)
_PREFIX = "ml.batch."
_API_KEY = "ml.batch.api-key"


@dataclass(frozen=True, init=False)
class BatchInferenceOptions:
    """
    How elements go through a Batch API. Immutable. It holds no key: the TaskManagers find that
    where ``api_key_env`` and ``api_key_file`` say, or as ``ml.batch.api-key`` in their own
    configuration.

    Every length of time is a ``pyflink.common.Time``, a ``pyflink.common.Duration`` or a
    ``datetime.timedelta``, in whole milliseconds. What is left out has Java's default, as given
    here.

    :param endpoint: The API's address, such as 'https://api.openai.com/v1'; HTTPS unless it is on
                     this machine.
    :param batch_size: Most elements of a batch, by default 10. What is more than the API takes in
                       a file is split.
    :param fill_time: How long after its first element a batch closes at the latest; 1 minute.
    :param poll_interval: About how long to wait before asking again how far a job is; 10 s.
    :param max_wait: How long a job may run, 10 minutes. Then it is cancelled, what it has computed
                     is kept and the rest counts as failed. Give a day and more to a provider that
                     promises a day.
    :param max_jobs: Most jobs of a subtask that the API has at a time, 100; then input is held
                     back.
    :param max_resubmissions: How often an element that failed or expired is submitted again; 2.
    :param on_failure: What becomes of an element that failed as often as allowed: 'fail', the
                       default, fails the job, 'side_output' puts it into
                       :func:`BatchInference.failed_rows`.
    :param api_shape: Which requests the API understands: 'openai', the default, or 'simple'.
    :param request_url: What each request is for, '/v1/chat/completions'; of OpenAI's shape.
    :param batch_number: What people know a batch by: letters, digits, '.', '_' and '-', with
                         {subtask}, {number} and, if wanted, {job_id}; 'batch-{subtask}-{number}'.
    :param local_dir: A directory at the TaskManagers, of their own user, for files while they are
                      needed; '/tmp/flink_batches'.
    :param submit_after_checkpoint: Whether a batch waits for a checkpoint that holds it, so that
                                    no failure can have it paid twice; by default it does.
    :param results_topic: What a submitter tells the collector about where results are wanted: a
                          topic's name. Of a submitter only; the others refuse it.
    :param request_timeout: Deadline of a call; a file's transfer has ten times as long; 1 minute.
    :param max_retries: How often a call that failed in passing is repeated; 10.
    :param retry_delay: Bound of the first delay between them, which doubles up to two minutes; 1 s.
    :param max_result_bytes: Most bytes of one file of results; 1 GiB.
    :param api_key_env: The environment variable of the TaskManagers that holds the key;
                        'ML_BATCH_API_KEY'.
    :param api_key_file: The file at the TaskManagers that holds it.
    :raises InvalidOptionError: An option is out of its range.
    :raises InvalidOptionTypeError: An option is of a wrong type.
    """

    #: What was given, by the names in a configuration of Flink's.
    configuration: Dict[str, str]

    def __init__(
        self,
        endpoint: str,
        *,
        batch_size: Optional[int] = None,
        fill_time: Optional[DurationLike] = None,
        poll_interval: Optional[DurationLike] = None,
        max_wait: Optional[DurationLike] = None,
        max_jobs: Optional[int] = None,
        max_resubmissions: Optional[int] = None,
        on_failure: Optional[str] = None,
        api_shape: Optional[str] = None,
        request_url: Optional[str] = None,
        batch_number: Optional[str] = None,
        local_dir: Optional[str] = None,
        submit_after_checkpoint: Optional[bool] = None,
        results_topic: Optional[str] = None,
        request_timeout: Optional[DurationLike] = None,
        max_retries: Optional[int] = None,
        retry_delay: Optional[DurationLike] = None,
        max_result_bytes: Optional[int] = None,
        api_key_env: Optional[str] = None,
        api_key_file: Optional[str] = None,
    ) -> None:
        given = {
            "ml.batch.size": _positive("batch_size", batch_size),
            "ml.batch.fill.time": _millis("fill_time", fill_time),
            "ml.batch.poll.interval": _millis("poll_interval", poll_interval),
            "ml.batch.max.wait": _millis("max_wait", max_wait),
            "ml.batch.max.jobs": _positive("max_jobs", max_jobs),
            "ml.batch.max.resubmissions": _natural("max_resubmissions", max_resubmissions),
            "ml.batch.on.failure": _choice("on_failure", on_failure, ("fail", "side_output")),
            "ml.batch.api.shape": _choice("api_shape", api_shape, ("openai", "simple")),
            "ml.batch.api.request-url": _text("request_url", request_url),
            "batch_number": _text("batch_number", batch_number),
            "ml.batch.local.dir": _text("local_dir", local_dir),
            "ml.batch.submit.after-checkpoint": _flag(
                "submit_after_checkpoint", submit_after_checkpoint
            ),
            "ml.batch.results.topic": _text("results_topic", results_topic),
            "ml.batch.api.timeout": _millis("request_timeout", request_timeout),
            "ml.batch.api.max-retries": _natural("max_retries", max_retries),
            "ml.batch.api.retry-delay": _millis("retry_delay", retry_delay),
            "ml.batch.api.max-result-size": _bytes("max_result_bytes", max_result_bytes),
            "ml.batch.api-key.env": _text("api_key_env", api_key_env),
            "ml.batch.api-key.file": _text("api_key_file", api_key_file),
        }
        configuration = {key: value for key, value in given.items() if value is not None}
        configuration["ml.batch.enabled"] = "true"
        configuration["ml.batch.api.endpoint"] = _required_text("endpoint", endpoint)
        object.__setattr__(self, "configuration", configuration)

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, str]) -> "BatchInferenceOptions":
        """
        Takes the options of a configuration, under the names that they have there.

        ::

            >>> BatchInferenceOptions.from_configuration({
            ...     "ml.batch.enabled": "true",
            ...     "ml.batch.api.endpoint": "https://api.openai.com/v1",
            ...     "ml.batch.size": "5000"})

        :param configuration: Of a job or a session; what is about something else is left alone. The
                              values are read, and refused where they are wrong, when the options
                              are used; ``ml.batch.enabled`` must be true then.
        :raises InvalidOptionError: It has an ``ml.batch`` option that there is not, or the key
                                    itself, which does not belong into what is stored and shown.
        :raises InvalidOptionTypeError: It is no mapping from str to str.
        """
        if not isinstance(configuration, Mapping):
            raise InvalidOptionTypeError("configuration", configuration, "a mapping of str to str")
        taken: Dict[str, str] = {}
        for key, value in configuration.items():
            if key in _KEYS:
                if not isinstance(value, str):
                    raise InvalidOptionTypeError(key, value, "a str")
                taken[key] = value
            elif key == _API_KEY:
                raise InvalidOptionError(
                    key, "...", "in the TaskManagers' configuration; see ml.batch.api-key.env"
                )
            elif isinstance(key, str) and key.startswith(_PREFIX):
                known = ", ".join(sorted(_KEYS))
                raise InvalidOptionError("configuration", key, f"of the options {known}")
        options = cls.__new__(cls)
        object.__setattr__(options, "configuration", taken)
        return options

    @property
    def puts_failures_aside(self) -> bool:
        """Whether elements that fail for good go to the side output."""
        return self.configuration.get("ml.batch.on.failure", "").upper() == "SIDE_OUTPUT"

    def __hash__(self) -> int:
        return hash(frozenset(self.configuration.items()))


def _required_text(option: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidOptionTypeError(option, value, "a str")
    if not value.strip():
        raise InvalidOptionError(option, value, "a str that is not blank")
    return value


def _text(option: str, value: Any) -> Optional[str]:
    return None if value is None else _required_text(option, value)


def _flag(option: str, value: Any) -> Optional[str]:
    if value is None:
        return None
    if not isinstance(value, bool):
        raise InvalidOptionTypeError(option, value, "None or a bool")
    return "true" if value else "false"


def _choice(option: str, value: Any, accepted: Tuple[str, ...]) -> Optional[str]:
    return None if value is None else one_of(option, value, accepted)


def _millis(option: str, value: Any) -> Optional[str]:
    return None if value is None else f"{positive_millis(option, value, 'None or ')} ms"


def _positive(option: str, value: Any) -> Optional[str]:
    return None if value is None else str(positive_int(option, value, MAX_JAVA_INT))


def _natural(option: str, value: Any) -> Optional[str]:
    is_zero = isinstance(value, int) and not isinstance(value, bool) and value == 0
    return "0" if is_zero else _positive(option, value)


def _bytes(option: str, value: Any) -> Optional[str]:
    return None if value is None else f"{positive_int(option, value, MAX_JAVA_LONG)} bytes"
