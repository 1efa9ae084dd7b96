"""The pages of a graded class: what failed is drawn, and nothing in them acts."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import lab_page
import made_class
import pytest
from made_class import ALL, LAB, a_class, failure, grade, mixed, result
from playwright.sync_api import Page, Route

from socketlab.figures.palette import HUES
from socketlab.grading.out import write_all
from socketlab.grading.out.charts import bins, histogram
from socketlab.grading.out.exchange import Exchange, Row, exchange, words
from socketlab.grading.out.feedback import feedback
from socketlab.grading.out.ladder import columns, ladder, wrap
from socketlab.grading.submission import Refusal
from socketlab.harness.runner import run_checks
from socketlab.harness.verdicts import Verdict

STYLE = made_class.ROOT / "socketlab" / "grading" / "out" / "templates" / "style.css"
LINKS = {"a", "link", "base", "form", "img", "iframe", "object", "embed", "script", "use", "image"}
VOID = {"meta", "br", "img", "link", "base", "input"}
NO_BROWSER = "no Chromium or Chrome on the PATH: install chromium to run this test"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile class, written."""
    folder = tmp_path_factory.mktemp("pages")
    nobodys = Refusal("", f"who {ALL}", f"why {ALL}")
    write_all(a_class(), LAB, folder, class_name=ALL, refusals=(nobodys,))
    return folder


class Read(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and those left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One more element."""
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One that has nothing inside, as in SVG."""
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """It must be the one that was opened last."""
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of this kind."""
        return [attributes for name, attributes in self.found if name == tag]


def pages(folder: Path) -> Iterator[tuple[Path, Read]]:
    """Every page of the class."""
    for path in sorted(folder.rglob("*.html")):
        yield path, Read(path.read_text("utf-8"))


def test_a_page_has_no_script_and_asks_nobody(folder: Path) -> None:
    for path, page in pages(folder):
        tags = {tag for tag, _ in page.found}
        assert tags & LINKS <= {"a"}, path
        for _, attributes in page.found:
            assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for link in page.all("a"):
            target = link["href"] or ""
            assert target.startswith("#") or (path.parent / target.replace("%40", "@")).exists()
        assert len(page.all("style")) == 1


def test_a_page_forbids_all_but_its_style(folder: Path) -> None:
    for _, page in pages(folder):
        policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
        rules = (policy or "").split("; ")
        assert {"default-src 'none'", "base-uri 'none'", "form-action 'none'"} < set(rules)
        assert re.fullmatch(r"style-src 'sha256-[\w+/=]+'", rules[1])
        assert len(rules) == 4


def test_a_page_can_be_heard(folder: Path) -> None:
    for _, page in pages(folder):
        assert page.all("html")[0]["lang"] == "en"
        assert not page.open  # every element is closed, in order
        assert all(head["scope"] in ("col", "row") for head in page.all("th"))
        for picture in page.all("svg"):
            assert picture.get("aria-hidden") or (picture["role"], picture["aria-label"])


def test_the_likely_mistake_comes_before_all_else() -> None:
    page = feedback(grade("s", mixed("b'x'")), LAB)
    order = [
        "2 of 7 points",
        "Most likely, your program forgets",
        "cause b&#39;x&#39;",
        "Read read",
    ]
    order += ["What went wrong", "happened b&#39;x&#39;", 'class="ladder', "Hints", "All checks"]
    order += ["socketlab check 04 --all --seed 7"]
    bare = page.replace("<b>", "").replace("</b>", "")
    places = [bare.index(part) for part in order]
    assert places == sorted(places)


def test_the_class_page_says_who(folder: Path) -> None:
    page = (folder / "index.html").read_text("utf-8")
    for part in ("Not handed in: 1", "Refused: 2", "Late: 1", "1 day 3 hours", "0.5 points"):
        assert part in page
    for part in ("Points given by hand: 1", "Stopped before the end: 2", "hidden title one"):
        assert part in page
    assert "It took 180 seconds." in page
    both = [grade("s1", mixed("x"), name="Ada"), grade("s2", mixed("x"), name="Grace")]
    write_all(both, LAB, folder / "both")
    row = (folder / "both" / "index.html").read_text("utf-8").split("forgets x</th>")[1]
    assert row.index(">2<") < row.index("Ada") < row.index("Grace") < row.index("</tr>")


def test_a_class_of_nobody_has_a_page(tmp_path: Path) -> None:
    assert write_all([], LAB, tmp_path)[0] == tmp_path / "index.html"
    assert "0 of 0 learners graded" in (tmp_path / "index.html").read_text("utf-8")


# Colours


def schemes() -> Iterator[dict[str, str]]:
    """The colours in light, in dark and on paper."""
    light: dict[str, str] = {}
    for block in re.findall(r":root \{(.*?)\}", STYLE.read_text("utf-8"), re.DOTALL):
        light = light | dict(re.findall(r"--([\w-]+): (#\w{6})", block))
        yield light


def contrast(one: str, two: str) -> float:
    """The contrast of two colours as WCAG 2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_all_words_can_be_read_on_all_papers() -> None:
    assert len(list(schemes())) == 3
    for colours in schemes():
        for name in ("ink", "grey", "ours", "yours", "good", "bad"):
            for paper in ("paper", "panel"):
                assert contrast(colours[name], colours[paper]) >= 4.5, (name, paper, colours)
        assert contrast(colours["ink"], colours["yours-pale"]) >= 4.5


def test_the_colours_are_the_courses() -> None:
    light = next(schemes())
    assert [light[f"hue{number}"] for number in range(6)] == [hue.lower() for hue in HUES]


# Ladders


def told(*steps: str, **values: str | tuple[str, ...]) -> Exchange:
    """The conversation of a check with these steps."""
    numbered = tuple(f"{number}. {step}" for number, step in enumerate(steps, 1))
    return exchange(Verdict("test", "title", "fail", steps=numbered, **values))


@pytest.mark.parametrize(
    ("step", "row"),
    [
        ("client 1 connects", Row("signal", "handshake", "client 1", "connect()")),
        ("client 2 sends b'x' (1 byte)", Row("send", "b'x' (1 byte)", "client 2", "send()")),
        (
            "client 1 sends b'one, two' (8 bytes), byte by byte",
            Row("send", "b'one, two' (8 bytes)", "client 1", "send()", "byte by byte"),
        ),
        (
            "the peer of sock sends in 2 pieces: b'a', b'b'",
            Row("send", "b'a', b'b'", "the peer of sock", "send()", "2 pieces"),
        ),
        (
            "client 1 is done sending: shutdown(SHUT_WR)",
            Row("signal", "end of stream", "client 1", "shutdown(SHUT_WR)"),
        ),
        ("client 1 resets its connection", Row("signal", "reset", "client 1", "close()")),
        ("client 1 waits for b'x'", Row("receive", "b'x'", "client 1", "recv()")),
        (
            "server 1 waits until the program connects",
            Row("receive", "handshake", "server 1", "accept()"),
        ),
        ("recv_line(sock) is called", Row("send", "recv_line(sock)", "", "call")),
        ("...", Row("gap")),
        ("Ctrl-C is pressed", Row("note", "Ctrl-C is pressed")),
        ("client 1 is silent", Row("note", "client 1 is silent", "client 1")),
    ],
)
def test_a_step_is_a_row(step: str, row: Row) -> None:
    assert told(step, "the end").rows[0] == row


def test_what_was_waited_for_last_did_not_come() -> None:
    found = told("client 1 waits for b'x'", got="nothing", wanted="b'x'")
    assert [row.kind for row in found.rows] == ["note", "missing", "wanted"]


def test_an_early_end_is_an_end_and_no_silence() -> None:
    found = told("client 1 connects", got="nothing", wanted="b'x'", signs=("early end",))
    assert [row.kind for row in found.rows] == ["signal", "hang up", "wanted"]


def test_what_the_program_did_meanwhile() -> None:
    signs = ("silence", "waits", "at accept")
    found = told("client 1 connects", program="... waiting, at line 30, in f:", signs=signs)
    assert (found.doing, found.at, found.line) == ("waits", "in accept()", "line 30")
    crashed = told("client 1 connects", signs=("crash KeyError",))
    assert (crashed.doing, crashed.at) == ("stopped", "KeyError")


def test_the_same_in_words() -> None:
    found = told("client 1 connects", "client 1 sends b'x'", got="nothing", wanted="b'x'")
    assert words(found) == (
        "Client 1: connect(), handshake. Client 1 sends b'x'. Nothing comes back. Wanted: b'x'."
    )


def test_a_real_failure_is_drawn_with_what_was_sent_and_wanted() -> None:
    lab = made_class.Lab(made_class.ROOT, "01_echo_server")
    mutant = made_class.ROOT / "solutions" / "mutants" / "01_strips.py"
    (verdict,) = run_checks(mutant, [lab.checks], lab.reading, only="test_white_space")
    drawn = ladder(exchange(verdict))
    for part in ("connect()", "b'  a line\\n' (9 bytes)", "b'a line' (6 bytes)", "came back"):
        assert part in drawn
    kinds = [row.kind for row in exchange(verdict).rows]
    assert kinds == ["signal", "send", "receive", "wanted"]
    assert 'class="ladder wide"' in drawn
    assert 'class="ladder narrow"' in drawn


def test_a_ladder_is_well_formed_whatever_was_sent() -> None:
    page = Read(str(ladder(exchange(failure("test", ALL)))))
    assert not page.open
    assert {tag for tag, _ in page.found} <= {"svg", "g", "line", "rect", "circle", "path", "text"}


def test_no_line_is_wider_than_its_room() -> None:
    for text in (ALL * 3, "x" * 500, "王" * 300, "b'x' " * 90, ""):
        lines = wrap(text, 40)
        assert len(lines) <= 6
        assert all(columns(line) <= 40 for line in lines)


def test_every_learner_is_in_one_column_of_the_histogram() -> None:
    for out_of in (1, 7, 21, 24, 60, 500):
        counted = bins([0, 0.5, out_of / 2, out_of, out_of + 3, -1], out_of)
        assert sum(count for _, count in counted) == 6
        assert len(counted) <= 25
    assert "2 points: 1, 7 points: 2." in histogram([2, 7, 7], 7)


# In a browser


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of Chromium."""
    if lab_page.find_chromium() is None:
        pytest.skip(NO_BROWSER)
    with lab_page.chromium(390, 800) as page:
        yield page


def test_a_browser_finds_nothing_to_run_and_nobody_to_ask(page: Page, folder: Path) -> None:
    said, asked = [], []

    def ask(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_() if route.request.url.startswith("file:") else route.abort()

    page.route("**/*", ask)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    hostile = [next(folder.glob("students/s12*")), folder / "students" / "s3", folder]
    for path in hostile:
        file = path / ("index.html" if path == folder else "feedback.html")
        page.goto(file.as_uri())
        assert page.title() != "taken"
        assert page.evaluate("document.scripts.length") == 0
        assert page.evaluate("getComputedStyle(document.body).display") == "block"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390  # nothing to push sideways on a phone
    assert said == []
    assert all(url.startswith("file:") for url in asked)
    assert len(asked) == len(hostile)


def test_a_browser_shows_the_ladder_that_fits(page: Page, folder: Path) -> None:
    page.goto((folder / "students" / "s13" / "feedback.html").as_uri())
    narrow, wide = page.locator("svg.narrow").first, page.locator("svg.wide").first
    assert (narrow.is_visible(), wide.is_visible()) == (True, False)
    page.emulate_media(media="print")
    assert (narrow.is_visible(), wide.is_visible()) == (False, True)
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1000, "height": 800})
    assert (narrow.is_visible(), wide.is_visible()) == (False, True)


def test_hidden_checks_that_fail_first_are_not_drawn() -> None:
    found = result(made_class.secret("x"), hidden=(f"{made_class.SECRET}_x",))
    page = feedback(grade("s", found), LAB)
    assert "What went wrong" not in page
    assert 'class="ladder' not in page
