"""The sizes up to which files from outside are read."""

from dataclasses import dataclass

from gmoe.common.arguments import check_integer

#: The size up to which a content may be compressed to any degree.
SMALL = 16 * 2**20

#: The largest file of triples that is read; those of WebNLG are below 4 MB.
MAX_FILE_SIZE = 64 * 2**20


@dataclass(frozen=True)
class Limits:
    """Limits of a dataset's files. All of OGB's molecule datasets are far
    below the defaults: the largest, ``ogbg-molpcba``, has 437,929 graphs, and
    its largest table about 220 MB of text.

    Args:
        download: The bytes of a download.
        unzipped: The bytes of an archive's content.
        members: The files and folders of an archive.
        table: The bytes of a raw file's text.
        ratio: How many times larger than its compressed file a content of
            more than 16 MiB may be. OGB's contents are up to 51 times larger.

    Raises:
        ValueError: If a limit is not positive.
    """

    download: int = 2**30
    unzipped: int = 2**31
    members: int = 1000
    table: int = 2**30
    ratio: int = 200

    def __post_init__(self) -> None:
        check_integer(1, **vars(self))

    def content(self, compressed: int, most: int) -> int:
        """Returns how many bytes a compressed file may hold."""
        return min(most, max(SMALL, self.ratio * compressed))


#: The limits where none are given.
LIMITS = Limits()
