"""A trained network, or an ensemble of several, that predicts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice, check_integer
from gmoe.common.shown import one_line, shown
from gmoe.datasets.molecules.feature_columns import columns_in, given_columns
from gmoe.datasets.molecules.info import BINARY, MoleculeInfo
from gmoe.datasets.molecules.parallel import FEW, default_workers
from gmoe.molecules.ahead import ahead
from gmoe.molecules.calibration_data import CalibrationData
from gmoe.molecules.exported import CALIBRATION
from gmoe.molecules.featurized import Featurized, Featurizer, MoleculeRows
from gmoe.molecules.from_outputs import from_outputs
from gmoe.molecules.load import load_members
from gmoe.molecules.member import Member
from gmoe.molecules.predictions import Predictions
from gmoe.molecules.uncertain import CALIBRATIONS, Uncertainty
from gmoe.molecules.uncertainty.conformal import check_level, least_number
from gmoe.training.graph_predictor import GraphPredictor

Item = TypeVar('Item')


class TrainedModel:
    """Predicts for SMILES strings, in the units of the targets.

    Args:
        members: The network, or the members of an ensemble.
        path: Where they are from.
        device: The device that they are to run on.
    """

    def __init__(
        self,
        members: Sequence[Member],
        path: Path | None = None,
        device: torch.device | str = 'cpu',
    ) -> None:
        self._members = list(members)
        self.path = path
        self.device = torch.device(device)
        #: What is predicted.
        self.info: MoleculeInfo = self._members[0].info
        #: The networks, in evaluation mode.
        self.members: list[GraphPredictor] = [
            member.predictor.to(self.device).eval() for member in self._members
        ]

    @classmethod
    def load(
        cls,
        source: str | os.PathLike[str],
        device: torch.device | str = 'cpu',
        **hub: Any,
    ) -> TrainedModel:
        """Reads a trained network or an ensemble, with distrust: no code that
        a file holds is run.

        Args:
            source: The folder of a run, a checkpoint, an exported folder, the
                folder of an ensemble with members in ``member_0``,
                ``member_1``, ..., or a name of the hub such as
                ``user/model``. Of a folder of runs, the newest.
            device: The device that it is to run on.
            **hub: What ``huggingface_hub.snapshot_download`` takes, such as
                :obj:`revision` and :obj:`token`.

        Raises:
            ImportError: If a package is missing that the files need.
            ValueError: If there is no such network, it is damaged, or it is
                no network for molecules.
        """
        path, members = load_members(source, **hub)
        return cls(members, path, device)

    @cached_property
    def calibration(self) -> list[CalibrationData]:
        """What each member has left for the uncertainty of its predictions;
        nothing if that of one is missing."""
        parts = [member.calibration for member in self._members]
        if None in parts:
            return []
        return [
            part
            if isinstance(part, CalibrationData)
            else CalibrationData.load(part)
            for part in parts
            if part is not None
        ]

    @cached_property
    def uncertainty(self) -> Uncertainty | None:
        """How sure the predictions are, if that is known."""
        if not self.calibration:
            return None
        return Uncertainty(self.info, self.calibration)

    @property
    def is_ogb(self) -> bool:
        """Whether it was trained on molecules of OGB, which are in an order
        of their own. Those that are predicted are in the canonical one."""
        return any(member.is_ogb for member in self._members)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of numbers that it reads beside the molecules."""
        return columns_in(self.info.features)

    def described(self, level: float = 0.9) -> list[str]:
        """What a user has to know of the predictions, a line each.

        Args:
            level: The share of intervals that are to hold the truth.
        """
        info, count = self.info, len(self.members)
        said = ['' if count == 1 else f'an ensemble of {count} networks; ']
        said[0] += f'{info.task_type} of {one_line(", ".join(info.targets))}'
        if info.task_type == BINARY and info.classes is not None:
            said[0] += f': the probability is that of {info.classes[1]!r}'
        hparams = self.members[0].hparams
        if hparams.get('loss') == 'quantile':
            said[0] += f': the quantile {hparams["quantile"]} is predicted'
        if self.columns:
            said.append(
                f'read beside the molecules: {shown(list(self.columns))}'
            )
        if self.is_ogb:
            said.append(
                'molecules are read in their canonical form, those of the '
                'training in the order of OGB'
            )
        if self.uncertainty is None:
            said.append(
                'no intervals or sets, and no similarity to the training: '
                f'there is no {CALIBRATION}'
            )
            return said
        least = least_number(level)
        known = dict(zip(info.targets, self.uncertainty.counts))
        few = {name: count for name, count in known.items() if count < least}
        if few:
            name, *others = few
            low, high = min(few.values()), max(few.values())
            said.append(
                f'{name!r} '
                + (f'and {len(others)} more are' if others else 'is')
                + f' known of {low} '
                + (f'to {high} ' if high > low else '')
                + f'validation molecules, and {least} are needed: intervals '
                'are infinite, or sets hold all classes'
            )
        return said

    def predict(
        self,
        smiles: Sequence[str],
        level: float | None = 0.9,
        calibrate: str = 'temperature',
        num_workers: int | None = None,
        batch_size: int = 256,
        columns: Mapping[str, Sequence[Any]] | None = None,
    ) -> Predictions:
        """Predicts for molecules, all at once.

        Args:
            smiles: Their SMILES strings. The same molecule has the same
                prediction, however it is written.
            level: The share of intervals and sets that are to hold the truth;
                there are none without, or where the run has left nothing for
                them.
            calibrate: How probabilities are calibrated, by the same:
                ``'temperature'``, ``'isotonic'`` or ``'none'``.
            num_workers: The number of other processes, which read SMILES
                strings. (default: one for each core, none for few molecules)
            batch_size: The most molecules of a batch.
            columns: The columns that the network reads beside the molecules,
                by name, such as a data frame: a number for each molecule,
                :obj:`None` or NaN where it is unknown.

        Raises:
            ImportError: If RDKit is not installed.
            TypeError: If :obj:`smiles` is a single string, or holds what is
                no string.
            ValueError: If an argument is out of range.
        """
        if isinstance(smiles, str) or not all(
            isinstance(text, str) for text in smiles
        ):
            raise TypeError(
                f"'smiles' must be a sequence of strings, got {shown(smiles)}"
            )
        check_integer(1, batch_size=batch_size)
        if num_workers is None:
            num_workers = default_workers(len(smiles))
        starts = range(0, max(len(smiles), 1), batch_size)
        values = given_columns(columns, self.columns, len(smiles))
        slices = [slice(i, i + batch_size) for i in starts]
        chunks = (
            (
                None,
                MoleculeRows(
                    smiles[part], None if values is None else values[part]
                ),
            )
            for part in slices
        )
        parts = [
            part
            for _, part in self.stream(chunks, level, calibrate, num_workers)
        ]
        return Predictions.joined(parts)

    def stream(
        self,
        chunks: Iterable[tuple[Item, Sequence[str] | MoleculeRows]],
        level: float | None = 0.9,
        calibrate: str = 'temperature',
        num_workers: int | None = None,
    ) -> Iterator[tuple[Item, Predictions]]:
        """Predicts for molecules of any number in bounded memory.

        Args:
            chunks: Anything, and the SMILES strings of some molecules, such
                as 256 of them, with columns if the network reads some.
            level: See :meth:`predict`, as for the others.
            calibrate: How probabilities are calibrated.
            num_workers: The number of processes that read SMILES strings.

        Yields:
            The same, and the predictions.

        Raises:
            ImportError: If RDKit is not installed.
            ValueError: If an argument is out of range.
        """
        if level is not None:
            check_level(level)
        check_choice('calibrate', calibrate, CALIBRATIONS)
        workers = default_workers(FEW) if num_workers is None else num_workers
        check_integer(0, num_workers=workers)
        work = self._featurizer()
        for item, made in ahead(work, chunks, workers):
            yield item, self._predicted(made, level, calibrate)

    def _featurizer(self) -> Featurizer:
        known = None
        if self.calibration:
            each = [part.fingerprints for part in self.calibration]
            known = np.unique(np.concatenate(each), axis=0)
        return Featurizer(self.info.features, known)

    def _predicted(
        self, made: Featurized, level: float | None, calibrate: str
    ) -> Predictions:
        shape = len(self.members), 0, self.info.num_outputs
        outputs = [np.empty(shape, np.float32)]
        outputs += map(self._outputs, made.batches())
        return from_outputs(
            np.concatenate(outputs, axis=1),
            made,
            self.info,
            self.uncertainty,
            level,
            calibrate,
        )

    @torch.no_grad()
    def _outputs(self, batch: Data) -> np.ndarray:
        """Returns the predictions of each member, behind one another."""
        outputs = []
        made: dict[str | None, Data] = {}
        for member in self._members:
            network = member.predictor
            mode = member.two_hop if member.reads_hop_2 else None
            if mode not in made:
                made[mode] = member.with_hops(batch)
            out, _ = network(made[mode].to(self.device))
            outputs.append(network.to_prediction(out).float().cpu().numpy())
        return np.stack(outputs)
