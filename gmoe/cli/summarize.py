"""The command ``gmoe summarize MODEL dialogues.csv``."""

from __future__ import annotations

import csv
import warnings
from typing import Any

from gmoe.cli.dialogues import Dialogues, read_dialogues
from gmoe.cli.parser import Parser
from gmoe.cli.trained import (
    find_device,
    quiet_loading,
    say,
    until_enough_is_read,
)
from gmoe.common.arguments import check_integer
from gmoe.common.shown import counted

_DESCRIPTION = (
    'Summarizes dialogues: the rows of the input with a column of summaries, '
    'in order, as CSV on the standard output.'
)
_SUMMARY = 'summary'
#: Rows that are summarized before they are written.
_CHUNK = 1024


def main(arguments: list[str]) -> None:
    """Summarizes the dialogues of a table, or a text.

    Args:
        arguments: The rest of the command line.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If an argument is out of range, or a file none of a model
            or of dialogues.
    """
    options = _parser().parse_args(arguments)
    for name in ('num_beams', 'batch_size'):
        value = getattr(options, name)
        if value is not None:
            check_integer(1, **{name: value})
    table = read_dialogues(options.input)
    # The first import takes seconds: after what is wrong has been said.
    from gmoe.text.summaries.summarizer import Summarizer

    device = find_device(options.device)
    _be_quiet()
    with quiet_loading():
        try:
            summarizer = Summarizer.from_pretrained(
                options.model, options.base
            )
        except ValueError as error:
            # As the argument is called here.
            message = str(error).replace("'folder' must", "'model' must", 1)
            raise ValueError(message) from error
    summarizer.model.to(device)
    with until_enough_is_read():
        _summarize(summarizer, table, options)


def _parser() -> Parser:
    parser = Parser(
        prog='gmoe summarize',
        description=_DESCRIPTION,
        usage='gmoe summarize MODEL INPUT [options]',
    )
    parser.add_argument(
        'model',
        type=str,
        help='The folder of a Summarizer, or of any model of transformers '
        'that writes text, with its tokenizer, or a name of the hub.',
    )
    parser.add_argument(
        'input',
        type=str,
        help="A table in CSV with a column 'dialogue', a text file with one "
        "dialogue, one turn a line, or '-' for the standard input.",
    )
    parser.add_argument(
        '--output',
        type=str,
        help='The file to write. (default: the standard output)',
    )
    parser.add_argument(
        '--base',
        type=str,
        help='For an adapter, the folder or the name of the model that it is '
        'of. (default: as the adapter says)',
    )
    parser.add_argument(
        '--num_beams',
        type=int,
        help='The beams of the search. (default: as in training)',
    )
    parser.add_argument(
        '--batch_size',
        type=int,
        help='Dialogues of a batch. (default: as in training)',
    )
    parser.add_argument(
        '--device',
        type=str,
        default='auto',
        help="Where the model runs: 'cpu', 'cuda', or 'auto' for a GPU if "
        'there is one.',
    )
    return parser


def _summarize(summarizer: Any, table: Dialogues, options: Any) -> None:
    from gmoe.molecules.prediction_output import open_output

    texts = [row[table.column] for row in table.rows]
    kept = [i for i, name in enumerate(table.header) if name != _SUMMARY]
    num_cut = 0
    with open_output(options.output) as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow([*(table.header[i] for i in kept), _SUMMARY])
        for start in range(0, len(texts), _CHUNK):
            rows = table.rows[start : start + _CHUNK]
            with warnings.catch_warnings():
                # What is blank or cut is said once, of all rows.
                warnings.filterwarnings('ignore', r'\d+ of \d+ dialogues')
                summaries = summarizer.summarize(
                    texts[start : start + _CHUNK],
                    options.num_beams,
                    options.batch_size,
                )
            num_cut += summarizer.num_cut['summarize dialogues']
            for row, summary in zip(rows, summaries):
                writer.writerow([*(row[i] for i in kept), summary])
    for line in table.said:
        say(line)
    if len(kept) < len(table.header):
        say(f"the column '{_SUMMARY}' of the input is replaced")
    blank = sum(not text.strip() for text in texts)
    most = summarizer.settings.max_input_tokens
    say(
        f'{counted(len(texts), "dialogue")}, {blank} of them blank, {num_cut} '
        f'cut to {most} tokens'
    )


def _be_quiet() -> None:
    # Bars and hints of transformers, for who writes programs with it.
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
