"""Which GPUs a worker gets: never more than there are, and parts where the least is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyflink_async_batch._worker.gpu_assignment import WHOLE, assign

DEVICES = ["0", "1", "2"]
WANTED = st.one_of(st.integers(1, WHOLE), st.sampled_from([2 * WHOLE, 3 * WHOLE, 4 * WHOLE]))


@pytest.mark.parametrize(
    ("wanted", "taken", "expected"),
    [
        (50, {}, ["0"]),
        (50, {"0": 50}, ["0"]),
        (50, {"0": 50, "1": 50}, ["0"]),
        (50, {"0": 60, "1": 30}, ["1"]),
        (30, {"0": 60, "1": 70, "2": 10}, ["1"]),
        (30, {"0": 80, "1": 90, "2": 71}, None),
        (1, {"0": 100, "1": 100, "2": 99}, ["2"]),
        (100, {"0": 1}, ["1"]),
        (200, {"1": 1}, ["0", "2"]),
        (300, {"1": 1}, None),
        (400, {}, None),
    ],
)
def test_examples(wanted: int, taken: dict[str, int], expected: object) -> None:
    assert assign(wanted, DEVICES, taken) == expected


@given(st.lists(st.one_of(WANTED, st.integers(-10, -1)), max_size=60))
def test_no_device_is_ever_dealt_out_twice(steps: list[int]) -> None:
    """A negative step gives back what the worker at that place has; the others take."""
    held: list[tuple[int, list[str]]] = []
    for step in steps:
        if step < 0:
            if held:
                held.pop(step % len(held))
            continue
        taken = dict.fromkeys(DEVICES, 0)
        for part, devices in held:
            for device in devices:
                taken[device] += part
        assert max(taken.values()) <= WHOLE
        chosen = assign(step, DEVICES, taken)
        part = min(step, WHOLE)
        room = [device for device in DEVICES if taken[device] + part <= WHOLE]
        needed = max(1, step // WHOLE)
        if chosen is None:
            assert len(room) < needed
        else:
            assert len(set(chosen)) == len(chosen) == needed
            assert set(chosen) <= set(room)
            held.append((part, chosen))
