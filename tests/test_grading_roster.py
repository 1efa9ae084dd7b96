"""Rosters are read as spreadsheets and platforms write them, and people are found by any name."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socketlab.grading.roster import Roster, RosterError, parse_roster, read_roster, squeezed

PLAIN = """\
id,name,email,section
s1,Ada Lovelace,ada@school.org,A
s2,"Smith, Bob",bob@school.org,B
s3,Åse Björk Øst,ase@school.org,A
"""
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (77)
,,,,,Manual Posting
    Points Possible,,,,,10.00
"Lovelace, Ada",4321,s1,ada,"Lab A, Mon",7
"Smith, Bob",4322,s2,bob,B,
"Student, Test",4400,,9f8e,B,
"""
PARTICIPANTS = """\
First name,Last name,ID number,Email address,Groups
Ada,Lovelace,s1,ada@school.org,A
Bob,Smith,s2,bob@school.org,B
"""
GRADING_SHEET = """\
Identifier,Full name,Email address,Status,Grade,Feedback comments
Participant 901,Ada Lovelace,ada@school.org,Submitted for grading,,
Participant 902,Bob Smith,bob@school.org,No submission,,
"""
CLASSROOM = """\
"identifier","github_username","github_id","name"
"Lovelace, Ada","ada-l","4026","Ada"
"Smith, Bob","","",""
"""
GRADESCOPE = """\
First Name,Last Name,SID,Email,Role,Sections
Ada,Lovelace,s1,ada@school.org,Student,A
Bob,Smith,,bob@school.org,Student,A
Grace,Hopper,s9,grace@school.org,Instructor,
"""


def ids(text: str, encoding: str = "utf-8") -> list[str]:
    """The ids of the people in a roster with this text."""
    return [person.id for person in parse_roster(text.encode(encoding)).people]


def found(roster: Roster, text: str) -> str:
    """The id of whom the text names."""
    person = roster.find(text)
    return person.id if person else ""


def test_a_plain_table() -> None:
    roster = parse_roster(PLAIN.encode())
    ada = roster.people[0]
    assert (ada.id, ada.name, ada.email, ada.section) == (
        "s1",
        "Ada Lovelace",
        "ada@school.org",
        "A",
    )
    assert ada.columns == {
        "id": "s1",
        "name": "Ada Lovelace",
        "email": "ada@school.org",
        "section": "A",
    }


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_however_it_was_written(encoding: str, delimiter: str, end: str) -> None:
    text = PLAIN.replace(", ", "~").replace(",", delimiter).replace("~", ", ").replace("\n", end)
    roster = parse_roster(text.encode(encoding))
    assert [person.name for person in roster.people] == [
        "Ada Lovelace",
        "Smith, Bob",
        "Åse Björk Øst",
    ]


def test_a_line_for_excel_in_front() -> None:
    assert ids("sep=;\nid;name\ns1;Ada\n") == ["s1"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (CANVAS, ["s1", "s2"]),
        (PARTICIPANTS, ["s1", "s2"]),
        (GRADING_SHEET, ["ada@school.org", "bob@school.org"]),
        (CLASSROOM, ["Lovelace, Ada", "Smith, Bob"]),
        (GRADESCOPE, ["ada@school.org", "bob@school.org"]),  # not everybody has a SID
    ],
)
def test_exports_of_platforms(text: str, wanted: list[str]) -> None:
    assert ids(text) == wanted


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            PLAIN,
            ["s1", "S1", "ada@school.org", "ADA", "Ada Lovelace", "lovelace, ada", "lovelaceada"],
        ),
        (CANVAS, ["s1", "4321", "ada", "Ada Lovelace", "lovelaceada"]),
        (PARTICIPANTS, ["s1", "ada@school.org", "ada", "Ada_Lovelace", "LovelaceAda"]),
        (GRADING_SHEET, ["Participant 901", "ada", "Ada Lovelace"]),
        (CLASSROOM, ["ada-l", "4026", "Lovelace, Ada"]),
    ],
)
def test_somebody_is_found_by_any_name(text: str, names: list[str]) -> None:
    roster = parse_roster(text.encode())
    assert {found(roster, name) for name in names} == {roster.people[0].id}


@pytest.mark.parametrize(
    "name", ["", "Ada Lovelac", "Ada Lovelacee", "Ada", "Lovelace", "s11", "s", "A"]
)
def test_nobody_is_found_by_a_similar_name(name: str) -> None:
    roster = parse_roster(PLAIN.replace("ada@", "al@").encode())
    assert roster.find(name) is None


def test_accents_and_case_do_not_matter() -> None:
    roster = parse_roster(PLAIN.encode())
    for name in (
        "Åse Björk Øst",
        "ase bjork ost",
        "Øst Åse Björk",
        "BJÖRK ØST, ÅSE",
        "A\u030ase Bjo\u0308rk Ost",
    ):
        assert found(roster, name) == "s3"
    assert squeezed("हिन्दी") != squeezed("हन्द")  # vowels are signs there, not accents
    assert squeezed("王伟") == "王伟"


def test_an_id_goes_before_everybodys_other_names() -> None:
    roster = parse_roster(b"id,login,name\nada,x1,Bob Smith\ns2,ada,Ada Lovelace\n")
    assert found(roster, "ada") == "ada"


def test_a_name_of_two_people_is_an_error_that_names_them() -> None:
    roster = parse_roster(b"id,name\ns1,Wei Wang\ns2,Wang Wei\n")
    with pytest.raises(RosterError, match="s1 and s2"):
        roster.find("wang wei")
    assert found(roster, "s2") == "s2"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("lab-1-ada", []),
        ("ada_smith", []),
        ("lab-1-ada@school.org", ["s1"]),
        ("lab-20261-1234", ["1234"]),
        ("lab 12", []),
        ("s1_s2", ["s1", "s2"]),
        ("final s2 really", ["s2"]),
        ("jo_smith_lab", ["s4"]),
        ("smith_lab", []),
        ("adam", []),
        ("lovelace", []),
    ],
)
def test_whom_a_longer_text_mentions(text: str, wanted: list[str]) -> None:
    more = "s4,Jo,jo_smith@x.org,A\ns5,Sam,smith@x.org,A\n1234,Zoe,z@x.org,A\n12,Yu,y@x.org,B\n"
    more = PLAIN + more
    assert [person.id for person in parse_roster(more.encode()).mentioned(text)] == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("name,points\nAda,1\n", "No column is known to hold ids: name, points"),
        ("id,name\n", "nobody in it"),
        ("id,name\ns1,Ada\n,Bob\n", "Line 3 has no id"),
        ("id,name\ns1,Ada\n\ns1,Bob\n", "The id 's1' in line 4 is in line 2"),
        ("id,name\ns1,Ada\nS1,Bob\n", "The id 'S1' in line 3 is in line 2"),
        ("id,name\ns1,Lovelace, Ada\n", "Line 2 has 3 cells, and there are 2 columns"),
        ('id,name\ns1,"Ada\nLove', "Line 2 is no row"),
        ('id,name\ns1,"Ada" Lovelace\n', "Line 2 is no row"),
        ("id,name\ns\x071,Ada\n", "The id in line 2 is no text"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RosterError, match=message):
        parse_roster(text.encode())


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    with pytest.raises(RosterError, match="line 4 is in line 2"):
        parse_roster(b'id,name\ns1,"Ada\nLovelace"\ns1,Bob\n')


def test_a_file_that_is_not_there_or_far_too_large(tmp_path: Path) -> None:
    with pytest.raises(RosterError, match=r"people\.csv cannot be read: No such file"):
        read_roster(tmp_path / "people.csv")
    with open(tmp_path / "people.csv", "wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(RosterError, match="larger than 16 MiB"):
        read_roster(tmp_path / "people.csv")


CELLS = st.text(st.sampled_from('s12,;\t"\n\r =+é\0'), max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=5), st.binary(max_size=30))
def test_whatever_comes_there_is_an_answer(rows: list[list[str]], rest: bytes) -> None:
    data = b"id,name\n" + "\n".join(",".join(cells) for cells in rows).encode() + rest
    for each in (data, rest):
        try:
            roster = parse_roster(each)
        except RosterError:
            continue
        wanted = [person.id for person in roster.people]
        assert [found(roster, id_) for id_ in wanted] == wanted
