"""The losses with batch and with running statistics."""

import json

from benchmarks.common.record import RESULTS, ROOT
from benchmarks.reproduce.statistics_gap import (
    MODELS,
    NAME,
    WAYS,
    _loss,
    main,
    table,
)
from gmoe.training import GraphPredictor, OGBMolDataModule


def test_writes_a_table(data_root, tmp_path):
    page = tmp_path / 'reproduction' / 'combine.md'
    page.parent.mkdir()
    page.write_text(
        f'<!-- made by python -m {NAME} -->\n<!-- end of {NAME} -->\n'
    )
    main(
        data_root / 'ogb',
        dataset='molfreesolv',
        epochs=1,
        seeds=1,
        results=tmp_path,
        docs=tmp_path,
    )
    result = json.loads((tmp_path / 'statistics_gap.json').read_text())
    assert [row['model'] for row in result['rows']] == list(MODELS)
    for row in result['rows']:
        assert list(row['loss']) == list(WAYS)
        assert len(set(row['loss'].values())) == (
            2 if row['model'] == 'GCN' else 4
        )
    assert 'molfreesolv, 1 epochs, mean of 1 seeds' in page.read_text()


def test_leaves_the_statistics(data_root):
    data = OGBMolDataModule('ogbg-molfreesolv', data_root / 'ogb')
    data.prepare_data()
    data.setup('fit')
    module = GraphPredictor(
        dataset=data.name,
        task_type=data.task_type,
        metric=data.eval_metric,
        hidden_channels=8,
    )
    before = _loss(module, data, batch=False, noise=False)
    assert _loss(module, data, batch=True, noise=False) != before
    assert _loss(module, data, batch=False, noise=False) == before
    assert not any(part.training for part in module.modules())


def test_committed_table_is_that_of_the_result():
    result = json.loads((RESULTS / 'statistics_gap.json').read_text())
    page = ROOT / 'docs' / 'reproduction' / 'combine.md'
    assert table(result) in page.read_text()
