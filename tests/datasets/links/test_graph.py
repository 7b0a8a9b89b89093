"""Graphs of links by their names and of one's own."""

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import is_undirected

from gmoe.datasets import load_links
from gmoe.datasets.links.pairs import pair_keys
from tests.datasets.links import small
from tests.datasets.nodes import small as nodes


def same(pairs, ids, expected):
    """Whether pairs are those of the small graph, whatever their order."""
    number = torch.tensor([int(name[1:]) for name in ids])
    keys = [
        pair_keys(each, small.NUM_NODES).sort()[0]
        for each in (number[pairs], expected)
    ]
    return torch.equal(*keys)


def test_table_with_split(tmp_path):
    graph = load_links(small.write_table(tmp_path / 'mine.csv'))
    assert (graph.info.name, graph.info.eval_metric) == ('mine', 'rocauc')
    for part, links in small.PARTS.items():
        assert same(graph.links[part], graph.ids, links)
    for part, others in small.OTHERS.items():
        assert same(graph.others[part], graph.ids, others)
    # The graph has the training links alone, both ways.
    edge_index = graph.data.edge_index
    assert edge_index.size(1) == 36
    assert is_undirected(edge_index)
    assert same(edge_index[:, :18], graph.ids, small.PARTS['train'])
    assert graph.notes == ()


def test_drawn_pairs_and_split(tmp_path):
    graph = load_links(small.write_table(tmp_path / 'a.csv', others=False))
    sizes = [pairs.size(1) for pairs in graph.others.values()]
    assert sizes == [3, 3]
    assert 'drawn with seed 0' in graph.notes[0]
    ends = ['source', 'target']
    path = small.write_table(tmp_path / 'b.csv', False, ends)
    graph, other = load_links(path, seed=1), load_links(path, seed=2)
    assert [pairs.size(1) for pairs in graph.links.values()] == [19, 2, 3]
    assert graph.data.num_edges == 38
    assert 'random, with seed 1: 80% of the links' in graph.notes[0]
    assert not torch.equal(graph.links['test'], other.links['test'])


def test_both_directions_count_once(tmp_path):
    path = tmp_path / 'mine.csv'
    table = small.make_table()
    back = table.rename(columns={'source': 'target', 'target': 'source'})
    back[:2].to_csv(path, index=False, columns=table.columns)
    lines = path.read_text().splitlines()[1:]
    text = table.to_csv(index=False) + '\n'.join(lines)
    path.write_text(text)
    graph = load_links(path)
    assert same(graph.links['train'], graph.ids, small.PARTS['train'])
    assert graph.notes == (
        '2 edges left out: there twice, as links have no direction',
    )


def test_pairs_that_should_be_none(tmp_path):
    path = small.write_table(tmp_path / 'mine.csv')
    with path.open('a') as file:
        file.write('n01,n00,test,0\n')
    graph = load_links(path)
    assert graph.others['test'].size(1) == 2
    assert graph.notes == (
        '1 pair left out that should be none: they are links',
    )


def test_leak_is_refused(tmp_path):
    path = small.write_table(tmp_path / 'mine.csv')
    with path.open('a') as file:
        file.write('n01,n00,test,1\n')
    with pytest.raises(
        ValueError, match="'test' must .* graph, .* nodes 'n0[01]' and"
    ):
        load_links(path)


def test_folder_of_tables(tmp_path):
    """That of nodes with classes serves as it is."""
    graph = load_links(nodes.write_tables(tmp_path / 'own'))
    assert torch.equal(graph.data.x, nodes.make_graph().x)
    sizes = [pairs.size(1) for pairs in graph.links.values()]
    assert sum(sizes) == 33
    assert graph.data.num_edges == 2 * sizes[0]


@pytest.mark.parametrize('both', [True, False])
def test_saved_graph(both, tmp_path):
    edges = small.LINKS
    if both:
        edges = torch.cat([edges, edges.flip(0)], dim=1)
    data = Data(x=torch.rand(12, 3), edge_index=edges)
    torch.save(data, tmp_path / 'mine.pt')
    graph = load_links(tmp_path / 'mine.pt')
    assert torch.equal(graph.data.x, data.x)
    assert graph.ids is None
    joined = torch.cat(list(graph.links.values()), dim=1)
    assert joined.size(1) == 24
    assert (len(graph.notes) == 3) == both


@pytest.mark.parametrize(
    ('edges', 'message'),
    [
        (None, "'edge_index' of .* must be an int64 .* got none"),
        (
            small.LINKS.float(),
            'must be an int64 .* got torch.float32 of shape',
        ),
        (torch.tensor([[0], [12]]), 'from 0 to 11, got 12'),
        (torch.tensor([[3], [3]]), 'node 3 with itself'),
    ],
)
def test_saved_graphs_that_are_none(edges, message, tmp_path):
    data = {'x': torch.rand(12, 3)}
    if edges is not None:
        data['edge_index'] = edges
    torch.save(data, tmp_path / 'mine.pt')
    with pytest.raises(ValueError, match=message):
        load_links(tmp_path / 'mine.pt')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'x': torch.full((12, 3), torch.nan)}, "'x' of .* must be finite"),
        ({'x': torch.rand(12)}, r"'x' of .* got shape \[12\]"),
        ({'x': torch.rand(0, 3)}, "'num_nodes' must be"),
        (
            {'x': None, 'edge_index': torch.tensor([[0], [2**40]])},
            "'num_nodes' must be an integer from 1 to",
        ),
    ],
)
def test_saved_graphs_with_wrong_nodes(changes, message, tmp_path):
    data = {'x': torch.rand(12, 3), 'edge_index': small.LINKS, **changes}
    data = {key: value for key, value in data.items() if value is not None}
    torch.save(data, tmp_path / 'mine.pt')
    with pytest.raises(ValueError, match=message):
        load_links(tmp_path / 'mine.pt')


def test_saved_graph_without_features(tmp_path):
    torch.save(Data(edge_index=small.LINKS), tmp_path / 'mine.pt')
    graph = load_links(tmp_path / 'mine.pt')
    assert (graph.data.num_nodes, 'x' in graph.data) == (12, False)


def test_numbers_that_no_node_has(tmp_path):
    edges = small.LINKS.clone()
    edges[0, 0] = 2**31 - 2
    torch.save({'edge_index': edges}, tmp_path / 'mine.pt')
    with pytest.raises(ValueError, match='from 0 on, .* 2147483646 for one'):
        load_links(tmp_path / 'mine.pt')


def test_names(tmp_path):
    with pytest.raises(ValueError, match="'name' must be one of .*ogbl-ddi"):
        load_links('ogbl-dd')
    small.write_table(tmp_path / 'mine.csv')
    with pytest.raises(FileNotFoundError, match=r'there is .*mine\.csv'):
        load_links(tmp_path / 'mind.csv')
    with pytest.raises(FileNotFoundError, match="'root' must be a folder"):
        load_links('ogbl-ddi', tmp_path)
    with pytest.raises(ValueError, match="'split_seed' must be"):
        load_links('ogbl-ddi', tmp_path, seed=-1)
    with pytest.raises(ValueError, match='from 0 to 4294967295, got 4294967'):
        load_links('ogbl-ddi', tmp_path, seed=2**32)
