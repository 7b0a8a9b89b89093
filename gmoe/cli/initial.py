"""A training that begins with the weights of a trained network."""

from __future__ import annotations

from typing import Any

from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.utilities import rank_zero_info

from gmoe.common.noise import check_noise
from gmoe.common.shown import one_line, shown
from gmoe.molecules.initial import initial_network
from gmoe.nn.models.upcycle import copy_network, has_same_head
from gmoe.training.graph_predictor import GraphPredictor
from gmoe.training.run_settings import plain

_KIND = GraphPredictor.__name__
#: What the data decide on, and has to be the same there.
_DATA = ('node_dims', 'edge_dims')
#: What the weights of the layers decide on.
_LAYERS = (
    'conv',
    'hidden_channels',
    'num_layers',
    'norm',
    'jumping_knowledge',
    'residual',
    'virtual_node',
)
#: What a mixture has to have so that the first outputs are those of the
#: network.
_MIXTURE = ('num_experts_1hop', 'combine', 'num_shared_experts')


def without_decided(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a model without those that the network that it began with
    has decided on, whatever else was said.

    Args:
        settings: The settings by their names.
    """
    decided = (*_LAYERS, *_MIXTURE)
    return {k: v for k, v in settings.items() if k not in decided}


def add_initial_arguments(parser: LightningArgumentParser) -> None:
    """Adds the options of ``fit`` that are about this.

    Args:
        parser: The parser of a command.
    """
    parser.add_argument(
        '--init_from',
        type=str | None,
        default=None,
        help=(
            'A trained network without mixtures, whose weights a training '
            'begins with: a run, a checkpoint, an exported folder, or a '
            'pretrained network. Where there are experts, each begins as a '
            'copy.'
        ),
    )
    parser.add_argument(
        '--init_noise',
        type=float,
        default=0.01,
        help=(
            "The noise that tells these copies apart, over the weights' "
            'standard deviation.'
        ),
    )


class InitialNetwork:
    """The network that a training begins with.

    Its layers decide on settings of the model, which are taken from there.

    Args:
        config: The configuration of ``fit``, which is changed in place.

    Raises:
        ValueError: If there is no such network, or the training is of
            another kind.
    """

    def __init__(self, config: Namespace) -> None:
        kind = config.model.class_path
        if kind.rpartition('.')[2] != _KIND:
            raise ValueError(
                f"'init_from' must be left out but for a {_KIND}, got "
                f'{shown(config.init_from)} for {kind}'
            )
        check_noise(config.init_noise, 'init_noise')
        self.source, self.noise = config.init_from, config.init_noise
        self.gnn = initial_network(self.source)
        known = self.gnn._arguments
        settings = {name: plain(known[name]) for name in _LAYERS}
        model = config.model.init_args
        count = model.get('num_experts', 1)
        hop_1 = self.gnn.num_experts_1hop
        of_mixture = (count if hop_1 else 0, 'sum', 0)
        settings |= dict(zip(_MIXTURE, of_mixture, strict=True))
        model.update(Namespace(settings))

    def give(self, model: Any) -> None:
        """Gives a new network the weights.

        Args:
            model: The LightningModule that is to be trained.

        Raises:
            ValueError: If the network is of other data, or its outputs cannot
                be those of a mixture.
        """
        gnn = model.gnn
        for name in _DATA:
            wanted, got = (
                plain(each._arguments[name]) for each in (gnn, self.gnn)
            )
            if wanted != got:
                raise ValueError(
                    f"'init_from' must be a network with the '{name}' "
                    f'{one_line(wanted)} of the data, got {one_line(got)} in '
                    f'{shown(self.source)}'
                )
        copy_network(gnn, self.gnn, self.noise)
        head = 'its head' if has_same_head(gnn, self.gnn) else 'a new head'
        experts = (
            'one convolution in each layer'
            if gnn.num_experts == 1
            else f'{gnn.num_experts} copies as experts of each mixture'
        )
        rank_zero_info(f"Begins with '{self.source}': {experts}, {head}")
