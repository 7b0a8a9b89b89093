"""The folder that a benchmark writes to: a small run gets one of its own."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import markdown
from benchmarks.common.record import RESULTS, ROOT, write_result

#: Arguments of benchmarks that do not decide on what comes out.
_PLACES = {'root', 'results', 'docs', 'venv', 'json', 'json_file', 'path'}
_PLACES |= {'output', 'images', 'run_dir'}


@dataclass(frozen=True)
class Place:
    """The folder that a benchmark writes to.

    Args:
        results: The folder of its result file.
        docs: The folder of the pages that its tables are put into.
        is_own: Whether these pages are its own and made if need be.
    """

    results: Path
    docs: Path
    is_own: bool

    @classmethod
    def choose(
        cls,
        name: str,
        is_committed: bool,
        results: Path | None = None,
        docs: Path | None = None,
        committed: Path = RESULTS,
    ) -> Place:
        """The committed folders for the settings that these are made with,
        and a folder of its own below ``runs`` for others.

        Args:
            name: The name of that folder.
            is_committed: Whether the settings are those of the committed
                results.
            results: The folder of results, if it is given.
            docs: The folder of pages, if it is given. (default: the
                documentation for committed results, the folder of results
                for others)
            committed: The folder of committed results.
        """
        if results is None:
            results = committed if is_committed else ROOT / 'runs' / name
        is_own = results.resolve() != committed.resolve() and docs is None
        if docs is None:
            docs = results if is_own else ROOT / 'docs'
        return cls(results, docs, is_own)

    def publish(
        self, record: dict[str, Any], page: str, module: str, content: str
    ) -> None:
        """Writes a result, and the part of a page that shows it.

        Args:
            record: The result.
            page: The name of the page.
            module: The module that makes the part, by whose last name the
                result goes.
            content: The new part.
        """
        name = module.rpartition('.')[2]
        print(f'Wrote {write_result(self.results, name, record)}')
        self.write_part(page, module, content)

    def write_part(self, page: str, name: str, content: str) -> None:
        """Replaces a generated part of a page.

        Args:
            page: The name of the page.
            name: The module that makes the part.
            content: The new part.
        """
        markdown.update([self.docs / page], name, content, self.is_own)


def is_default(main: Callable[..., Any], given: Mapping[str, Any]) -> bool:
    """Whether a benchmark was given no settings but its default ones, which
    are those of its committed results.

    Args:
        main: The benchmark.
        given: All of its arguments, by name.
    """
    parameters = inspect.signature(main).parameters
    return all(
        given[name] == parameter.default
        for name, parameter in parameters.items()
        if name not in _PLACES
    )


def ogb_root(root: Path | None) -> Path:
    """The folder of OGB's datasets.

    Args:
        root: The one that is asked for. (default: ``ogb`` below the
            environment variable ``GMOE_DATA_ROOT``, or ``data``)
    """
    return root or data_root('ogb')


def data_root(name: str) -> Path:
    """The folder of datasets where none is asked for: below the environment
    variable ``GMOE_DATA_ROOT``, or ``data``.

    Args:
        name: Its name, such as ``ogb``.
    """
    return Path(os.environ.get('GMOE_DATA_ROOT', 'data')) / name
