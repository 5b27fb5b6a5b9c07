"""Samples of WebDataset in `.tar` shards: found by the headers of the members, and read where they lie.

Nothing is unpacked, so that names and links of an archive lead nowhere.
"""

import io
import json
import os
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from tfgantl.data.classes import LABELS, in_order
from tfgantl.data.layout import SUFFIXES
from tfgantl.data.opening import MAX_FILE, Refused
from tfgantl.data.pictures import Encoded, PictureList
from tfgantl.data.shards.examples import check_names, check_unlabelled
from tfgantl.data.shards.files import class_names_beside
from tfgantl.errors import ConfigError, DataError
from tfgantl.printing import printable
from tfgantl.untrusted.unique_names import add

BLOCK = 512
REGULAR, LONG_NAME, PAX = (b"0", b"\0", b"7"), b"L", b"x"
ABOUT_NEXT = (LONG_NAME, PAX, b"K", b"g")  # headers, whose content is about what comes behind them
LINKS = (b"1", b"2")  # hard and symbolic ones
IN_PARTS = (b"S", b"M")
WITHOUT_CONTENT = (*LINKS, b"3", b"4", b"5", b"6")  # links, devices and folders, whatever size they state
RECORD = 20 * BLOCK  # what an archive is filled up to with zeros, and GNU tar may leave one more when it deletes
RECORDS = tuple(2**power for power in range(14, 21))  # or by those for tapes
MAX_HEADER = 2**20  # bytes of a long name, or of a header of PAX
MAX_LABEL = 2**12
MAX_FACTS = 2**16  # bytes of a JSON that is asked whether it has labels
MAX_NAME = 100  # bytes of the name in a header
MAX_NAMED = 3  # classes in a note
MAX_DIGITS = 10  # of the length of an entry of PAX, and the space behind them
AHEAD = 2**20  # bytes that are read at one time
LONG = 2**30  # bytes of shards that take a few seconds to list


class Member(NamedTuple):
    """A file in an archive: its name, and where its content lies; `None` of a link, which is not followed.

    A name is plain if it is what the first bytes of its header say, and nothing else says otherwise.
    """

    name: str
    offset: int | None
    size: int
    plain: bool = True


def members_of(file: BinaryIO, size: int, told: str) -> Iterator[Member]:
    """Finds the files of a `.tar` archive by its headers, and links; folders and devices are passed over.

    Args:
        file: The archive.
        size: Its bytes.
        told: Its name, for messages.

    Raises:
        DataError: If a header is damaged or promises more than there is, or the archive has no end, or more behind it,
            or a file is in parts.
    """
    offset, name_ahead = 0, None
    while True:
        if offset + BLOCK > size:
            raise DataError(f"{told}: must be whole. Received: {size} bytes, without the end of an archive")
        file.seek(offset)
        header = file.read(BLOCK)
        if header.count(0) == BLOCK:
            _check_end(file, offset, size, told)
            return
        try:
            stated = int(header[148:156].strip(b" \0") or b"0", 8)
            length = _number(header[124:136])
        except ValueError as error:
            raise DataError(f"{told}: must be a .tar archive. Received: a damaged header at byte {offset}") from error
        if stated != sum(header) - sum(header[148:156]) + 8 * ord(" "):
            raise DataError(f"{told}: must be a .tar archive. Received: a damaged header at byte {offset}")
        content, kind = offset + BLOCK, header[156:157]
        if kind in ABOUT_NEXT and length > MAX_HEADER:
            raise DataError(f"{told}: a header must have at most {MAX_HEADER} bytes. Received: {length}")
        if kind in IN_PARTS:
            raise DataError(f"{told}: must hold whole files. Received: a sparse or continued one at byte {offset}")
        if kind in (PAX, LONG_NAME):
            extended = file.read(length)
            name_ahead = _text(extended) if kind == LONG_NAME else _pax_name(extended, told)
        elif kind in (*REGULAR, *LINKS):
            prefix = _text(header[345:500]) if header[257:262] == b"ustar" and header[263:265] == b"00" else ""
            name = name_ahead or "/".join(filter(None, (prefix, _text(header[:100]))))
            if kind in LINKS:
                yield Member(name, None, 0)
            elif content + length > size:
                raise DataError(
                    f"{told}: must be whole. Received: {printable(name)[:200]} of {length} bytes, {size - content} left"
                )
            else:
                yield Member(name, content, length, plain=name_ahead is None and not prefix)
        if kind not in ABOUT_NEXT:  # that of a folder is not that of the file behind it
            name_ahead = None
        if kind in WITHOUT_CONTENT:
            length = 0
        offset = content + -(-length // BLOCK) * BLOCK


def _check_end(file: BinaryIO, offset: int, size: int, told: str) -> None:
    """Raises `DataError` unless zeros fill up a record from here on, and nothing more.

    A file whose space is taken before it is copied has zeros in the place of all that is missing.
    """
    left = size - offset
    most = max(2 * RECORD, *(record for record in RECORDS if size % record == 0), 0) + 2 * BLOCK
    file.seek(offset)
    if left > most or file.read(left).count(0) != left:
        raise DataError(f"{told}: must end behind its last member. Received: {left} bytes more, at byte {offset}")


class TarPictures(PictureList):
    """Samples of `.tar` shards.

    Args:
        files: The shards.
        images: Suffixes of pictures, the preferred one first.
        label: Suffix of labels, or `None`.
        chosen: Whether the suffixes say which picture of a sample is meant, if it has several.

    Raises:
        ConfigError: If a sample has several pictures and it is not said which, or labels under another suffix.
        DataError: If a shard is damaged, there is no sample, or some have labels and others do not.
    """

    unit = "sample"

    def __init__(self, files: list[Path], images: tuple[str, ...], label: str | None, chosen: bool = False) -> None:
        self._files, self._images, self._label, self._chosen = files, images, label, chosen
        self._shards, self._offsets, self._sizes = array("L"), array("q"), array("q")
        self._labels: list[bytes | None] = []  # few different ones
        self._same: dict[bytes, bytes] = {}
        self._long: dict[int, str] = {}  # names that are not in the header alone
        self._shard_names = _different_names(files)
        self._without = self._links = 0
        self._dotted, self._first_dotted = 0, ""  # pictures of samples that have several, and none by their suffixes
        with _bar(files) as show:
            for shard, file in enumerate(files):
                self._index(shard, file)
                show(file.stat().st_size)
        dotted = ""
        if self._dotted:
            told = printable(self._first_dotted)[:200]
            dotted = f"{self._dotted} pictures such as {told}: names end at their first full stop"
        if not self._offsets:
            raise DataError(
                f"WebDataset: shards must hold pictures ({', '.join(images)}). Received: {files[0]}"
                f"{f' and {len(files) - 1} more' if len(files) > 1 else ''}, without any{dotted and f' but {dotted}'}"
            )
        unlabelled = sum(text is None for text in self._labels)
        if 0 < unlabelled < len(self._labels):
            raise DataError(
                f"WebDataset: every sample must have a label (.{label}), or none. Received: {unlabelled} of "
                f"{len(self._labels)} samples without, the first at {self.told(self._labels.index(None))}"
            )
        known = None if unlabelled else class_names_beside(files)
        classes, numbers = (None, None) if unlabelled else self._classes(known)
        counts = {"samples without a picture": self._without, "links in the place of files": self._links}
        notes = [f"left out {count} {what}" for what, count in counts.items() if count]
        notes += [f"left out {dotted}"] if dotted else []
        if known and classes and not {*classes} & {*known}:
            some = [", ".join(map(printable, names[:MAX_NAMED])) for names in (known, classes)]
            notes.append(f"classes.txt ({some[0]}) has no name of a label ({some[1]}), and is passed over")
        super().__init__("WebDataset", len(self._offsets), not unlabelled, classes, notes)
        self._numbers = numbers

    def chunk(self, start: int, stop: int) -> Iterator[Encoded]:
        for i in range(start, stop):
            text = self._labels[i]
            opener = partial(_read, self._files[self._shards[i]], self._offsets[i], self._sizes[i])
            yield Encoded(opener, None if self._numbers is None or text is None else self._numbers[text])

    def told(self, index: int) -> str:
        return f"{printable(self._files[self._shards[index]])}: {printable(self._member(index))}"

    def called(self, index: int) -> str:
        """The shard, as samples of several may have one name, and the picture in it."""
        return f"{self._shard_names[self._shards[index]]}/{self._member(index)}"

    def _member(self, index: int) -> str:
        if index in self._long:
            return self._long[index]
        with open(self._files[self._shards[index]], "rb", 0) as stream:  # each sample is asked: no more is read
            return _text(os.pread(stream.fileno(), MAX_NAME, self._offsets[index] - BLOCK))

    def _index(self, shard: int, file: Path) -> None:
        once = f"WebDataset: {printable(file)}: samples must have each of their files once"
        key: tuple[str, str] | None = None
        sample: dict[str, Member] = {}
        keys, without = array("q"), array("q")  # hashes of all, and of those without a picture
        with open(file, "rb", AHEAD) as stream:

            def finish() -> None:
                if sample:
                    keys.append(hash(key))
                    if not self._add(shard, sample, stream):
                        without.append(hash(key))
                        several = [suffix for suffix in sample if suffix.rpartition(".")[2] in self._images]
                        if len(several) > 1:
                            self._dotted += len(several)
                            self._first_dotted = self._first_dotted or sample[several[0]].name

            for member in members_of(stream, os.fstat(stream.fileno()).st_size, f"WebDataset: {printable(file)}"):
                folder, _, base = member.name.rpartition("/")
                stem, _, suffix = base.partition(".")
                if not stem:  # hidden, such as what macOS adds
                    continue
                if member.offset is None:
                    self._links += suffix.casefold() in (*self._images, self._label)
                    continue
                if (folder, stem) != key:
                    finish()
                    key, sample = (folder, stem), {}
                add(sample, suffix.casefold(), member, once, DataError)
            finish()
        found, counts = np.unique(np.frombuffer(keys, np.int64), return_counts=True)
        apart = int(np.isin(np.frombuffer(without, np.int64), found[counts > 1]).sum())
        if apart:
            raise DataError(
                f"WebDataset: {printable(file)}: files of a sample must follow each other, as `tar --sort=name` has "
                f"them. Received: {apart} samples without a picture, which is elsewhere in the shard"
            )
        self._without += len(without)

    def _add(self, shard: int, sample: dict[str, Member], stream: BinaryIO) -> bool:
        """Adds a sample, unless it has no picture, and says whether it has."""
        pictures = [suffix for suffix in self._images if suffix in sample]
        if len(pictures) > 1 and not self._chosen:  # such as a mask beside a photograph
            raise ConfigError(
                f"WebDataset: {printable(self._files[shard])}: a sample must have one picture, or `image` say which. "
                f"Received: {' and '.join(printable(sample[suffix].name)[:80] for suffix in pictures)}"
            )
        picture = sample[pictures[0]] if pictures else None
        if picture is None or picture.offset is None:
            return False
        if self._label not in sample:
            self._check_unlabelled(shard, sample, stream)
        if not picture.plain:
            self._long[len(self._offsets)] = picture.name
        self._shards.append(shard)
        self._offsets.append(picture.offset)
        self._sizes.append(picture.size)
        label = sample.get(self._label) if self._label else None
        text = None
        if label is not None:
            if label.size > MAX_LABEL:  # those that begin alike would be one class
                raise DataError(
                    f"WebDataset: {printable(self._files[shard])}: a label must have at most {MAX_LABEL} bytes. "
                    f"Received: {label.size} in {printable(label.name)[:80]}"
                )
            stream.seek(label.offset or 0)
            text = stream.read(label.size).strip()
            text = self._same.setdefault(text, text)
        self._labels.append(text)
        return True

    def _check_unlabelled(self, shard: int, sample: dict[str, Member], stream: BinaryIO) -> None:
        """Raises `ConfigError` if labels are called otherwise than they are asked for."""
        where, known = f"WebDataset: {printable(self._files[shard])}", sorted(sample)
        check_unlabelled(where, self._label, known)
        # Such as cls.txt; target.png is a picture.
        others = [suffix for suffix in known if f".{suffix.rpartition('.')[2]}" not in SUFFIXES]
        joined = [suffix for suffix in others if {*suffix.split(".")} & LABELS]
        inside = sorted(_keys_of(sample.get("json"), stream) & LABELS) if not self._offsets else []  # one tells of all
        if self._label is not None and joined:
            raise ConfigError(
                f"{where}: `label` must be null, or the suffix of labels. Received: {self._label}, beside {joined[0]}"
            )
        if self._label is not None and inside:
            raise ConfigError(
                f"{where}: labels inside of .json are not read: `label` must be null, or shards have a .cls. "
                f"Received: {self._label}, beside {inside[0]} in .json"
            )

    def _classes(self, known: tuple[str, ...] | None) -> tuple[tuple[str, ...] | None, dict[bytes, int]]:
        """Names of classes, if there are any, and the number of each label."""
        found = {text: text.decode("utf-8", "replace") for text in self._same}
        if all(text.isdigit() and len(text) < 10 for text in found):
            numbers = {text: int(text) for text in found}
            if known is not None and max(numbers.values()) >= len(known):
                raise DataError(
                    f"WebDataset: labels must be in [0, {len(known) - 1}], as classes.txt says. "
                    f"Received: {max(numbers.values())}"
                )
            return known, numbers
        given = set(found.values())
        check_names("WebDataset", given)
        if known is not None and given & set(known):  # in the order in which they stand there
            if given - set(known):
                raise DataError(
                    "WebDataset: labels must be names that classes.txt has. "
                    f"Received: {printable(min(given - set(known)))[:80]}"
                )
            names = tuple(name for name in known if name in given)
            places = {name: place for place, name in enumerate(names)}
            return names, {text: places[name] for text, name in found.items()}
        unfit = [text for text, name in found.items() if not name or "\ufffd" in name]
        if unfit:
            raise DataError(
                "WebDataset: labels must be whole numbers, or names in UTF-8. "
                f"Received: {printable(repr(unfit[0]))[:80]}"
            )
        names = tuple(in_order(list(found.values())))
        by_name = {name: number for number, name in enumerate(names)}
        return names, {text: by_name[name] for text, name in found.items()}


def _different_names(files: list[Path]) -> list[str]:
    """Names of shards, with their folders where several have one name."""
    names = [file.name for file in files]
    if len(set(names)) == len(names):
        return names
    folder = os.path.commonpath([file.absolute().parent for file in files])
    return [file.absolute().relative_to(folder).as_posix() for file in files]


def _keys_of(member: Member | None, stream: BinaryIO) -> set[str]:
    """Names of what the JSON of a sample says."""
    if member is None or member.offset is None or member.size > MAX_FACTS:
        return set()
    stream.seek(member.offset)
    try:
        facts = json.loads(stream.read(member.size))
    except (ValueError, RecursionError):
        return set()
    return set(facts) if isinstance(facts, dict) else set()


def _read(file: Path, offset: int, size: int) -> BinaryIO:
    if not size:
        raise Refused("is empty (0 bytes)")
    if size > MAX_FILE:
        raise Refused(f"has more than {MAX_FILE} bytes")
    with open(file, "rb", 0) as stream:
        return io.BytesIO(os.pread(stream.fileno(), size, offset))


@contextmanager
def _bar(files: list[Path]) -> Iterator[Callable[[int], object]]:
    """A bar for listing shards, where that takes more than a few seconds."""
    total = sum(file.stat().st_size for file in files)
    if total < LONG:
        yield lambda size: None
        return
    from tfgantl.progress import bar

    with bar(total, "WebDataset: listing shards", "byte") as shown:
        yield shown.update


def _number(field: bytes) -> int:
    """A number in a header: octal digits, or of GNU's kind, binary."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise ValueError("no octal digits")
    return int(digits or b"0", 8)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _pax_name(content: bytes, told: str) -> str | None:
    """The name in a header of PAX, `None` if it has none.

    Raises:
        DataError: If it is damaged, or says how large the member is, which only those above 8 GB need.
    """
    found, start, end = {}, 0, len(content.rstrip(b"\0"))
    while start < end:  # a header may hold hundreds of thousands: what is left of it is not copied for each
        space = content.find(b" ", start, start + MAX_DIGITS)
        digits = content[start:space] if space > start else b""
        stop = start + int(digits) if digits.isdigit() else 0
        if not space + 1 < stop <= len(content):
            raise DataError(f"{told}: must be a .tar archive. Received: a damaged header of PAX")
        key, _, value = content[space + 1 : stop - 1].partition(b"=")
        found[key], start = value, stop
    if b"size" in found:
        raise DataError(f"{told}: members must be smaller than 8 GB. Received: one with its size in a header of PAX")
    return _text(found[b"path"]) if b"path" in found else None
