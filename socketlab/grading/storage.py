"""The file of a gradebook: SQLite, opened for one writer or for reading. It knows no grades."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

Mode = Literal["write", "read", "untouched"]
VERSION = 1
MAGIC, APPLICATION = b"SQLite format 3\0", 0x534B4C42  # "SKLB", in the file's header
PATIENCE = 20.0  # seconds to wait for a reader that is putting the file in order

# Names are text that any tool can read, see `column`; what else is known of a thing is JSON.
# A submission with no place was found by an earlier search.
SCHEMA = """
CREATE TABLE writer (one INTEGER PRIMARY KEY CHECK (one = 1), pid INTEGER, host TEXT, since TEXT);
CREATE TABLE labs (lab TEXT PRIMARY KEY, rules BLOB NOT NULL);
CREATE TABLE people (lab TEXT NOT NULL, place INTEGER NOT NULL, student TEXT NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (lab, place), UNIQUE (lab, student));
CREATE TABLE refusals (lab TEXT NOT NULL, place INTEGER NOT NULL, student TEXT NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (lab, place));
CREATE INDEX refusals_of ON refusals (lab, student);
CREATE TABLE sources (digest TEXT PRIMARY KEY, source BLOB NOT NULL);
CREATE TABLE submissions (id INTEGER PRIMARY KEY, lab TEXT NOT NULL, place INTEGER,
    student TEXT NOT NULL, digest TEXT NOT NULL REFERENCES sources, body BLOB NOT NULL,
    UNIQUE (lab, student, digest, body));
CREATE INDEX submissions_placed ON submissions (lab, place);
CREATE TABLE results (id INTEGER PRIMARY KEY, lab TEXT NOT NULL, student TEXT NOT NULL,
    digest TEXT NOT NULL, checks TEXT NOT NULL, grader TEXT NOT NULL, broken INTEGER NOT NULL,
    body BLOB NOT NULL, UNIQUE (lab, student, digest, checks, grader, broken));
CREATE TABLE overrides (id INTEGER PRIMARY KEY, lab TEXT NOT NULL, student TEXT NOT NULL,
    body BLOB NOT NULL, UNIQUE (lab, student, body));
CREATE TABLE extensions (id INTEGER PRIMARY KEY, lab TEXT NOT NULL, student TEXT NOT NULL,
    body BLOB NOT NULL, UNIQUE (lab, student, body));
"""


class GradebookError(Exception):
    """The gradebook cannot do this; the message says what to do. Nothing in it has changed."""


def column(text: str) -> str:
    """Any text as Unicode text, each as another: a name that came from a file may be none."""
    return text.replace("\\", "\\\\").encode("utf-8", "backslashreplace").decode()


def text(column: str) -> str:
    """The text that became this one in `column`."""
    return re.sub(r"\\(\\|u[0-9a-f]{4})", _escaped, column)


def _escaped(match: re.Match[str]) -> str:
    return chr(int(match[1][1:], 16)) if match[1] != "\\" else "\\"


class Store:
    """An open file. All that SQLite raises comes out as a GradebookError."""

    def __init__(self, path: Path, file: sqlite3.Connection) -> None:
        self.path = path
        self._file = file

    def rows(self, query: str, *values: object) -> Iterator[tuple]:
        """The rows of a query, each read when it is asked for."""
        with errors(self.path):
            for row in self._file.execute(query, _columns(values)):
                yield tuple(text(value) if isinstance(value, str) else value for value in row)

    def row(self, query: str, *values: object) -> tuple | None:
        """The first row of a query, None if there is none."""
        with closing(self.rows(query, *values)) as rows:
            return next(rows, None)

    def write(self, statement: str, *values: object) -> int:
        """Carry out a statement; how many rows it changed. Outside of a transaction it is on the
        disk when this returns."""
        with errors(self.path):
            return self._file.execute(statement, _columns(values)).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written in the block, or nothing; on the disk when the block is left."""
        self.write("BEGIN IMMEDIATE")
        try:
            yield
            self.write("COMMIT")
        except BaseException:
            with suppress(GradebookError):  # SQLite may have rolled back by itself
                self.write("ROLLBACK")
            raise


def _columns(values: tuple) -> list:
    return [column(value) if isinstance(value, str) else value for value in values]


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """What SQLite or the system raises in the block, as a GradebookError."""
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise GradebookError(f"The gradebook {path} is not open: use it in `with`.") from error
    except (sqlite3.OperationalError, OSError) as error:
        advice = "Is there space, may you write there, and is it a disk of this machine?"
        raise GradebookError(f"The gradebook {path} cannot be used: {error}. {advice}") from error
    except sqlite3.DatabaseError as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, how: str) -> GradebookError:
    """The error of a file that has been changed by something else."""
    return GradebookError(
        f"The gradebook {path} is damaged: {' '.join(how.split())}. Put a copy of it in its "
        "place, or move it away together with its -wal file, and grade again. It has been left "
        "as it is."
    )


@contextmanager
def opened(path: Path, mode: Mode) -> Iterator[Store]:
    """The gradebook at `path`, made if it is not there and is to be written.

    "write" keeps every other writer out; "read" sees what is written meanwhile; "untouched" does
    not even tidy up after a writer that was killed. GradebookError says why it cannot be.
    """
    with ExitStack() as stack:
        if mode == "write":
            stack.enter_context(_only_writer(path))
            if not path.exists():
                _make(path)
        with errors(path):
            _look_at_header(path)
            file = stack.enter_context(closing(_connect(path, mode)))
            store = Store(path, file)
        _look_inside(store)
        if mode == "write":
            stack.enter_context(_signed(store))
        yield store


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Keeps other writers out: the system lets go of the lock when its process ends, however."""
    beside = path.with_name(path.name + ".lock")
    with errors(path):
        lock = sqlite3.connect(beside, timeout=0, isolation_level=None)
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise _held(path) from None
            with errors(path):
                raise
        yield


def _held(path: Path) -> GradebookError:
    with suppress(GradebookError), opened(path, "read") as store:
        if row := store.row("SELECT pid, host, since FROM writer"):
            return _held_by("process {} on {} since {}".format(*row), path)
    return _held_by("another process", path)


def _held_by(who: str, path: Path) -> GradebookError:
    return GradebookError(
        f"The gradebook {path} is being written by {who}. Wait until that has ended, or stop it "
        "with Ctrl-C: what it has graded is kept. To read the grades meanwhile is safe."
    )


def _make(path: Path) -> None:
    """A new file appears whole or not at all."""
    new = path.with_name(path.name + ".new")
    with errors(path):
        new.unlink(missing_ok=True)
        with closing(sqlite3.connect(new, isolation_level=None)) as file:
            marks = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
            file.executescript(f"BEGIN; {marks} {SCHEMA} COMMIT; PRAGMA journal_mode = WAL;")
        os.replace(new, path)


def _look_at_header(path: Path) -> None:
    """GradebookError if the file is not one that this version reads. It is not opened before."""
    if not path.is_file():
        raise GradebookError(f"There is no gradebook {path}. `socketlab grade` makes one.")
    with path.open("rb") as file:
        header = file.read(100)
    version = int.from_bytes(header[60:64], "big")
    if header[:16] != MAGIC or int.from_bytes(header[68:72], "big") != APPLICATION:
        raise GradebookError(
            f"{path} is no gradebook. Move it away, or choose another folder. Nothing in it has "
            "been changed."
        )
    if version > VERSION:
        raise GradebookError(
            f"The gradebook {path} is of a newer socketlab: its format is {version}, this one "
            f"reads {VERSION}. Use that newer one here too: pip install --upgrade socketlab. "
            "Nothing in the file has been changed."
        )


def _connect(path: Path, mode: Mode) -> sqlite3.Connection:
    uri = path.absolute().as_uri()
    if mode == "untouched":
        log = path.with_name(path.name + "-wal")
        quiet = not log.exists() or not log.stat().st_size
        return _connected(uri + ("?immutable=1" if quiet else "?mode=ro"))
    try:
        file = _connected(uri + "?mode=rw")
    except sqlite3.OperationalError:
        if mode == "write":
            raise
        return _connected(uri + "?immutable=1")  # in a folder where nobody writes
    file.execute("PRAGMA synchronous = FULL" if mode == "write" else "PRAGMA query_only = ON")
    return file


def _connected(uri: str) -> sqlite3.Connection:
    file = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
    try:
        file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        file.close()
        raise
    return file


def _look_inside(store: Store) -> None:
    found = store.row("PRAGMA quick_check(1)")
    if found != ("ok",):
        raise damaged(store.path, str(found[0]) if found else "it cannot be checked")


@contextmanager
def _signed(store: Store) -> Iterator[None]:
    """Who writes, for those who want to; from now on the file has a log, too."""
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    who = (os.getpid(), socket.gethostname(), since)
    store.write("INSERT OR REPLACE INTO writer VALUES (1, ?, ?, ?)", *who)
    try:
        yield
    finally:
        with suppress(GradebookError):  # a full disk: what is in the file counts
            store.write("DELETE FROM writer")
