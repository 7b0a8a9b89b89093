import pickle
from pathlib import Path

import torch

from gmoe.datasets import HopMixture, OGBMolDataset
from gmoe.datasets.collated import CollatedDataset


def test_pickled_dataset_holds_its_tensors_once():
    dataset = HopMixture(200)
    size = len(pickle.dumps(dataset))
    graphs = list(dataset)
    content = pickle.dumps(dataset)
    assert len(content) < 1.1 * size

    out = pickle.loads(content)
    assert isinstance(out, CollatedDataset)
    assert len(out) == 200
    for a, b in zip(out, graphs):
        assert torch.equal(a.edge_index, b.edge_index)
    # The dataset itself keeps its graphs.
    assert dataset._data_list[0] is not None


def test_pickled_part_of_dataset(root: Path):
    dataset = OGBMolDataset('ogbg-moltox21', root)
    part = pickle.loads(pickle.dumps(dataset[1:]))
    assert len(part) == 2
    assert part.smiles(0) == 'NA'
    assert part.num_tasks == 12
    assert part[1].graph_id.tolist() == [2]
