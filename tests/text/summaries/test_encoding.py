"""Dialogues as tokens: what is cut is counted."""

import pytest

pytest.importorskip('transformers', reason="the extra 'text' is missing")

from gmoe.text import SummaryTraining
from gmoe.text.summaries.encoding import Encoder, check_pairs
from tests.text.summaries.dialogues import DIALOGUES, SUMMARIES
from tests.text.summaries.tiny import tiny_tokenizer


@pytest.fixture(scope='module')
def tokenizer():
    return tiny_tokenizer()


def make(tokenizer, **settings):
    return Encoder(tokenizer, SummaryTraining(**settings))


def test_rows(tokenizer):
    encoder = make(tokenizer)
    rows = encoder.rows(DIALOGUES, SUMMARIES)
    assert encoder.num_cut == {'fit dialogues': 0, 'fit summaries': 0}
    for row, dialogue, summary in zip(rows, DIALOGUES, SUMMARIES):
        assert set(row) == {'input_ids', 'attention_mask', 'labels'}
        assert row['attention_mask'] == [1] * len(row['input_ids'])
        assert row['input_ids'] == tokenizer(dialogue)['input_ids']
        assert row['labels'] == tokenizer(summary)['input_ids']
        assert encoder.summary(row['labels'], dialogue) == summary
    assert set(encoder.rows(DIALOGUES[:1])[0]) == {
        'input_ids',
        'attention_mask',
    }


def test_prefix(tokenizer):
    encoder = make(tokenizer, prefix='sum: ')
    (row,) = encoder.rows(DIALOGUES[:1], SUMMARIES[:1])
    assert row['input_ids'] == tokenizer('sum: ' + DIALOGUES[0])['input_ids']
    assert row['labels'] == tokenizer(SUMMARIES[0])['input_ids']


def test_speakers(tokenizer):
    encoder = make(tokenizer, speakers='tokens')
    dialogue, summary = 'Bo: hi Al\nAl: yes', 'Al says yes to Bo.'
    (row,) = encoder.rows([dialogue], [summary])
    decode = tokenizer.decode
    assert decode(row['input_ids'][:-1]) == (
        '<speaker1>: hi <speaker2>\n<speaker2>: yes'
    )
    assert decode(row['labels'][:-1]) == '<speaker2> says yes to <speaker1>.'
    assert encoder.summary(row['labels'], dialogue) == summary
    # What is padded, and the end, are no text; nor is a token of nobody.
    ids = [0, *tokenizer('<speaker2><speaker3> ok')['input_ids'], 0, -100]
    assert encoder.summary(ids, dialogue) == 'Al ok'


def test_what_is_cut_is_counted(tokenizer):
    lengths = [len(ids) for ids in tokenizer(DIALOGUES)['input_ids']]
    most = sorted(lengths)[10]
    encoder = make(tokenizer, max_input_tokens=most, max_summary_tokens=2)
    count = sum(length > most for length in lengths)
    assert 0 < count < 16
    with pytest.warns(UserWarning, match='are cut') as warned:
        rows = encoder.rows(DIALOGUES, SUMMARIES, 'validation')
    texts = [str(warning.message) for warning in warned]
    assert texts[0].startswith(f'{count} of 16 dialogues (validation) have')
    assert f'(at most {max(lengths)})' in texts[0]
    assert texts[1].startswith('16 of 16 summaries (validation) have more')
    assert encoder.num_cut == {
        'validation dialogues': count,
        'validation summaries': 16,
    }
    for row, dialogue, length in zip(rows, DIALOGUES, lengths):
        whole = tokenizer(dialogue)['input_ids']
        assert len(row['input_ids']) == min(length, most)
        # The end stays at its place.
        expected = whole if length <= most else [*whole[: most - 1], 1]
        assert row['input_ids'] == expected
        assert len(row['labels']) == 2


@pytest.mark.parametrize(
    ('dialogues', 'summaries', 'message'),
    [
        ([], [], "'dialogues' and 'summaries' must have the same length"),
        (['a'], ['a', 'b'], 'got 1 and 2'),
        ('a', ['a'], "'dialogues' must be a sequence"),
        (['a'], 'a', "'summaries' must be a sequence"),
        (['a', None], ['b', 'c'], "'dialogues' must hold texts, got None"),
        (['a', ' \n'], ['b', 'c'], "'dialogues' must not be blank.*position"),
        (['a', 'b'], ['b', ''], "'summaries' must not be blank.*position 1"),
    ],
)
def test_what_is_refused(dialogues, summaries, message):
    with pytest.raises(ValueError, match=message):
        check_pairs(dialogues, summaries)


def test_where_it_is_refused():
    with pytest.raises(ValueError, match="'summaries of validation' must not"):
        check_pairs(['a'], [''], ' of validation')
