"""`socketlab check 4 --watch`: checks a program on every save, until told to stop."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from socketlab.harness.guide import GuideError
from socketlab.harness.report import lines_of
from socketlab.harness.runner import ChecksError, running_checks
from socketlab.harness.verdicts import Verdict
from socketlab.keys import END, key, single_keys
from socketlab.learner import Lab, Result, Words, conclude, hint, next_lab, progress

CLEAR = "\33[H\33[2J\33[3J"
KEYS = "h hint   a all failures   r run again   l list   n next lab   q quit"
LOOK = 0.15  # seconds between two looks at the file


class Watch:
    """One lab on a screen: the newest version of the file at `path` is what is checked."""

    def __init__(self, lab: Lab, path: Path, seed: int, show: Callable[[str], None]) -> None:
        self.lab, self.path, self.seed, self._show = lab, path, seed, show
        self._seen: str | None = ""  # the digest of the version that was checked last
        self._verdicts: list[Verdict] = []
        self._run: Iterator[list[Verdict]] | None = None
        self.result: Result | None = None

    def turn(self) -> None:
        """Look at the file, and at what the checks have found meanwhile."""
        now = _digest(self.path)
        if now != self._seen and now is not None:
            self._seen = now
            self.again()
        elif self._run:
            self._advance()

    def again(self) -> None:
        """Check the file from the beginning; a run that is under way is given up."""
        self.close()
        self.result, self._verdicts = None, []
        options = {"seed": self.seed}
        self._run = running_checks(self.path, [self.lab.checks], self.lab.reading, **options)
        self.draw()

    def _advance(self) -> None:
        assert self._run
        try:
            fresh = next(self._run)
        except StopIteration:
            self._run = None
            self.result = conclude(self.lab, self.path, self._verdicts)
            return self.draw()
        except (ChecksError, GuideError) as error:
            self._run = None
            return self.draw(str(error))
        if fresh:
            self._verdicts += fresh
            self.draw()

    def close(self) -> None:
        """Stop the checks that run."""
        if self._run:
            self._run.close()  # type: ignore[attr-defined]
            self._run = None

    @property
    def busy(self) -> bool:
        """Whether checks run now."""
        return self._run is not None

    def draw(self, words: str = "") -> None:
        """Show what is known, or these words, and the keys."""
        state = "Checking ..." if self.busy else f"Save {self.path.name} to check it again."
        self._show(f"{CLEAR}{words or self._known()}\n\n{state}\n{KEYS}\n")

    def _known(self) -> str:
        if self.result:
            return repr(replace(self.result, how_to_see_all="The key a"))
        return "\n\n".join(filter(None, [self.lab.title, "\n".join(lines_of(self._verdicts))]))


def watch(lab: Lab, path: Path, seed: int, show: Callable[[str], None]) -> bool:
    """Check the file whenever it changes, until q is pressed. Whether the last checks passed."""
    screen = Watch(lab, path, seed, show)
    try:
        with single_keys():
            while (pressed := key(0 if screen.busy else LOOK)) not in ("q", END):
                screen = _press(pressed, screen)
                screen.turn()
    finally:
        screen.close()
    return bool(screen.result and screen.result.passed)


def _press(pressed: str, screen: Watch) -> Watch:
    """What a key does; the screen to go on with."""
    if pressed == "r":
        screen.again()
    elif pressed == "h":
        screen.draw(hint(screen.lab.name) if screen.path == screen.lab.program else _NOT_KEPT)
    elif pressed == "l":
        screen.draw(progress())
    elif pressed == "a" and screen.result:
        screen.result = screen.result.all()
        screen.draw()
    elif pressed == "n":
        if following := next_lab(screen.lab):
            screen.close()
            return Watch(following, following.program, screen.seed, screen._show)
        screen.draw(progress())
    return screen


_NOT_KEPT = Words("Hints are only for the file in labs/: attempts with another are not kept.")


def _digest(path: Path) -> str | None:
    """Which version of the file is there; None in the moment in which an editor replaces it."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def is_terminal() -> bool:
    """Whether somebody can press keys and see what happens."""
    return sys.stdin.isatty() and sys.stdout.isatty()
