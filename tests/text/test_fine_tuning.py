"""Settings of a training that make no sense."""

import pytest

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)

from gmoe.text import BertMoeClassifier, FineTuning  # noqa: E402


@pytest.mark.parametrize(
    ('name', 'values'),
    [
        ('epochs', [0, -1, float('nan'), float('inf'), '3', None, True]),
        ('batch_size', [0, -1, 1.5, '3', None, True]),
        ('learning_rate', [0, -1e-5, float('nan'), float('inf'), 'a']),
        ('weight_decay', [-0.1, float('nan'), float('inf'), 'a']),
        ('max_length', [0, -1, 1.5, None]),
        ('select_by', ['f1', None]),
    ],
)
def test_values_that_are_refused(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"'{name}' must be"):
            FineTuning(**{name: value})


def test_part_of_an_epoch():
    assert FineTuning(epochs=0.5, weight_decay=0).epochs == 0.5


def test_misspelt_arguments():
    with pytest.raises(ValueError, match="'use_cpuu': did you mean 'use_cpu'"):
        FineTuning(arguments={'use_cpuu': True})
    with pytest.raises(ValueError, match="'output_dir'"):
        FineTuning(arguments={'output_dir': 'elsewhere'})


@pytest.mark.parametrize(
    'name', ['num_labels', 'id2label', 'problem_type', 'dtype']
)
def test_what_the_classifier_decides_on(name):
    with pytest.raises(ValueError, match=f"'settings' must not.*'{name}'"):
        BertMoeClassifier(**{name: None})


def test_misspelt_settings():
    with pytest.raises(ValueError, match="'num_expert': did you mean 'num_ex"):
        BertMoeClassifier(num_expert=8)
    with pytest.raises(ValueError, match="'num_experts' must be an integer"):
        BertMoeClassifier(num_experts=0)
    with pytest.raises(ValueError, match="'top_k'"):
        BertMoeClassifier(top_k=1)
