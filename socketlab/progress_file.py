"""What a learner has done: one small file in the labs folder, which may be deleted at any time."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

VERSION = 1
MOST_TRIES = 50


@dataclass
class LabProgress:
    """How far a lab is: of so many `checks` so many `passed` last time, and whether all did once
    (`done`). `failing` is the check that failed first, `signature` how. `tries` holds, for each
    signature, a digest of each version of the file that failed like this."""

    passed: int = 0
    checks: int = 0
    done: bool = False
    failing: str = ""
    diagnosis: str = ""
    signature: str = ""
    tries: dict[str, list[str]] = field(default_factory=dict)

    @property
    def attempts(self) -> int:
        """How many versions of the file have failed in the way the last one did."""
        return len(self.tries.get(self.signature, []))

    def failed(self, digest: str) -> None:
        """The version with this digest has failed with the present signature."""
        tries = self.tries.setdefault(self.signature, [])
        if digest not in tries:
            tries.append(digest)
            del tries[:-MOST_TRIES]


class Progress:
    """The file at `path`. What cannot be read counts as nothing, and is kept beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, LabProgress]:
        """The progress in each lab, by its name."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            if isinstance(error, UnicodeDecodeError):
                self._put_aside()
            return {}
        try:
            return _labs(json.loads(text))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            self._put_aside()
            return {}

    def of(self, lab: str) -> LabProgress:
        """The progress in one lab."""
        return self.read().get(lab, LabProgress())

    def write(self, lab: str, progress: LabProgress) -> bool:
        """Keep the progress in one lab; the file is replaced whole or not at all. False if it
        cannot be written."""
        labs = {**self.read(), lab: progress}
        known = {name: asdict(each) for name, each in sorted(labs.items())}
        text = json.dumps({"version": VERSION, "labs": known}, indent=1)
        with suppress(OSError):
            handle, name = tempfile.mkstemp(prefix=self.path.name, dir=self.path.parent)
            try:
                with open(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, self.path)
            except OSError:
                os.unlink(name)
                raise
            return True
        return False

    def _put_aside(self) -> None:
        with suppress(OSError):
            os.replace(self.path, self.path.with_name(self.path.name + ".broken"))


def _labs(table: dict[str, dict[str, dict[str, object]]]) -> dict[str, LabProgress]:
    return {name: _lab(values) for name, values in table["labs"].items()}


def _lab(values: dict[str, object]) -> LabProgress:
    """The progress in one lab. TypeError if a value is not what it should be."""
    model = asdict(LabProgress())
    kept = {key: values[key] for key in model if key in values}
    if any(type(value) is not type(model[key]) for key, value in kept.items()):
        raise TypeError("a value of another type")
    lab = LabProgress(**kept)  # type: ignore[arg-type]
    for tries in lab.tries.values():
        if not isinstance(tries, list) or not all(isinstance(each, str) for each in tries):
            raise TypeError("tries are lists of digests")
    return lab
