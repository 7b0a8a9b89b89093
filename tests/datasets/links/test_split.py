"""Parts of links that give nothing away."""

import pytest
import torch

from gmoe.datasets.links.pairs import pair_keys
from gmoe.datasets.links.split import (
    LinkSplit,
    check_split,
    draw_others,
    random_split,
    without_links,
)
from tests.datasets.links.small import LINKS, NUM_NODES, OTHERS, PARTS


def test_random_parts():
    parts = random_split(LINKS, 3)
    assert [pairs.size(1) for pairs in parts.values()] == [19, 2, 3]
    joined = pair_keys(torch.cat(list(parts.values()), dim=1), NUM_NODES)
    assert torch.equal(joined.sort()[0], pair_keys(LINKS, NUM_NODES).sort()[0])
    again, other = random_split(LINKS, 3), random_split(LINKS, 4)
    assert torch.equal(parts['test'], again['test'])
    assert not torch.equal(parts['train'], other['train'])


def test_others_are_no_links():
    others = draw_others(PARTS, NUM_NODES, 0)
    assert [pairs.size(1) for pairs in others.values()] == [3, 3]
    keys = pair_keys(torch.cat(list(others.values()), dim=1), NUM_NODES)
    assert keys.unique().numel() == 6
    assert not torch.isin(keys, pair_keys(LINKS, NUM_NODES)).any()
    again = draw_others(PARTS, NUM_NODES, 0)
    assert torch.equal(others['test'], again['test'])


def with_part(part, pairs):
    pairs = torch.cat([PARTS[part], pairs], dim=1)
    return LinkSplit({**PARTS, part: pairs}, OTHERS)


@pytest.mark.parametrize(
    ('split', 'message'),
    [
        (
            with_part('test', PARTS['train'][:, 2:4].flip(0)),
            r"'test' .* not in the graph, .* nodes 3 and 2 in both \(2 such",
        ),
        (with_part('valid', PARTS['train'][:, :1]), "'valid' .* the graph"),
        (with_part('test', PARTS['valid'][:, :1]), "'test' .* not in valid"),
        (with_part('train', PARTS['test'][:, :1]), "'test' .* not in train"),
        (
            LinkSplit({**PARTS, 'valid': LINKS[:, :0]}, OTHERS),
            "'valid' must hold a link",
        ),
        (
            LinkSplit({**PARTS, 'train': LINKS[:, :0]}, OTHERS),
            "'train' must hold a link",
        ),
    ],
)
def test_leaks(split, message):
    with pytest.raises(ValueError, match=message):
        check_split(PARTS['train'], split, NUM_NODES)


def test_no_leak():
    check_split(PARTS['train'], LinkSplit(PARTS, OTHERS), NUM_NODES)


def test_others_that_are_links():
    others = {**OTHERS, 'test': torch.tensor([[3, 1, 8], [8, 0, 3]])}
    split, count = without_links(LinkSplit(PARTS, others), NUM_NODES)
    assert count == 1
    assert split.others['test'].tolist() == [[3, 8], [8, 3]]
    assert torch.equal(split.others['valid'], OTHERS['valid'])
