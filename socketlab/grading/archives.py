"""Zip and tar archives, read entry by entry into memory: nothing is ever extracted to disk.

An archive is hostile until it is read. What is odd about one entry refuses that entry alone, with
a reason; its neighbours stay. Nothing here uses more memory than the limits say, whatever an
archive claims of itself: the sizes in its headers are not trusted, they are compared.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import BinaryIO

from socketlab.grading.files import (
    ZIPS,
    Budget,
    File,
    Limits,
    Listing,
    UnreadableError,
    clean_name,
    is_archive,
    is_ignored,
    moment,
    shown_name,
    why,
)
from socketlab.grading.submission import Refusal

SMALL = 1 << 20  # bytes: what unpacks to less is never called a bomb
PIECE = 1 << 16  # bytes that are unpacked at a time
LONGEST_HEADER = 1 << 20  # bytes in a tar
DIRECTORY = 256  # bytes of a zip's directory for each entry that is allowed
LARGEST_WINDOW = 64 << 20  # bytes that an lzma stream may ask for
ENCRYPTED = 0x1 | 0x40 | 0x2000  # flags of a zip's entry
UTF8 = 0x800
UTC_TIMES = 0x5455  # a zip's extra field with times that do not depend on a time zone
BOMB = "It unpacks to far more than it should: a zip bomb. Hand in only the program."
TWICE = "Its name is there more than once, so nobody can tell which is meant. Hand in only one."
LINK = "It is a link to another file. Hand in the file itself."
DEVICE = "It is no file but a device or a pipe. Hand in a file."
LOCKED = "It is encrypted. Hand it in without a password."
SHARED = "It shares its bytes with another entry, as in a zip bomb. Hand in only the program."
DAMAGED = "It is damaged: its bytes are not those that were packed. Ask for it again."


@dataclass(frozen=True, slots=True)
class Entry:
    """What an archive says of one of its entries; `fault` is why it is not taken."""

    name: str
    when: datetime | None
    folder: bool
    fault: str
    reader: Callable[[int], bytes]


def list_archive(
    stream: BinaryIO, name: str, limits: Limits, needed: Callable[[str], bool]
) -> Listing:
    """What is in the archive `name`, open as `stream`; each name starts with the archive's.

    `stream` must stay open while the files are read. Only what is `needed` by its name is kept of
    a tar. What cannot be read is among the refusals, the archive itself not excepted.
    """
    entries = _zip_entries if name.casefold().endswith(ZIPS) else _tar_entries
    found: list[Entry] = []
    refusals = []
    try:
        for entry in entries(stream, limits, needed):
            if len(found) >= limits.entries:
                raise UnreadableError(f"Only the first {limits.entries:,} entries are read.")
            found.append(entry)
    except Exception as error:  # hostile bytes make the libraries raise almost anything
        refusals.append(Refusal("", name, why(error)))
    return _sort_out(found, name, refusals)


def _sort_out(found: list[Entry], archive: str, refusals: list[Refusal]) -> Listing:
    files: list[File] = []
    folders: list[str] = []
    for entry in found:
        if is_ignored(entry.name.replace("\\", "/").rstrip("/")):
            continue
        try:
            path = f"{archive}/{clean_name(entry.name)}"
            if entry.fault:
                raise UnreadableError(entry.fault)
        except UnreadableError as error:
            refusals.append(Refusal("", f"{archive}/{shown_name(entry.name)}", str(error)))
        else:
            if not entry.folder:
                files.append(File(path, entry.when, entry.reader))
            elif path.casefold().endswith(".py"):
                folders.append(path)
    return _once_each(files, refusals, folders)


def _once_each(files: list[File], refusals: list[Refusal], folders: list[str]) -> Listing:
    times = Counter(file.name for file in files)
    twice = [Refusal("", name, TWICE) for name, count in times.items() if count > 1]
    once = tuple(file for file in files if times[file.name] == 1)
    return Listing(once, (*refusals, *twice), tuple(folders))


class _Bounded:
    """A file of which each read() gives at most so many bytes: more of them is an error."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self.seek, self.tell, self._stream, self._most = stream.seek, stream.tell, stream, most

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, self._most + 1) if size >= 0 else self._most + 1)
        if len(data) > self._most:
            raise UnreadableError("Its directory is far too large. Hand in only the program.")
        return data


def _zip_entries(
    stream: BinaryIO, limits: Limits, needed: Callable[[str], bool]
) -> Iterator[Entry]:
    directory = _Bounded(stream, max(limits.entries * DIRECTORY, 1 << 17))
    infos = zipfile.ZipFile(directory).infolist()  # type: ignore[arg-type]
    shared = _overlapping(infos)
    for info in infos:
        mode = info.external_attr >> 16
        folder = info.orig_filename.endswith(("/", "\\")) or stat.S_ISDIR(mode)
        fault = _fault_of(mode, info.flag_bits) or (SHARED if info.header_offset in shared else "")
        reader = partial(_unzipped, stream, info, limits.ratio)
        yield Entry(_zip_name(info), _zip_time(info), folder, fault, reader)


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """Where entries start that share bytes with others."""
    shared = set()
    end = last = -1
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            shared |= {info.header_offset, last}
        if info.header_offset + 30 + info.compress_size >= end:
            end, last = info.header_offset + 30 + info.compress_size, info.header_offset
    return shared


def _fault_of(mode: int, flags: int) -> str:
    if stat.S_ISLNK(mode):
        return LINK
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return DEVICE
    return LOCKED if flags & ENCRYPTED else ""


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: many programs write UTF-8 and do not say so."""
    name = info.orig_filename
    if not info.flag_bits & UTF8:
        with suppress(UnicodeError):
            return name.encode("cp437").decode("utf-8")
    return name


def _zip_time(info: zipfile.ZipInfo) -> datetime | None:
    """When it was written, in UTC; a time without a zone is one of this machine's."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == UTC_TIMES and size >= 5 and extra[4] & 1 and len(extra) >= 9:
            return moment(struct.unpack("<i", extra[5:9])[0])
        extra = extra[4 + size :]
    with suppress(ValueError, OverflowError, OSError):
        return moment(datetime(*info.date_time).timestamp())
    return None


def _unzipped(stream: BinaryIO, info: zipfile.ZipInfo, ratio: int, most: int) -> bytes:
    """Up to `most` bytes of an entry; if these are all, they are those that were packed."""
    packed = _packed(stream, info, 2 * most + 4096)
    data = _unpack(info.compress_type, packed, most)
    if len(data) > max(SMALL, ratio * len(packed)):
        raise UnreadableError(BOMB)
    if len(data) < most and (len(data), zlib.crc32(data)) != (info.file_size, info.CRC):
        raise UnreadableError(DAMAGED)
    return data


def _packed(stream: BinaryIO, info: zipfile.ZipInfo, most: int) -> bytes:
    stream.seek(info.header_offset)
    head = stream.read(30)
    if head[:4] != b"PK\3\4":
        raise UnreadableError(DAMAGED)
    name, extra = struct.unpack("<HH", head[26:30])
    stream.seek(name + extra, io.SEEK_CUR)
    return stream.read(min(info.compress_size, most))


def _unpack(method: int, packed: bytes, most: int) -> bytes:
    match method:
        case zipfile.ZIP_STORED:
            return packed[:most]
        case zipfile.ZIP_DEFLATED:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)
        case zipfile.ZIP_BZIP2:
            return bz2.BZ2Decompressor().decompress(packed, most)
        case zipfile.ZIP_LZMA:
            return _unpack_lzma(packed, most)
    raise UnreadableError(f"It is packed by method {method}. Use deflate, as programs usually do.")


def _unpack_lzma(packed: bytes, most: int) -> bytes:
    """As in section 5.8.8 of the zip format's description: 4 bytes, 5 of settings, the stream."""
    settings, window = struct.unpack("<BI", packed[4:9])
    if window > LARGEST_WINDOW:
        raise UnreadableError(BOMB)
    rest, lc = divmod(settings, 9)
    pb, lp = divmod(rest, 5)
    how = {"id": lzma.FILTER_LZMA1, "dict_size": window, "lc": lc, "lp": lp, "pb": pb}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[how]).decompress(packed[9:], most)


class _Metered:
    """What comes out of a packed tar: only forwards, only so much, and never much for little."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._packed, self._inner = stream, _opened(stream)
        self._budget, self._ratio = Budget(limits.total), limits.ratio
        self._at = 0
        self.last = b""  # what was read last: an archive that is all there ends with zeros

    def tell(self) -> int:
        return self._at

    def seek(self, position: int) -> int:
        while self._at < position and self.read(min(position - self._at, PIECE)):
            pass
        if self._at > position:
            raise UnreadableError(DAMAGED)
        return self._at

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LONGEST_HEADER:
            raise UnreadableError("It has a header that is far too large. Ask for it again.")
        self.last = data = self._inner.read(min(size, self._budget.left + 1))
        self._budget.spend(len(data))
        self._at += len(data)
        if self._at > max(SMALL, self._ratio * self._packed.tell()):
            raise UnreadableError(BOMB)
        return data


def _opened(stream: BinaryIO) -> BinaryIO:
    """The tar in a stream that may be compressed; nothing in it is unpacked before it is read."""
    magic = stream.read(6)
    stream.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(stream)  # type: ignore[return-value]
    if magic.startswith(b"\xfd7zXZ"):
        return lzma.LZMAFile(stream)  # type: ignore[return-value]
    return stream


def _tar_entries(
    stream: BinaryIO, limits: Limits, needed: Callable[[str], bool]
) -> Iterator[Entry]:
    inner = _Metered(stream, limits)
    with tarfile.open(fileobj=inner, mode="r:") as tar:  # type: ignore[call-overload]
        while info := tar.next():
            yield _tar_entry(tar, info, limits, needed)
            tar.members.clear()
    if inner.last.strip(b"\0") or not inner.last:
        raise UnreadableError(f"{DAMAGED} What comes after the damage is not read.")


def _tar_entry(
    tar: tarfile.TarFile, info: tarfile.TarInfo, limits: Limits, needed: Callable[[str], bool]
) -> Entry:
    """One entry. Its bytes are read now: there is no way back in a packed tar."""
    fault = LINK if info.issym() or info.islnk() else ""
    if not fault and (not (info.isreg() or info.isdir()) or info.issparse()):
        fault = DEVICE
    most = (limits.archive if is_archive(info.name) else limits.entry) + 1
    wanted = info.isreg() and not fault and not is_ignored(info.name) and needed(info.name)
    data = _extracted(tar, info, most) if wanted else b""
    return Entry(info.name, moment(info.mtime), info.isdir(), fault, lambda most: data[:most])


def _extracted(tar: tarfile.TarFile, info: tarfile.TarInfo, most: int) -> bytes:
    """Up to `most` bytes of it; tarfile.ReadError if the archive ends before."""
    file = tar.extractfile(info)
    assert file
    return b"".join(iter(lambda: file.read(min(PIECE, most - file.tell())), b""))
