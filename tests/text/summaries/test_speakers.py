"""Tests of :mod:`gmoe.text.summaries.speakers`."""

import csv
from pathlib import Path

import pytest

from gmoe.text.summaries.speakers import SPEAKER_TOKENS, Speakers

DIALOGUE = (
    'Anna: hi Will, is Anna Maria there?\nWill: I will ask\n'
    "Anna Maria: it's Anna Maria's: here\n\nno speaker"
)


def test_names_become_tokens_and_names_again() -> None:
    speakers = Speakers.of(DIALOGUE)

    assert list(speakers.tokens) == ['Anna', 'Will', 'Anna Maria']
    assert speakers.hide(DIALOGUE) == (
        '<speaker1>: hi <speaker2>, is <speaker3> there?\n'
        '<speaker2>: I will ask\n'
        "<speaker3>: it's <speaker3>'s: here\n\nno speaker"
    )
    assert speakers.restore(speakers.hide(DIALOGUE)) == DIALOGUE


def test_a_part_of_a_word_is_no_name() -> None:
    speakers = Speakers.of('Al: hi\nJo (work): ho')

    assert speakers.hide('Al, Also, AL, co-Al and Jo (work)') == (
        '<speaker1>, Also, AL, co-<speaker1> and <speaker2>'
    )


def test_more_speakers_than_tokens_keep_their_names() -> None:
    names = [f'Name{number:02}' for number in range(20)]
    dialogue = '\n'.join(f'{name}: hi' for name in names)
    speakers = Speakers.of(dialogue)

    hidden = speakers.hide(dialogue)
    assert 'Name15' not in hidden
    assert 'Name16: hi' in hidden
    assert speakers.restore(hidden) == dialogue


@pytest.mark.parametrize('text', ['', 'a\nb', ': no name', 'http'])
def test_without_speakers_a_text_stays(text: str) -> None:
    speakers = Speakers.of(text)

    assert speakers.hide(text) == speakers.restore(text) == text
    assert speakers.restore(SPEAKER_TOKENS[0]) == ''


def test_all_dialogues_come_back(data_root: Path) -> None:
    with open(data_root / 'samsum' / 'test.csv', newline='') as file:
        rows = list(csv.DictReader(file))

    for row in rows:
        speakers = Speakers.of(row['dialogue'])
        for text in (row['dialogue'], row['summary']):
            assert speakers.restore(speakers.hide(text)) == text


def test_a_long_line_takes_no_long_time() -> None:
    # Steps that grow with its square would take hours.
    for line in (' ' * 300_000 + 'x', 'x' + ' ' * 300_000, 'x ' * 300_000):
        assert Speakers.of(line).tokens == {}
