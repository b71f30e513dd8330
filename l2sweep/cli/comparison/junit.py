"""Write a comparison as JUnit XML, which CI systems show as test results.

The format has no standard. These elements and attributes are those that Jenkins and GitLab read: a test case
for each point and phase, with a failure where it is slower, and skipped where it is inconclusive. It is only
written here, and four kinds of elements are no reason for another dependency than the standard library.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from l2sweep.analysis.compare.headline import point_name, total_name, with_interval
from l2sweep.analysis.compare.result import Comparison, ComparisonResult
from l2sweep.analysis.compare.rows.samples import Point
from l2sweep.analysis.compare.rows.settings import settings_of_each
from l2sweep.errors import printable


def junit_xml(results: Sequence[tuple[str, ComparisonResult]]) -> str:
    """Return comparisons as an XML document: one test suite, or several in one ``testsuites``.

    Args:
        results: The name of each comparison, and the comparison.
    """
    suites = [_suite(printable(name), result) for name, result in results]
    root = suites[0]
    if len(suites) > 1:
        root = ElementTree.Element("testsuites")
        root.extend(suites)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _suite(suite_name: str, result: ComparisonResult) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=suite_name)
    # A test case is known by its name, so points that differ in more than size and depth say in what.
    failed = [one.point for one in result.new_failures if one.point]
    points = [*(one.point for one in result.points), *failed]
    names = dict(zip(points, map(_name, points, settings_of_each(points)), strict=True))
    cases: list[tuple[str, str, Comparison]] = [
        *((f"{one.adapter}.{one.phase}", total_name(one), one) for one in result.totals),
        *((f"{one.point.adapter}.{one.point.phase}", names[one.point], one) for one in result.points),
    ]
    for class_name, name, one in cases:
        case = _case(suite, class_name, name)
        if one.verdict == "slower":
            ElementTree.SubElement(case, "failure", type="slower", message=with_interval(one))
        elif one.verdict == "inconclusive":
            ElementTree.SubElement(case, "skipped", message=printable(one.reason))
    for failure in result.new_failures:
        adapter = failure.point.adapter if failure.point else "unknown"
        name = names[failure.point] if failure.point else f"point {failure.point_id}"
        case = _case(suite, f"{adapter}.{failure.phase}", f"{name}, {failure.phase} fails")
        ElementTree.SubElement(case, "failure", type="failing", message=printable(failure.reason))
    for kind in ("failure", "skipped"):
        plural = {"failure": "failures"}.get(kind, kind)
        suite.set(plural, str(sum(case.find(kind) is not None for case in suite)))
    suite.set("tests", str(len(suite)))
    output = ElementTree.SubElement(suite, "system-out")
    lines = [result.headline, *(f"{one.name}: {one.base} -> {one.candidate}" for one in result.environment)]
    output.text = "\n".join(map(printable, lines))
    return suite


def _name(point: Point, settings: str) -> str:
    return f"{point_name(point)}, {settings}" if settings else point_name(point)


def _case(suite: ElementTree.Element, class_name: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=printable(class_name), name=printable(name))
