"""Results as JUnit XML, in the form that Jenkins and its relatives read.

Source: `junit-10.xsd` of jenkinsci/xunit-plugin, which Maven's surefire, GitLab and others follow.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from socketlab.grading.out import told
from socketlab.grading.out.clean import one_line, visible
from socketlab.grading.out.platforms import text_of
from socketlab.grading.out.told import Told
from socketlab.grading.result import Grade
from socketlab.learner import Lab

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
KINDS = {"fail": "failure", "error": "error", "skip": "skipped"}


def suite(grade: Grade, lab: Lab) -> str:
    """One learner's checks as a <testsuite>. One that waits for another that fails is skipped."""
    checks = told.told(grade.result)
    counts = dict.fromkeys(KINDS.values(), 0)
    for check in checks:
        if check.verdict.outcome in KINDS:
            counts[KINDS[check.verdict.outcome]] += 1
    found = Element("testsuite", {"name": one_line(f"{lab.name}.{grade.person.id}")})
    for name, value in (("tests", len(checks)), *_totals(counts)):
        found.set(name, str(value))
    if grade.result:
        _properties(found, grade)
    for check in checks:
        _case(found, check, one_line(f"{lab.name}.{grade.person.id}"))
    indent(found, " ", 1)
    return " " + tostring(found, encoding="unicode") + "\n"


def junit(*suites: str) -> str:
    """A whole file of suites."""
    return "".join([HEAD, "<testsuites>\n", *suites, "</testsuites>\n"])


def _totals(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [
        ("failures", counts["failure"]),
        ("errors", counts["error"]),
        ("skipped", counts["skipped"]),
    ]


def _properties(found: Element, grade: Grade) -> None:
    assert grade.result
    values = {"seed": str(grade.result.seed), "sandbox": grade.result.sandbox}
    values |= {"points": f"{grade.points:g}", "out_of": f"{grade.out_of:g}"}
    listed = SubElement(found, "properties")
    for name, value in values.items():
        SubElement(listed, "property", {"name": name, "value": one_line(value)})


def _case(found: Element, check: Told, classname: str) -> None:
    verdict = check.verdict
    case = SubElement(found, "testcase", {"name": one_line(verdict.title), "classname": classname})
    if kind := KINDS.get(verdict.outcome):
        message = verdict.happened or check.word
        why = SubElement(case, kind, {"message": one_line(message)})
        if kind != "skipped":
            why.set("type", kind)
            why.text = visible(text_of(check))
