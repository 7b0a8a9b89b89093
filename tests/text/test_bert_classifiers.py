"""Training with transformers' Trainer."""

import shutil

import numpy as np
import pytest
import torch

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)
pytest.importorskip('sklearn', reason=reason)

from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import AutoModel, TrainerCallback  # noqa: E402

from gmoe.text import (  # noqa: E402
    BertClassifier,
    BertMoeClassifier,
    FineTuning,
)
from tests.text.tiny import write_tiny_bert  # noqa: E402

TEXTS = ['[S] crew [P] of [O] moon', '[S] river [P] of [O] water'] * 8
LABELS = ['Astronaut', 'River'] * 8
QUICK = {'use_cpu': True}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp('bert'))


def settings(epochs=10, **kwargs):
    return FineTuning(
        epochs=epochs,
        batch_size=4,
        learning_rate=1e-2,
        arguments=QUICK,
        **kwargs,
    )


@pytest.mark.parametrize('kind', [BertClassifier, BertMoeClassifier])
def test_learns_two_texts(kind, folder, tmp_path):
    model = kind(folder, settings())
    model.fit(TEXTS, LABELS, validation=(TEXTS[:4], LABELS[:4]))
    assert model.score(TEXTS, LABELS)['macro_f1'] == 1
    assert sum('eval_weighted_f1' in line for line in model.history) == 10
    proba = model.predict_proba(TEXTS)
    np.testing.assert_allclose(proba.sum(axis=1), 1)

    model.save(tmp_path)
    names = {path.suffix for path in tmp_path.iterdir()}
    assert not names & {'.bin', '.pt', '.pkl'}
    other = kind('unused', settings()).load(tmp_path)
    assert other.classes == ['Astronaut', 'River']
    np.testing.assert_allclose(other.predict_proba(TEXTS), proba, atol=1e-6)


def test_seed_decides(folder):
    def fit(seed):
        model = BertMoeClassifier(folder, settings(epochs=1), seed)
        return model.fit(TEXTS, LABELS).predict_proba(TEXTS)

    np.testing.assert_array_equal(fit(0), fit(0))
    assert not np.array_equal(fit(0), fit(1))


def test_router_weights(folder):
    model = BertMoeClassifier(folder, settings(epochs=1), num_experts=3)
    weights = model.fit(TEXTS, LABELS).router_weights(TEXTS[:5])
    assert weights.shape == (5, 3)
    assert ((weights > 0).sum(axis=1) == 2).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)


def test_long_texts_are_counted(folder):
    model = BertClassifier(folder, settings(epochs=1, max_length=7))
    message = "16 of 16 texts .fit.*at most 8.*cut: .0, 1, 2.*'.S. crew"
    with pytest.warns(UserWarning, match=message):
        model.fit(TEXTS, LABELS)
    model.predict(['moon'])
    assert model.num_cut == {'fit': 16, 'predict': 0}


def test_unknown_category(folder):
    with pytest.raises(ValueError, match="'Film' of text 0"):
        BertClassifier(folder).fit(TEXTS, LABELS, (['a'], ['Film']))


def test_predict_before_fit(folder):
    with pytest.raises(RuntimeError, match='call fit first'):
        BertClassifier(folder).predict(TEXTS)


def test_unknown_score():
    with pytest.raises(ValueError, match="'select_by' must be one of"):
        FineTuning(select_by='f1')


def test_defaults():
    training = FineTuning()
    assert (training.epochs, training.batch_size) == (5, 16)
    assert (training.learning_rate, training.weight_decay) == (2e-5, 0.01)
    assert training.max_length == 128
    assert BertClassifier().encoder == 'bert-base-uncased'


def test_predictions_are_in_the_order_of_the_texts(folder):
    training = FineTuning(
        epochs=1,
        batch_size=2,
        arguments={**QUICK, 'train_sampling_strategy': 'group_by_length'},
    )
    model = BertMoeClassifier(folder, training).fit(TEXTS, LABELS)
    texts = ['moon', 'river of water', '[S] crew', 'the moon of the moon'] * 4
    proba = model.predict_proba(texts)
    weights = model.router_weights(texts)
    for i, text in enumerate(texts):
        alone = model.predict_proba([text])[0]
        np.testing.assert_allclose(proba[i], alone, atol=1e-6)
        alone = model.router_weights([text])[0]
        np.testing.assert_allclose(weights[i], alone, atol=1e-6)


def test_an_interrupted_training_goes_on(folder, tmp_path):
    class Interrupt(TrainerCallback):
        def on_save(self, args, state, control, **kwargs):
            if state.epoch == 2:
                raise KeyboardInterrupt

    def fit(checkpoints, *callbacks):
        training = settings(epochs=4, checkpoints=checkpoints)
        model = BertMoeClassifier(folder, training, callbacks=callbacks)
        model.fit(TEXTS, LABELS)
        return model

    whole = fit(tmp_path / 'whole').predict_proba(TEXTS)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / 'parts', Interrupt())
    resumed = fit(tmp_path / 'parts')
    np.testing.assert_array_equal(resumed.predict_proba(TEXTS), whole)
    steps = [line['epoch'] for line in resumed.history if 'loss' in line]
    assert steps == [1, 2, 3, 4]


@pytest.mark.parametrize('kind', [BertClassifier, BertMoeClassifier])
def test_a_model_without_a_part_is_refused(kind, folder, tmp_path):
    kind(folder, settings(epochs=1)).fit(TEXTS, LABELS).save(tmp_path)
    path = tmp_path / 'model.safetensors'
    weights = load_file(path)
    del weights[max(weights)]
    save_file(weights, path, {'format': 'pt'})
    message = f'saved {kind.__name__}, got .*: it does not hold'
    with pytest.raises(ValueError, match=message):
        kind(folder).load(tmp_path)


@pytest.mark.parametrize('kind', [BertClassifier, BertMoeClassifier])
def test_more_tokens_than_the_encoder_has(kind, folder, tmp_path):
    model = kind(folder, settings(epochs=1)).fit(TEXTS, LABELS)
    model.tokenizer.add_tokens(['more'])
    model.save(tmp_path)
    with pytest.raises(ValueError, match='more tokens than its encoder'):
        kind(folder).load(tmp_path)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('kind', [BertClassifier, BertMoeClassifier])
def test_encoders_of_any_type_are_trained_in_float32(
    kind, dtype, folder, tmp_path
):
    bert = AutoModel.from_pretrained(folder).to(dtype)
    for name in ('low', 'high'):
        shutil.copytree(folder, tmp_path / name)
    bert.save_pretrained(tmp_path / 'low')
    bert.float().save_pretrained(tmp_path / 'high')
    model, other = (
        kind(tmp_path / name, settings(epochs=1)).fit(TEXTS, LABELS)
        for name in ('low', 'high')
    )
    assert {p.dtype for p in model.model.parameters()} == {torch.float32}
    proba = model.predict_proba(TEXTS)
    np.testing.assert_array_equal(proba, other.predict_proba(TEXTS))
    # It may be made smaller afterwards.
    model.model.to(dtype)
    model.save(tmp_path / 'saved')
    other = kind(folder, settings()).load(tmp_path / 'saved')
    assert {p.dtype for p in other.model.parameters()} == {dtype}
    np.testing.assert_allclose(other.predict_proba(TEXTS), proba, atol=0.05)
