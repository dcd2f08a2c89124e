"""Whether something that was measured again and again has grown since it was warm."""

import statistics
from typing import Iterable, List, NamedTuple, Tuple

# Of what was done, or of the time that it took.
_WARM_UP_SHARE = 0.25
_WINDOW_SHARE = 0.1


class Growth(NamedTuple):
    """The medians of a window after the warm-up and of one at the end."""

    warm: float
    end: float

    @property
    def share(self) -> float:
        return self.end / self.warm - 1


def growth(measured: Iterable[Tuple[float, float]]) -> Growth:
    """
    :param measured: pairs of how far it was, ascending from about 0, and what was measured then.
    :raises ValueError: One of the windows holds nothing.
    """
    pairs = list(measured)
    far = max((progress for progress, _ in pairs), default=0.0)
    return Growth(
        _median(pairs, far * _WARM_UP_SHARE, far * _WINDOW_SHARE),
        _median(pairs, far * (1 - _WINDOW_SHARE), far * _WINDOW_SHARE),
    )


def _median(pairs: List[Tuple[float, float]], begin: float, length: float) -> float:
    inside = [value for progress, value in pairs if begin <= progress <= begin + length]
    if not inside:
        raise ValueError(f"nothing was measured from {begin:g} to {begin + length:g}")
    return statistics.median(inside)
