"""Tokenizers that are trained on a few texts."""

import pytest

pytest.importorskip('transformers', reason="the extra 'text' is missing")

from transformers import AutoTokenizer

from gmoe.text import train_tokenizer
from tests.text.summaries.dialogues import DIALOGUES

SPEAKERS = ['<speaker1>', '<speaker2>']
TEXTS = [
    'Amanda: I baked  cookies.\nJerry: Sure!',
    ' \t<speaker1>: 🙂 “no”, naïve, 東京\r\n<speaker2>: ',
    '',
    '</s',
]


@pytest.fixture(scope='module')
def tokenizer():
    return train_tokenizer(DIALOGUES, 300, SPEAKERS)


@pytest.mark.parametrize('text', TEXTS)
def test_each_text_comes_back(tokenizer, text):
    ids = tokenizer(text)['input_ids']
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_numbers_of_special_tokens(tokenizer):
    assert tokenizer.convert_tokens_to_ids(['<pad>', '</s>', '<unk>']) == [
        0,
        1,
        2,
    ]
    assert tokenizer.pad_token_id == 0
    assert tokenizer.eos_token_id == 1
    assert len(tokenizer) == 300
    assert max(tokenizer.get_vocab().values()) == 299


def test_added_tokens_are_one_token(tokenizer):
    ids = tokenizer('<speaker1>: a<speaker2>')['input_ids']
    assert ids[0] == tokenizer.convert_tokens_to_ids('<speaker1>') == 298
    assert ids[-2:] == [299, 1]


def test_words_of_the_texts_are_learned():
    few = train_tokenizer(['the moon of the moon'] * 9, 270)
    none = train_tokenizer(['x y z'] * 9, 270)
    assert len(few(' moon')['input_ids']) == 2
    assert len(none(' moon')['input_ids']) == 6


def test_a_saved_one_is_the_same(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        ids = tokenizer(text)['input_ids']
        assert again(text)['input_ids'] == ids
        assert again.decode(ids, skip_special_tokens=True) == text
    assert (again.pad_token_id, again.eos_token_id) == (0, 1)


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('texts', ('one text',)),
        ('texts', ([],)),
        ('texts', (['', ''],)),
        ('texts', (['a', None],)),
        ('vocab_size', (['a'], 258)),
        ('vocab_size', (['a'], 260, SPEAKERS)),
        ('vocab_size', (['a'], '300')),
        ('added_tokens', (['a'], 300, 'one')),
        ('added_tokens', (['a'], 300, ['<a>', '<a>'])),
        ('added_tokens', (['a'], 300, ['</s>'])),
        ('added_tokens', (['a'], 300, [' '])),
    ],
)
def test_what_is_refused(name, arguments):
    with pytest.raises(ValueError, match=f"'{name}' must"):
        train_tokenizer(*arguments)


def test_lowercase():
    tokenizer = train_tokenizer(DIALOGUES, 300, SPEAKERS, lowercase=True)

    ids = tokenizer('<speaker1>: HEY Émile')['input_ids']

    assert ids == tokenizer('<speaker1>: hey émile')['input_ids']
    text = tokenizer.decode(ids, skip_special_tokens=True)
    assert text == '<speaker1>: hey émile'
