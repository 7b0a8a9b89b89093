from collections import Counter
from pathlib import Path

import pytest
import torch

from gmoe.datasets import WebNLGDataset
from gmoe.datasets.webnlg import triples_to_graph
from gmoe.datasets.webnlg.holdout import NEW, NUM_HOLDOUTS, part_of
from tests.datasets.webnlg_files import write_release

OTHER = ['Bionico | course | Dessert']


@pytest.fixture
def dataset(tmp_path: Path) -> WebNLGDataset:
    root = write_release(
        tmp_path, {'train/1triples/Food.xml': [('Food', 'Id1', OTHER)]}
    )
    return WebNLGDataset(root, dim=16, log=False)


def test_small_release(dataset: WebNLGDataset):
    roots = ['Aarhus Airport', 'Bionico', 'Alan Bean', 'Bionico']
    for holdout in range(NUM_HOLDOUTS):
        split = dataset.get_idx_split(holdout=holdout)
        assert set(split) == {'train', 'valid'}
        out = [i for i, name in enumerate(roots) if part_of(name) == holdout]
        assert split['valid'].tolist() == out
        kept = [i for i in range(3) if i not in out]
        assert split['train'].tolist() == kept
    message = "'holdout' must be an integer from 0 to 5"
    with pytest.raises(ValueError, match=message):
        dataset.get_idx_split(holdout=6)


def test_official_release(data_root: Path, tmp_path: Path):
    dataset = WebNLGDataset(
        data_root / 'webnlg', dim=16, log=False, cache_dir=tmp_path
    )
    graphs = [triples_to_graph(entry.triples) for entry in dataset.entries]
    start = dataset.get_idx_split()['test'].min()
    seen = []
    for holdout in range(NUM_HOLDOUTS):
        split = dataset.get_idx_split(holdout=holdout)
        train, valid = split['train'].tolist(), split['valid'].tolist()
        assert max(train) < 13211
        assert max(valid) < start  # No test entry.
        assert not set(train) & set(valid)
        assert len(train) > 8000
        assert len(valid) > 750
        known = {text for i in train for text in graphs[i].node_text}
        for i in valid:
            text = graphs[i].node_text
            assert text[graphs[i].root] not in known
            assert sum(t not in known for t in text) >= NEW * len(text)
        labels = dataset._data.y
        assert len(labels[split['train']].unique()) == 16
        assert len(labels[split['valid']].unique()) >= 15
        seen += valid
    assert len(seen) == len(set(seen))
    # What the documentation says of the test entries.
    known = {text for graph in graphs[:13211] for text in graph.node_text}
    test = [graphs[i] for i in dataset.get_idx_split()['test'].tolist()]
    roots = Counter(graph.node_text[graph.root] for graph in test)
    new = {root: n for root, n in roots.items() if root not in known}
    assert (len(new), sum(new.values())) == (25, 616)
    assert sum(sorted(new.values())[-9:]) == 545
    assert torch.equal(
        dataset.get_idx_split(holdout=0)['valid'],
        dataset.get_idx_split(holdout=0)['valid'],
    )
