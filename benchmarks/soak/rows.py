"""What is known of a row by its number: how long it is, and whether it is to fail.

Java's ``SeededTexts`` makes the rows, the function in the workers lets some fail, and the checks
ask here what should have become of them.
"""

from typing import NamedTuple, Tuple

import numpy as np

Numbers = "np.ndarray[Tuple[int], np.dtype[np.int64]]"

# The source is parted into pieces of so many numbers, each of which is read from its beginning.
PIECES = 2
ROWS_OF_A_PIECE = 2**40

_GOLDEN_RATIO = 0x9E3779B97F4A7C15
_ONE_FAILS_OF = 2_003
_ONE_RAISES_OF = 20_011


class Rows(NamedTuple):
    """What a seed makes of every number."""

    seed: int
    most_letters: int
    most_letters_of_large: int

    @property
    def fails(self) -> Tuple[int, int]:
        """Divisor and remainder of the numbers for which the function has no result."""
        return _ONE_FAILS_OF, self.seed % _ONE_FAILS_OF

    @property
    def raises(self) -> Tuple[int, int]:
        """Divisor and remainder of those for which it raises, whatever else is in the batch."""
        return _ONE_RAISES_OF, self.seed % _ONE_RAISES_OF

    def letters(self, numbers: Numbers) -> Numbers:
        """How many letters the rows have behind their number."""
        drawn = (numbers.astype(np.uint64) + np.uint64(self.seed)) * np.uint64(_GOLDEN_RATIO)
        drawn >>= np.uint64(40)
        most = np.where(drawn % 16 == 0, self.most_letters_of_large, self.most_letters)
        return ((drawn >> np.uint64(4)).astype(np.int64)) % most

    def are_to_fail(self, numbers: Numbers) -> "np.ndarray[Tuple[int], np.dtype[np.bool_]]":
        """Which of the numbers are to end as dead letters."""
        divisor, remainder = self.fails
        failing = numbers % divisor == remainder
        divisor, remainder = self.raises
        return failing | (numbers % divisor == remainder)
