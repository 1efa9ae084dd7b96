"""Labs, solutions and mutants: the checks pass what is right and catch each mistake by name."""

import json
import re
import tomllib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from socketlab.harness.guide import first_failure, read_guide
from socketlab.harness.report import explanation
from socketlab.harness.runner import run_checks
from socketlab.harness.verdicts import Verdict
from socketlab.learner import Lab, check

ROOT = Path(__file__).parents[1]
LABS = [Lab(ROOT, path.stem) for path in sorted((ROOT / "labs").glob("[0-9]*.py"))]
NUMBERS = [lab.name[:2] for lab in LABS]


def bank(kind: str) -> list[Path]:
    """The programs of a kind, for all labs: `correct` or `mutants`."""
    return sorted((ROOT / "solutions" / kind).glob("[0-9]*.py"))


SOLUTIONS = [ROOT / "solutions" / f"{lab.name}.py" for lab in LABS]
RIGHT = [*SOLUTIONS, *bank("correct")]
MUTANTS = bank("mutants")


def lab_of(path: Path) -> Lab:
    return next(lab for lab in LABS if lab.name[:2] == path.name[:2])


def run(path: Path) -> list[Verdict]:
    """Every verdict on a right program; on a mutant those up to the first failure, unless the
    diagnosis looks further."""
    lab = lab_of(path)
    files = [lab.checks, lab.hidden_checks]
    if path not in MUTANTS:
        return run_checks(path, files, lab.reading, patience=5.0, jobs=2)
    short = not read_guide(lab.guide).needs_all
    return run_checks(path, files, lab.reading, patience=2.0, first_failure=short, jobs=1)


def mistake_of(path: Path) -> dict[str, str]:
    """What a mutant says of itself, by the words before the colon."""
    told = r"^(Mistake|Caught by|Says|Diagnosed as): (.+)$"
    return dict(re.findall(told, path.read_text(), re.MULTILINE))


def diagnosed(path: Path, verdicts: list[Verdict]) -> str:
    """The name of the mistake that is most likely behind these verdicts, or "nothing"."""
    diagnosis = read_guide(lab_of(path).guide).diagnose(verdicts)
    return diagnosis.name if diagnosis else "nothing"


@pytest.fixture(scope="module")
def runs(request):
    """For each selected program, its verdicts to come: they mostly wait, so they wait together."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    paths = {call.params["path"] for call in calls if call and "path" in call.params}
    with ThreadPoolExecutor(4) as pool:
        futures: dict[Path, Future] = {path: pool.submit(run, path) for path in sorted(paths)}
        yield futures
        for future in futures.values():
            future.cancel()


def named(paths):
    return pytest.mark.parametrize(
        "path", paths, ids=lambda path: f"{path.parent.name}/{path.stem}"
    )


@named(RIGHT)
def test_right_programs_pass_every_check(runs, path):
    verdicts = runs[path].result()
    assert [(v.title, explanation(v)) for v in verdicts if v.outcome != "pass"] == []
    assert len(verdicts) > 10


@named(MUTANTS)
def test_each_mutant_is_caught_by_the_check_it_names(runs, path):
    told = mistake_of(path)
    caught = first_failure(runs[path].result())
    assert caught, "no check fails"
    assert (caught.outcome, caught.name) == ("fail", told["Caught by"]), explanation(caught)
    assert told["Says"] in explanation(caught)


@named(MUTANTS)
def test_each_mutant_is_diagnosed_as_it_says(runs, path):
    verdicts = runs[path].result()
    assert diagnosed(path, verdicts) == mistake_of(path)["Diagnosed as"], first_failure(verdicts)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_starter_fails_at_its_first_hole(number):
    result = check(number)
    first, *others = result.verdicts
    assert (first.outcome, {v.outcome for v in others}) == ("fail", {"skip"})
    line = first.program.removeprefix("Line ").split(" ")[0]
    assert "TODO" in lab_of(Path(number)).program.read_text().splitlines()[int(line) - 1]
    assert "Traceback" not in repr(result)


@pytest.mark.parametrize("lab", LABS, ids=NUMBERS)
class TestFiles:
    def test_each_lab_has_its_files_and_a_bank(self, lab):
        files = [lab.program, lab.checks, lab.hidden_checks, ROOT / "solutions" / lab.program.name]
        assert [file for file in files if not file.is_file()] == []
        assert sum(path.name[:2] == lab.name[:2] for path in bank("correct")) >= 2
        assert sum(path.name[:2] == lab.name[:2] for path in MUTANTS) >= 8

    def test_the_guide_speaks_of_checks_that_are_there(self, lab):
        guide = read_guide(lab.guide)
        source = lab.checks.read_text() + lab.hidden_checks.read_text()
        checks = set(re.findall(r"^def (test_\w+)", source, re.MULTILINE))
        public = set(re.findall(r"^def (test_\w+)", lab.checks.read_text(), re.MULTILINE))
        named = {name for row in guide.diagnoses for name in (*row.check, *row.fails, *row.passes)}
        assert named - checks == set()
        assert set(guide.hints) - public - {row.name for row in guide.diagnoses} == set()
        assert public - set(guide.hints) == set()

    def test_hints_come_in_steps_and_only_the_last_may_be_code(self, lab):
        steps = read_guide(lab.guide).hints.values()
        assert [step for step in steps if len(step) < 2] == []
        code = (ROOT / "solutions" / lab.program.name).read_text().splitlines()
        typed = {line.strip() for line in code if len(line.strip()) > 12}
        early = [text for step in steps for text in step[:-1] if any(t in text for t in typed)]
        assert early == []

    def test_starter_and_solution_have_one_outline(self, lab):
        starter = lab.program.read_text()
        solution = (ROOT / "solutions" / lab.program.name).read_text()
        assert outline(starter) == outline(solution)
        assert starter.count("TODO") - 1 == starter.count('NotImplementedError("TODO') > 0
        assert "TODO" not in solution

    def test_the_handout_counts_the_hidden_checks(self, lab):
        words = ["no", "one", "two", "three", "four", "five"]
        count = lab.hidden_checks.read_text().count("@lab_check")
        assert f"{words[count]} more checks are hidden" in " ".join(
            lab.program.read_text().lower().split()
        )


def outline(source: str) -> list[str]:
    """The signatures and docstrings of the functions, and the main program."""
    kept = re.findall(r'^(?:def .+|class .+|    """.+""")$', source, re.MULTILINE)
    return [*kept, source[source.index("def main") :]]


def headings(notebook: str) -> list[str]:
    """The headings of a notebook, without their numbers."""
    cells = json.loads((ROOT / "notebooks" / f"{notebook}.ipynb").read_text("utf-8"))["cells"]
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.findall(r"^#+ +(?:\d+\. +)?(.+?)\s*$", prose, re.MULTILINE)


def test_what_a_failure_tells_to_read_is_there():
    table = tomllib.loads((ROOT / "labs/checks/reading.toml").read_text("utf-8"))
    files = [*ROOT.glob("labs/checks/*.py"), *ROOT.glob("solutions/checks/*.py")]
    used = {key for file in files for key in re.findall(r'read="(\w+)"', file.read_text())}
    used |= {row.read for lab in LABS for row in read_guide(lab.guide).diagnoses if row.read}
    assert used == set(table)
    missing = [r for r in table.values() if r["section"] not in headings(r["notebook"])]
    assert missing == []
