"""Networks that were trained on OGB's molecules, as those of a table."""

from __future__ import annotations

from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.info import BINARY, MoleculeInfo
from gmoe.datasets.ogb.info import ogb_mol_info


def info_of_ogb(
    name: str, features: MoleculeFeatures | None = None
) -> MoleculeInfo:
    """What a network predicts that was trained on a dataset of OGB: a target
    for each task, named after the dataset, and its number where there are
    several.

    Args:
        name: The dataset's name, such as ``ogbg-molhiv``.
        features: What it is given beside graphs, if anything.

    Raises:
        ValueError: If there is no such dataset.
    """
    known = ogb_mol_info(name)
    short = name.removeprefix('ogbg-')
    targets = [short]
    if known.num_tasks > 1:
        targets = [f'{short}_{i}' for i in range(known.num_tasks)]
    classes = ('0', '1') if known.task_type == BINARY else None
    settings = None
    if features is not None:
        settings = features.to_dict()
    return MoleculeInfo(
        tuple(targets), known.task_type, classes, features=settings
    )
