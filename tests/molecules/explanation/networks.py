"""Small networks of molecules with experts and routers that differ."""

import torch
from torch_geometric.data import Data

from gmoe.molecules.explanation import ExplainedMolecule, read_molecule
from gmoe.training import GraphPredictor
from gmoe.transforms import TwoHop

ASPIRIN = 'CC(=O)Oc1ccccc1C(=O)O'
NETWORKS = {
    'top1': {'num_experts': 4, 'num_experts_1hop': 2, 'top_k': 1},
    'gin_top2': {
        'conv': 'gin',
        'num_experts': 4,
        'num_experts_1hop': 0,
        'top_k': 2,
    },
    'sparse': {'num_experts': 4, 'router': 'linear_sparsemax'},
    'single': {'conv': 'gin'},
    'part': {'num_experts': 4, 'top_k': 2, 'moe_layers': [1]},
}


def predictor(
    name: str, task_type: str = 'regression', **kwargs
) -> GraphPredictor:
    torch.manual_seed(0)
    metric = {'regression': 'rmse', 'binary classification': 'acc'}
    model = GraphPredictor(
        'mine',
        task_type=task_type,
        metric=metric[task_type],
        hidden_channels=12,
        num_layers=2,
        **NETWORKS[name],
        **kwargs,
    ).double()
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return model.eval()


def molecule(smiles: str = ASPIRIN) -> ExplainedMolecule:
    found = read_molecule(smiles)
    assert isinstance(found, ExplainedMolecule)
    return found


def graph(smiles: str = ASPIRIN) -> Data:
    return TwoHop()(molecule(smiles).data)
