"""Which sandbox there is: tried once, told, stamped into each result.

A bubblewrap: namespaces of its own for the checks, and in them others for the program. B Landlock:
the program can read and write next to nothing, but shares the network. C unsandboxed: limits only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from socketlab.grading import bubblewrap, confined
from socketlab.grading.workplace import Means, Workplace
from socketlab.learner import Lab

TITLES = {"A": "A bubblewrap", "B": "B Landlock", "C": "C unsandboxed"}


class SandboxError(RuntimeError):
    """The sandbox that was asked for does not work here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that works here, by its `tier`: "A", "B" or "C". `advice` says why there is no
    better one, and what to do."""

    tier: str
    advice: str = ""

    @property
    def title(self) -> str:
        """For people, and for results."""
        return TITLES[self.tier]

    def means(self, place: Workplace, lab: Lab) -> Means:
        """How a submission of this lab is run at this place."""
        if self.tier == "A":
            return bubblewrap.means(place, lab)
        return confined.means(place, landlock=self.tier == "B")


def find_sandbox(required: str = "") -> Sandbox:
    """The best sandbox that works here, after trying it. SandboxError if that is worse than
    `required` ("A", "B" or "C"), or if there is no such sandbox."""
    if required and required not in TITLES:
        there = ", ".join(TITLES.values())
        raise SandboxError(f"There is no sandbox {required!r}. The sandboxes are: {there}.")
    found = next(sandboxes())
    if required and found.tier > required:
        raise SandboxError(
            f"Sandbox {TITLES[required]} is required, and does not work here: {found.advice}"
        )
    return found


def sandboxes() -> Iterator[Sandbox]:
    """All sandboxes that work here, the best first; the last always does."""
    advice = []
    if not (why := bubblewrap.why_no_bubblewrap()):
        yield Sandbox("A")
    advice += [why] * bool(why)
    if not (why := confined.why_no_landlock()):
        yield Sandbox("B", _sentences(advice))
    advice += [why] * bool(why)
    yield Sandbox("C", _sentences(advice))


def _sentences(advice: list[str]) -> str:
    return " ".join(filter(None, [*advice, confined.advice_for_root()]))
