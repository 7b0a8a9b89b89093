"""The model card: what a trained network is for and how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gmoe.common.shown import one_line

_UNKNOWN = 'not stated'


@dataclass(frozen=True)
class ModelCard:
    """What a user of a network has to know, as the page of a repository of
    the Hugging Face hub, in Markdown with a header that it reads.

    Args:
        title: The name of the network.
        what: A sentence that says what it is and what it predicts.
        usage: Lines of Python that load it and predict.
        data: What it was trained on.
        split: How training, validation and test were told apart.
        scores: Each score by its name, which says of which split it is.
        license: The identifier of the licence, such as ``mit``.
        settings: What else there is to know, by name.
        tags: Words by which it is found on the hub.
    """

    title: str
    what: str
    usage: str
    data: str | None = None
    split: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    license: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    tags: Sequence[str] = ()

    def __str__(self) -> str:
        scores = [
            f'| {_cell(name)} | {value:.4g} |'
            for name, value in self.scores.items()
        ]
        settings = [
            f'| {_cell(name)} | {_cell(value)} |'
            for name, value in self.settings.items()
        ]
        parts = [
            self._header(),
            f'# {one_line(self.title)}',
            self.what,
            f'```python\n{self.usage}\n```',
            '## Data',
            f'- **Data**: {one_line(self.data or _UNKNOWN, 1000)}\n'
            f'- **Split**: {one_line(self.split or _UNKNOWN, 1000)}\n'
            f'- **Licence**: {one_line(self.license or _UNKNOWN)}',
            '## Scores',
            '\n'.join(['| score | value |', '|---|---|', *scores])
            if scores
            else f'Scores are {_UNKNOWN}.',
        ]
        if settings:
            parts.append('## Settings')
            parts.append('\n'.join(['| | |', '|---|---|', *settings]))
        return '\n\n'.join(parts) + '\n'

    def _header(self) -> str:
        # Values as in JSON, which is YAML, whatever is in them.
        lines = ['library_name: gmoe', 'pipeline_tag: graph-ml']
        if self.license is not None:
            lines.append(f'license: {json.dumps(self.license)}')
        lines.append(f'tags: {json.dumps(["gmoe", *self.tags])}')
        return '\n'.join(['---', *lines, '---'])


def _cell(value: object) -> str:
    return one_line(value, 200).replace('|', '\\|')
