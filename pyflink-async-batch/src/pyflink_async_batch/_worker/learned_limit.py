"""How large calls may be, as those that were too large have taught."""

# Full calls that have to succeed before larger ones are tried.
_SUCCESSES_TO_GROW = 16
# By which share of itself a limit grows.
_GROWTH = 8


class LearnedLimit:
    """
    Half of what was too large, and from then on slowly more, as the operator does with its batches.
    Arithmetic alone.

    :param most_rows: of a call, as the user allows.
    :param most_bytes: likewise.
    """

    def __init__(self, most_rows: int, most_bytes: int) -> None:
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._successes = 0
        self.rows = most_rows
        self.bytes = most_bytes

    def too_large(self, rows: int, size: int) -> None:
        """A call of so many rows and bytes was too large; nobody knows which of them was."""
        self.rows = max(1, min(self.rows, rows // 2))
        self.bytes = max(1, min(self.bytes, size // 2))
        self._successes = 0

    def succeeded(self, rows: int, size: int) -> None:
        """A call of so many rows and bytes was not."""
        if self.rows == self._most_rows and self.bytes == self._most_bytes:
            return
        if rows < self.rows and size <= self.bytes - self.bytes // _GROWTH:
            return
        self._successes += 1
        if self._successes == _SUCCESSES_TO_GROW:
            self._successes = 0
            self.rows = min(self._most_rows, self.rows + max(1, self.rows // _GROWTH))
            self.bytes = min(self._most_bytes, self.bytes + self.bytes // _GROWTH + 1)
