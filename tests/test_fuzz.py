"""What the fuzzer found stays mended, and a little of it is done over again."""

import json
import random

import pytest
from fuzz import fuzz
from fuzz_targets import TARGETS, holds_for_verdicts, made_verdict

from socketlab.harness.verdicts import final_line, verdict_line


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_that_are_nearly_right(name):
    assert "accepted" in fuzz(TARGETS[name], 1, range(1, 300))


def test_text_that_no_encoding_can_write_is_no_verdict():
    record = json.loads(verdict_line(made_verdict(random.Random(1))))
    record["verdict"]["means"] = "\ud800"
    stream = json.dumps(record) + "\n" + final_line(1)
    assert not holds_for_verdicts(stream.encode())
