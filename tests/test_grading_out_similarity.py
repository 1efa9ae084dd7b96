"""The report of similar programs: copies are found, right programs and the starter are not."""

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from made_class import ALL, LAB, ROOT

from socketlab.grading.similarity import COMMON, SimilarityError, similarity
from socketlab.grading.submission import Found, Person, Submission

CORRECT = sorted((ROOT / "solutions" / "correct").glob("04_*.py"))
ORIGINAL = CORRECT[0].read_text("utf-8")


def handed_in(programs: Iterable[tuple[str, str | bytes]]) -> Found:
    """A class that handed in these programs."""
    sources = [(who, p if isinstance(p, bytes) else p.encode()) for who, p in programs]
    people = tuple(Person(who) for who, _ in sources)
    return Found(
        people, tuple(Submission(student=w, source=s, name=f"{w}.py") for w, s in sources)
    )


def report(folder: Path, *programs: tuple[str, str | bytes]) -> tuple[str, list[str]]:
    """The first page, and the names of the pages of pairs."""
    pytest.importorskip("copydetect", reason="copydetect is not installed")
    path = similarity(handed_in(programs), LAB, folder)
    return path.read_text("utf-8"), sorted(p.name for p in (folder / "similar").iterdir())


def renamed(text: str) -> str:
    """A copy by somebody who does not want it to be seen."""
    for one, other in (("conn", "client_socket"), ("data", "stuff"), ("self", "this")):
        text = text.replace(one, other)
    return "# all my own work\n" + text.replace("\n\n\n", "\n\n").replace("    ", "\t")


def test_a_renamed_copy_is_found_and_shown(tmp_path: Path) -> None:
    others = [(path.stem, path.read_text("utf-8")) for path in CORRECT]
    page, pairs = report(tmp_path, *others, ("copy", renamed(ORIGINAL)))
    assert pairs == [f"{CORRECT[0].stem}+copy.html"]  # and no two right programs
    assert 'href="similar/' in page
    shown = (tmp_path / "similar" / pairs[0]).read_text("utf-8")
    assert shown.count("<mark>") > 20
    assert "Content-Security-Policy" in shown


def test_the_starters_lines_never_count(tmp_path: Path) -> None:
    starter = LAB.program.read_text("utf-8")
    lines = (f"{starter}\nnumber_{n} = {n} ** {n}\nprint('{n}')\n" for n in range(3))
    _, pairs = report(tmp_path, *((f"s{n}", text) for n, text in enumerate(lines)))
    assert pairs == []
    _, pairs = report(tmp_path, ("s1", starter), ("s2", starter))
    assert pairs == []


def test_no_line_of_the_starter_is_marked(tmp_path: Path) -> None:
    own = "".join(
        f"def step_{n}(a, b):\n    return a.send(b[{n}:]) + {n} * len(b)\n" for n in range(9)
    )
    text = f"{LAB.program.read_text('utf-8')}\n{own}"
    _, pairs = report(tmp_path, ("s1", text), ("s2", text))
    shown = (tmp_path / "similar" / pairs[0]).read_text("utf-8")
    marked = [part.split("</mark>")[0] for part in shown.split("<mark>")[1:]]
    assert len(marked) == 2 * len(own.splitlines())


def test_blank_lines_in_front_do_not_move_the_marks(tmp_path: Path) -> None:
    _, pairs = report(tmp_path, ("s1", ORIGINAL), ("s2", "\n" * 9 + ORIGINAL))
    shown = (tmp_path / "similar" / pairs[0]).read_text("utf-8")
    marked = [part.split("</mark>")[0] for part in shown.split("<mark>")[1:]]
    half = len(marked) // 2
    assert half > 20
    assert marked[:half] == marked[half:]


def test_what_all_have_written_is_nobodys(tmp_path: Path) -> None:
    _, pairs = report(tmp_path, *((f"s{n}", ORIGINAL) for n in range(COMMON + 1)))
    assert pairs == []


def test_odd_programs_break_nothing(tmp_path: Path) -> None:
    odd = (
        b"",
        b"\xff\xfe\0",
        b"x" * 5,
        b"\xef\xbb\xbfprint(1)\r\n",
        ALL.encode("utf-8", "replace"),
    )
    page, _ = report(tmp_path, *((f"s{n} {ALL}"[:9], text) for n, text in enumerate(odd)))
    assert "5 programs" in page


def test_the_last_attempt_counts(tmp_path: Path) -> None:
    pytest.importorskip("copydetect", reason="copydetect is not installed")
    found = handed_in([("a", ORIGINAL), ("b", ORIGINAL)])
    later = Submission(student="b", source=b"print(1)\n", name="b.py", attempt=2)
    found = Found(found.people, (later, *found.submissions))
    similarity(found, LAB, tmp_path)
    assert list((tmp_path / "similar").iterdir()) == []


def test_without_the_library_there_is_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "copydetect", None)
    with pytest.raises(SimilarityError, match=r"pip install 'socketlab\[similarity\]'"):
        similarity(handed_in([]), LAB, tmp_path)
