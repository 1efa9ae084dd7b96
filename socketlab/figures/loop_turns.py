"""`loop_turns`: a recorded loop, to be read as a table, seen as a picture, stepped through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib import import_module
from typing import Any

from socketlab.conversation import Span, conversation
from socketlab.figures.loop import SUBTITLE, TITLE, draw_loop, names_of
from socketlab.figures.picture import Picture
from socketlab.figures.turn import draw_turn
from socketlab.loops import Turn, describe_turns, turns_of

VIEW = "application/vnd.jupyter.widget-view+json"
HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"


class LoopTurns(Picture):
    """The turns of one loop. Its repr is a table of them, without times; its picture draws them.

    Iterate over it for each `Turn`, the calls before the loop as turn 0 among them if there were
    any.
    """

    def __init__(self, turns: Sequence[Turn], title: str | None, subtitle: str | None) -> None:
        self.turns = tuple(turns)
        super().__init__(draw_loop(self.turns, title, subtitle).figure, describe_turns(self.turns))

    @property
    def wakeups(self) -> int:
        """How often select() returned."""
        return sum(turn.times for turn in self if turn.number and not turn.waits)

    @property
    def idle_wakeups(self) -> int:
        """How often select() returned with something ready, and no call was made for it."""
        return sum(turn.times for turn in self if turn.ready and not turn.calls)

    def turn(self, number: int) -> Picture:
        """One turn in its steps: asked, returned, called, pending. ValueError if there is none."""
        found = next((turn for turn in self if turn.number == number), None)
        if not found or not number:
            last = self.turns[-1].number
            raise ValueError(f"there is no turn {number!r}: choose a number from 1 to {last}")
        return draw_turn(found, self.turns, names_of(self.turns))

    def step_through(self) -> Stepper:
        """A slider over the turns where ipywidgets is installed; else the picture of them all."""
        return Stepper(self)

    def __iter__(self) -> Iterator[Turn]:
        return iter(self.turns)

    def __len__(self) -> int:
        return len(self.turns)


class Stepper(Picture):
    """A slider with the picture of one turn under it. Its repr is the table of all turns."""

    def __init__(self, turns: LoopTurns) -> None:
        super().__init__(turns.figure, turns.words)  # the figure where there is no slider
        self.turns = turns

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        try:
            widgets = import_module("ipywidgets")
        except ImportError:
            return {}
        return {VIEW: _slider(widgets, self.turns)._repr_mimebundle_()[VIEW]}


def _slider(widgets: Any, turns: LoopTurns) -> Any:
    """The widgets: a slider, the picture of its turn, and the turn in words for screen readers."""
    shown = turns.turn(1)
    _, size = shown._repr_png_()
    slider = widgets.IntSlider(value=1, min=1, max=turns.turns[-1].number, description="turn")
    image = widgets.Image(value=shown.png(), format="png", width=size["width"])
    words = widgets.HTML(_hidden(shown))

    def show(change: Any) -> None:
        turn = turns.turn(change["new"])
        image.value, words.value = turn.png(), _hidden(turn)

    slider.observe(show, names="value")
    return widgets.VBox([slider, image, words])


def _hidden(turn: Picture) -> str:
    return f'<pre role="status" style="{HIDDEN}">{escape(turn.words)}</pre>'


def loop_turns(
    recording: Iterable[Span],
    *,
    thread: str | None = None,
    title: str | None = TITLE,
    subtitle: str | None = SUBTITLE,
) -> LoopTurns:
    """The loop around select() in `recording`: of the server, or of the thread that is named.

    TypeError if `recording` is none; ValueError if nobody called select() in it.
    """
    spans = list(recording) if isinstance(recording, Iterable) else recording
    conversation(spans)  # which says so if these are no spans
    return LoopTurns(turns_of(spans, thread), title, subtitle)
