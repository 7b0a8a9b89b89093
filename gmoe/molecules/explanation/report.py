"""One page on the router of a network, over a set of molecules."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from gmoe.common.require import require
from gmoe.datasets.molecules.molecule import Refused, prepare_molecule
from gmoe.molecules.explanation.atom_properties import atom_properties
from gmoe.molecules.explanation.experts import LayerRouting
from gmoe.molecules.explanation.figures import (
    enrichment_figure,
    usage_figure,
)
from gmoe.molecules.explanation.routing_table import (
    DRAWS,
    FEWEST,
    Enrichment,
    Interval,
    RoutingTable,
    mean_agreement,
)

#: The findings of a layer that are shown, and the atoms whose routing is
#: compared between networks.
SHOWN, COMPARED = 20, 50_000


class RoutingReport:
    """Gathers routings of molecules, and writes a page on them.

    The usage and the findings are those of the first network.

    Args:
        title: The title of the page.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.num_members = 0
        self.num_molecules = 0
        self.num_atoms = 0
        self.tables: list[RoutingTable] = []
        # The strongest experts, of each layer and network.
        self._strongest: list[list[list[np.ndarray]]] = []

    def add(
        self, smiles: str, members: Sequence[Sequence[LayerRouting]]
    ) -> None:
        """Adds a molecule.

        Args:
            smiles: Its SMILES string.
            members: The routing of its graph by the layers of each network.
        """
        found = prepare_molecule(smiles)
        assert not isinstance(found, Refused)
        molecule = found[1]
        self.num_members = len(members)
        self.num_molecules += 1
        self.num_atoms += molecule.GetNumAtoms()
        if not members[0]:
            return
        if not self.tables:
            self.tables = [
                RoutingTable(
                    layer.name, layer.num_experts, layer.num_experts_1hop
                )
                for layer in members[0]
            ]
            self._strongest = [[[] for _ in members] for _ in members[0]]
        properties = atom_properties(molecule)
        for i, table in enumerate(self.tables):
            table.add(members[0][i].gates, properties)
            if self.num_atoms <= COMPARED:
                for part, member in zip(self._strongest[i], members):
                    part.append(member[i].strongest)

    def warnings(self) -> list[str]:
        """Experts that are idle, and layers that have collapsed."""
        lines = []
        for table in self.tables:
            idle = table.idle()
            if idle:
                names = ', '.join(map(str, idle))
                lines.append(
                    f'{table.name.capitalize()}: idle, with less than 5 % of '
                    f'an equal share: expert {names}.'
                )
            if table.is_collapsed():
                lines.append(
                    f'{table.name.capitalize()} has collapsed: one expert has '
                    'more than 90 % of the atoms. Train with a larger '
                    'balance_weight.'
                )
        if self.tables and self.num_molecules < FEWEST:
            lines.append(
                f'{self.num_molecules} molecules are too few to say what an '
                f'expert is for: at least {FEWEST} are needed.'
            )
        return lines

    def stability(self) -> list[dict[str, str]]:
        """How far the networks of an ensemble divide the atoms alike."""
        if self.num_members < 2:
            return []
        rows = []
        for table, members in zip(self.tables, self._strongest):
            joined = [np.concatenate(part) for part in members]
            information, matched = mean_agreement(joined)
            rows.append(
                {
                    'name': table.name,
                    'information': f'{information:.2f}',
                    'matched': f'{matched:.0%}',
                }
            )
        return rows

    def write(self) -> tuple[str, str]:
        """The page as HTML, and all ratios as CSV."""
        jinja2 = require('jinja2', 'mol')
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined
        )
        page = files(__package__).joinpath('report.html.jinja')
        template = environment.from_string(page.read_text(encoding='utf-8'))
        ratios = [table.enrichments() for table in self.tables]
        usage = [table.usage() for table in self.tables]
        names = [table.name for table in self.tables]
        layers = [
            _layer(table, shares, found)
            for table, shares, found in zip(self.tables, usage, ratios)
        ]
        html = template.render(
            title=self.title,
            summary=self._summary(),
            layers=layers,
            draws=DRAWS,
            fewest=FEWEST,
            warnings=self.warnings(),
            stability=self.stability(),
            comparisons=sum(map(len, ratios)),
            usage_picture=usage_figure(names, usage) if usage else '',
        )
        return html, _csv(names, ratios)

    def _summary(self) -> str:
        networks = 'one network'
        if self.num_members > 1:
            networks = f'the first of {self.num_members} networks'
        return (
            f'{self.num_molecules} molecules with {self.num_atoms} atoms, '
            f'as {networks} reads them.'
        )


def _layer(
    table: RoutingTable, usage: list[Interval], ratios: list[Enrichment]
) -> dict[str, Any]:
    idle = table.idle()
    first = table.num_experts_1hop
    found = sorted(
        (e for e in ratios if e.is_found and e.ratio.low > 1),
        key=lambda e: -e.ratio.value,
    )[:SHOWN]
    found.sort(key=lambda e: (e.expert, -e.ratio.value))
    hop1 = table.hop1()
    hop2 = Interval(1 - hop1.value, 1 - hop1.high, 1 - hop1.low)
    return {
        'name': table.name,
        'usage': [
            {
                'expert': expert,
                'hop': 'hop 1' if expert < first else 'hop 2',
                'share': _percent(share),
                'remark': 'idle' if expert in idle else '',
            }
            for expert, share in enumerate(usage)
        ],
        'hop1': _percent(hop1),
        'hop2': _percent(hop2),
        'equal': f'{first / table.num_experts:.0%}',
        'found': [
            {
                'expert': e.expert,
                'kind': e.kind,
                'name': e.name,
                'ratio': f'{e.ratio.value:.2f} [{e.ratio.low:.2f}, '
                f'{e.ratio.high:.2f}]',
                'num_atoms': e.num_atoms,
            }
            for e in found
        ],
        'picture': enrichment_figure(found) if found else '',
    }


def _percent(share: Interval) -> str:
    values = [share.value, share.low, share.high]
    value, low, high = (f'{100 * v + 0.0:.1f}' for v in values)
    return f'{value} % [{low}, {high}]'


def _csv(names: Iterable[str], ratios: Iterable[list[Enrichment]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(
        ['layer', 'expert', 'kind', 'property', 'atoms', 'ratio', 'low']
        + ['high', 'remains_after_correction']
    )
    for name, found in zip(names, ratios):
        for e in found:
            ratio = [f'{v:.6g}' for v in (e.ratio.value, e.ratio.low)]
            writer.writerow(
                [name.removeprefix('layer '), e.expert, e.kind, e.name]
                + [e.num_atoms, *ratio, f'{e.ratio.high:.6g}']
                + [int(e.is_found)]
            )
    return file.getvalue()
