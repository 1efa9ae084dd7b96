"""Who is in the class: a table as spreadsheets and learning platforms export it.

Known are, by their columns:
    Canvas, gradebook      Student, ID, SIS User ID, SIS Login ID, Section; a row of points
    Moodle, participants   First name, Last name (or Surname), ID number, Email address
    Moodle, grading sheet  Identifier ("Participant 123"), Full name, Email address
    GitHub Classroom       identifier, github_username, github_id, name
    Gradescope             First Name, Last Name, SID, Email, Role
and any table with a column for an id or an e-mail address, such as: id, name, email, section.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from socketlab.grading.submission import Person

# The columns that may tell people apart. The first that every person has is the id.
IDS = ("sis user id", "sis login id", "student id", "sid", "student number", "matrikelnummer")
IDS += ("id number", "idnumber", "id", "username", "user name", "login", "login id", "user id")
IDS += ("email", "email address", "e-mail", "e-mail address", "e-mail-adresse", "mail")
IDS += ("identifier", "github_username", "github_id")
NAMES = ("name", "full name", "student", "student name", "vollständiger name")
FIRST = ("first name", "firstname", "given name", "given_name", "vorname")
LAST = ("last name", "lastname", "surname", "family name", "family_name", "nachname")
EMAILS = ("email", "email address", "e-mail", "e-mail address", "e-mail-adresse", "mail")
SECTIONS = ("section", "sections", "section_name", "group", "groups", "group_name", "gruppen")
ROLES = ("role", "roles", "rolle")
STAFF = frozenset({"instructor", "ta", "teacher", "reader", "designer", "observer", "dozent"})
TEST_STUDENT = ("student, test", "test student")  # Canvas adds one to each course
POINTS = "points possible"
LARGEST = 16 << 20  # bytes
HANDLE = re.compile(r"\d{4}|[^\W\d_]\d|\d[^\W\d_]|\w[_@.-]\w")  # no mere word, no small number
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe"})
ACCENTS = range(0x300, 0x370)  # combining marks of Latin, Greek and Cyrillic letters


class RosterError(ValueError):
    """A roster cannot be used, or does not tell who is meant; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Roster:
    """The people of a class, in the order of their table, and who they are by any of their names.

    `handles` are what names exactly one or more people, folded: ids first, then what else is
    given to one person alone (login, e-mail), then names of people.
    """

    people: tuple[Person, ...]
    handles: tuple[Mapping[str, tuple[Person, ...]], ...] = field(repr=False)

    def find(self, text: str) -> Person | None:
        """Whoever has this id, e-mail address, login or name; None if nobody has.

        Names are found in any order of their parts, without regard to accents, case, spaces and
        punctuation, never because they are only similar. RosterError if several people have it.
        """
        keys = (exact(text), exact(text), squeezed(text))
        for handles, key in zip(self.handles, keys, strict=True):
            if found := handles.get(key):
                return _only(found, text)
        return None

    def mentioned(self, text: str) -> tuple[Person, ...]:
        """Everybody whose id, login or e-mail is a part of the text between spaces, "_" and "-".

        Such a part must look like one: with letters and digits, four digits or more, or more than
        one word. `ada` in `ada_smith` may be anybody's first name, and `jo_smith` is not `smith`.
        """
        words = list(re.finditer(r"[^\s_\-]+", text[:200]))
        runs = [(a.start(), b.end()) for n, a in enumerate(words) for b in words[n:]]
        found = [(run, who) for run in runs if (who := self._known(text[slice(*run)]))]
        outer = [
            who
            for (start, end), who in found
            if not any(a <= start and end <= b and (a, b) != (start, end) for (a, b), _ in found)
        ]
        return tuple({person.id: person for who in outer for person in who}.values())

    def _known(self, text: str) -> tuple[Person, ...]:
        key = exact(text)
        if not HANDLE.search(key):
            return ()
        return self.handles[0].get(key) or self.handles[1].get(key) or ()


def _only(found: tuple[Person, ...], text: str) -> Person:
    if len(found) > 1:
        ids = " and ".join(person.id for person in found)
        raise RosterError(f"{text!r} may be {ids} of the roster. Use an id, which names only one.")
    return found[0]


def exact(text: str) -> str:
    """What two ids, logins or e-mail addresses have in common if they are the same."""
    return unicodedata.normalize("NFC", text.strip()).casefold()


def squeezed(name: str) -> str:
    """What two spellings of a name have in common: its letters, without case and accents."""
    folded = unicodedata.normalize("NFKD", name.casefold().translate(LETTERS))
    return "".join(c for c in folded if ord(c) not in ACCENTS and _is_of_a_word(c))


def _is_of_a_word(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter).startswith("M")  # vowels in Hindi


def read_roster(path: Path) -> Roster:
    """The roster in a file of comma-separated values. RosterError, with the line, if it is not."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise RosterError(f"The roster {path} cannot be read: {error.strerror}.") from None
    if len(data) > LARGEST:
        raise RosterError(f"The roster {path} is larger than 16 MiB: it is not a table of people.")
    return parse_roster(data, str(path))


def parse_roster(data: bytes, name: str = "roster") -> Roster:
    """The roster in bytes; `name` is for what a RosterError says."""
    try:
        rows = _rows(_text(data))
        if not rows:
            raise RosterError("It is empty. It needs a line of column names, then one a person.")
        header = [_column(cell) for cell in rows[0][1]]
        table = [_by_column(rows[0][1], line, cells) for line, cells in rows[1:]]
        return _roster(header, [(line, row) for line, row in table if _is_learner(row)])
    except (RosterError, csv.Error) as error:
        raise RosterError(f"The roster {name} cannot be used. {error}") from None


def _text(data: bytes) -> str:
    """The table's text, whatever program wrote it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in data[:200]:
        encodings = ["utf-16-le" if data[1:2] == b"\0" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    raise RosterError("It is cut short. Export it again, as CSV in UTF-8.")


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its first line."""
    first = re.split(r"\r\n|\r|\n", text, maxsplit=1)[0]
    said = re.fullmatch(r'"?sep=(.)"?', first, re.IGNORECASE)  # for Excel
    delimiter = said[1] if said else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = []
    line = 1
    try:
        for cells in reader:
            rows.append((line, [cell.strip() for cell in cells]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise RosterError(
            f"Line {line} is no row of a table ({error}). Look at its quotes."
        ) from None
    return [(line, cells) for line, cells in rows[bool(said) :] if any(cells)]


def _column(name: str) -> str:
    return " ".join(name.casefold().split())


def _by_column(
    header: Sequence[str], line: int, cells: Sequence[str]
) -> tuple[int, dict[str, str]]:
    """A row as a dict. RosterError if it has cells that belong to no column."""
    if any(cells[len(header) :]):
        message = f"Line {line} has {len(cells)} cells, and there are {len(header)} columns."
        raise RosterError(f'{message} A name with a comma in it needs quotes: "Lovelace, Ada".')
    row: dict[str, str] = {}
    for name, value in zip_longest(header, cells[: len(header)], fillvalue=""):
        row.setdefault(name, value)  # of two columns with one name the first counts
    return line, row


def _cell(row: Mapping[str, str], columns: Iterable[str]) -> str:
    """What a row has in the first of these columns that has anything."""
    folded = {_column(name): value for name, value in row.items()}
    return next((folded[name] for name in columns if folded.get(name)), "")


def _name(row: Mapping[str, str]) -> str:
    both = f"{_cell(row, FIRST)} {_cell(row, LAST)}".strip()
    return _cell(row, NAMES) or both


def _is_learner(row: Mapping[str, str]) -> bool:
    """Whether a row is one of a learner: others are about points, or about who teaches."""
    name = _column(_name(row))
    if name == POINTS or name in TEST_STUDENT:
        return False
    return _cell(row, ROLES).casefold() not in STAFF and bool(name or _cell(row, IDS))


def _roster(header: Sequence[str], table: Sequence[tuple[int, dict[str, str]]]) -> Roster:
    known = [name for name in IDS if name in header]
    if not known:
        told = ", ".join(header)
        raise RosterError(
            f"No column is known to hold ids: {told}. Call one of them id, or email."
        )
    if not table:
        raise RosterError("There is nobody in it. It needs a line for each person.")
    column = next(
        (name for name in known if all(_cell(row, [name]) for _, row in table)), known[0]
    )
    lines: dict[str, int] = {}
    for line, row in table:
        _check_id(_cell(row, [column]), column, line, lines)
    return roster_of([_person(row, column) for _, row in table], [row for _, row in table])


def _check_id(id_: str, column: str, line: int, lines: dict[str, int]) -> None:
    if not id_:
        raise RosterError(f"Line {line} has no {column}. Each person needs one, and only one.")
    if not id_.isprintable() or len(id_) > 200:
        raise RosterError(f"The {column} in line {line} is no text: {id_[:50]!a}.")
    if earlier := lines.get(exact(id_)):
        told = f"The {column} {id_!r} in line {line} is in line {earlier}, too."
        raise RosterError(f"{told} Each person needs one of their own.")
    lines[exact(id_)] = line


def _person(row: Mapping[str, str], column: str) -> Person:
    id_, section = _cell(row, [column]), _cell(row, SECTIONS)
    return Person(id_, _name(row), _cell(row, EMAILS), section, row)


def roster_of(people: Sequence[Person], rows: Sequence[Mapping[str, str]] = ()) -> Roster:
    """The roster of people; `rows` are what else is known of each."""
    ids: dict[str, list[Person]] = {}
    logins: dict[str, list[Person]] = {}
    names: dict[str, list[Person]] = {}
    for person, row in zip(people, rows or [{}] * len(people), strict=True):
        others = [_cell(row, [name]) for name in IDS] + [person.email]
        others += [other.partition("@")[0] for other in others if "@" in other]
        _add(ids, [exact(person.id)], person)
        _add(logins, map(exact, others), person)
        _add(names, _orders(person.name or person.id), person)
    kinds = (ids, logins, names)
    return Roster(tuple(people), tuple({k: tuple(v) for k, v in kind.items()} for kind in kinds))


def _add(kind: dict[str, list[Person]], keys: Iterable[str], person: Person) -> None:
    for key in set(keys) - {""}:
        kind.setdefault(key, []).append(person)


def _orders(name: str) -> list[str]:
    """A name squeezed, beginning with each of its words: `adalovelace` and `lovelaceada`."""
    words = name.replace(",", " ").split()[:12]
    return [squeezed(" ".join(words[n:] + words[:n])) for n in range(len(words))]
