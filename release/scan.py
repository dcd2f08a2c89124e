"""Looks for known holes in what is shipped and in what builds and tests it, without a network.

``scan.py --bill BOM.json`` compares the versions in Maven's bill of materials and in
``requirements/`` with ``advisories.json``, which people keep: see docs/adr/0028. It leaves with 1
for a hole that nobody has waived, a waiver whose time is over or that nothing needs any more, a
requirement without a version, and a list that was not reviewed for a quarter. ``--as-of-review``
takes the day of the last review for today, so that ``make lint`` finds the same on any day.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Optional

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from univers.version_range import VersionRange
from univers.versions import MavenVersion, PypiVersion

ROOT = Path(__file__).resolve().parent.parent
ADVISORIES = Path(__file__).resolve().parent / "advisories.json"
REVIEW_LASTS = timedelta(days=91)
# Files that hold for others; each of the others names one, or has versions of its own.
CONSTRAINTS = re.compile(r"^-c\s+(\S+)$", re.MULTILINE)
VERSIONS = {"maven": MavenVersion, "pypi": PypiVersion}


@dataclass(frozen=True)
class Part:
    """One version of a package: of Maven ``group/name``, of PyPI its normalised name."""

    ecosystem: str
    name: str
    version: str
    where: str

    def __str__(self) -> str:
        return "%s %s (%s)" % (self.name, self.version, self.where)


@dataclass(frozen=True)
class Waiver:
    """Why a hole does not matter here, and until when somebody answers for that."""

    reason: str
    until: date


@dataclass(frozen=True)
class Advisory:
    """A known hole: which versions of which package, and where that is told."""

    identifier: str
    ecosystem: str
    name: str
    affected: VersionRange
    source: str
    waiver: Optional[Waiver]

    def concerns(self, part: Part) -> bool:
        if (part.ecosystem, part.name) != (self.ecosystem, self.name):
            return False
        return VERSIONS[part.ecosystem](part.version) in self.affected


@dataclass(frozen=True)
class Review:
    """What people know, and since when."""

    day: date
    advisories: tuple[Advisory, ...]


def read_review(text: str) -> Review:
    """:raises ValueError: The list is not as it has to be; says which entry and why."""
    content = json.loads(text)
    return Review(
        date.fromisoformat(content["reviewed"]),
        tuple(_advisory(entry) for entry in content["advisories"]),
    )


def _advisory(entry: dict[str, Any]) -> Advisory:
    identifier = entry.get("id", "an entry without an id")
    try:
        affected = VersionRange.from_string(entry["affected"])
        ecosystem = affected.scheme
        if ecosystem not in VERSIONS:
            raise ValueError("its range is of %r, not of one of %s" % (ecosystem, [*VERSIONS]))
        if not entry["source"].startswith("https://"):
            raise ValueError("its source is no address")
        waiver = entry.get("waiver")
        return Advisory(
            identifier,
            ecosystem,
            entry["package"],
            affected,
            entry["source"],
            waiver and Waiver(waiver["reason"], date.fromisoformat(waiver["until"])),
        )
    except (KeyError, ValueError) as e:
        raise ValueError("%s of the advisories is not as it has to be: %r" % (identifier, e)) from e


def parts_of_bill(bill: dict[str, Any]) -> Iterator[Part]:
    """What Maven puts into the jar, and what it is compiled against."""
    for component in bill["components"]:
        name = "%s/%s" % (component["group"], component["name"])
        yield Part("maven", name, component["version"], "the jar's bill of materials")


def parts_of_requirements(directory: Path) -> Iterator[Part]:
    """
    All that the files of a directory pin.

    :raises ValueError: A file asks for a package that has no version, there or in the file that it
                        names as its constraints.
    """
    for file in sorted(directory.glob("*.txt")):
        text = file.read_text(encoding="utf-8")
        held = {
            part.name
            for named in CONSTRAINTS.findall(text)
            for part in _pins((directory / named).read_text(encoding="utf-8"), named)
        }
        pins = list(_pins(text, file.name))
        loose = _names(text) - held - {part.name for part in pins}
        if loose:
            raise ValueError("%s has no version for %s" % (file.name, ", ".join(sorted(loose))))
        yield from pins


def _requirements(text: str) -> Iterator[Requirement]:
    for line in text.splitlines():
        stripped = line.split(" #")[0].strip()
        if stripped and not stripped.startswith(("#", "-")):
            yield Requirement(stripped)


def _names(text: str) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in _requirements(text)}


def _pins(text: str, where: str) -> Iterator[Part]:
    for requirement in _requirements(text):
        for specifier in requirement.specifier:
            if specifier.operator == "==":
                name = canonicalize_name(requirement.name)
                yield Part("pypi", name, specifier.version, "requirements/" + where)


def findings(review: Review, parts: Iterable[Part], today: date) -> list[str]:
    """:return: What is wrong, a line each; empty if nothing is."""
    parts = list(parts)
    wrong = []
    if today > review.day + REVIEW_LASTS:
        wrong.append(
            "the list of advisories was last reviewed on %s, which is more than %d days ago"
            % (review.day, REVIEW_LASTS.days)
        )
    for advisory in review.advisories:
        concerned = [part for part in parts if advisory.concerns(part)]
        waiver = advisory.waiver
        if waiver is None:
            wrong += [
                "%s has %s: %s" % (part, advisory.identifier, advisory.source) for part in concerned
            ]
        elif not concerned:
            wrong.append("%s is waived, and nothing has it any more" % advisory.identifier)
        elif today > waiver.until:
            wrong.append(
                "%s of %s was waived until %s: %s"
                % (advisory.identifier, concerned[0], waiver.until, waiver.reason)
            )
    return wrong


def main() -> None:
    """Reads the command line."""
    command_line = argparse.ArgumentParser(description=__doc__)
    command_line.add_argument("--bill", type=Path, required=True, help="Maven's, by CycloneDX")
    command_line.add_argument("--as-of-review", action="store_true", help="whatever day it is")
    arguments = command_line.parse_args()
    try:
        review = read_review(ADVISORIES.read_text(encoding="utf-8"))
        bill = json.loads(arguments.bill.read_text(encoding="utf-8"))
        parts = [*parts_of_bill(bill), *parts_of_requirements(ROOT / "requirements")]
    except (OSError, ValueError) as e:
        sys.exit("cannot scan: %s" % e)
    wrong = findings(review, parts, review.day if arguments.as_of_review else date.today())
    if wrong:
        sys.exit("\n".join(wrong))
    waived = sum(advisory.waiver is not None for advisory in review.advisories)
    print(
        "%d versions, %d advisories as of %s: none concerns them but the %d that are waived"
        % (len(set(parts)), len(review.advisories), review.day, waived)
    )


if __name__ == "__main__":
    main()
