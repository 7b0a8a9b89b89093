"""Solubilities are learned from SMILES strings, and predicted with how sure
they are, by an estimator of scikit-learn: 1,128 molecules of OGB."""

import os
import tempfile
from pathlib import Path

import numpy as np

from gmoe.datasets import OGBMolDataset
from gmoe.molecules import MoleculeModel


def main(max_epochs: int = 5) -> float:
    root = Path(os.environ.get('GMOE_DATA_ROOT', 'data'), 'ogb')
    data = OGBMolDataset('ogbg-molesol', root)  # Downloads what is missing.
    smiles = np.array([data.smiles(i) for i in range(len(data))])
    y = data.y.numpy().ravel()
    parts = {k: v.numpy() for k, v in data.get_idx_split().items()}
    known = np.concatenate([parts['train'], parts['valid']])
    new = parts['test']  # Of other scaffolds.

    # The settings of 'gmoe fit --config configs/molecules/fast.yaml'.
    model = MoleculeModel(
        'regression',
        config='fast',
        ensemble=2,
        max_epochs=max_epochs,
        random_state=0,
    )
    model.fit(smiles[known], y[known])
    value, std = model.predict(smiles[new], return_std=True)
    low, high = model.predict_interval(smiles[new], level=0.9).T
    inside = np.mean((low <= y[new]) & (y[new] <= high))
    for i in np.argsort(std)[[0, -1]]:  # The surest one, and the least sure.
        print(f'{value[i]:6.2f} ± {std[i]:.2f}  {smiles[new][i]}')
    print(f'{inside:.0%} of the intervals for 90 % hold the truth')

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, 'solubility'))  # For 'gmoe predict', too.
        again = MoleculeModel.load(Path(folder, 'solubility'))
        assert np.array_equal(again.predict(smiles[new]), value)
    return model.score(smiles[new], y[new])


if __name__ == '__main__':
    print(f'R2 of new molecules: {main(30):.2f}')
