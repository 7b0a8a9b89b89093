"""Drawings of molecules whose atoms are coloured, with the legend beside."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gmoe.common.require import require
from gmoe.molecules.explanation.experts import LayerRouting

Colour = tuple[float, float, float]

#: The ends of the scale, blue and orange: told apart by the colour-blind too,
#: and light enough for black letters.
NEGATIVE: Colour = (0.27, 0.58, 0.86)
POSITIVE: Colour = (0.95, 0.58, 0.16)
#: Okabe and Ito's colours without black, made lighter for black letters.
EXPERTS: tuple[Colour, ...] = (
    (0.90, 0.62, 0.20),
    (0.45, 0.75, 0.95),
    (0.20, 0.72, 0.56),
    (0.95, 0.89, 0.40),
    (0.35, 0.55, 0.85),
    (0.88, 0.50, 0.28),
    (0.85, 0.60, 0.76),
    (0.72, 0.72, 0.72),
)
#: The width of the legend, and the size of its letters, in points.
LEGEND, LETTERS = 210, 15
#: The length of a bond in a drawing that has room for it.
BOND = 34.0
#: The size of the drawing of a small molecule, and of the largest.
SMALL, LARGE = 380, 1500
#: What is said instead of a scale that would have no colours.
ALIKE = 'all atoms alike'
# RDKit's number for letters that start at a point.
_START = 1
_BLACK, _GREY = (0.0, 0.0, 0.0), (0.55, 0.55, 0.55)


@dataclass(frozen=True)
class Drawing:
    """A drawing in two formats.

    Args:
        svg: The text of an SVG file.
        png: The content of a PNG file.
    """

    svg: str
    png: bytes


def scale_colour(value: float, limit: float) -> Colour:
    """The colour of a value: white at zero, blue below, orange above.

    Args:
        value: The value.
        limit: The value of the full colour.
    """
    share = 0.0 if limit <= 0 else min(abs(value) / limit, 1.0)
    end = POSITIVE if value > 0 else NEGATIVE
    r, g, b = (1 + share * (channel - 1) for channel in end)
    return r, g, b


def expert_colour(expert: int) -> Colour:
    """The colour of an expert. With more than eight experts colours come
    again, and drawings have the numbers beside the atoms.

    Args:
        expert: Its number.
    """
    return EXPERTS[expert % len(EXPERTS)]


def draw_attribution(
    molecule: Any,
    values: np.ndarray,
    title: str,
    lines: Sequence[str] = (),
    limit: float | None = None,
) -> Drawing:
    """Draws a molecule with atoms coloured by their contributions, and their
    scale, unless all of them are zero.

    Args:
        molecule: The molecule of RDKit.
        values: The contribution of each atom, in its order.
        title: What is explained, for the legend.
        lines: More lines of the legend.
        limit: The value of the full colours. (default: the largest)
    """
    if limit is None:
        limit = float(np.abs(values).max(initial=0.0))
    if limit <= 0:
        lines = [ALIKE, *lines]
    colours = [scale_colour(value, limit) for value in values]
    size = _size(molecule, 1)

    def legend(pen: _Pen) -> None:
        top = pen.text(title, bold=True)
        if limit > 0:
            _draw_scale(pen, limit, top + 14)
            pen.top = top + 14 + 190
        for line in lines:
            pen.text(line)

    least = 240 + 22 * sum(len(_wrapped(text)) for text in (title, *lines))
    return _Picture([molecule], [colours], [''], size, 1, least, legend).draw()


def draw_experts(
    molecule: Any, layers: Sequence[LayerRouting], title: str
) -> Drawing:
    """Draws a molecule once for each layer, with atoms coloured by their
    strongest expert.

    Args:
        molecule: The molecule of RDKit.
        layers: The routing of its atoms, in its order.
        title: What is shown, for the legend.

    Raises:
        ValueError: If there is no layer.
    """
    if not layers:
        raise ValueError(
            "'layers' must hold at least one mixture of experts, got []"
        )
    num_experts = max(layer.num_experts for layer in layers)
    columns = 1 if len(layers) == 1 else 2
    molecules, colours = [], []
    for layer in layers:
        copy = require('rdkit.Chem', 'mol').Mol(molecule)
        if num_experts > len(EXPERTS):
            for atom, expert in zip(copy.GetAtoms(), layer.strongest):
                atom.SetProp('atomNote', str(expert))
        molecules.append(copy)
        colours.append([expert_colour(e) for e in layer.strongest])

    def legend(pen: _Pen) -> None:
        pen.text(title, bold=True)
        for expert in range(num_experts):
            pen.entry(
                expert_colour(expert),
                f'expert {expert} (hop {layers[0].hop(expert)})',
            )

    names = [layer.name for layer in layers]
    size = _size(molecule, columns)
    least = 40 + 22 * len(_wrapped(title)) + 26 * num_experts
    return _Picture(
        molecules, colours, names, size, columns, least, legend
    ).draw()


def _size(molecule: Any, columns: int) -> tuple[int, int]:
    """The size of the drawing of one molecule, which grows with it and has
    the shape that it has."""
    depict = require('rdkit.Chem.rdDepictor', 'mol')
    if molecule.GetNumConformers() == 0:
        depict.Compute2DCoords(molecule)
        depict.StraightenDepiction(molecule)
    places = molecule.GetConformer().GetPositions()[:, :2]
    wide, high = np.ptp(places, axis=0) + 2.0
    # Points for a bond, fewer where many atoms are beside each other.
    bond = min(BOND, LARGE / columns / wide, LARGE / high)
    least = SMALL // columns if columns > 1 else SMALL
    width = int(np.clip(bond * wide, least, LARGE / columns))
    height = int(np.clip(bond * high, min(least, 280), LARGE))
    return width, height


class _Pen:
    """Writes a legend below what it has written."""

    def __init__(self, drawer: Any, left: float, top: float) -> None:
        self.drawer, self.left, self.top = drawer, left, top
        self.point = require('rdkit.Geometry', 'mol').Point2D

    def text(self, text: str, bold: bool = False) -> float:
        for line in _wrapped(text):
            self.word(line, self.left, self.top, _BLACK if bold else _GREY)
            self.top += 1.45 * LETTERS
        return self.top

    def word(self, text: str, x: float, y: float, colour: Colour) -> None:
        self.drawer.SetColour(colour)
        self.drawer.DrawString(text, self.point(x, y), _START, rawCoords=True)

    def box(
        self, colour: Colour, x: float, y: float, wide: float, high: float
    ) -> None:
        self.drawer.SetFillPolys(True)
        self.drawer.SetColour(colour)
        self.drawer.DrawRect(
            self.point(x, y), self.point(x + wide, y + high), rawCoords=True
        )

    def entry(self, colour: Colour, text: str) -> None:
        self.box(colour, self.left, self.top - 9, 18, 18)
        self.word(text, self.left + 28, self.top, _BLACK)
        self.top += 26


def _wrapped(text: str, width: int = 25) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=True)[:6] or ['']


def _draw_scale(pen: _Pen, limit: float, top: float) -> None:
    steps, high = 40, 160.0
    for i in range(steps):
        value = limit * (1 - 2 * i / (steps - 1))
        pen.box(
            scale_colour(value, limit),
            pen.left,
            top + i * high / steps,
            22,
            high / steps + 0.5,
        )
    for value, at in ((limit, 0.0), (0.0, 0.5), (-limit, 1.0)):
        text = '0' if value == 0 else f'{value:+.3g}'
        pen.word(text, pen.left + 32, top + at * high, _BLACK)


@dataclass(frozen=True)
class _Picture:
    """What a drawing shows: molecules with coloured atoms and a name each,
    in columns of cells of one size, and a legend of some height."""

    molecules: Sequence[Any]
    colours: Sequence[Sequence[Colour]]
    names: Sequence[str]
    size: tuple[int, int]
    columns: int
    legend_height: int
    legend: Callable[[_Pen], None]

    def draw(self) -> Drawing:
        module = require('rdkit.Chem.Draw.rdMolDraw2D', 'mol')
        return Drawing(
            self._draw(module.MolDraw2DSVG), self._draw(module.MolDraw2DCairo)
        )

    def _draw(self, make: Any) -> Any:
        rows = -(-len(self.molecules) // self.columns)
        wide, high = self.size
        if any(self.names):
            high += 30
        right = self.columns * wide
        whole = max(rows * high, self.legend_height)
        drawer = make(right + LEGEND, whole, wide, high)
        options = drawer.drawOptions()
        options.useBWAtomPalette()
        options.fillHighlights = True
        options.padding = 0.06
        options.maxFontSize = 18
        options.legendFontSize = LETTERS + 1
        options.fixedBondLength = BOND
        for i, molecule in enumerate(self.molecules):
            row, column = divmod(i, self.columns)
            drawer.SetOffset(column * wide, row * high)
            drawer.DrawMolecule(
                molecule,
                highlightAtoms=list(range(len(self.colours[i]))),
                highlightAtomColors=dict(enumerate(self.colours[i])),
                highlightBonds=[],
                legend=self.names[i],
            )
        drawer.SetOffset(0, 0)
        drawer.SetFontSize(LETTERS)
        self.legend(_Pen(drawer, right + 16, 28))
        drawer.FinishDrawing()
        return drawer.GetDrawingText()
