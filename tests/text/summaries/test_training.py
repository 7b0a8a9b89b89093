"""The settings of a training, and the loss that it takes."""

import pytest

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)

import torch  # noqa: E402

from gmoe.text import SummaryTraining  # noqa: E402
from gmoe.text.summaries.encoding import Encoder  # noqa: E402
from gmoe.text.summaries.training import make_summary_trainer  # noqa: E402
from tests.text.summaries.dialogues import DIALOGUES, SUMMARIES  # noqa: E402
from tests.text.summaries.tiny import tiny_t5, tiny_tokenizer  # noqa: E402

CPU = {'use_cpu': True}


@pytest.fixture(scope='module')
def tokenizer():
    return tiny_tokenizer()


@pytest.mark.parametrize(
    ('name', 'values'),
    [
        ('epochs', [0, -1, float('nan'), '3', None, True]),
        ('batch_size', [0, 1.5, '3', None, True]),
        ('learning_rate', [0, -1e-5, float('inf'), 'a']),
        ('warmup', [-0.1, 1, 'a', None]),
        ('weight_decay', [-0.1, float('nan'), 'a']),
        ('label_smoothing', [-0.1, 1, float('nan'), None]),
        ('max_input_tokens', [0, 1, 1.5, None]),
        ('max_summary_tokens', [0, 1, 1.5, None]),
        ('num_beams', [0, 1.5, None]),
        ('select_by', ['rouge', 'accuracy', None]),
        ('speakers', ['token', True, None]),
        ('prefix', [None, 3]),
        ('seed', [-1, 2**32, 0.5]),
        ('arguments', [{'use_cpuu': True}, {'output_dir': 'x'}]),
        ('arguments', [None, 3, ['use_cpu']]),
        ('checkpoints', [3, b'folder', []]),
        ('arguments', [{'label_smoothing_factor': 0.1}]),
    ],
)
def test_values_that_are_refused(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"'{name}' must"):
            SummaryTraining(**{name: value})


def rows_of(tokenizer, settings, count=4):
    encoder = Encoder(tokenizer, settings)
    # Dialogues and summaries of several lengths.
    pairs = DIALOGUES[:count], SUMMARIES[:count]
    return encoder.rows(*pairs)


def make_trainer(model, tokenizer, folder, rows, **settings):
    arguments = {**CPU, **settings.pop('arguments', {})}
    settings = SummaryTraining(arguments=arguments, **settings)
    return make_summary_trainer(
        model, tokenizer, settings, str(folder), rows, rows
    )


def slow_loss(logits, labels, smoothing):
    """The mean over tokens, one by one."""
    total, count = 0, 0
    for row, targets in zip(logits.double(), labels):
        for scores, target in zip(row, targets.tolist()):
            if target >= 0:
                losses = scores.logsumexp(0) - scores
                spread = torch.full_like(losses, smoothing / len(losses))
                spread[target] += 1 - smoothing
                total, count = total + (spread * losses).sum(), count + 1
    return total / count


@pytest.mark.parametrize('smoothing', [0.0, 0.1, 0.9])
def test_smoothed_loss(tokenizer, tmp_path, smoothing):
    rows = rows_of(tokenizer, SummaryTraining())
    model = tiny_t5().double()
    trainer = make_trainer(
        model, tokenizer, tmp_path, rows, label_smoothing=smoothing
    )
    batch = trainer.data_collator(rows)
    assert (batch['labels'] < 0).any()
    loss, outputs = trainer.compute_loss(model.train(), dict(batch), True)
    expected = slow_loss(outputs['logits'], batch['labels'], smoothing)
    torch.testing.assert_close(loss.double(), expected, atol=1e-6, rtol=1e-6)
    # Epochs are chosen by the loss itself.
    loss = trainer.compute_loss(model.eval(), dict(batch))
    expected = slow_loss(outputs['logits'], batch['labels'], 0.0)
    torch.testing.assert_close(loss.double(), expected, atol=1e-6, rtol=1e-6)


def test_what_a_model_adds_to_its_loss_stays(tokenizer, tmp_path):
    rows = rows_of(tokenizer, SummaryTraining())
    model = tiny_t5()
    plain = make_trainer(model, tokenizer, tmp_path, rows, label_smoothing=0.1)
    batch = plain.data_collator(rows)
    before = plain.compute_loss(model.train(), dict(batch))
    weight = model.encoder.block[0].layer[1].DenseReluDense.wi.weight

    def add(module, arguments, outputs):
        outputs['loss'] = outputs['loss'] + weight.square().sum()

    model.register_forward_hook(add)
    after = plain.compute_loss(model, dict(batch))
    torch.testing.assert_close(after - before, weight.square().sum())


def test_steps_of_several_batches_are_means(tokenizer, tmp_path):
    """T5 takes the number of a step's tokens, and does not divide by it."""
    rows = rows_of(tokenizer, SummaryTraining())[:2] * 2
    # Of one length, so that the mean of means is the mean.
    size = min(len(row['labels']) for row in rows)
    for row in rows:
        row['labels'] = row['labels'][:size]
    losses, weights = [], []
    for batch, steps in ((4, 1), (1, 4)):
        model = tiny_t5()
        trainer = make_trainer(
            model,
            tokenizer,
            tmp_path,
            rows,
            epochs=1,
            batch_size=batch,
            select_by='loss',
            arguments={
                'gradient_accumulation_steps': steps,
                'optim': 'sgd',
                'max_grad_norm': 0.0,
                'eval_strategy': 'no',
                'save_strategy': 'no',
                'load_best_model_at_end': False,
            },
        )
        losses.append(trainer.train().training_loss)
        weights.append(model.shared.weight.detach())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    torch.testing.assert_close(*weights, atol=1e-7, rtol=1e-5)
    assert not torch.equal(weights[0], tiny_t5().shared.weight)


def test_batches_are_of_similar_lengths(tokenizer, tmp_path):
    rows = [
        {'input_ids': [5] * n, 'attention_mask': [1] * n, 'labels': [7, 1]}
        for n in (2, 30) * 200
    ]
    trainer = make_trainer(tiny_t5(), tokenizer, tmp_path, rows, batch_size=4)
    batches = [batch['input_ids'] for batch in trainer.get_train_dataloader()]
    assert len(batches) == 100
    assert sum((batch == 0).any().item() for batch in batches) <= 4
    # What is evaluated stays in its order.
    batches = [b['input_ids'] for b in trainer.get_eval_dataloader()]
    lengths = [(row > 0).sum().item() for batch in batches for row in batch]
    assert lengths == [2, 30] * 200
