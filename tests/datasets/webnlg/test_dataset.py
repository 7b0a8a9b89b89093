import pickle
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose

from gmoe.datasets import (
    TextFeatures,
    TripleFeatures,
    WebNLGDataset,
    webnlg_dataset_dict,
)
from gmoe.transforms import MaskEntities, TwoHop
from tests.datasets.webnlg_files import BEAN, FILES, write_release

DIM = 16


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_release(tmp_path / 'webnlg')


def make(root: Path, **kwargs) -> WebNLGDataset:
    kwargs = {'dim': DIM, 'download': False, 'log': False, **kwargs}
    return WebNLGDataset(root, **kwargs)


def test_graph(root: Path):
    dataset = make(root)
    assert len(dataset) == 2 + 1 + 6
    assert dataset.num_classes == 16
    assert dataset.num_text_features == DIM
    data = dataset[1]
    assert dataset.categories[int(data.y)] == 'Astronaut'
    assert data.node_text == [
        'Alan Bean',
        '15 March 1932',
        'Apollo 12',
        'NASA',
    ]
    names = ['birth date', 'mission', 'operator']
    assert data.edge_text == [name for name in names for _ in range(2)]
    assert data.edge_index.tolist() == [
        [0, 1, 0, 2, 2, 3],
        [1, 0, 2, 0, 3, 2],
    ]
    assert data.root_mask.tolist() == [True, False, False, False]
    assert data.node_type.tolist() == [0, 4, 0, 0]
    assert data.x.shape == (4, DIM + 7) == (4, dataset.num_node_features)
    text = dataset.text_features.make
    assert torch.equal(data.x[:, :DIM], text(data.node_text))
    assert torch.equal(data.x[:, DIM:-1], F.one_hot(data.node_type, 6).float())
    assert torch.equal(data.x[:, -1], data.root_mask.float())
    assert torch.equal(data.edge_attr[:, :DIM], text(data.edge_text))
    assert data.edge_attr[:, DIM:].tolist() == [[1, 0], [0, 1]] * 3


@pytest.mark.parametrize('codes', [False, True])
def test_copy_of_a_part(root: Path, codes: bool):
    dataset = make(root, codes=codes)
    part = dataset[[5, 1]].copy()
    assert part.entry(0) == dataset.entry(5)
    assert torch.equal(part[0].x, dataset[5].x)
    assert torch.equal(part[1].edge_attr, dataset[1].edge_attr)
    assert part.get_idx_split()['train'].tolist() == [1]
    tests = dataset.get_idx_subsets()['seen'].tolist()
    assert (part.get_idx_subsets()['seen'].tolist() == [0]) == (5 in tests)


def test_batch(root: Path):
    dataset = make(root, transform=TwoHop())
    batch = next(iter(DataLoader(dataset, batch_size=9)))
    assert batch.num_graphs == 9
    assert batch.y.shape == batch.graph_id.shape == (9,)
    assert batch.node_text[1] == dataset[1].node_text
    assert batch.root_mask.sum() == 9
    for i in (0, 1, 8):
        assert torch.equal(batch[i].x, dataset[i].x)
        assert torch.equal(batch[i].edge_attr_2hop, dataset[i].edge_attr_2hop)


def test_hop_2_edges_have_both_properties(root: Path):
    data = make(root, transform=TwoHop())[1]
    edge = {
        pair: data.edge_attr[i]
        for i, pair in enumerate(map(tuple, data.edge_index.t().tolist()))
    }
    pairs = list(map(tuple, data.edge_index_2hop.t().tolist()))
    assert sorted(pairs) == [(0, 3), (1, 2), (2, 1), (3, 0)]
    middle = {(0, 3): 2, (3, 0): 2, (1, 2): 0, (2, 1): 0}
    for (u, w), row in zip(pairs, data.edge_attr_2hop):
        v = middle[u, w]
        assert torch.equal(row, torch.cat([edge[u, v], edge[v, w]]))


def test_codes(root: Path):
    dense = make(root, transform=TwoHop())
    codes = make(root, transform=TwoHop(), codes=True, text=False)
    for a, b in zip(dense, codes):
        assert 'node_text' not in b
        x = codes.node_table[b.x[:, 0]]
        x = torch.cat([x, F.one_hot(b.x[:, 1], 6), b.x[:, 2:]], dim=1)
        assert torch.equal(x, a.x)
        hop_2 = b.edge_attr_2hop.view(-1, 2, 2)
        rows = torch.cat(
            [codes.property_table[hop_2[..., 0]], F.one_hot(hop_2[..., 1], 2)],
            dim=-1,
        )
        assert torch.equal(rows.flatten(1), a.edge_attr_2hop)
    assert not codes.node_table[0].any()
    with pytest.raises(ValueError, match='relation_features'):
        make(root, codes=True, relation_features=True)
    with pytest.raises(ValueError, match='codes'):
        codes.from_triples(BEAN)


def test_features_are_a_transform(root: Path):
    codes = make(root, codes=True)
    for relation_features in (False, True):
        features = TripleFeatures(
            codes.node_table, codes.property_table, relation_features
        )
        codes.transform = Compose([features, TwoHop()])
        kwargs = {'relation_features': relation_features}
        dense = make(root, transform=TwoHop(), **kwargs)
        for a, b in zip(dense, codes):
            assert set(a.keys()) == set(b.keys())
            for key in ('x', 'edge_attr', 'edge_attr_2hop'):
                assert torch.equal(a[key], b[key])
    assert codes.get(1).x.dtype == torch.long  # It is left as it was.


def test_settings_of_text_features(root: Path):
    expected = make(root, ngrams=(2, 3))
    own = TextFeatures(dim=DIM, ngrams=(2, 3))
    out = WebNLGDataset(root, 'clean', own, download=False, log=False)
    assert torch.equal(out.node_table, expected.node_table)
    assert make(root, features=own, dim=8).num_text_features == 8
    with pytest.raises(ValueError, match="'dim' must be"):
        make(root, dim=0)
    with pytest.raises(TypeError, match="'color'"):
        make(root, color=1)
    with pytest.raises(TypeError, match='positional'):
        WebNLGDataset(root, 'clean', 'hashed', DIM, (2, 3))  # As it was.


def test_batches_of_codes(root: Path):
    dataset = make(root, codes=True, text=False)
    for part in (dataset, dataset[[8, 1, 0, 4]]):
        index = [3, 0, 0, 2]
        out = part.take(index)
        expected = Batch.from_data_list([part[i] for i in index])
        assert set(out.keys()) == set(expected.keys())
        for key, value in expected.to_dict().items():
            assert torch.equal(out[key], value), key
        assert out.num_graphs == 4
        hop_2, expected = TwoHop()(out), TwoHop()(expected)
        assert torch.equal(hop_2.edge_index_2hop, expected.edge_index_2hop)
    assert dataset.take([]).num_graphs == 0
    with pytest.raises(ValueError, match="'codes' must be True"):
        make(root).take([0])


def test_hidden_entities(root: Path):
    data = make(root, entity_text=False)[1]
    is_entity = data.node_type == 0
    assert not data.x[is_entity, :DIM].any()
    assert data.x[~is_entity, :DIM].any()
    shown = make(root)
    assert torch.equal(data.x[:, DIM:], shown[1].x[:, DIM:])
    hide = MaskEntities(shown.num_text_features, ratio=1.0)
    assert torch.equal(hide(shown[1]).x, data.x)


def test_relation_features(root: Path):
    data = make(root, relation_features=True)[1]
    out, into = data.x[:, DIM + 7 :].split(DIM, dim=1)
    text = make(root).text_features.make
    birth, mission, operator = text(['birth date', 'mission', 'operator'])
    torch.testing.assert_close(out[0], (birth + mission) / 2)
    torch.testing.assert_close(out[2], operator)
    torch.testing.assert_close(into[2], mission)
    assert not out[1].any()
    assert not into[0].any()


def test_protocols(root: Path):
    dataset = make(root)
    clean, published = (
        {k: v.tolist() for k, v in dataset.get_idx_split(name).items()}
        for name in ('clean', 'published')
    )
    assert clean == {'train': [0, 1], 'valid': [2], 'test': [3, 4, 8]}
    test = [3, 4, 5, 6, 7, 8]
    assert published == {'train': [0, 1], 'valid': test, 'test': test}
    assert dataset.get_idx_split()['test'].tolist() == [3, 4, 8]
    subsets = dataset.get_idx_subsets()
    assert {k: v.tolist() for k, v in subsets.items()} == {
        'seen': [3],
        'unseen_entities': [4],
        'unseen_category': [8],
    }
    part = dataset[dataset.get_idx_split()['test']]
    assert part.entry(2) == dataset.split('clean').test[2]
    assert [int(data.graph_id) for data in part] == [3, 4, 8]
    with pytest.raises(ValueError, match='protocol'):
        dataset.get_idx_split('other')


def test_from_triples(root: Path):
    for kwargs in ({}, {'relation_features': True}):
        dataset = make(root, **kwargs)
        data, expected = dataset.from_triples(BEAN), dataset[1]
        for key in ('x', 'edge_index', 'edge_attr', 'node_type', 'root_mask'):
            assert torch.equal(data[key], expected[key])
        assert data.node_text == expected.node_text
        assert data.edge_text == expected.edge_text
        triples = dataset.entry(1).triples
        assert torch.equal(dataset.from_triples(triples).x, expected.x)
    with pytest.raises(ValueError, match="'Alan Bean'"):
        dataset.from_triples(['Alan Bean'])
    with pytest.raises(ValueError, match='at least one'):
        dataset.from_triples([])


def test_access_leaves_the_dataset(root: Path):
    dataset = make(root)
    first = dataset[1]
    first.x.zero_()
    first.node_text = None
    assert dataset[1].x.any()
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy[1].x, dataset[1].x)


def test_masked_codes_and_literals(root: Path):
    data = make(root, codes=True)[1]
    before = data.x.clone()
    out = MaskEntities(ratio=1.0)(data)
    assert out.x[:, 0].tolist() == [0, int(before[1, 0]), 0, 0]
    assert torch.equal(out.x[:, 1:], before[:, 1:])
    out = MaskEntities(ratio=1.0, literals=True)(make(root, codes=True)[1])
    assert not out.x[:, 0].any()


def test_without_a_network(tmp_path: Path):
    with pytest.raises(RuntimeError, match='by other means'):
        make(tmp_path / 'x', download=True, url='http://127.0.0.1:9/a.zip')


def test_dataset_dict_without_datasets(
    root: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, 'datasets', None)
    with pytest.raises(ImportError, match=r'gmoe\[text\]'):
        webnlg_dataset_dict(root)


def test_dataset_dict(root: Path):
    pytest.importorskip('datasets', reason="needs 'datasets'")
    out = webnlg_dataset_dict(root, log=False)
    assert {k: v.num_rows for k, v in out.items()} == {
        'train': 2,
        'dev': 1,
        'test': 8,
    }
    row = out['train'][1]
    assert row['modified_triple_sets'] == {'mtriple_set': [BEAN]}
    assert row['original_triple_sets'] == {'otriple_set': [BEAN, BEAN]}
    assert row['lex'] == {
        'comment': ['good', ''],
        'lid': ['Id1', 'Id2'],
        'text': ['A text & more.', 'Another.'],
        'lang': ['', 'en'],
    }
    assert (row['category'], row['size'], row['eid']) == (
        'Astronaut',
        3,
        'Id1',
    )
    assert (row['shape'], row['shape_type']) == ('(X (X))', 'NA')
    assert row['test_category'] == ''
    assert row['dbpedia_links'] == row['links'] == []
    names = list(FILES)[3:]
    assert out['test'].unique('test_category') == [
        name.removeprefix('test/').removesuffix('.xml') for name in names
    ]
    assert out['train'].features['size'].dtype == 'int32'
    # Element zero of a set is its first triple, and no more.
    assert row['modified_triple_sets']['mtriple_set'][0][0] == BEAN[0]
    clean = webnlg_dataset_dict(root, 'clean', log=False)
    assert clean['test'].num_rows == 3


def test_official_release(data_root: Path, tmp_path: Path):
    dataset = make(data_root / 'webnlg', cache_dir=tmp_path)
    assert len(dataset) == 13211 + 1667 + 3097
    sizes = {k: v.numel() for k, v in dataset.get_idx_split().items()}
    assert sizes == {'train': 13211, 'valid': 1667, 'test': 1363}
    for i in range(0, len(dataset), 500):
        data, entry = dataset[i], dataset.entry(i)
        assert data.num_edges == 2 * entry.size
        assert dataset.categories[int(data.y)] == entry.category
        assert data.validate()
        assert int(data.root_mask.sum()) == 1
    assert len(list((tmp_path / 'texts').iterdir())) == 2
