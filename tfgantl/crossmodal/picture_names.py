"""Which pictures the names in a file of captions mean."""

from collections import Counter
from collections.abc import Iterable
from os.path import isfile, samefile  # for which a name that is too long is no file, and no error
from pathlib import Path, PurePath, PurePosixPath


class PictureNames:
    """Pictures, found by their path or, where it can only mean one, by its last part.

    One of both paths must end as the other: `cats/1.png` may be `/my/cats/1.png` or `1.png`, and is not `dogs/1.png`.

    Args:
        pictures: Their paths relative to their folder.
        folder: The folder, if they lie in one.
        beside: Where the file of captions lies.

    Example:
        >>> names = PictureNames(["1.png", "2.png"], Path("flowers/train"), Path("flowers"))
        >>> names.of(["train/1.png", "test/1.png", "a/2.png", "b/2.png"])
        ({'train/1.png': '1.png'}, ['a/2.png', 'b/2.png'])
    """

    def __init__(self, pictures: Iterable[str], folder: Path | None, beside: Path):
        self._pictures, self._beside = set(pictures), beside
        self._folder = folder.absolute() if folder is not None else None
        last = Counter(PurePosixPath(picture).name for picture in self._pictures)
        self._last = {
            name: picture for picture in self._pictures if last[name := PurePosixPath(picture).name] == 1
        }  # fmt: skip

    def of(self, names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
        """The pictures that names mean.

        Args:
            names: All that are in the file: of whole sets, there may be pictures of other folders among them.

        Returns:
            Name → picture, and names of which several would mean one picture, none of them more than the others.
        """
        claims: dict[str, list[str]] = {}
        for name in names:
            if (picture := self._found(name)) is not None:
                claims.setdefault(picture, []).append(name)
        found: dict[str, str] = {}
        ambiguous: list[str] = []
        for picture, claiming in claims.items():
            whole = [name for name in claiming if self._is_end_of_path(name, picture)]
            if whole or len({_path(name) for name in claiming}) == 1:
                found |= dict.fromkeys(whole or claiming, picture)
            else:
                ambiguous += claiming
        return found, ambiguous

    def _found(self, name: str) -> str | None:
        """The picture that a name may mean."""
        path = _path(name)
        if str(path) in self._pictures:
            return str(path)
        picture = self._last.get(path.name)
        if picture is None or not _end_alike(path, PurePosixPath(picture)):
            return None
        if self._folder is None or self._is_end_of_path(name, picture):
            return picture
        # The name of a file that is there is that of no other one.
        named, own = self._beside / path, self._folder / picture
        return None if isfile(named) and isfile(own) and not samefile(named, own) else picture

    def _is_end_of_path(self, name: str, picture: str) -> bool:
        path, whole = _path(name), PurePosixPath(picture) if self._folder is None else self._folder / picture
        return len(path.parts) <= len(whole.parts) and _end_alike(path, whole)


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.strip().replace("\\", "/"))


def _end_alike(one: PurePath, other: PurePath) -> bool:
    """Whether the shorter of two paths is the end of the longer."""
    return all(a == b for a, b in zip(reversed(one.parts), reversed(other.parts), strict=False))
