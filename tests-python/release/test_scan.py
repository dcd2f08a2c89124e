"""The scan for known holes finds what it has to, and its list is one that people answer for."""

import json
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "release"))

import scan
from scan import Part

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 22)
NETTY = "io.netty/netty-codec-http2"
FLOOD: dict[str, Any] = {
    "id": "CVE-2026-33871",
    "package": NETTY,
    "affected": "vers:maven/<4.1.132.Final",
    "source": "https://github.com/advisories/GHSA-w9fj-cfpg-grvv",
}
ARROW: dict[str, Any] = {
    "id": "CVE-2026-25087",
    "package": "pyarrow",
    "affected": "vers:pypi/>=15.0.0|<23.0.1",
    "source": "https://github.com/advisories/GHSA-rgxp-2hwp-jwgg",
}


def waived(advisory: dict[str, Any], until: date = TODAY) -> dict[str, Any]:
    return {**advisory, "waiver": {"reason": "not called", "until": until.isoformat()}}


def review(*advisories: dict[str, Any], day: date = TODAY) -> scan.Review:
    return scan.read_review(json.dumps({"reviewed": day.isoformat(), "advisories": advisories}))


def netty(version: str) -> Part:
    return Part("maven", NETTY, version, "the jar")


def pyarrow(version: str) -> Part:
    return Part("pypi", "pyarrow", version, "constraints.txt")


@pytest.mark.parametrize(
    "version", ["4.1.9.Final", "4.1.130.Final", "4.1.131.Final", "4.0.56.Final"]
)
def test_a_vulnerable_version_is_found(version: str) -> None:
    (found,) = scan.findings(review(FLOOD), [netty("4.1.140.Final"), netty(version)], TODAY)
    assert "%s %s (the jar) has CVE-2026-33871" % (NETTY, version) in found
    assert FLOOD["source"] in found


@pytest.mark.parametrize("version", ["4.1.132.Final", "4.1.137.Final", "4.2.10.Final"])
def test_a_fixed_version_is_not(version: str) -> None:
    assert scan.findings(review(FLOOD), [netty(version)], TODAY) == []


@pytest.mark.parametrize(
    ("version", "found"), [("14.0.2", 0), ("15.0.0", 1), ("23.0", 1), ("23.0.1", 0)]
)
def test_versions_of_python_are_compared_as_such(version: str, found: int) -> None:
    assert len(scan.findings(review(ARROW), [pyarrow(version)], TODAY)) == found


def test_an_advisory_is_of_one_ecosystem() -> None:
    other = Part("maven", "pyarrow", "16.1.0", "the jar")
    assert scan.findings(review(ARROW), [other], TODAY) == []


def test_a_waiver_ends() -> None:
    list_of_one = review(waived(ARROW))
    assert scan.findings(list_of_one, [pyarrow("16.1.0")], TODAY) == []
    (found,) = scan.findings(list_of_one, [pyarrow("16.1.0")], TODAY + timedelta(days=1))
    assert "CVE-2026-25087 of pyarrow 16.1.0" in found
    assert "was waived until 2026-11-22: not called" in found


def test_a_waiver_that_nothing_needs_is_told() -> None:
    (found,) = scan.findings(review(waived(ARROW)), [pyarrow("23.0.1")], TODAY)
    assert "nothing has it any more" in found


def test_a_list_that_nobody_reviewed_is_told() -> None:
    old = review(FLOOD, day=TODAY - scan.REVIEW_LASTS)
    assert scan.findings(old, [], TODAY) == []
    (found,) = scan.findings(old, [], TODAY + timedelta(days=1))
    assert "last reviewed" in found


@pytest.mark.parametrize(
    "change",
    [
        {"affected": "<4.1.132"},
        {"affected": "vers:npm/<1.0.0"},
        {"affected": None},
        {"source": "my memory"},
        {"waiver": {"reason": "no day"}},
        {"waiver": {"until": "2027-01-01"}},
        {"waiver": {"reason": "no day", "until": "soon"}},
    ],
)
def test_an_entry_that_says_too_little_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="CVE-2026-33871"):
        review({**FLOOD, **change})


def requirements(directory: Path, **files: str) -> list[Part]:
    for name, text in files.items():
        (directory / (name + ".txt")).write_text(text)
    return list(scan.parts_of_requirements(directory))


def test_a_requirement_has_its_version_in_its_file_or_in_its_constraints(tmp_path: Path) -> None:
    parts = requirements(
        tmp_path,
        constraints="# all\nPy_Arrow==16.1.0\nnumpy==2.1.3\n",
        test="-c constraints.txt\npy-arrow\nrich==15.0.0\n",
        other="tritonclient[grpc]==2.73.0  # a client\n",
    )
    assert {(part.name, part.version) for part in parts} == {
        ("py-arrow", "16.1.0"),
        ("numpy", "2.1.3"),
        ("rich", "15.0.0"),
        ("tritonclient", "2.73.0"),
    }


@pytest.mark.parametrize("line", ["rich", "rich>=13.7"])
def test_a_requirement_without_a_version_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match=r"test\.txt has no version for rich"):
        requirements(tmp_path, constraints="numpy==2.1.3\n", test="-c constraints.txt\n" + line)


def test_a_bill_of_materials_is_read() -> None:
    component = {"group": "io.netty", "name": "netty-codec-http2", "version": "4.1.130.Final"}
    (part,) = scan.parts_of_bill({"components": [component]})
    assert scan.findings(review(FLOOD), [part], TODAY)


def test_our_list_is_sound_and_our_requirements_are_all_looked_at() -> None:
    ours = scan.read_review(scan.ADVISORIES.read_text(encoding="utf-8"))
    parts = list(scan.parts_of_requirements(ROOT / "requirements"))
    assert len(parts) > 150
    assert scan.findings(ours, parts, ours.day) == []
    held = [advisory for advisory in ours.advisories if advisory.ecosystem == "maven"]
    assert len(held) > 20
