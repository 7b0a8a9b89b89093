"""Gives the text classifiers what nobody would write.

    python -m benchmarks.reliability.classifier_fuzz --calls 5000

Each call is one of four kinds. ``texts``: any sequence of anything to be
classified by each of the three classifiers. ``labels``: any categories to be
learnt. ``settings``: settings of any value, half of them misspelt. ``files``:
a saved classifier with a file that is damaged. Good input must be
accepted; all else must be refused with a short error that names the argument.
"""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common.options import run
from benchmarks.reliability.fuzz import Kind, check_message, report
from benchmarks.reliability.tiny_bert import write_tiny_bert
from gmoe.text import (
    BertClassifier,
    BertMoeClassifier,
    BertMoeConfig,
    FineTuning,
    TextClassifier,
    TfidfClassifier,
)

#: The longest error message, in characters.
MAX_MESSAGE = 1000

TEXTS = ['a crew of moon', 'moon and crew', 'a river', 'river of water']
LABELS = ['Astronaut', 'Astronaut', 'River', 'River']

GOOD_TEXTS = ['', 'moon', 'a\x00b', '\u2028', 'São', '🌙', 'crew ' * 200]
BAD_TEXTS = [None, math.nan, 3, b'moon', ['moon'], '\ud800', pd.NA, True]
ODD = [None, 'moon', b'moon', 3, math.nan, {'moon': 1}, {'moon'}, object()]

#: Settings: what they belong to, values that are good and values that are not.
SETTINGS: dict[str, tuple[Callable[..., Any], list[Any], list[Any]]] = {
    'epochs': (FineTuning, [1, 0.5], [0, -1, math.nan, math.inf, 'a', None]),
    'batch_size': (FineTuning, [1, 8], [0, -1, 1.5, True, '8', None]),
    'learning_rate': (FineTuning, [1e-5], [0, -1, math.nan, '1', None]),
    'weight_decay': (FineTuning, [0, 0.1], [-1, math.inf, '1', None]),
    'max_length': (FineTuning, [8], [0, -1, 1.5, None, '8']),
    'select_by': (FineTuning, ['accuracy'], ['f1', None, 3]),
    'num_experts': (BertMoeConfig, [1, 8], [0, -1, 1.5, True, '8', None]),
    'hidden_channels': (BertMoeConfig, [1, 8], [0, -1, 1.5, True, '8', None]),
    'experts_per_token': (BertMoeConfig, [1, 4, None], [0, 5, 1.5, '2']),
    'dropout': (BertMoeConfig, [0, 0.5], [1, -0.1, math.nan, 'a', None]),
    'balance_weight': (BertMoeConfig, [0, 1.5], [-1, math.inf, 'a']),
    'pooling': (BertMoeConfig, ['cls', 'max'], ['sum', None, 3]),
    'router': (BertMoeConfig, ['linear_softmax'], ['linear', None, 3]),
    'expert_activation': (BertMoeConfig, ['gelu'], ['sin', None, 3]),
    'regularization': (TfidfClassifier, [0.1], [0, -1, math.nan, 'a']),
    'max_ngram': (TfidfClassifier, [1, 2], [0, 1.5, 'a', None]),
    'seed': (TfidfClassifier, [0, np.int64(3)], [-1, 1.5, 2**32, 'a', None]),
}


class Fuzz:
    """Classifiers, and calls of them.

    Args:
        folder: Where files are written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        encoder = write_tiny_bert(folder / 'bert')
        training = FineTuning(1, 4, arguments={'use_cpu': True})
        self.trained: list[TextClassifier] = [
            TfidfClassifier().fit(TEXTS, LABELS),
            BertClassifier(encoder, training).fit(TEXTS, LABELS),
            BertMoeClassifier(encoder, training).fit(TEXTS, LABELS),
        ]
        for number, model in enumerate(self.trained):
            model.save(folder / f'saved-{number}')

    def texts(self, draw: random.Random) -> bool:
        """Classifies, and says whether that was accepted."""
        texts, good = _sequence(draw, GOOD_TEXTS, BAD_TEXTS)
        model = draw.choice(self.trained)
        out = _outcome(lambda: model.predict(texts), "'texts' must ")
        assert good == (out is not None), (texts, out)
        if good:
            assert out is not None
            assert len(out) == len(texts)
            assert set(out) <= set(model.classes)
        return good

    def labels(self, draw: random.Random) -> bool:
        """Trains, and says whether that was accepted."""
        good_values = draw.choice(
            [['a', 'b', ''], [1, 2, 3], [True, False], [np.int64(4), 5]]
        )
        bad = [None, math.nan, 0.5, b'a', '\udfff', ('a',), 2**0.5j]
        labels, good = _sequence(draw, good_values, bad, 8)
        if good:
            good = len(labels) == 8 and len(set(labels)) > 1
        out = _outcome(
            lambda: TfidfClassifier().fit(TEXTS * 2, labels), "'labels' "
        )
        assert good == (out is not None), (labels, out)
        if out is not None:
            kinds = {type(name) for name in out.classes}
            assert len(kinds) == 1, out.classes
            assert kinds <= {str, int, bool}, out.classes
        return good

    def settings(self, draw: random.Random) -> bool:
        """Makes settings, and says whether they were accepted."""
        name = draw.choice(sorted(SETTINGS))
        cls, good_values, bad_values = SETTINGS[name]
        good = draw.random() < 0.5
        value = draw.choice(good_values if good else bad_values)
        given, said = {name: value}, f"'{name}' must be "
        if cls is BertMoeConfig and draw.random() < 0.5:
            cut = draw.randrange(len(name))
            wrong = f'{name[:cut]}{name[cut + 1 :]}'
            given, said, good = {wrong: value}, f"did you mean '{name}'", False
        out = _outcome(lambda: cls(**given), said)
        assert good == (out is not None), (given, out)
        return good

    def files(self, draw: random.Random) -> bool:
        """Reads a damaged classifier, and says whether it was accepted."""
        number = draw.randrange(len(self.trained))
        copy = self.folder / 'copy'
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder / f'saved-{number}', copy)
        # A flipped digit of a configuration may ask for all memory there is.
        files = [p for p in sorted(copy.iterdir()) if p.name != 'config.json']
        path = draw.choice(files)
        content = bytearray(path.read_bytes())
        place = draw.randrange(len(content))
        if draw.random() < 0.5:
            del content[place:]
        else:
            content[place] = draw.randrange(256)
        path.write_bytes(content)
        model = type(self.trained[number])()
        out = _outcome(lambda: model.load(copy), "'folder' must be ")
        if out is None:
            return False
        found = out.predict(TEXTS)
        assert len(found) == len(TEXTS)
        return True


def kinds(folder: Path) -> dict[str, Kind]:
    """The kinds of calls.

    Args:
        folder: Where files are written.
    """
    made = Fuzz(folder)
    names = ('texts', 'labels', 'settings', 'files')
    return {name: getattr(made, name) for name in names}


def _sequence(
    draw: random.Random,
    good: list[Any],
    bad: list[Any],
    size: int | None = None,
) -> tuple[Any, bool]:
    # Anything, with whether it is a sequence of what is good.
    kind = draw.random()
    if kind < 0.1:
        return draw.choice(ODD), False
    if size is None or draw.random() < 0.2:
        size = draw.randrange(5)
    values = [draw.choice(good) for _ in range(size)]
    is_good = kind < 0.6 or not values
    if not is_good:
        values[draw.randrange(size)] = draw.choice(bad)
    form = draw.randrange(4)
    if form == 0:
        return tuple(values), is_good
    if form == 1:
        index = [draw.randrange(99) for _ in values]
        return pd.Series(values, index, dtype=object), is_good
    if form == 2 and is_good and values:
        return np.array(values), True
    return values, is_good


def _outcome(call: Callable[[], Any], said: str) -> Any:
    # None where it is refused as it should be.
    try:
        return call()
    except ValueError as error:
        check_message(error, said, MAX_MESSAGE)
        return None


def main(calls: int = 5_000, seed: int = 0) -> None:
    """Makes calls and prints what became of them.

    Args:
        calls: How many.
        seed: The seed of what is given.
    """
    report(kinds, calls, seed)


if __name__ == '__main__':
    run(main)
