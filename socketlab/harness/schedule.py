"""Which check may be tried now, and which need not be. Verdicts in, verdicts out: no pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from socketlab.harness.verdicts import Verdict

WAITS = "not tried until "
GATED = WAITS + "what fails above passes"
UNTRIED = "not tried, because the failures above took so long"


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name and title. With `gate`, nothing after it is tried if it fails; `after`
    names checks that must not have failed before it is tried."""

    name: str
    title: str
    gate: bool = False
    after: tuple[str, ...] = ()


@dataclass
class Schedule:
    """The checks of a run, in order. `write` gets each verdict, in that order.

    `lost` is how many seconds failing checks may take before the rest is not tried.
    """

    checks: Sequence[Check]
    write: Callable[[Verdict], None]
    lost: float
    first_failure: bool = False
    stopped: bool = False
    _verdicts: dict[int, Verdict] = field(default_factory=dict)
    _begun: set[int] = field(default_factory=set)
    _written: int = 0

    def __post_init__(self) -> None:
        places = {check.name: place for place, check in enumerate(self.checks)}
        for check in self.checks:
            if unknown := [name for name in check.after if name not in places]:
                raise ValueError(f"{check.name}: after={unknown[0]!r} is no check")
        self._needs = [self._before(place, places) for place in range(len(self.checks))]

    def _before(self, place: int, places: dict[str, int]) -> dict[int, str]:
        """The checks that this one waits for, and what is said if one of them fails."""
        check = self.checks[place]
        needs = {i: GATED for i in range(place) if self.checks[i].gate}
        for name in check.after:
            if places[name] >= place:
                raise ValueError(f"{check.name}: after={name!r} comes later in the file")
            title = self.checks[places[name]].title
            needs.setdefault(places[name], f"{WAITS}this passes: {title}")
        return needs

    def ready(self) -> Iterator[int]:
        """The next check to try, again and again, for as long as one can be tried now."""
        place = 0
        while place < len(self.checks) and not self.stopped:
            if place not in self._begun and self._open(place):
                self._begun.add(place)
                yield place
            place += 1

    def _open(self, place: int) -> bool:
        """Whether a check can be tried now. One that need not be tried gets its verdict here."""
        for needed, reason in self._needs[place].items():
            if needed not in self._verdicts:
                return False
            verdict = self._verdicts[needed]
            if verdict.outcome in ("fail", "error") or verdict.happened == reason:
                return self._skip(place, reason)
            if verdict.happened in self._needs[needed].values():
                return self._skip(place, reason)
        return self._skip(place, UNTRIED) if self.lost < 0 else True

    def _skip(self, place: int, reason: str) -> bool:
        check = self.checks[place]
        self._begun.add(place)
        self.done(place, Verdict(check.name, check.title, "skip", happened=reason))
        return False

    def done(self, place: int, verdict: Verdict, seconds: float = 0.0) -> None:
        """A check was tried for so many seconds: this is its verdict."""
        self._verdicts[place] = verdict
        if verdict.outcome in ("fail", "error"):
            self.lost -= seconds
        while self._written in self._verdicts and not self.stopped:
            verdict = self._verdicts[self._written]
            self.write(verdict)
            self._written += 1
            self.stopped = self.first_failure and verdict.outcome in ("fail", "error")

    @property
    def complete(self) -> bool:
        """Whether everything that was to be found out has been written."""
        return self.stopped or self._written == len(self.checks) > 0
