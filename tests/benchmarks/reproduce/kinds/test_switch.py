"""Rows of the study of Switch Transformers, on a few dialogues."""

import numpy as np
import pytest

reason = "the extra 'text' is not installed"
for package in ('transformers', 'accelerate', 'peft', 'rouge_score'):
    pytest.importorskip(package, reason=reason)

from benchmarks.reproduce.__main__ import main  # noqa: E402
from benchmarks.reproduce.kinds import switch, switch_log  # noqa: E402
from benchmarks.reproduce.tables import load_table  # noqa: E402
from benchmarks.switch import table  # noqa: E402
from gmoe.text import rouge_scores  # noqa: E402
from gmoe.text.summaries.baselines import longest  # noqa: E402
from tests.benchmarks.reproduce.command import do_here, read  # noqa: E402
from tests.benchmarks.switch.samsum_files import (  # noqa: E402
    write_samsum,
    write_t5,
)
from tests.text.summaries.dialogues import DIALOGUES, SUMMARIES  # noqa: E402

EPOCHS = 2
ROWS = (
    'linear-topk-8',
    'transformers-8',
    'attention-sparsemax-16',
    'dense',
    'longest-3',
)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return write_samsum(tmp_path_factory.mktemp('samsum'))


def cells(root, *rows):
    base = root / 't5'
    if not base.exists():
        write_t5(base)
    changes = {'base': str(base), 'epochs': EPOCHS, 'rows': 8, 'rank': 2}
    return load_table('switch').change(changes).select(rows, None)


@pytest.fixture(scope='module')
def done(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp('done')
    for rows, seeds in ((ROWS[:2], 2), (ROWS[2:], 1)):
        do_here(folder, root, cells(root, *rows), seeds, 'switch')
    return folder


def records(folder):
    found = read(folder, 'switch')
    return {(r['row'], r['seed']): r for r in found}


def test_results(done):
    found = records(done)
    assert len(found) == len(ROWS) + 2
    for record in found.values():
        rouge = record['rouge']
        assert record['test'] == rouge['test']['rouge1'] / 100
        assert record['valid'] == rouge['validation']['rouge1'] / 100
    mixture = found['linear-topk-8', 0]
    assert mixture['routing']['encoder']['experts_per_token'] == 2
    assert len(mixture['epochs']) == EPOCHS + 1
    sparse = found['attention-sparsemax-16', 0]
    assert 1 <= sparse['routing']['decoder']['experts_per_token'] < 16
    flops = {row: found[row, 0]['flops'] for row in ROWS[:4]}
    assert flops['dense']['encoder'] < flops['transformers-8']['encoder']
    assert (
        flops['transformers-8']['encoder'] < flops['linear-topk-8']['encoder']
    )
    for row in ('dense', 'transformers-8'):
        assert found[row, 0]['routing'] is None


def test_three_turns(done):
    record = records(done)['longest-3', 0]
    wanted = rouge_scores([longest(text) for text in DIALOGUES], SUMMARIES)
    assert record['rouge']['test'] == wanted
    assert record['num_parameters'] == 0


def test_page(done):
    table.main(done / 'results')
    folder = done / 'results'
    text = (folder / 'switch.md').read_text()
    assert '| linear, softmax, top 2 of 8 | 2 |' in text
    assert '(validation, 20 tokens, one seed) | 1 | 47.51 | 24.24 |' in text
    assert 'own, top 1 of 8 over linear, softmax, top 2 of 8 |' in text
    found = records(done)
    gains = [
        found['transformers-8', seed]['rouge']['test']['rouge2']
        - found['linear-topk-8', seed]['rouge']['test']['rouge2']
        for seed in (0, 1)
    ]
    (line,) = (
        line
        for line in text.splitlines()
        if line.startswith("| transformers' own, top 1 of 8 over linear")
    )
    assert line.split(' | ')[2].startswith(f'{np.mean(gains):+.2f} [')
    assert '| the dense model over linear, softmax, top 2 of 8 | –' in text
    assert '16 over linear, softmax, top 2 of 8' not in text
    assert (folder / 'images' / 'switch.png').stat().st_size > 10_000


def test_it_goes_on(root, done, tmp_path, monkeypatch):
    (cell,) = cells(root, 'linear-topk-8')
    seen = []

    class Stopping(switch_log.EpochLog):
        def on_epoch_end(self, args, state, control, **kwargs):
            super().on_epoch_end(args, state, control, **kwargs)
            seen.append(round(state.epoch))
            if seen == [1, 2]:
                raise RuntimeError('stopped')

    monkeypatch.setattr(switch, 'EpochLog', Stopping)
    with pytest.raises(RuntimeError, match='stopped'):
        do_here(tmp_path, root, [cell], 1, 'switch')
    do_here(tmp_path, root, [cell], 1, 'switch')

    assert seen == [1, 2, 2]
    assert read(tmp_path, 'switch') == [records(done)['linear-topk-8', 0]]


def test_an_epoch_that_was_cut_off(tmp_path):
    log = switch_log.EpochLog(tmp_path)
    log._keep(0, switch_log.Epoch(0.0, [], None))
    log._keep(1, switch_log.Epoch(1.0, [2.0, 4.0, 9.0], None))
    assert switch_log.median_step(log.read(1)) == 4.0
    assert log.read(2) is None
    whole = (tmp_path / 'epoch-1.json').read_text()
    for content in ('', whole[:-9], '{}', '[]'):
        (tmp_path / 'epoch-1.json').write_text(content)
        assert log.read(1) is None


def test_models_that_are_refused_at_once(root, tmp_path):
    arguments = ['switch', '--root', str(root), '--model', str(tmp_path)]
    with pytest.raises(SystemExit, match="'model' must be small, or a Swi"):
        main(arguments)


def test_rows_that_do_not_go_with_the_model(root, capsys):
    base = root / 't5'
    if not base.exists():
        write_t5(base)
    arguments = ['switch', '--root', str(root), '--model', str(base)]
    with pytest.raises(SystemExit, match="'cells' must name rows that go"):
        main([*arguments, '--cells', 'linear-topk-8-anew'])
    assert 'Left out' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['switch', '--root', 'nowhere'], "'root' must be a folder that "),
        (['table2', '--model', 'small'], "'model' must be left out for the "),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(SystemExit, match=message):
        main(arguments)
