"""Names and numbers as they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyflink_async_batch._watch.plain_text import (
    count,
    decimal,
    milliseconds,
    printable,
    printable_text,
    size,
)


@given(st.text())
def test_nothing_that_is_shown_can_steer_a_terminal(text: str) -> None:
    shown = printable(text)
    assert len(shown) <= 161
    assert shown.isprintable() or not text.isprintable()
    for character in shown:
        assert character == " " or character.isprintable() or ord(character) > 0x9F
    assert not set(shown) & set("\x1b\x07\x08\r\n\x9b\u202e\u2066\u2028")


def test_text_that_can_be_seen_is_kept() -> None:
    assert printable('<b>"é" 日本 & [red]') == '<b>"é" 日本 & [red]'
    assert printable("a\x1b[31mb") == "a\ufffd[31mb"
    assert printable("x" * 161) == "x" * 160 + "…"
    assert printable_text("two\n lines " + "y" * 170) == "two lines " + "y" * 160 + "…"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (count(None), "-"),
        (count(float("nan")), "-"),
        (count(0), "0"),
        (count(999_999), "999,999"),
        (count(1_500_000), "1.50M"),
        (count(2.5e9), "2.50G"),
        (decimal(1.26), "1.3"),
        (decimal(1234.6), "1,235"),
        (size(None), "-"),
        (size(1023), "1023 B"),
        (size(1536), "1.5 KiB"),
        (size(5 * 1024**4), "5.0 TiB"),
        (milliseconds(None), "-"),
        (milliseconds(9_999), "9999 ms"),
        (milliseconds(61_000), "1m 01s"),
        (milliseconds(3_720_000), "1h 02m"),
        (milliseconds(90_000_000), "1d 01h"),
    ],
)
def test_numbers(shown: str, expected: str) -> None:
    assert shown == expected
