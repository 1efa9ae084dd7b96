"""What learning platforms write into the names of the files that they give to an instructor.

Each function reads one part of a path, or one file, and says whose it is as far as the name tells.
Whether anybody has this name is for the roster to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from socketlab.grading.files import UnreadableError
from socketlab.grading.submission import Person

CANVAS = re.compile(
    r"(?P<name>\w*?)_?(?P<late>LATE_)?(?P<user>(?:anon_\w+?|\d+))_(?P<file>\d{3,})_(?P<rest>.+)",
    re.DOTALL,
)
MOODLE = re.compile(
    r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<rest>.*))?", re.DOTALL
)
BLACKBOARD = re.compile(
    r"(?P<who>.+)_attempt_(?P<when>\d{4}(?:-\d\d){5})(?:\.txt|_(?P<rest>.+))?", re.DOTALL
)
RECEIPT = re.compile(r"^Name: *(?P<name>.*?) *\((?P<user>[^()\n]+)\) *$", re.MULTILINE)
ATTEMPT = re.compile(r"(?:attempt|try|version|versuch|v)[ _-]*0*(\d{1,3})|([1-9]\d{0,2})", re.I)
METADATA = "submission_metadata.yml"
LARGEST_METADATA = 32 << 20  # bytes; the results of each test are in it, too
CANVAS_LATE = "Canvas marked it as late."


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody, as a name speaks of them: `texts` each name them, the surest first, and `person`
    is who they are taken for if there is no roster."""

    texts: tuple[str, ...]
    person: Person


@dataclass(frozen=True, slots=True)
class Said:
    """What a name says of the file that has it.

    Several `people` handed it in together. `group` is common to all files of one submission, `rest` the name
    that the file had on the learner's machine, if it is in the same part of the path.
    `dated` is whether the times in the archive are about the files, and not about the download.
    """

    people: tuple[Named, ...]
    group: str
    rest: str = ""
    when: datetime | None = None
    notes: tuple[str, ...] = ()


def canvas(part: str) -> Said | None:
    """`lovelaceada_LATE_4321_98765_lab-2.py`: who, whether late, user, file, what it was called.

    From add_upload_submission and get_filename in lib/content_zipper.rb of Canvas: the name is
    the one that Canvas sorts by, in small letters and without all that is no part of a word. With
    anonymous grading "anon_" and a code are in the user's place. "-2" is added to a file that is
    handed in again. Only the last attempt is in a download, and the times are those of the
    download; when it was handed in is not told, only that it was late.
    """
    found = CANVAS.fullmatch(part)
    if not found:
        return None
    name, user = found["name"], found["user"]
    notes = (CANVAS_LATE,) if found["late"] else ()
    texts = (user, name) if name else (user,)
    who = Named(texts, Person(texts[-1], name))
    return Said((who,), f"{name}_{user}", found["rest"], notes=notes)


def moodle(part: str) -> Said | None:
    """`Ada Lovelace_12345_assignsubmission_file_`, a folder, or in front of a file's name.

    From get_student_prefix and load_submissionplugin_filelist in mod/assign/classes/downloader.php
    of Moodle: the full name, then a number that this assignment has for the person, which the
    grading sheet calls "Participant 12345". With blind marking the name is "Participant". In a
    group's submission it is the group's name and number. "onlinetext" takes the place of "file"
    where a text was typed in. The times are those of the download.
    """
    found = MOODLE.fullmatch(part)
    if not found:
        return None
    texts = (f"Participant {found['id']}", found["name"])
    blind = found["name"].casefold() == "participant"
    who = Named(texts, Person(texts[0] if blind else texts[1], texts[1]))
    return Said((who,), f"{found['name']}_{found['id']}", found["rest"] or "")


def blackboard(part: str) -> Said | None:
    """`Lab 1_ada_attempt_2026-11-20-14-05-33_lab.py`: assignment, user, when, what it was called.

    Blackboard's documentation calls this the file name of "Download Assignment Files"; the time
    is the server's, which is taken for this machine's. Beside the files of an attempt lies one
    that ends with the time and .txt, which receipt() reads. Where the assignment's name stops
    and the user's starts is not marked: each end of it is among the names, the longest first.
    """
    found = BLACKBOARD.fullmatch(part)
    if not found:
        return None
    words = found["who"].split("_")
    texts = tuple("_".join(words[n:]) for n in range(len(words)))
    when = None
    with suppress(ValueError):
        when = datetime.strptime(found["when"], "%Y-%m-%d-%H-%M-%S").astimezone(UTC)
    group = f"{found['who']}_attempt_{found['when']}"
    return Said((Named(texts, Person(texts[-1])),), group, found["rest"] or "", when)


def receipt(text: str) -> Named | None:
    """User and name, from the .txt that Blackboard puts beside the files of an attempt.

    Its first line is `Name: Ada Lovelace (ada)`; then come Assignment, Date Submitted, Current
    Grade, Submission Field, Comments and Files.
    """
    found = RECEIPT.search(text[:5000])
    if not found:
        return None
    user = found["user"].strip()
    return Named((user, found["name"]), Person(user, found["name"]))


def gradescope(data: bytes) -> dict[str, Said]:
    """What submission_metadata.yml says of each folder beside it, as `submission_12345`.

    Gradescope's "Export Submissions" writes it, with names of Ruby symbols: `:submitters:`, each
    with `:name:`, `:sid:` and `:email:`, and `:created_at:` in UTC. Several submitters are a
    group, and it is everybody's submission. UnreadableError if the file is not like that.
    """
    found = {}
    try:
        for folder, told in _yaml(data).items():
            people = tuple(_submitter(person) for person in told[":submitters"])
            found[str(folder)] = Said(people, str(folder), "", _time(told.get(":created_at")))
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        message = f"It is not what Gradescope writes ({type(error).__name__}). Export it again."
        raise UnreadableError(message) from None
    return found


def _submitter(person: Mapping[str, object]) -> Named:
    sid, email, name = (str(person.get(key) or "") for key in (":sid", ":email", ":name"))
    texts = tuple(filter(None, (sid, email, name)))
    return Named(texts, Person(texts[0], name, email))


def _yaml(data: bytes) -> dict[str, dict]:
    try:
        import yaml
    except ImportError:
        raise UnreadableError("Install PyYAML to read it: pip install pyyaml") from None

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Plain values only; an object of Ruby's is what its fields are."""

    Loader.add_multi_constructor("!ruby/", lambda loader, _, node: _plain(loader, node))
    try:
        return yaml.load(data, Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableError(
            f"It is no YAML ({type(error).__name__}). Export it again."
        ) from None


def _plain(loader, node) -> object:
    build = {"mapping": loader.construct_mapping, "sequence": loader.construct_sequence}
    return build.get(node.id, loader.construct_scalar)(node)


def _time(value: object) -> datetime | None:
    if isinstance(value, dict):  # ActiveSupport::TimeWithZone
        value = value.get("utc")
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def attempt_number(part: str) -> int:
    """Which attempt a folder holds, as `2`, `attempt_2` or `v2` inside a learner's; 0 if none."""
    found = ATTEMPT.fullmatch(part)
    return int(found[1] or found[2]) if found else 0


def flat_canvas(paths: Iterable[str]) -> set[str]:
    """The folders that are downloads from Canvas: most files right in them are named so."""
    names = [path.rpartition("/") for path in paths]
    all_of = Counter(folder for folder, _, _ in names)
    named = Counter(folder for folder, _, name in names if canvas(name))
    return {folder for folder, count in named.items() if 2 * count > all_of[folder]}
