"""Encoders of node and edge features."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor, nn
from torch.nn import functional

from gmoe.common.arguments import check_integer

#: The categories of OGB's nine atom features: atomic number, chirality,
#: degree, formal charge, hydrogens, radical electrons, hybridisation,
#: aromatic, in a ring.
ATOM_FEATURE_DIMS = (119, 5, 12, 12, 10, 6, 6, 2, 2)

#: The categories of OGB's three bond features: type, stereo, conjugated.
BOND_FEATURE_DIMS = (5, 6, 2)


class CategoricalEncoder(nn.Module):
    r"""The sum of one embedding per categorical feature: OGB's atom and bond
    encoders (`Hu et al. 2020 <https://arxiv.org/abs/2005.00687>`_).

    Args:
        dims: The number of categories of each feature.
        out_channels: Size of the embeddings.

    Shapes:
        - **input:** categories, int64 :math:`(N, F)`
        - **output:** features :math:`(N, D)`

    Raises:
        ValueError: In the forward pass, if the input has another type, shape
            or range (the range is checked on the CPU only).
    """

    offsets: Tensor

    def __init__(self, dims: Sequence[int], out_channels: int) -> None:
        super().__init__()
        self.dims = check_dims(dims)
        self.weight = nn.Parameter(torch.empty(sum(self.dims), out_channels))
        offsets = torch.tensor(self.dims).cumsum(0) - torch.tensor(self.dims)
        self.register_buffer('offsets', offsets, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws each feature's embeddings as OGB does (Glorot)."""
        for embedding in self.weight.data.split(self.dims):
            nn.init.xavier_uniform_(embedding)

    def forward(self, x: Tensor, name: str = 'x') -> Tensor:
        """Encodes categories, which error messages call :obj:`name`."""
        check_categories(x, self.dims, name)
        return functional.embedding_bag(
            x + self.offsets, self.weight, mode='sum'
        )

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.dims}, {self.weight.size(1)})'


class LinearEncoder(nn.Linear):
    r"""A linear map of floating-point features.

    Args:
        in_channels: The number of features :math:`F`.
        out_channels: Size of the encoded features :math:`D`.

    Shapes:
        - **input:** features :math:`(N, F)`
        - **output:** features :math:`(N, D)`

    Raises:
        ValueError: In the forward pass, if the input has another type or
            shape, or is not finite (looked at on the CPU only).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)

    def forward(self, input: Tensor, name: str = 'x') -> Tensor:
        """Encodes features."""
        if (
            not input.is_floating_point()
            or input.dim() != 2
            or input.size(1) != self.in_features
        ):
            raise ValueError(
                f"'{name}' must be floating-point of shape [*, "
                f'{self.in_features}], got {input.dtype} and '
                f'{list(input.shape)}'
            )
        if not torch.compiler.is_compiling() and input.device.type == 'cpu':
            finite = input.isfinite().all(dim=1)
            if not bool(finite.all()):
                row = int((~finite).nonzero()[0])
                raise ValueError(
                    f"'{name}' must be finite (no NaN, no infinity), got "
                    f'{input[row].tolist()} in row {row}'
                )
        return super().forward(input)


def check_dims(dims: Sequence[int], name: str = 'dims') -> tuple[int, ...]:
    """The numbers of categories of features, if they are such; a
    :obj:`ValueError` if they are no integers of at least one.

    Args:
        dims: The numbers.
        name: How the error message calls them.
    """
    checked = tuple(dims) if isinstance(dims, Sequence) else ()
    if not all(isinstance(dim, Integral) and dim > 0 for dim in checked) or (
        len(checked) == 0 or sum(checked) > torch.iinfo(torch.int32).max
    ):
        raise ValueError(
            f"'{name}' must be numbers of categories of at least 1, one of "
            f'each feature, got {dims!r}'
        )
    return checked


def check_categories(x: Tensor, dims: Sequence[int], name: str) -> None:
    """Refuses categorical features of a wrong type, shape or range with a
    :obj:`ValueError`. The range is checked on the CPU only, where it costs no
    synchronisation.

    Args:
        x: The features.
        dims: The number of categories of each feature.
        name: How error messages call them.
    """
    if x.dtype != torch.long or x.dim() != 2 or x.size(1) != len(dims):
        raise ValueError(
            f"'{name}' must have the type torch.int64 and shape "
            f'[*, {len(dims)}], got {x.dtype} and {list(x.shape)}'
        )
    if torch.compiler.is_compiling() or x.device.type != 'cpu':
        return
    wrong = (x < 0) | (x >= torch.tensor(tuple(dims)))
    if bool(wrong.any()):
        row, feature = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"'{name}' must hold categories from 0 to {dims[feature] - 1} in "
            f'column {feature}, got {int(x[row, feature])} in row {row}'
            + _origin(dims)
        )


def _origin(dims: Sequence[int]) -> str:
    # Those of molecules that PyG made are the ones that are met most.
    if tuple(dims) not in (ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS):
        return ''
    return (
        "; they are to be OGB's codes, as gmoe.datasets.from_smiles gives them"
    )


def make_feature_encoder(
    dims: int | Sequence[int] | None,
    out_channels: int,
    name: str = 'edge_dims',
) -> LinearEncoder | CategoricalEncoder | None:
    """The encoder for categorical features (their numbers of categories),
    floating-point features (their number), or none (:obj:`None`).

    Args:
        dims: The numbers of categories, the number of features, or none.
        out_channels: Size of the encoded features.
        name: How error messages call :obj:`dims`.

    Raises:
        ValueError: If :obj:`dims` is anything else.
    """
    if dims is None:
        return None
    if isinstance(dims, int):
        check_integer(0, **{name: dims})
        return LinearEncoder(dims, out_channels)
    return CategoricalEncoder(check_dims(dims, name), out_channels)
