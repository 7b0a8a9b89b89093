"""Explains the predictions of a trained network for a set of molecules."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gmoe.common.arguments import check_choice
from gmoe.common.shown import counted
from gmoe.datasets.molecules.info import MULTICLASS, REGRESSION, MoleculeInfo
from gmoe.datasets.molecules.molecule import Refused
from gmoe.molecules.explanation.attribution import (
    integrated_gradients,
    occlusion,
    without_noise,
)
from gmoe.molecules.explanation.drawing import (
    Drawing,
    draw_attribution,
    draw_experts,
)
from gmoe.molecules.explanation.experts import LayerRouting, route
from gmoe.molecules.explanation.molecule import (
    ExplainedMolecule,
    read_molecule,
)
from gmoe.molecules.explanation.report import RoutingReport
from gmoe.molecules.member import Member


class Explainer:
    """Writes explanations of molecules into a folder.

    The contributions are the means over the networks of an ensemble, the
    experts those of its first network.

    Args:
        members: The networks.
        folder: The folder, which exists.
        target: The name of the target, or of the class of several. (default:
            the first target; of several classes the predicted one)
        max_drawn: How many molecules are drawn; the others are in the report.

    Raises:
        ValueError: If there is no such target.
    """

    def __init__(
        self,
        members: Sequence[Member],
        folder: Path,
        target: str | None = None,
        max_drawn: int = 100,
    ) -> None:
        self.members = list(members)
        self.folder = folder
        self.max_drawn = max_drawn
        self.info = self.members[0].info
        self.column = _column(self.info, target)
        #: Whether the first of several targets is taken, as none was named.
        self.takes_first = target is None and self.info.num_tasks > 1
        self.report = RoutingReport('What the experts are for')
        self.refused: list[tuple[int, str, str]] = []
        self.count = 0
        self._rows: list[list[str]] = []

    @property
    def num_layers(self) -> int:
        """The number of mixtures of the first network."""
        return len(self.members[0].predictor.gnn.moe_layers)

    def add(
        self,
        row: int,
        smiles: str,
        columns: np.ndarray | None = None,
        reason: str = '',
    ) -> None:
        """Explains a molecule.

        Args:
            row: Its row in the table, from zero.
            smiles: Its SMILES string.
            columns: The values of the columns that the network reads beside
                the graph, if any.
            reason: Why these cannot be read, if so.

        Raises:
            ValueError: If they are missing.
        """
        if reason:
            self.refused.append((row, smiles, reason))
            return
        found = read_molecule(smiles, self.info, columns)
        if isinstance(found, Refused):
            self.refused.append((row, smiles, found.reason))
            return
        self.count += 1
        graphs = [member.with_hops(found.data) for member in self.members]
        routed = [
            route(member.predictor, graph)
            for member, graph in zip(self.members, graphs)
        ]
        self.report.add(smiles, routed)
        if self.count > self.max_drawn:
            return
        layers = [
            LayerRouting(r.layer, r.gates[found.order], r.num_experts_1hop)
            for r in routed[0]
        ]
        self._explain(row, found, graphs, layers)

    def _explain(
        self,
        row: int,
        found: ExplainedMolecule,
        graphs: Sequence[Any],
        layers: Sequence[LayerRouting],
    ) -> None:
        column = self.column
        if column is None:
            column = self._predicted(graphs)
        parts = [
            integrated_gradients(member.predictor, graph, column)
            for member, graph in zip(self.members, graphs)
        ]
        left = [
            occlusion(member.predictor, graph, column)
            for member, graph in zip(self.members, graphs)
        ]
        values = np.mean([part.values for part in parts], axis=0)[found.order]
        occluded = np.mean(left, axis=0)[found.order]
        prediction = float(np.mean([part.prediction for part in parts]))
        name, unit = self._named(column)
        values = without_noise(values, prediction)
        occluded = without_noise(occluded, prediction)
        for atom, symbol in enumerate(found.symbols):
            cells = [str(row), found.smiles, str(atom), symbol, name]
            cells += [f'{values[atom]:.6g}', f'{occluded[atom]:.6g}']
            cells += [str(layer.strongest[atom]) for layer in layers]
            self._rows.append(cells)
        baseline = np.mean([part.baseline for part in parts])
        drawing = draw_attribution(
            found.molecule,
            values,
            f'Contribution to {name}',
            [
                *unit,
                f'prediction {prediction:.3g}',
                f'of average atoms {baseline:.3g}',
            ],
        )
        self._save(f'{row:05d}_attribution', drawing)
        if layers:
            drawing = draw_experts(
                found.molecule, layers, 'Strongest expert of each atom'
            )
            self._save(f'{row:05d}_experts', drawing)

    @torch.no_grad()
    def _predicted(self, graphs: Sequence[Any]) -> int:
        outs = [
            member.predictor.to_prediction(member.predictor(graph)[0])
            for member, graph in zip(self.members, graphs)
        ]
        return int(torch.stack(outs).mean(dim=0)[0].argmax())

    def _named(self, column: int) -> tuple[str, list[str]]:
        if self.info.task_type == REGRESSION:
            return self.info.targets[column], []
        assert self.info.classes is not None
        if self.info.task_type == MULTICLASS:
            kind = self.info.classes[column]
            return f'{self.info.targets[0]} = {kind}', ['in log-odds']
        kind = self.info.classes[1]
        return f'{self.info.targets[column]} = {kind}', ['in log-odds']

    def _save(self, name: str, drawing: Drawing) -> None:
        folder = self.folder / 'molecules'
        folder.mkdir(exist_ok=True)
        (folder / f'{name}.svg').write_text(drawing.svg, encoding='utf-8')
        (folder / f'{name}.png').write_bytes(drawing.png)

    def finish(self) -> list[str]:
        """Writes the tables and the report.

        Returns:
            What was decided, a line each.

        Raises:
            ValueError: If there was no molecule to explain.
        """
        if self.count == 0:
            got = 'none'
            if self.refused:
                got = f'{len(self.refused)} refused: {self.refused[0][2]}'
            raise ValueError(
                "'input' must have a molecule that RDKit can read, got " + got
            )
        layers = self.members[0].predictor.gnn.moe_layers
        header = ['row', 'smiles', 'atom', 'symbol', 'target']
        header += ['attribution', 'occlusion']
        header += [f'expert_layer_{i}' for i in layers]
        self._table('atoms.csv', header, self._rows)
        html, ratios = self.report.write()
        (self.folder / 'report.html').write_text(html, encoding='utf-8')
        if self.num_layers:
            path = self.folder / 'enrichment.csv'
            path.write_text(ratios, encoding='utf-8')
        said = []
        if self.refused:
            self._table(
                'skipped.csv', ['row', 'smiles', 'reason'], self.refused
            )
            were = 'was' if len(self.refused) == 1 else 'were'
            said.append(
                counted(len(self.refused), 'molecule')
                + f' {were} refused: skipped.csv'
            )
        if not self.num_layers:
            said.append(
                'the network has no mixtures of experts: contributions of '
                'atoms only'
            )
        if self.count > self.max_drawn:
            said.append(
                f'{self.max_drawn} of {self.count} molecules are drawn, the '
                'report is on all of them (--max_molecules draws more)'
            )
        if self.takes_first:
            said.append(
                f"'{self.info.targets[0]}' is explained, the first of "
                f'{self.info.num_tasks} targets (--target names another)'
            )
        return said

    def _table(
        self, name: str, header: list[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(header)
        writer.writerows(rows)
        path = self.folder / name
        path.write_text(file.getvalue(), encoding='utf-8')


def _column(info: MoleculeInfo, target: str | None) -> int | None:
    names = info.targets
    if info.task_type == MULTICLASS:
        assert info.classes is not None
        names = info.classes
        if target is None:
            return None
    if target is None:
        return 0
    check_choice('target', target, names)
    return names.index(target)
