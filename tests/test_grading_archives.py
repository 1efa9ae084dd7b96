"""Archives are read within limits; what is hostile is refused alone, and its neighbours stay."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile

import pytest
from handed_in import GOOD, SMALL, contents, entry, listed, tarred, zipped
from hypothesis import given, settings
from hypothesis import strategies as st

from socketlab.grading.files import (
    Budget,
    Limits,
    UnreadableError,
    clean_name,
    is_ignored,
    shown_name,
    stem_of,
)

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
TARS = {"a.tar": "", "a.tar.gz": "gz", "a.tgz": "gz", "a.tar.bz2": "bz2", "a.tar.xz": "xz"}
HERE = {"ada/lab.py": GOOD, "bob/lab.py": b"x = 1\n"}
ODD = {
    "../lab.py": "..",
    "a/../../lab.py": "..",
    "a\\..\\lab.py": "..",
    "/etc/lab.py": "absolute",
    "C:\\lab.py": "absolute",
    "\\\\host\\lab.py": "absolute",
    "a\nb.py": "no text",
    "a\x1b[31m.py": "no text",
    "a\u202eyp.bal": "no text",
    "NUL.py": "Windows",
    "a/com1": "Windows",
    "a" * 2000: "too long",
    "a/" * 60 + "b.py": "too long",
    "./": "empty",
}


@pytest.mark.parametrize("method", METHODS)
def test_zips_of_every_kind_are_read(method: str) -> None:
    found = contents(zipped(HERE, METHODS[method]))
    assert found == {f"a.zip/{name}": data for name, data in HERE.items()}


@pytest.mark.parametrize("name", TARS)
def test_tars_of_every_kind_are_read(name: str) -> None:
    found = contents(tarred(HERE, TARS[name]), name)
    assert found == {f"{name}/{each}": data for each, data in HERE.items()}


@pytest.mark.parametrize(("name", "word"), ODD.items())
def test_an_odd_name_is_refused_and_its_neighbours_stay(name: str, word: str) -> None:
    for archive, data in (
        ("a.zip", zipped({name: b"1", **HERE})),
        ("a.tar", tarred({name: b"1", **HERE})),
    ):
        found = contents(data, archive)
        assert [found.pop(f"{archive}/{each}") for each in HERE] == list(HERE.values())
        if name != "./":  # nothing of it is left
            assert [word in str(reason) for reason in found.values()] == [True]
        assert all(each.isprintable() for each in found)


def test_what_comes_after_a_nul_is_part_of_a_zips_names() -> None:
    data = zipped({"labXpy": b"1", **HERE}).replace(b"labXpy", b"la\0.py")
    assert "no text" in str(contents(data)["a.zip/la\\x00.py"])


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
@pytest.mark.parametrize("target", ["/etc/passwd", "bob/lab.py"])
def test_only_files_are_taken_out_of_a_tar(kind: bytes, target: str) -> None:
    found = contents(tarred({"x": entry("lab.py", kind, target), **HERE}), "a.tar")
    reason = str(found.pop("a.tar/lab.py"))
    assert "link" in reason or "device" in reason
    assert len(found) == 2


@pytest.mark.parametrize(
    ("mode", "word"), [(0o120777, "link"), (0o020666, "device"), (0o010666, "device")]
)
def test_only_files_are_taken_out_of_a_zip(mode: int, word: str) -> None:
    file = io.BytesIO(zipped(HERE))
    with zipfile.ZipFile(file, "a") as archive:
        info = zipfile.ZipInfo("lab.py")
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, "/etc/passwd")
    found = contents(file.getvalue())
    assert word in str(found.pop("a.zip/lab.py"))
    assert list(found.values()) == list(HERE.values())


def test_an_encrypted_entry_is_refused() -> None:
    data = bytearray(zipped(HERE))
    data[data.index(b"PK\1\2") + 8] |= 1  # in the directory, which comes last
    found = contents(bytes(data))
    assert "password" in str(found["a.zip/ada/lab.py"])
    assert found["a.zip/bob/lab.py"] == HERE["bob/lab.py"]


def test_a_method_that_is_not_known_is_named() -> None:
    data = bytearray(zipped(HERE))
    data[data.index(b"PK\1\2") + 10] = 99
    assert "method 99" in str(contents(bytes(data))["a.zip/ada/lab.py"])


def test_of_two_entries_with_one_name_neither_is_taken() -> None:
    data = zipped({"bda/lab.py": b"print('swapped')", **HERE}).replace(b"bda", b"ada")
    found = contents(data)
    assert "more than once" in str(found["a.zip/ada/lab.py"])
    assert found["a.zip/bob/lab.py"] == HERE["bob/lab.py"]
    twice = {"ada/lab.py": b"1", "./ada/lab.py": b"2", "bob/lab.py": b"3"}
    found = contents(tarred(twice, "gz"), "a.tgz")
    assert "more than once" in str(found["a.tgz/ada/lab.py"])
    assert found["a.tgz/bob/lab.py"] == b"3"


def test_entries_that_share_their_bytes_are_refused() -> None:
    data = bytearray(zipped({"a.py": GOOD, "b.py": GOOD, "c.py": b"3"}))
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 0)  # where the second entry starts
    found = contents(bytes(data))
    assert "shares its bytes" in str(found["a.zip/a.py"])
    assert "shares its bytes" in str(found["a.zip/b.py"])
    assert found["a.zip/c.py"] == b"3"


def test_a_damaged_entry_is_refused_and_its_neighbours_stay() -> None:
    data = bytearray(zipped(HERE, zipfile.ZIP_STORED))
    data[data.index(GOOD[:100])] ^= 1
    found = contents(bytes(data))
    assert "damaged" in str(found["a.zip/ada/lab.py"])
    assert found["a.zip/bob/lab.py"] == HERE["bob/lab.py"]


def test_a_size_that_lies_is_seen() -> None:
    data = bytearray(zipped(HERE))
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<I", 5)
    assert "damaged" in str(contents(bytes(data))["a.zip/ada/lab.py"])


@pytest.mark.parametrize("name", ["a.zip", *TARS])
def test_an_archive_that_is_cut_short_is_refused_whatever_is_left(name: str) -> None:
    data = zipped(HERE) if name == "a.zip" else tarred(HERE, TARS[name])
    last = len(data.rstrip(b"\0")) - (80 if name == "a.tar.xz" else 12)  # behind it: only sums
    for size in range(0, last, 97):
        refusals = listed(data[:size], name).refusals
        assert [each.name for each in refusals] == [name], size
        assert refusals[0].reason.endswith("."), size


def test_damage_in_the_middle_of_a_tar_is_told() -> None:
    data = bytearray(tarred(HERE))
    at = data.index(b"bob/lab.py")
    data[at + 148 : at + 156] = b"garbage!"  # the header's own sum
    found = contents(bytes(data), "a.tar")
    assert found["a.tar/ada/lab.py"] == GOOD
    assert "damaged" in str(found["a.tar"])


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"PK\3\4", b"Rar!\x1a\7", b"\x1f\x8b", bytes(3000)]
)
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_what_is_no_archive_is_refused(data: bytes, name: str) -> None:
    if data == bytes(3000) and name != "a.zip":
        pytest.skip("zeros are an empty tar")
    assert [each.name for each in listed(data, name).refusals] == [name]


def test_more_entries_than_allowed_are_not_read() -> None:
    many = {f"{number}.py": b"1" for number in range(SMALL.entries + 1)}
    for name, data in (("a.zip", zipped(many)), ("a.tgz", tarred(many, "gz"))):
        listing = listed(data, name)
        assert len(listing.files) == SMALL.entries
        assert ["entries" in each.reason for each in listing.refusals] == [True]


def test_a_large_directory_of_a_zip_is_not_loaded() -> None:
    many = zipped({f"{number:0200}.py": b"" for number in range(2000)})
    assert "directory" in listed(many).refusals[0].reason


def test_an_entry_that_is_too_large_is_refused() -> None:
    just = {"a.py": bytes(SMALL.entry), "b.py": bytes(SMALL.entry + 1)}
    for name, data in (("a.zip", zipped(just)), ("a.tar", tarred(just))):
        found = contents(data, name)
        assert found[f"{name}/a.py"] == just["a.py"]
        assert "10,000 bytes" in str(found[f"{name}/b.py"])


def bombs() -> dict[str, bytes]:
    """64 MiB in little."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_BZIP2) as archive,
        archive.open("a.py", "w") as inner,
    ):
        for _ in range(64):
            inner.write(bytes(1 << 20))
    header = tarfile.TarInfo("a.py")
    header.size = 1 << 26
    tar = header.tobuf()
    return {
        "a.zip": file.getvalue(),
        "a.tar.gz": gzip.compress(tar) + gzip.compress(bytes(1 << 25)) * 2,
        "a.tar.bz2": bz2.compress(tar) + bz2.compress(bytes(1 << 25)) * 2,
        "a.tar.xz": lzma.compress(tar) + lzma.compress(bytes(1 << 25)) * 2,
    }


BOMBS = bombs()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_no_more_than_the_limits(name: str) -> None:
    tracemalloc.start()
    try:
        found = contents(BOMBS[name], name)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert all(isinstance(reason, str) for reason in found.values())
    assert most < 16 << 20  # xz alone keeps 8 MiB


def test_much_from_little_is_called_a_bomb() -> None:
    wide = Limits(entry=32 << 20)
    assert "bomb" in str(contents(BOMBS["a.zip"], limits=wide)["a.zip/a.py"])
    assert "bomb" in str(contents(BOMBS["a.tar.gz"], "a.tar.gz", wide)["a.tar.gz"])


def test_the_longest_header_of_a_tar_is_not_loaded() -> None:
    header = entry("pax", tarfile.XHDTYPE)
    header.size = 1 << 30
    data = gzip.compress(header.tobuf()) + gzip.compress(bytes(8 << 20))
    assert "header" in listed(data, "a.tgz").refusals[0].reason


def test_names_that_are_utf8_but_do_not_say_so_are_read() -> None:
    data = zipped({"René/lab.py": b"1"})
    for at in (data.index(b"PK\3\4") + 7, data.index(b"PK\1\2") + 9):
        data = data[:at] + bytes([data[at] & ~8]) + data[at + 1 :]
    assert list(contents(data)) == ["a.zip/René/lab.py"]


def test_a_name_that_is_no_utf8_is_refused_alone() -> None:
    data = tarred({"abc/lab.py": b"1", **HERE}).replace(b"abc/lab.py", b"a\xe9c/lab.py")
    data = (
        data[:148] + f"{sum(data[:148]) + 256 + sum(data[156:512]):06o}\0 ".encode() + data[156:]
    )
    found = contents(data, "a.tar")
    assert "no text" in str(found["a.tar/a\\udce9c/lab.py"])
    assert len(found) == 3


def test_what_tools_leave_is_passed_over() -> None:
    left = {
        "__MACOSX/ada/._lab.py": b"1",
        ".git/config": b"1",
        "a/__pycache__/lab.py": b"2",
        ".DS_Store": b"",
    }
    assert list(contents(zipped({**left, **HERE}))) == [f"a.zip/{name}" for name in HERE]
    assert is_ignored("a/.ipynb_checkpoints/lab.py")
    assert not is_ignored("a/gitlab.py")


def test_times_are_those_of_the_archive_in_utc() -> None:
    (file,) = listed(tarred({"lab.py": b"1"}), "a.tar").files
    assert file.when
    assert file.when.isoformat() == "2026-02-02T02:40:00+00:00"
    extra = struct.pack("<HHBi", 0x5455, 5, 1, 1_770_000_000)
    info = zipfile.ZipInfo("lab.py", (2001, 1, 1, 0, 0, 0))
    info.extra = extra
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(info, b"1")
        archive.writestr(zipfile.ZipInfo("b.py"), b"2")  # 1980: no clock was set
    first, second = listed(packed.getvalue()).files
    assert (first.when, second.when) == (file.when, None)


def test_a_budget_is_spent_once() -> None:
    (file,) = listed(zipped({"lab.py": bytes(600)})).files
    budget = Budget(1000)
    assert len(file.read(SMALL.entry, budget)) == 600
    with pytest.raises(UnreadableError, match="than may be read"):
        file.read(SMALL.entry, budget)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_a_clean_name_is_clean_for_good(name: str) -> None:
    try:
        clean = clean_name(name)
    except UnreadableError:
        clean = "refused"
    assert clean_name(clean) == clean
    assert ".." not in clean.split("/")
    assert not clean.startswith("/")
    assert shown_name(name).isprintable()
    assert "/" not in stem_of(name)


ZIP, TAR = zipped(HERE), tarred(HERE, "gz")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["a.zip", "a.tar.gz", "a.tar"]), st.data())
def test_whatever_bytes_come_there_is_an_answer(name: str, data: st.DataObject) -> None:
    whole = {"a.zip": ZIP, "a.tar.gz": TAR, "a.tar": gzip.decompress(TAR)}[name]
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=8)):
        if at < len(damaged):
            damaged[at] = data.draw(st.integers(0, 255))
    found = contents(bytes(damaged), name)
    assert all(each == name or each.startswith(f"{name}/") for each in found)
