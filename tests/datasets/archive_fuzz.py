"""Damages archives at random: they are read, or refused as damaged.

python -m tests.datasets.archive_fuzz --cases 20000
"""

import argparse
import random
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

from gmoe.datasets import CorruptDatasetError
from gmoe.datasets.archive import extract_zip
from gmoe.datasets.webnlg.release import read_release
from tests.datasets.download_race import write_archives


def fuzz(folder: Path, cases: int, seed: int = 0) -> Counter[str]:
    """Damages small archives of OGB's and of WebNLG's kind.

    Args:
        folder: A folder to work in.
        cases: How many times.
        seed: The seed.

    Returns:
        How many of each kind were read, and how many refused. Errors that no
        caller expects are raised.
    """
    contents = {
        name: (write_archives(folder) / f'{name}.zip').read_bytes()
        for name in ('ogb', 'webnlg')
    }
    path = folder / 'a.zip'
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    for case in range(cases):
        name = ('ogb', 'webnlg')[case % 2]
        content = bytearray(contents[name])
        for _ in range(rng.randint(1, 8)):
            # Most of what matters is at the end.
            low = rng.choice([0, len(content) * 2 // 3, len(content) - 30])
            content[rng.randrange(low, len(content))] = rng.randrange(256)
        path.write_bytes(content)
        counts[f'{name} {"read" if _is_read(name, path) else "refused"}'] += 1
    return counts


def _is_read(name: str, path: Path) -> bool:
    if name == 'ogb':
        with tempfile.TemporaryDirectory() as out:
            try:
                extract_zip(path, Path(out))
            except (zipfile.BadZipFile, RuntimeError):
                return False
            except (FileExistsError, NotADirectoryError):
                return False  # A file in place of a folder.
        return True
    message = ''
    try:
        read_release(path)
    except (CorruptDatasetError, FileNotFoundError) as e:
        message = str(e)
    assert not message or str(path) in message
    return not message


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--cases', type=int, default=20_000)
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        counts = fuzz(Path(folder), arguments.cases, arguments.seed)
    print(f'{dict(counts)}, {time.perf_counter() - start:.0f} seconds')


if __name__ == '__main__':
    main()
