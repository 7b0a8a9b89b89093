"""Reads a graph that its user has saved."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import (
    BaseStorage,
    EdgeStorage,
    GlobalStorage,
    NodeStorage,
)

from gmoe.common.shown import one_line
from gmoe.datasets.archive import open_zip
from gmoe.datasets.limits import LIMITS

#: What is read of a graph; all else is left out.
KEYS = (
    'x',
    'edge_index',
    'edge_weight',
    'y',
    'train_mask',
    'val_mask',
    'test_mask',
)
# What a graph is made of, besides tensors; PyG itself loads all else, too.
_CLASSES = [
    BaseStorage,
    Data,
    HeteroData,
    DataEdgeAttr,
    DataTensorAttr,
    EdgeStorage,
    GlobalStorage,
    NodeStorage,
]


def read_saved(path: Path) -> Data:
    """Reads a ``Data`` that ``torch.save(data, 'graph.pt')`` has written, or
    a dictionary of its tensors. No code that the file holds is run.

    Args:
        path: The file.

    Raises:
        ValueError: If it is none.
    """
    problem = _problem(path)
    value: Any = None
    if problem is None:
        try:
            with torch.serialization.safe_globals(_CLASSES):
                value = torch.load(path, 'cpu', weights_only=True)
            if isinstance(value, Data):
                value = value.to_dict()
        except Exception as error:  # Of many kinds, by what is wrong.
            reason = str(error).partition('WeightsUnpickler error: ')
            line = (reason[2] or reason[0]).strip().split('\n')[0]
            problem = one_line(line, 100) or type(error).__name__
    if isinstance(value, HeteroData):
        problem = 'a HeteroData; save data.to_homogeneous()'
    elif problem is None and not isinstance(value, dict):
        problem = f'a {type(value).__name__}'
    if problem is None:
        tensors = {key: value[key] for key in KEYS if key in value}
        problem = _wrong_tensor(tensors)
    if problem is not None:
        raise ValueError(
            f"'path' must be a graph that torch.save(data, …) has written, "
            f"got '{path}': {problem}"
        )
    return Data(**{key: value.contiguous() for key, value in tensors.items()})


def _problem(path: Path) -> str | None:
    if path.exists() and not path.is_file():
        return 'it is no file'
    try:
        size = path.stat().st_size
        if size > LIMITS.unzipped:
            return f'it has more than {LIMITS.unzipped} bytes'
        with open_zip(path) as archive:
            members = archive.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED for m in members):
                return 'its parts are compressed'
            if sum(member.file_size for member in members) > size:
                return 'its parts are larger than it is'
    except zipfile.BadZipFile:
        return 'it is no archive of PyTorch, or is cut off'
    except OSError as error:
        return error.strerror or 'it cannot be read'
    return None


def _wrong_tensor(tensors: dict[str, Any]) -> str | None:
    for key, value in tensors.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            kind = getattr(value, 'layout', type(value).__name__)
            return f"its '{key}' is no dense tensor, but {kind}"
        # A tensor may claim more numbers than are in the file.
        if value.numel() * value.element_size() > (
            value.untyped_storage().nbytes()
        ):
            return f"its '{key}' has more numbers than the file"
    return None
