"""Molecules and a configuration that are quick to train."""

from pathlib import Path

import numpy as np

CONFIG = """
trainer:
  max_epochs: 8
model:
  class_path: gmoe.training.GraphPredictor
  init_args:
    conv: gin
    hidden_channels: 16
    num_layers: 2
    num_experts: 4
    num_experts_1hop: 2
    top_k: 2
    dropout: 0.0
    pooling: sum
    standardize: true
    learning_rate: 0.01
data:
  init_args:
    batch_size: 16
"""

#: Chains of carbon with an end: 96 molecules.
SMILES = [
    'C' * length + end
    for length in range(1, 17)
    for end in ('', 'O', 'N', 'C(=O)O', 'c1ccccc1', 'Cl')
]
#: Their number of carbon atoms, which is easy to learn.
COUNTS = np.array([s.count('C') - s.count('Cl') for s in SMILES], dtype=float)
ALCOHOL = np.array(['yes' if s.endswith('O') else 'no' for s in SMILES])


def write_config(folder: Path, **changes: str) -> str:
    """The file of the configuration, with some values changed."""
    text = CONFIG
    for old, new in changes.items():
        assert old in text
        text = text.replace(f'{old}: ', f'{old}: {new} #')
    path = folder / 'tiny.yaml'
    path.write_text(text)
    return str(path)
