"""How large merged calls may be after some were too large."""

from pyflink_async_batch._worker.learned_limit import LearnedLimit


def limits(limit: LearnedLimit) -> "tuple[int, int]":
    return limit.rows, limit.bytes


def test_half_of_what_was_too_large_is_allowed() -> None:
    limit = LearnedLimit(64, 10_000)
    limit.too_large(40, 6_000)
    assert limits(limit) == (20, 3_000)
    limit.too_large(64, 9_000)
    assert limits(limit) == (20, 3_000)
    limit.too_large(1, 1)
    assert limits(limit) == (1, 1)


def test_full_calls_that_succeed_raise_it_slowly_to_what_the_user_allows() -> None:
    limit = LearnedLimit(20, 1_000)
    limit.too_large(32, 1_600)
    assert limits(limit) == (16, 800)
    for _ in range(100):
        limit.succeeded(3, 10)
    assert limits(limit) == (16, 800)
    for _ in range(16):
        limit.succeeded(16, 100)
    assert limits(limit) == (18, 901)
    for _ in range(15):
        limit.succeeded(1, 900)
    assert limits(limit) == (18, 901)
    for _ in range(1 + 16):
        limit.succeeded(20, 1_000)
    assert limits(limit) == (20, 1_000)
