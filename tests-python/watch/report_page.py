"""Reads a report as strictly as the standard library can. In a browser: tests-python/browser."""

import re
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
# Every element that a report is made of: none of them loads, runs or submits anything.
_ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div"),
    *("dl", "dt", "dd"),
    *(SVG + name for name in ("svg", "title", "text", "line", "polyline", "circle", "rect")),
}
_ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "role", "viewBox"),
    *("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "points", "fill", "stroke"),
    *("text-anchor", "width", "height"),
}


def parse(text: str) -> ElementTree.Element:
    """
    The page's root. A page that is no well-formed XML, that has an element or an attribute which a
    report has no need of, or that draws a point outside of its picture, fails the test.
    """
    assert text.startswith("<!DOCTYPE html>\n")
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert element.tag in _ELEMENTS
        assert set(element.attrib) <= _ATTRIBUTES, element.attrib
    (style,) = root.iter("style")
    assert not re.search(r"url\(|@import|expression", style.text or "")
    for svg in root.iter(SVG + "svg"):
        _, _, width, height = (float(part) for part in svg.attrib["viewBox"].split())
        for line in svg.iter(SVG + "polyline"):
            for x, y in _points(line):
                assert 0 <= x <= width
                assert 0 <= y <= height
    return root


def plots(root: ElementTree.Element) -> dict[str, list[int]]:
    """The plots by their titles: how many points each of their lines has."""
    return {
        str(svg.findtext(SVG + "title")): [
            len(_points(line)) for line in svg.iter(SVG + "polyline")
        ]
        for svg in root.iter(SVG + "svg")
    }


def _points(line: ElementTree.Element) -> list[tuple[float, float]]:
    pairs = (point.split(",") for point in line.attrib["points"].split())
    return [(float(x), float(y)) for x, y in pairs]
