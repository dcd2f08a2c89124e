"""What the job has written: committed files of results and of dead letters."""

import contextlib
import pathlib
import re
from typing import Dict, Iterator, List, NamedTuple

import numpy as np

from .rows import Numbers

_DEAD_LETTER = re.compile(r"^\+I\[(\d+) [a-z]*, ([A-Z_]+), ", re.MULTILINE)


class Results(NamedTuple):
    """The numbers of rows and how many letters they came to the function with, file by file."""

    numbers: List[Numbers]
    letters: List[Numbers]


def results(directory: pathlib.Path) -> Results:
    read = Results([], [])
    for part in _committed(directory):
        columns = np.fromstring(part.read_text(), np.int64, sep=" ").reshape(-1, 2)
        read.numbers.append(columns[:, 0])
        read.letters.append(columns[:, 1])
    return read


def dead_letters(directory: pathlib.Path) -> Dict[str, Numbers]:
    """The numbers of rows that have no result, by the kind of their failure."""
    found: Dict[str, List[int]] = {}
    for part in _committed(directory):
        text = part.read_text()
        letters = _DEAD_LETTER.findall(text)
        if len(letters) != text.count("\n"):
            raise ValueError(f"{part.name} holds lines that are no dead letters")
        for number, kind in letters:
            found.setdefault(kind, []).append(int(number))
    return {kind: np.array(numbers, np.int64) for kind, numbers in found.items()}


def lines(directory: pathlib.Path) -> int:
    """How many lines were written, those too that are not yet committed."""
    counted = 0
    for part in directory.rglob("*part-*"):
        with contextlib.suppress(FileNotFoundError):  # it was committed just now
            counted += part.read_bytes().count(b"\n")
    return counted


def _committed(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """What is pending has a name that begins with a dot."""
    return (part for part in sorted(directory.rglob("part-*")) if part.is_file())
