"""Summarizers: trained, resumed, chosen on validation, and what they say."""

import json
import os
import signal

import pytest

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)
pytest.importorskip('peft', reason=reason)

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import (  # noqa: E402
    SwitchTransformersConfig,
    SwitchTransformersForConditionalGeneration,
    TrainerCallback,
)

from gmoe.text import (  # noqa: E402
    Summarizer,
    SummaryTraining,
    SwitchMoeForConditionalGeneration,
    lora,
    rouge_scores,
)
from gmoe.text.checkpoints import last_checkpoint  # noqa: E402
from tests.text.summaries.dialogues import DIALOGUES, SUMMARIES  # noqa: E402
from tests.text.summaries.test_generation import tiny_bart  # noqa: E402
from tests.text.summaries.tiny import tiny_t5, tiny_tokenizer  # noqa: E402

VALIDATION = DIALOGUES[4:8], SUMMARIES[4:8]
BASE = {
    'epochs': 3,
    'batch_size': 4,
    'learning_rate': 1e-2,
    'max_input_tokens': 64,
    'max_summary_tokens': 24,
    'arguments': {'use_cpu': True},
}


@pytest.fixture(scope='module')
def tokenizer():
    return tiny_tokenizer()


def larger_t5():
    return tiny_t5(d_model=64, d_kv=32, d_ff=128)


def make(tokenizer, model=None, callbacks=(), **settings):
    settings = SummaryTraining(**{**BASE, **settings})
    model = tiny_t5() if model is None else model
    return Summarizer(model, tokenizer, settings, callbacks)


def weights(summarizer):
    state = summarizer.model.state_dict()
    return torch.cat([value.flatten() for value in state.values()])


@pytest.fixture(scope='module')
def overfitted(tokenizer):
    return make(
        tokenizer,
        larger_t5(),
        epochs=60,
        speakers='tokens',
    ).fit(DIALOGUES[:4], SUMMARIES[:4])


def test_few_dialogues_are_learned(overfitted):
    assert overfitted.summarize(DIALOGUES) == SUMMARIES
    scores = overfitted.evaluate(DIALOGUES[2:9], SUMMARIES[2:9])
    words = [len(text.split()) for text in SUMMARIES[2:9]]
    tokens = [
        len(row['labels'])
        for row in overfitted._encoder.rows(DIALOGUES[2:9], SUMMARIES[2:9])
    ]
    assert scores == pytest.approx(
        {
            'rouge1': 100,
            'rouge2': 100,
            'rougeL': 100,
            'rougeLsum': 100,
            'mean_words': sum(words) / 7,
            'mean_tokens': sum(tokens) / 7,
            'num_cut': 0,
            'num_unfinished': 0,
        }
    )
    # Names that it has never seen are those of the dialogue.
    dialogue = DIALOGUES[2].replace('Amanda', 'Zoë').replace('Jerry', 'Yu')
    expected = SUMMARIES[2].replace('Amanda', 'Zoë').replace('Jerry', 'Yu')
    assert overfitted.summarize([dialogue]) == [expected]


def test_batches_and_beams(overfitted):
    alone = [overfitted.summarize([text])[0] for text in DIALOGUES[:5]]
    for batch_size in (1, 3):
        found = overfitted.summarize(DIALOGUES[:5], batch_size=batch_size)
        assert found == alone
    # With beams, nothing is less likely than without.
    found = overfitted.summarize(DIALOGUES[:5], num_beams=3)
    for dialogue, *texts in zip(DIALOGUES, found, alone):
        rows = overfitted._encoder.rows([dialogue] * 2, texts)
        losses = [
            overfitted.model(
                input_ids=torch.tensor([row['input_ids']]),
                labels=torch.tensor([row['labels']]),
            ).loss.item()
            for row in rows
        ]
        assert losses[0] <= losses[1] + 1e-6


def test_scores_are_those_of_what_is_written(overfitted):
    dialogues, summaries = DIALOGUES[:4], SUMMARIES[3::-1]
    found = rouge_scores(overfitted.summarize(dialogues), summaries)
    scores = overfitted.evaluate(dialogues, summaries)
    assert {name: scores[name] for name in found} == found
    assert 0 < found['rouge2'] < 100


def test_blank_dialogues(overfitted):
    with pytest.warns(UserWarning, match=r'2 of 3 dialogues \(summarize\) ar'):
        found = overfitted.summarize([' ', DIALOGUES[0], '\n'])
    assert found == ['', SUMMARIES[0], '']
    assert overfitted.summarize([]) == []
    with pytest.warns(UserWarning, match='1 of 1 dialogues'):
        assert overfitted.summarize(['']) == ['']


def test_long_dialogues_are_counted(tokenizer):
    summarizer = make(tokenizer, max_input_tokens=20, max_summary_tokens=3)
    with pytest.warns(UserWarning, match=r'3 of 3 dialogues \(evaluate\)'):
        scores = summarizer.evaluate(DIALOGUES[:3], SUMMARIES[:3])
    assert scores['num_cut'] == summarizer.num_cut['evaluate dialogues'] == 3
    assert 0 < scores['mean_tokens'] <= 3
    with torch.no_grad():  # It repeats itself.
        summarizer.model.lm_head.weight[1] = 0
    with pytest.warns(UserWarning, match='are cut'):
        scores = summarizer.evaluate(DIALOGUES[:3], SUMMARIES[:3])
    assert (scores['num_unfinished'], scores['mean_tokens']) == (3, 3)


class Keep(TrainerCallback):
    """Keeps the weights of each epoch."""

    def __init__(self):
        self.states = []

    def on_epoch_end(self, args, state, control, model, **kwargs):
        values = model.state_dict().values()
        self.states.append(torch.cat([value.flatten() for value in values]))


def test_the_epoch_of_the_lowest_loss_is_taken(tokenizer, overfitted):
    """The first one, where each unlearns more of what is known."""
    keep, model = Keep(), larger_t5()
    model.load_state_dict(overfitted.model.state_dict())
    summarizer = make(
        tokenizer,
        model,
        callbacks=[keep],
        select_by='loss',
        speakers='tokens',
        learning_rate=1e-3,
    )
    pairs = DIALOGUES[:4], SUMMARIES[:4]
    summarizer.fit(DIALOGUES[:4], SUMMARIES[3::-1], pairs)
    lines = [line for line in summarizer.history if 'eval_loss' in line]
    first, second, third = [line['eval_loss'] for line in lines]
    assert first < min(second, third)
    assert not any('eval_rouge1' in line for line in lines)
    assert torch.equal(weights(summarizer), keep.states[0])
    assert not torch.equal(weights(summarizer), keep.states[2])


def test_the_epoch_of_the_best_score_is_taken(tokenizer, monkeypatch):
    keep, scores = Keep(), [1.0, 3.0, 2.0]
    monkeypatch.setattr(
        'gmoe.text.summaries.summarizer.rouge_scores',
        lambda found, references: {'rouge2': scores.pop(0)},
    )
    summarizer = make(tokenizer, callbacks=[keep], select_by='rouge2')
    summarizer.fit(DIALOGUES, SUMMARIES, VALIDATION)
    assert scores == []
    assert torch.equal(weights(summarizer), keep.states[1])
    assert not torch.equal(weights(summarizer), keep.states[2])


def test_without_validation_the_last_epoch_is_taken(tokenizer):
    keep = Keep()
    summarizer = make(tokenizer, callbacks=[keep])
    summarizer.fit(DIALOGUES, SUMMARIES)
    assert torch.equal(weights(summarizer), keep.states[2])


def test_scores_of_validation_are_of_its_own_texts(tokenizer, overfitted):
    """Those of names, in the order of the dialogues, in whole summaries."""
    order = [3, 0, 2, 1]
    dialogues = [DIALOGUES[i] + ' and so on' * i for i in range(4)]
    dialogues = [dialogues[i] for i in order]
    references = [SUMMARIES[i] + ' That is all.' * i for i in order]
    model = larger_t5()
    model.load_state_dict(overfitted.model.state_dict())
    summarizer = make(
        tokenizer,
        model,
        epochs=1,
        learning_rate=1e-12,
        max_summary_tokens=24,
        max_input_tokens=128,
        speakers='tokens',
    )
    with pytest.warns(UserWarning, match=r'summaries \(validation\)'):
        summarizer.fit(DIALOGUES, SUMMARIES, (dialogues, references))
    (line,) = [row for row in summarizer.history if 'eval_rouge1' in row]
    scores = summarizer.evaluate(dialogues, references)
    for name in ('rouge1', 'rouge2', 'rougeL', 'rougeLsum'):
        assert line[f'eval_{name}'] == pytest.approx(scores[name])
    assert scores['rouge2'] > 20


def make_lora(seed):
    torch.manual_seed(0)
    model = tiny_t5()
    torch.manual_seed(seed)
    return get_peft_model(model, LoraConfig(target_modules=['q', 'v', 'wi']))


def make_switch(**kwargs):
    torch.manual_seed(0)
    return SwitchTransformersForConditionalGeneration(
        SwitchTransformersConfig(
            vocab_size=400,
            d_model=16,
            d_kv=8,
            d_ff=16,
            num_layers=2,
            num_decoder_layers=2,
            num_sparse_encoder_layers=1,
            num_sparse_decoder_layers=1,
            num_heads=2,
            num_experts=3,
            dropout_rate=0.0,
            pad_token_id=0,
            eos_token_id=1,
            decoder_start_token_id=0,
        )
    )


def make_switch_moe():
    return SwitchMoeForConditionalGeneration.from_switch(make_switch())


#: Models, and for those with an adapter what it is of.
KINDS = {
    'bart': (tiny_bart, None),
    'switch': (make_switch, None),
    'switch_moe': (make_switch_moe, None),
    't5 and lora': (lambda: make_lora(0), tiny_t5),
    'switch_moe and lora': (lambda: lora(make_switch_moe()), make_switch_moe),
}


@pytest.mark.parametrize('kind', KINDS)
def test_models_of_other_kinds(tokenizer, kind, tmp_path):
    build, base = KINDS[kind]
    summarizer = make(tokenizer, build(), epochs=2, label_smoothing=0.1)
    before = weights(summarizer)
    summarizer.fit(DIALOGUES, SUMMARIES, VALIDATION)
    losses = [x['eval_loss'] for x in summarizer.history if 'eval_loss' in x]
    assert losses[1] < losses[0]
    assert not torch.equal(weights(summarizer), before)
    summarizer.save_pretrained(tmp_path / 'saved')
    again = Summarizer.from_pretrained(
        tmp_path / 'saved', None if base is None else base()
    )
    assert torch.equal(weights(again), weights(summarizer))
    assert again.summarize(DIALOGUES) == summarizer.summarize(DIALOGUES)


def killed(train):
    """Trains in a process of its own, which is killed."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        train()
        os._exit(0)
    return os.waitpid(child, 0)[1]


class Kill(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 10:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.filterwarnings('ignore:.*fork.*:DeprecationWarning')
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork here')
@pytest.mark.parametrize('build', [tiny_t5, lambda: make_lora(1)])
def test_killed_in_the_middle(tokenizer, tmp_path, build):
    """Goes on from the second epoch, to the same weights."""

    def fit(folder, *callbacks):
        model = build()
        summarizer = make(
            tokenizer,
            model,
            callbacks,
            select_by='loss',
            checkpoints=tmp_path / folder,
        )
        return summarizer.fit(DIALOGUES, SUMMARIES, VALIDATION)

    whole = fit('whole')
    assert killed(lambda: fit('parts', Kill())) == signal.SIGKILL
    last = last_checkpoint(tmp_path / 'parts')
    assert last.name == 'checkpoint-8'
    resumed = fit('parts')
    assert torch.equal(weights(resumed), weights(whole))
    losses = [line['loss'] for line in whole.history if 'loss' in line]
    assert [x['loss'] for x in resumed.history if 'loss' in x] == losses


def test_an_adapter_that_was_drawn_anew_goes_on(tokenizer, tmp_path):
    def fit(seed, **settings):
        return make(
            tokenizer, make_lora(seed), checkpoints=tmp_path, **settings
        ).fit(DIALOGUES, SUMMARIES)

    first = fit(0)
    assert torch.equal(weights(fit(1)), weights(first))


CHANGES = {
    'weights': {'model': 1},
    'epochs': {'epochs': 2},
    'learning_rate': {'learning_rate': 1e-3},
    'label_smoothing': {'label_smoothing': 0.1},
    'speakers': {'speakers': 'tokens'},
    'prefix': {'prefix': 'a'},
    'seed': {'seed': 1},
    'arguments.bf16': {'arguments': {'use_cpu': True, 'bf16': True}},
    'dialogues': {'data': (DIALOGUES[::-1], SUMMARIES)},
    'summaries': {'data': (DIALOGUES, SUMMARIES[::-1])},
    'validation dialogues': {'validation': VALIDATION},
}


@pytest.fixture(scope='module')
def trained(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp('checkpoints')
    make(tokenizer, checkpoints=folder).fit(DIALOGUES, SUMMARIES)
    return folder


@pytest.mark.parametrize('name', CHANGES)
def test_another_training_is_refused(tokenizer, trained, name):
    changes = dict(CHANGES[name])
    data = changes.pop('data', (DIALOGUES, SUMMARIES))
    validation = changes.pop('validation', None)
    model = tiny_t5(changes.pop('model', 0))
    summarizer = make(tokenizer, model, checkpoints=trained, **changes)
    with pytest.raises(ValueError, match="'checkpoints' must be") as error:
        summarizer.fit(*data, validation)
    assert f"'{name}' is " in str(error.value)
    state = json.loads((trained / 'training.json').read_text())
    assert (state['kind'], state['seed']) == ('Summarizer', 0)


def test_a_seed_is_a_training(tokenizer):
    runs = [
        weights(make(tokenizer, seed=seed).fit(DIALOGUES, SUMMARIES))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((['a'], ['b', 'c']), "'dialogues' and 'summaries' must have the sa"),
        ((['a', ''], ['b', 'c']), "'dialogues' must not be blank"),
        (('a', ['b']), "'dialogues' must be a sequence"),
        ((['a'], ['b'], ['c']), "'validation' must be a pair"),
        ((['a'], ['b'], (['c'], [])), "'dialogues of validation' and"),
    ],
)
def test_pairs_that_are_refused(tokenizer, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(tokenizer).fit(*arguments)


def test_what_is_refused_later(tokenizer):
    summarizer = make(tokenizer)
    for name in ('num_beams', 'batch_size'):
        for value in (0, 1.5):
            with pytest.raises(ValueError, match=f"'{name}' must be"):
                summarizer.summarize(DIALOGUES, **{name: value})
    with pytest.raises(ValueError, match="'dialogues' must hold texts"):
        summarizer.summarize(['a', None])
    with pytest.raises(ValueError, match='at least one, got 0 and 0'):
        summarizer.evaluate([], [])
    with pytest.raises(ValueError, match="'model' must be a model"):
        Summarizer(None, tokenizer)


def test_its_name(tokenizer):
    assert repr(make(tokenizer)) == 'Summarizer(T5ForConditionalGeneration)'
    found = repr(make(tokenizer, make_lora(0)))
    assert found == 'Summarizer(T5ForConditionalGeneration)'
