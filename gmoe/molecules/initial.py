"""Trained networks as the beginning of another training."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gmoe.common.model_folder import CONFIG, read_config
from gmoe.common.shown import shown
from gmoe.molecules.load import load_members
from gmoe.molecules.pretrain_gnns import load_pretrain_gnns
from gmoe.nn import GNN


def initial_network(source: str | os.PathLike[str]) -> GNN:
    """Reads the network that a training begins with, with distrust: no code
    that a file holds is run.

    Args:
        source: A run's folder, a checkpoint, an exported folder or its name
            on the hub, as :meth:`~gmoe.molecules.TrainedModel.load` takes
            them; the folder of a :class:`~gmoe.nn.GNN` that was saved by
            itself; or a ``.pth`` file, as :func:`load_pretrain_gnns` takes it.

    Raises:
        ImportError: If a package is missing that the files need.
        ValueError: If there is no such network, it is damaged, an ensemble,
            or a mixture already.
    """
    gnn = _read(source)
    for name, value in gnn.state_dict().items():
        if not value.isfinite().all():
            raise ValueError(
                "'init_from' must be a network whose weights are finite, got "
                f"{shown(os.fspath(source))} with others in '{name}'"
            )
    if gnn.num_experts > 1:
        raise ValueError(
            "'init_from' must be a network without mixtures, got "
            f'{shown(os.fspath(source))} with {gnn.num_experts} experts'
        )
    return gnn


def _read(source: str | os.PathLike[str]) -> GNN:
    path = Path(source).expanduser()
    if path.suffix == '.pth':
        return load_pretrain_gnns(path)
    is_folder = (path / CONFIG).is_file()
    if is_folder and read_config(path).get('model') == GNN.__name__:
        return GNN.from_pretrained(path)
    try:
        _, members = load_members(source)
    except ValueError as error:
        # As readers call it that serve other commands, too.
        message = re.sub(
            "^'(model|ckpt_path)' must", "'init_from' must", str(error)
        )
        several = ', a folder of several such (an ensemble)'
        raise ValueError(message.replace(several, '')) from error
    if len(members) > 1:
        raise ValueError(
            "'init_from' must be a single network, such as its folder "
            f"'member_0', got an ensemble of {len(members)} in "
            f'{shown(str(path))}'
        )
    gnn = members[0].predictor.gnn
    assert isinstance(gnn, GNN)
    return gnn
