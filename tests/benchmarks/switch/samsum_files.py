"""A release of SAMSum with few dialogues, and a tiny model to start from."""

import csv
from pathlib import Path

from tests.text.summaries.dialogues import DIALOGUES, SUMMARIES
from tests.text.summaries.tiny import tiny_t5, tiny_tokenizer


def write_samsum(folder: Path) -> Path:
    for split in ('train', 'validation', 'test'):
        with (folder / f'{split}.csv').open('w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['id', 'dialogue', 'summary'])
            pairs = zip(DIALOGUES, SUMMARIES)
            writer.writerows([str(i), *pair] for i, pair in enumerate(pairs))
    return folder


def write_t5(folder: Path) -> str:
    tiny_t5(num_layers=2).half().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)
