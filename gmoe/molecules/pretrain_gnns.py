"""The pretrained networks of Hu et al. 2020."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gmoe.common.arguments import check_choice
from gmoe.common.shown import one_line
from gmoe.molecules.pretrain_gnns_codes import (
    ATOM_DIMS,
    ATOM_MASK,
    BOND_DIMS,
    BOND_MASK,
    FEATURIZATION,
    NUM_BONDS,
    NUM_ELEMENTS,
    SELF_LOOP,
)
from gmoe.nn import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS, GNN
from gmoe.training.checkpoint import archive_damage

#: More than any of these networks has.
_MOST_BYTES = 1 << 28

CODES = ('ogb', FEATURIZATION)
_REAL = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_LAYER = {
    'linear.weight': ('D', 'D'),
    'linear.bias': ('D',),
    'edge_embedding1.weight': (BOND_DIMS[0], 'D'),
    'edge_embedding2.weight': (BOND_DIMS[1], 'D'),
}
_NORM = {
    **dict.fromkeys(('weight', 'bias', 'running_mean', 'running_var'), ('D',)),
    'num_batches_tracked': (),
}


def load_pretrain_gnns(
    path: str | os.PathLike[str],
    codes: str = 'ogb',
    dropout: float = 0.5,
    **head: Any,
) -> GNN:
    """Reads a network of `"Strategies for Pre-training Graph Neural Networks"
    <https://arxiv.org/abs/1905.12265>`_ (Hu et al. 2020), to be fine-tuned or
    upcycled, in evaluation mode::

        network = load_pretrain_gnns('gcn_supervised_contextpred.pth')
        mixture = gmoe.nn.upcycle(network, num_experts=4, top_k=2)

    The files are those of the folder ``chem/model_architecture`` of
    https://github.com/snap-stanford/pretrain-gnns, under the MIT licence:
    the state of a GCN. Mean pooling and a new head follow its layers, as in
    their fine-tuning.

    Args:
        path: The file.
        codes: What the network reads. ``'pretrain-gnns'`` is their codes, as
            :func:`pretrain_gnns_graph` makes them. ``'ogb'`` is OGB's, which
            all datasets and commands of this package make: what both have has
            the pretrained features, and what OGB alone has begins at zero.
            The outputs differ only for molecules with a double bond that is
            marked as cis or trans, since OGB has another code for that.
        dropout: Dropout probability of a training.
        **head: Arguments of :class:`~gmoe.nn.GNN` for what follows the
            layers: :obj:`out_channels`, :obj:`pooling`,
            :obj:`num_head_layers`, :obj:`graph_dims`, :obj:`head_dropout`.

    Raises:
        ValueError: If it is no such file, or an argument is out of range.
    """
    check_choice('codes', codes, CODES)
    known = ('out_channels', 'pooling', 'num_head_layers')
    for name in head:
        check_choice('head', name, (*known, 'graph_dims', 'head_dropout'))
    file = Path(path).expanduser()
    state = _read(file)
    num_layers, channels = _checked(state, file)
    is_ogb = codes == 'ogb'
    gnn = GNN(
        **head,
        hidden_channels=channels,
        num_layers=num_layers,
        conv='linear_gcn',
        dropout=dropout,
        node_dims=ATOM_FEATURE_DIMS if is_ogb else ATOM_DIMS,
        edge_dims=BOND_FEATURE_DIMS if is_ogb else BOND_DIMS,
    )
    table = _atoms_of_ogb(state) if is_ogb else _tables(state, 'x_')
    weights = {'node_encoder.weight': table}
    for layer in range(num_layers):
        theirs, ours = f'gnns.{layer}.', f'convs.{layer}.'
        kinds, directions = _pair(state, f'{theirs}edge_')
        for name in ('linear.weight', 'linear.bias'):
            weights[ours + name] = state[theirs + name]
        weights[f'{ours}root'] = kinds[SELF_LOOP] + directions[0]
        weights[f'{ours}edge_encoder.weight'] = (
            _bonds_of_ogb(kinds, directions)
            if is_ogb
            else torch.cat([kinds, directions])
        )
        for name in _NORM:
            key = f'batch_norms.{layer}.{name}'
            weights[f'norms.{layer}.{name}'] = state[key]
    gnn.load_state_dict(weights, strict=False)
    return gnn.eval()


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names; no code that it holds is run."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _refused(path, f'it has more than {_MOST_BYTES} bytes')
        # The published files are of a time before archives.
        problem = archive_damage(path) if zipfile.is_zipfile(path) else None
        if problem is not None:
            raise _refused(path, problem)
        state = torch.load(path, 'cpu', weights_only=True)
    except OSError as error:
        raise _refused(path, error.strerror or 'it cannot be read') from error
    except Exception as error:  # Of many kinds, by what is wrong.
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        detail = one_line(error, 80) or type(error).__name__
        reason = f'it is no file of plain tensors: {detail}'
        raise _refused(path, reason) from error
    is_state = isinstance(state, dict) and all(
        isinstance(key, str) and isinstance(value, Tensor)
        for key, value in state.items()
    )
    if not is_state:
        raise _refused(path, f'it holds a {type(state).__name__}')
    for key, value in state.items():
        if not _is_plain(value):
            reason = f"its '{one_line(key)}' is no plain tensor of numbers"
            raise _refused(path, reason)
    return dict(state)


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor is dense, of real numbers, and has one of them in the
    file for each element: one that repeats them may claim any size."""
    return (
        value.layout == torch.strided
        and value.device.type == 'cpu'
        and value.dtype in (*_REAL, torch.int64)
        and value.nbytes <= value.untyped_storage().nbytes()
    )


def _checked(state: dict[str, Tensor], path: Path) -> tuple[int, int]:
    """The numbers of layers and of channels, if it is such a network."""
    if 'gnns.0.mlp.0.weight' in state:
        raise _refused(path, 'it is of their GIN, whose layers differ')
    layers = {
        int(match[1])
        for key in state
        if (match := re.match(r'gnns\.(\d{1,3})\.', key))
    }
    table = state.get('x_embedding1.weight')
    channels = 0 if table is None or table.dim() != 2 else table.size(1)
    wanted: dict[str, tuple[Any, ...]] = {
        'x_embedding1.weight': (ATOM_DIMS[0], 'D'),
        'x_embedding2.weight': (ATOM_DIMS[1], 'D'),
    }
    for layer in range(max(len(layers), 1)):
        for prefix, part in (('gnns', _LAYER), ('batch_norms', _NORM)):
            wanted |= {f'{prefix}.{layer}.{k}': v for k, v in part.items()}
    for key in [*wanted, *state]:
        shape = [channels if n == 'D' else n for n in wanted.get(key, ())]
        found = list(state[key].shape) if key in state else None
        if key not in wanted or found != shape:
            reason = f"its '{one_line(key)}' has the shape {found}"
            if key in wanted:
                reason += f', where theirs has {shape}'
            raise _refused(path, reason)
        if not state[key].isfinite().all():
            raise _refused(path, f"its '{key}' is not finite")
        if key.endswith('running_var') and state[key].lt(0).any():
            raise _refused(path, f"its '{key}' is negative")
    return len(layers), channels


def _pair(state: dict[str, Tensor], prefix: str) -> tuple[Tensor, Tensor]:
    first, second = (state[f'{prefix}embedding{i}.weight'] for i in (1, 2))
    return first, second


def _tables(state: dict[str, Tensor], prefix: str) -> Tensor:
    return torch.cat(_pair(state, prefix))


def _atoms_of_ogb(state: dict[str, Tensor]) -> Tensor:
    """The features of OGB's codes of atoms: its unknown elements have those
    of the mask, its unknown chirality those of none."""
    elements, chirality = _pair(state, 'x_')
    first, second = ATOM_FEATURE_DIMS[:2]
    table = elements.new_zeros(sum(ATOM_FEATURE_DIMS), elements.size(1))
    table[:first] = elements[[*range(NUM_ELEMENTS), ATOM_MASK]]
    table[first : first + second] = chirality[[0, 1, 2, 0, 0]]
    return table


def _bonds_of_ogb(kinds: Tensor, directions: Tensor) -> Tensor:
    """The features of OGB's codes of bonds, without a direction."""
    table = kinds.new_zeros(sum(BOND_FEATURE_DIMS), kinds.size(1))
    table[: BOND_FEATURE_DIMS[0]] = kinds[[*range(NUM_BONDS), BOND_MASK]]
    table[: BOND_FEATURE_DIMS[0]] += directions[0]
    return table


def _refused(path: Path, reason: str) -> ValueError:
    return ValueError(
        "'path' must be the file of a pretrained GCN of Hu et al. 2020, got "
        f"'{path}': {reason}"
    )
