"""Values of grading with whatever may be in one: lone surrogates, NUL, escapes of every format."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from socketlab.grading.policy import Extension, Rules
from socketlab.grading.result import Override, Result
from socketlab.grading.submission import Person, Refusal, Submission
from socketlab.harness.verdicts import Verdict

TEXT = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    ["\ud83d\ude00", "\U0001f600", "\udc80", "\\udc80", "a\0b", "\\", "'; --", '"', "\n", "é"]
)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=ZONES)
PEOPLE = st.builds(Person, TEXT.filter(bool), TEXT, TEXT, TEXT, st.dictionaries(TEXT, TEXT))
REFUSALS = st.builds(Refusal, TEXT, TEXT, TEXT)
OUTCOMES = st.sampled_from(["pass", "fail", "skip", "error"])
VERDICTS = st.builds(
    Verdict, TEXT, TEXT, OUTCOMES, TEXTS, *[TEXT] * 6, st.just(""), TEXTS, st.just("")
)
RESULTS = st.builds(
    Result,
    lab=TEXT,
    digest=TEXT,
    checks=TEXT,
    grader=TEXT,
    sandbox=TEXT,
    seed=st.integers(),
    status=st.sampled_from(["graded", "timeout", "broken"]),
    verdicts=st.lists(VERDICTS, max_size=3).map(tuple),
    hidden=TEXTS,
    problem=TEXT,
    hints=TEXTS,
    seconds=st.floats(0, 1e6),
)
SUBMISSIONS = st.builds(
    Submission,
    student=TEXT.filter(bool),
    source=st.binary(max_size=20),
    name=TEXT,
    handed_in=st.none() | TIMES,
    attempt=st.integers(1, 5),
    notes=TEXTS,
)
FRACTIONS = st.floats(0, 1)
RULES = st.builds(
    Rules,
    st.none() | TIMES,
    st.timedeltas(timedelta(0), timedelta(days=9)),
    FRACTIONS,
    FRACTIONS,
    st.sampled_from(["best", "last"]),
)
OVERRIDES = st.builds(Override, TEXT, TEXT, st.floats(0, 99), TEXT, TEXT, TIMES)
EXTENSIONS = st.builds(
    Extension, TEXT, TEXT, st.floats(0, 99), TEXT.filter(str.strip), TEXT, TIMES
)
