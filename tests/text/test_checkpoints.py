"""Checkpoints are of one training, which goes on after any end."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)
pytest.importorskip('sklearn', reason=reason)

from transformers import TrainerCallback  # noqa: E402

from gmoe.text import (  # noqa: E402
    BertClassifier,
    BertMoeClassifier,
    FineTuning,
)
from gmoe.text.checkpoints import (  # noqa: E402
    NAME,
    checkpoints_of,
    digest,
    last_checkpoint,
    model_settings,
    training_folder,
)
from tests.text.tiny import write_tiny_bert  # noqa: E402

TEXTS = ['crew of moon', 'river of water', 'the crew', 'the river'] * 3
LABELS = ['Astronaut', 'River'] * 6
BASE = {
    'kind': BertMoeClassifier,
    'encoder': 'bert',
    'seed': 0,
    'texts': TEXTS,
    'labels': LABELS,
    'classes': None,
    'validation': None,
    'settings': {'hidden_channels': 8},
    'training': {'epochs': 3},
}


@pytest.fixture(scope='module')
def encoders(tmp_path_factory):
    folder = tmp_path_factory.mktemp('encoders')
    for seed, name in enumerate(['bert', 'same', 'other']):
        torch.manual_seed(seed // 2)
        write_tiny_bert(folder / name)
    return folder


class Act(TrainerCallback):
    """Does something at the end of a step."""

    def __init__(self, step, do):
        self.step, self.do = step, do

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.do()


def stop():
    raise KeyboardInterrupt


def fit(encoders, folder, *callbacks, **changes):
    a = {**BASE, **changes}
    training = {'batch_size': 4, 'learning_rate': 1e-2, **a['training']}
    training.setdefault('arguments', {'use_cpu': True})
    model = a['kind'](
        encoders / a['encoder'],
        FineTuning(checkpoints=folder, **training),
        a['seed'],
        callbacks,
        **(a['settings'] if a['kind'] is BertMoeClassifier else {}),
    )
    return model.fit(a['texts'], a['labels'], a['validation'], a['classes'])


@pytest.fixture(scope='module')
def trained(encoders, tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained') / 'checkpoints'
    return folder, fit(encoders, folder).predict_proba(TEXTS)


CHANGES = {
    'seed': {'seed': 1},
    'labels': {'labels': LABELS[::-1]},
    'classes': {'classes': ['Astronaut', 'Film', 'River']},
    'texts': {'texts': ['moon', *TEXTS[1:]]},
    'classifier': {'kind': BertClassifier},
    'encoder': {'encoder': 'other'},
    'validation texts': {'validation': (TEXTS[:4], LABELS[:4])},
    'epochs': {'training': {'epochs': 4}},
    'learning_rate': {'training': {'epochs': 3, 'learning_rate': 1e-3}},
    'batch_size': {'training': {'epochs': 3, 'batch_size': 2}},
    'weight_decay': {'training': {'epochs': 3, 'weight_decay': 0}},
    'max_length': {'training': {'epochs': 3, 'max_length': 4}},
    'arguments.bf16': {
        'training': {'epochs': 3, 'arguments': {'use_cpu': 1, 'bf16': True}}
    },
    'model.hidden_channels': {'settings': {'hidden_channels': 16}},
    'model.dropout': {'settings': {'hidden_channels': 8, 'dropout': 0.2}},
}


@pytest.mark.filterwarnings('ignore:.*tokens.*are cut')
@pytest.mark.parametrize('name', CHANGES)
def test_another_training_is_refused(encoders, trained, name):
    folder, _ = trained
    before = {path: path.stat().st_mtime_ns for path in folder.rglob('*')}
    with pytest.raises(ValueError, match="'checkpoints' must be") as error:
        fit(encoders, folder, **CHANGES[name])
    assert f"'{name}' is " in str(error.value)
    after = {path: path.stat().st_mtime_ns for path in folder.rglob('*')}
    assert after == before


def test_the_same_training_goes_on(encoders, trained):
    folder, proba = trained
    # The same encoder may lie elsewhere.
    again = fit(encoders, folder, encoder='same')
    np.testing.assert_array_equal(again.predict_proba(TEXTS), proba)
    # An earlier version gave a setting another name.
    path = folder / 'training.json'
    now = path.read_text()
    path.write_text(
        now.replace('model.hidden_channels', 'model.expert_hidden')
    )
    assert path.read_text() != now
    with pytest.warns(FutureWarning, match="called 'hidden_channels' now"):
        again = fit(encoders, folder, settings={'expert_hidden': 8})
    assert path.read_text() == now
    np.testing.assert_array_equal(again.predict_proba(TEXTS), proba)
    state = json.loads((folder / NAME).read_text())
    assert (state['classifier'], state['seed']) == ('BertMoeClassifier', 0)


def test_checkpoints_of_nobody_knows_what(encoders, trained):
    folder, _ = trained
    text = (folder / NAME).read_text()
    try:
        for broken in ('', text[:100], '[]'):
            (folder / NAME).write_text(broken)
            with pytest.raises(ValueError, match='do not say what they are'):
                fit(encoders, folder)
        (folder / NAME).unlink()
        with pytest.raises(ValueError, match='do not say what they are of'):
            fit(encoders, folder)
    finally:
        (folder / NAME).write_text(text)


def killed(train):
    """Trains in a process of its own, which is killed."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        train()
        os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.mark.filterwarnings('ignore:.*fork.*:DeprecationWarning')
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork here')
@pytest.mark.parametrize(
    ('validation', 'steps'), [(None, (2, 5)), ((TEXTS[:4], LABELS[:4]), (8,))]
)
def test_killed_in_the_middle(encoders, tmp_path, validation, steps):
    def kill():
        os.kill(os.getpid(), signal.SIGKILL)

    whole = fit(encoders, tmp_path / 'whole', validation=validation)
    for step in steps:
        status = killed(
            lambda step=step: fit(
                encoders,
                tmp_path / 'parts',
                Act(step, kill),
                validation=validation,
            )
        )
        assert status == signal.SIGKILL
        last = last_checkpoint(tmp_path / 'parts')
        assert (
            last is None if step == 2 else last.name.endswith(f'-{step - 2}')
        )
    resumed = fit(encoders, tmp_path / 'parts', validation=validation)
    np.testing.assert_array_equal(
        resumed.predict_proba(TEXTS), whole.predict_proba(TEXTS)
    )
    losses = [line['loss'] for line in whole.history if 'loss' in line]
    assert [x['loss'] for x in resumed.history if 'loss' in x] == losses


def test_half_a_checkpoint_is_left_aside(encoders, tmp_path):
    folder = tmp_path / 'parts'
    whole = fit(encoders, tmp_path / 'whole').predict_proba(TEXTS)

    with pytest.raises(KeyboardInterrupt):
        fit(encoders, folder, Act(5, stop))
    half = folder / 'checkpoint-6'
    half.mkdir()
    for name, content in (
        ('model.safetensors', b'half'),
        ('trainer_state.json', b'{"global_step": 6,'),
    ):
        (half / name).write_bytes(content)
    assert last_checkpoint(folder) == folder / 'checkpoint-3'
    resumed = fit(encoders, folder)
    np.testing.assert_array_equal(resumed.predict_proba(TEXTS), whole)


def test_nothing_to_go_on_from(encoders, tmp_path):
    # A training that never came to a checkpoint stands in nobody's way.
    folder = tmp_path / 'parts'

    with pytest.raises(KeyboardInterrupt):
        fit(encoders, folder, Act(1, stop), seed=1)
    fit(encoders, folder, Act(99, stop))
    assert json.loads((folder / NAME).read_text())['seed'] == 0


def test_a_moved_folder_finds_its_best(encoders, tmp_path):
    texts, labels = TEXTS[:4], LABELS[:4]
    args = {'validation': (texts, labels)}
    whole = fit(encoders, tmp_path / 'a', **args)
    os.rename(tmp_path / 'a', tmp_path / 'b')
    moved = fit(encoders, tmp_path / 'b', **args)
    np.testing.assert_array_equal(
        moved.predict_proba(TEXTS), whole.predict_proba(TEXTS)
    )


@pytest.mark.parametrize('hidden_channels', [8, 16])
def test_an_optimizer_of_an_earlier_version(
    encoders, tmp_path, hidden_channels
):
    """It has kept the experts' first weights the other way round, for 16 in
    the same shape."""
    args = {
        'settings': {'hidden_channels': hidden_channels},
        'training': {
            'epochs': 3,
            'arguments': {'use_cpu': True, 'optim': 'adamw_torch'},
        },
    }
    whole = fit(encoders, tmp_path / 'a', **args)
    with pytest.raises(KeyboardInterrupt):
        fit(encoders, tmp_path / 'b', Act(4, stop), **args)
    (path,) = (tmp_path / 'b').glob('checkpoint-*/optimizer.pt')
    kept = torch.load(path, weights_only=True)
    shape = (4, 16, hidden_channels)
    for state in kept['state'].values():
        for name, value in state.items():
            if value.shape == shape and not value.is_contiguous():
                state[name] = value.mT.contiguous()
    torch.save(kept, path)
    resumed = fit(encoders, tmp_path / 'b', **args)
    np.testing.assert_array_equal(
        resumed.predict_proba(TEXTS), whole.predict_proba(TEXTS)
    )


@pytest.mark.filterwarnings('ignore:.*fork.*:DeprecationWarning')
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork here')
def test_two_processes_in_one_folder(tmp_path):
    child = os.fork()
    if child == 0:
        with checkpoints_of(tmp_path, {}):
            time.sleep(60)
        os._exit(0)
    try:
        while not (tmp_path / NAME).exists():
            time.sleep(0.01)
        with (
            pytest.raises(ValueError, match='no other process trains in'),
            checkpoints_of(tmp_path, {}),
        ):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with checkpoints_of(tmp_path, {}) as last:
        assert last is None


def test_no_folder(tmp_path):
    (tmp_path / 'file').write_text('mine')
    with (
        pytest.raises(ValueError, match="'checkpoints' must be a folder that"),
        checkpoints_of(tmp_path / 'file', {}),
    ):
        pass


def test_digest():
    x = torch.arange(6.0)
    parts = [x, x.view(2, 3), x.int(), x.bfloat16(), 'x', ['x'], x[:0]]
    assert len({digest([part]) for part in parts}) == len(parts)
    assert digest(parts) == digest([*parts])
    assert digest(parts) != digest(parts[::-1])


def test_settings_of_a_model():
    # The order of a set is another one in each process.
    inner = {'targets': {'v', 'q', 'wo'}, 'base_model_name_or_path': 'a'}
    config = {'size': 3, '_name_or_path': 'b', 'adapters': {'c': inner}}
    assert model_settings(config) == {
        'size': 3,
        'adapters': {'c': {'targets': ['q', 'v', 'wo']}},
    }


def test_folder_of_a_training(tmp_path):
    with training_folder(None, stop) as (folder, last):
        assert Path(folder).is_dir()
        assert last is None
    assert not Path(folder).exists()
    for _ in range(2):
        with training_folder(tmp_path / 'a', dict) as (folder, last):
            assert (folder, last) == (str(tmp_path / 'a'), None)
    assert (tmp_path / 'a' / NAME).exists()


def test_last_checkpoint(tmp_path: Path):
    for name, state in (
        ('checkpoint-9', {'global_step': 9}),
        ('checkpoint-10', {'global_step': 10}),
        ('checkpoint-11', {'global_step': 3}),
        ('checkpoint-12', None),
        ('checkpoint-x', {'global_step': 13}),
    ):
        (tmp_path / name).mkdir()
        if state is not None:
            path = tmp_path / name / 'trainer_state.json'
            path.write_text(json.dumps(state))
    assert last_checkpoint(tmp_path) == tmp_path / 'checkpoint-10'
