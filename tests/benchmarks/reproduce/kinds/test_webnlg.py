"""Runs of graph and text models on a tiny release, and on a slice of the
real one: trained to the end, stopped, killed."""

import numpy as np
import pytest
import yaml

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)
pytest.importorskip('sklearn', reason=reason)

from benchmarks.reliability.tiny_bert import write_tiny_bert  # noqa: E402
from benchmarks.reproduce.kinds import webnlg_text  # noqa: E402
from benchmarks.reproduce.kinds.webnlg_parts import load_parts  # noqa: E402
from benchmarks.reproduce.run import plan  # noqa: E402
from benchmarks.reproduce.tables import load_table  # noqa: E402
from benchmarks.webnlg import table  # noqa: E402
from gmoe.datasets.webnlg.holdout import part_of  # noqa: E402
from tests.benchmarks.reproduce.command import (  # noqa: E402
    do_here,
    finish,
    kill,
    read,
    start,
    wait_for,
)
from tests.datasets.webnlg_files import (  # noqa: E402
    WITH_REFS,
    WITHOUT_REFS,
    write_release,
)

EPOCHS = 3
DATA = {'features': 'hashed', 'batch_size': 4}


def entries(part, count):
    kinds = (('Astronaut', 'moon'), ('Airport', 'river'))
    return [
        (category, f'Id{i + 1}', [f'{part}{i} | {word} | the_{word}{i}'])
        for i in range(count)
        for category, word in [kinds[i % 2]]
    ]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    files = {
        'train/1triples/Airport.xml': entries('A', 16),
        'dev/1triples/Food.xml': entries('D', 6),
        f'test/{WITH_REFS}': entries('T', 3),
        f'test/{WITHOUT_REFS}': entries('T', 3),
    }
    folder = tmp_path_factory.mktemp('webnlg')
    write_tiny_bert(folder / 'bert')
    return write_release(folder, files)


def cells(root, *rows):
    changes = {
        'epochs': EPOCHS,
        'encoder': str(root / 'bert'),
        'data': DATA,
    }
    return load_table('webnlg').change(changes).select(rows, None)


@pytest.fixture(scope='module')
def undisturbed(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp('undisturbed')
    rows = ('gmoe-gin', 'bert-moe-all')
    do_here(folder, root, cells(root, *rows), 1, 'webnlg')
    return {r['row']: r for r in read(folder, 'webnlg')}


def test_results(undisturbed):
    for record in undisturbed.values():
        clean, published = record['protocols'].values()
        assert clean['epoch'] == EPOCHS or record['kind'] == 'webnlg_text'
        assert 1 <= published['epoch'] <= EPOCHS
        assert 'measured' not in record


def test_graph_model_is_killed(root, undisturbed, tmp_path):
    arguments = (
        *('--cells', 'gmoe-gin', '--workers', '1', '--seeds', '1'),
        *('--epochs', str(EPOCHS), '--save-seconds', '0', '--set'),
        f'data={yaml.safe_dump(DATA, default_flow_style=True).strip()}',
    )
    process = start(tmp_path, root, *arguments, table='webnlg')
    try:
        kill(wait_for(tmp_path, 1).process)  # It goes on by itself.
        output = finish(process)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert 'it goes on' in output
    assert read(tmp_path, 'webnlg') == [undisturbed['gmoe-gin']]


def test_text_model_is_stopped(root, undisturbed, tmp_path, monkeypatch):
    (cell,) = cells(root, 'bert-moe-all')
    (run,) = plan([cell], range(1))
    folder = run.folder(tmp_path / 'runs')
    seen = []

    class Stopping(webnlg_text._EpochEnd):
        def on_epoch_end(self, args, state, control, **kwargs):
            super().on_epoch_end(args, state, control, **kwargs)
            seen.append(round(state.epoch))
            if seen == [1, 2]:
                raise RuntimeError('stopped')

    def do():
        do_here(tmp_path, root, [cell], 1, 'webnlg')
        return read(tmp_path, 'webnlg')

    monkeypatch.setattr(webnlg_text, '_EpochEnd', Stopping)
    with pytest.raises(RuntimeError, match='stopped'):
        do()
    assert do() == [undisturbed['bert-moe-all']]
    assert seen == [1, 2, 2, 3]  # It went on from the first checkpoint.
    assert not (folder / 'checkpoints').exists()


def test_predictions_that_were_cut_off(root, undisturbed, tmp_path):
    (cell,) = cells(root, 'bert-moe-all')
    (run,) = plan([cell], range(1))
    folder = run.folder(tmp_path / 'runs')
    do_here(tmp_path, root, [cell], 1, 'webnlg')
    whole = (folder / 'epoch-1.json').read_text()
    assert len(webnlg_text._read_epochs(folder, EPOCHS) or []) == EPOCHS
    for content in ('', whole[:-9], '{}', '[]'):
        (folder / 'epoch-1.json').write_text(content)
        assert webnlg_text._read_epochs(folder, EPOCHS) is None


def test_held_out(root, tmp_path):
    (cell,) = load_table('webnlg-search').select(['holdout0/hashed'], None)
    cell.settings['data'] |= DATA | {'holdout': part_of('A0')}
    cell.settings['epochs'] = 1
    do_here(tmp_path, root, [cell], 1, 'webnlg-search')
    (record,) = read(tmp_path, 'webnlg-search')
    assert 0 <= record['valid'] <= 1
    assert record['scores']['weighted_f1'] == record['valid']
    assert 'protocols' not in record


def test_slice_of_the_real_data(data_root, tmp_path):
    rows = ['gmoe-gin', 'tfidf-first']
    quick = load_table('webnlg').change({'data': DATA}).quick()
    chosen = quick.select(rows, None)
    do_here(tmp_path, data_root / 'webnlg', chosen, 1, 'webnlg')
    parts = load_parts(data_root / 'webnlg', True)
    assert len(parts.kind) == len(parts.test) == 96
    assert set(parts.repeated) == set(range(96))
    found = read(tmp_path, 'webnlg')
    assert [record['row'] for record in found] == rows
    for record in found:
        clean, published = record['protocols'].values()
        assert 0 <= published['weighted_f1'] <= 1
        assert np.array(clean['confusion']).sum() == 96
        if record['row'] != 'tfidf-first':
            sums = np.array(clean['routing']).sum(axis=1)
            layers = np.array(clean['routing']).shape[1] // 4
            np.testing.assert_allclose(sums[sums > 0], layers, atol=1e-2)
    # By default, results that are not committed have a page beside them.
    committed = table.DOCS.read_bytes()
    table.main(tmp_path / 'results')
    text = (tmp_path / 'results' / 'webnlg.md').read_text()
    assert text.count('| tfidf-first |') == 3
    assert f'{clean["weighted_f1"]:.4f}' in text
    picture = tmp_path / 'results' / 'webnlg_confusion.png'
    assert picture.stat().st_size > 0
    assert table.DOCS.read_bytes() == committed
