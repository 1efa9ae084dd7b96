"""What a graded class gives back, as files: nothing hidden is in it, and nothing hostile acts."""

import gc
import json
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import made_class
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_class import ALL, LAB, SECRET, a_class, crowd, failure, grade, mixed, result

from socketlab.grading.out import SCHEMA, gradebook_text, write_all, write_result
from socketlab.grading.out.clean import visible
from socketlab.grading.out.files import DEVICE, Names, replacing
from socketlab.grading.out.jsonfile import json_text
from socketlab.grading.out.platforms import classroom_output
from socketlab.grading.out.told import HIDDEN
from socketlab.grading.submission import Refusal
from socketlab.harness.verdicts import Verdict

OUT = made_class.ROOT / "socketlab" / "grading" / "out"
NOBODYS = Refusal("", f"who {ALL}", f"why {ALL}")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile class, written into a folder."""
    folder = tmp_path_factory.mktemp("class") / "results"
    paths = write_all(a_class(), LAB, folder, class_name=f"class {ALL}", refusals=(NOBODYS,))
    assert all(path.exists() for path in paths)
    assert {path for path in folder.iterdir() if path.is_file()} <= set(paths)
    assert set((folder / "students").iterdir()) <= set(paths)
    return folder


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file's name and text; each is valid UTF-8."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes().decode("utf-8")


def test_nothing_hidden_is_told(written: Path) -> None:
    told = dict(texts(written)) | {"terminal": gradebook_text(a_class(), LAB)}
    assert len(told) > 60
    assert [name for name, text in told.items() if SECRET in text] == []
    for name in ("classroom.json", "results.json"):
        value = json.loads(told[f"students/s0/{name}"])
        assert "hidden title one" in [test["name"] for test in value["tests"]]
        assert SECRET not in classroom_output(value)


def test_only_one_place_reads_what_checks_found() -> None:
    reads = re.compile(r"\.verdicts\b(?! import)")
    readers = [path.name for path in OUT.glob("*.py") if reads.search(path.read_text("utf-8"))]
    assert readers == ["told.py"]  # the gate that all has to pass


def test_hidden_checks_are_named_and_said_to_exist(written: Path) -> None:
    page = (written / "students" / "s0" / "feedback.html").read_text("utf-8")
    for title in ("hidden title one", "hidden, waits", "hidden, passes"):
        assert page.count(title) == 1
    assert HIDDEN in page
    assert HIDDEN not in (written / "students" / "s18" / "feedback.html").read_text("utf-8")


def test_no_file_holds_a_character_that_acts(written: Path) -> None:
    for name, text in texts(written):
        seen = text.replace("\r\n", "\n") if name.endswith(".csv") else text
        assert seen == visible(seen), name


def test_the_terminal_obeys_nothing() -> None:
    text = gradebook_text(a_class(), LAB)
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(text.split("\n")) == 3 + len(a_class())


def test_the_same_grades_give_the_same_bytes(written: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write_all(iter(a_class()), LAB, again, class_name=f"class {ALL}", refusals=(NOBODYS,))
    assert dict(texts(again)) == dict(texts(written))


def test_each_learner_has_a_folder_and_the_index_says_whose(written: Path) -> None:
    index = json.loads((written / "index.json").read_text("utf-8"))
    assert [each["student"] for each in index["students"][:2]] == ["s0", "s1"]
    assert len({each["folder"].casefold() for each in index["students"]}) == len(a_class())
    for each in index["students"]:
        assert {path.name for path in (written / each["folder"]).iterdir()} == set(each["files"])
    missing = next(each for each in index["students"] if each["student"] == "s15")
    assert missing["files"] == ["feedback.html"]


# One file


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")
    with pytest.raises(TypeError), replacing(path) as stream:
        print("half of a page", end=0, file=stream)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text() | st.sampled_from(["con", "NUL.txt", "COM1", "a", "A", "", "..", "x "])))
def test_names_are_safe_everywhere_and_their_own(ids: list[str]) -> None:
    names, given_out = Names(), []
    for text in ids:
        name = names.of(text)
        assert re.fullmatch(r"[\w@+][\w.@+-]*", name, re.ASCII)
        assert not DEVICE.fullmatch(name)
        assert name[-1] not in ". "
        assert len(name) < 160
        given_out.append(name.casefold())
    assert len(set(given_out)) == len(ids)


@pytest.mark.parametrize("text", ["ada", "ada.lovelace@example.org", "s-1_b+c"])
def test_a_name_that_is_safe_is_kept(text: str) -> None:
    assert Names().of(text) == text


def test_names_do_not_depend_on_who_else_is_there() -> None:
    names = Names()
    assert names.of("Zoë") != names.of("Zoé")
    assert names.of("../x") == Names().of("../x")


# JSON


def test_result_json_is_as_its_schema_says(written: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    judge = jsonschema.Draft202012Validator(
        SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    files = list(written.rglob("result.json"))
    assert len(files) == sum(each.result is not None for each in a_class())
    for path in files:
        judge.validate(json.loads(path.read_text("ascii")))


def test_the_schema_lets_nothing_of_a_hidden_check_through() -> None:
    one = grade("s1", mixed())
    value = write_result(one.result, one.submission)
    hidden = [check for check in value["checks"] if check["hidden"]]
    assert set(hidden[0]) == {"title", "outcome", "hidden", "points", "out_of"}
    for name in ("name", "got", "steps", "happened"):
        odd = json.loads(json_text(value))
        odd["checks"][-1][name] = "x"
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(odd, SCHEMA)


def test_result_json_says_what_was_found() -> None:
    one = grade("s1", mixed("b'x'"), points=1.0, lost=1.0)
    value = json.loads(json_text(write_result(one.result, one.submission, one)))
    assert (value["points"], value["out_of"]) == (2, 7)  # IPv6 does not apply
    assert value["checks"][1]["got"] == "got b'x'"
    assert value["handed_in"] == "2026-10-02T16:40:00Z"
    assert value["likely"]["mistake"] == "forgets b'x'"
    assert value["grade"]["points"] == 1.0
    assert value["digest"] == one.submission.digest


# Memory


def peak(count: int, folder: Path) -> int:
    """How much memory writing so many learners takes at most, in bytes."""
    gc.collect()
    tracemalloc.start()
    write_all(crowd(count), LAB, folder)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_class(tmp_path: Path) -> None:
    write_all(crowd(2), LAB, tmp_path)  # what is loaded once is not counted
    few, many = peak(100, tmp_path / "few"), peak(1000, tmp_path / "many")
    assert many < 3 * few  # a few words of each learner are kept; all results would be ten times


def test_a_page_is_not_longer_for_what_is_hidden() -> None:
    from socketlab.grading.out.feedback import feedback

    short = result(failure("test_hidden", "x"), hidden=("test_hidden",))
    long = result(failure("test_hidden", "x" * 100_000), hidden=("test_hidden",))
    assert feedback(grade("s", short), LAB) == feedback(grade("s", long), LAB)


def test_a_learner_without_a_result_is_told_why() -> None:
    from socketlab.grading.out.feedback import feedback

    assert "Nothing has been handed in" in feedback(grade("s"), LAB)
    refused = grade("s", refusals=(Refusal("s", "s.rar", "Send a .zip."),))
    assert "Send a .zip." in feedback(refused, LAB)
    stopped = grade(
        "s", result(Verdict("a", "b", "skip", happened="not tried until"), status="timeout")
    )
    assert "took too long" in feedback(stopped, LAB)
