"""Text from a cluster, and numbers, as a terminal or a page may show them."""

import math
import unicodedata
from typing import Optional

_LONGEST = 160
UNKNOWN = "-"


def printable(text: str) -> str:
    """
    A name without what would do something instead of being seen: control characters, with which a
    name could steer a terminal, and those that change the direction of text. Cut where it is long.
    """
    shown = "".join("\ufffd" if _acts(character) else character for character in text[:_LONGEST])
    return shown + ("…" if len(text) > _LONGEST else "")


def printable_text(text: str) -> str:
    """The same for a sentence, whose words are cut but not it."""
    return " ".join(printable(word) for word in text.split())


def _acts(character: str) -> bool:
    # Cc: controls; Cf: formats, such as those of direction; Cs: surrogates; Zl, Zp: line ends.
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def count(value: Optional[float]) -> str:
    """A whole number, or a rounded one from a million on."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if abs(value) >= size:
            return "%.2f%s" % (value / size, unit)
    return f"{value:,.0f}"


def decimal(value: Optional[float]) -> str:
    """A number with at least two digits that count."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return count(value) if abs(value) >= 100 else "%.1f" % value


def size(value: Optional[float]) -> str:
    """Bytes, in units of 1,024."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return "%.0f %s" % (value, unit) if unit == "B" else "%.1f %s" % (value, unit)
        value /= 1024
    return "%.1f TiB" % value


def milliseconds(value: Optional[float]) -> str:
    """A duration, of milliseconds up to days."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return "%.0f ms" % value if value < 10_000 else duration(value / 1000)


def duration(value: float) -> str:
    """Seconds, of seconds up to days."""
    seconds = int(value)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return "%dd %02dh" % (days, hours % 24)
    if hours:
        return "%dh %02dm" % (hours, minutes % 60)
    return "%dm %02ds" % (minutes, seconds % 60)
