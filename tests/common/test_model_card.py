"""Model cards, as the hub reads them."""

import pytest
import yaml

from gmoe.common.model_card import ModelCard


def header(card: ModelCard) -> dict:
    _, text, _ = str(card).split('---\n', 2)
    return yaml.safe_load(text)


def test_what_it_says():
    card = ModelCard(
        'solubility',
        'Predicts it.',
        'x = 1',
        data='delaney.csv',
        split='scaffold',
        scores={'RMSE (test)': 0.81234},
        license='mit',
        settings={'a|b': [1, 2]},
        tags=('chemistry',),
    )
    text = str(card)
    assert header(card) == {
        'library_name': 'gmoe',
        'pipeline_tag': 'graph-ml',
        'license': 'mit',
        'tags': ['gmoe', 'chemistry'],
    }
    for part in (
        '# solubility\n',
        '```python\nx = 1\n```',
        '**Data**: delaney.csv',
        '**Split**: scaffold',
        '**Licence**: mit',
        '| RMSE (test) | 0.8123 |',
        r'| a\|b | [1, 2] |',
    ):
        assert part in text


def test_what_is_not_known_is_said():
    card = ModelCard('x', 'y', 'z')
    assert str(card).count('not stated') == 4
    assert 'license' not in header(card)


@pytest.mark.parametrize('text', ['a: b\n---\nx: 1', '"', "it's", '[', 'é'])
def test_nothing_escapes_from_the_header(text):
    card = ModelCard('x', 'y', 'z', license=text, tags=(text,))
    assert header(card)['license'] == text
    assert header(card)['tags'] == ['gmoe', text]


def test_the_hub_reads_it():
    library = pytest.importorskip('huggingface_hub')
    card = library.ModelCard(str(ModelCard('x', 'y', 'z', license='mit')))
    assert card.data.license == 'mit'
    assert card.data.library_name == 'gmoe'
