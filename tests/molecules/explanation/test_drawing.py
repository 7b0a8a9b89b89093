"""Drawings: the picture has the atoms, and the legend does not cover it."""

import io

import numpy as np
import pytest

pytest.importorskip('rdkit')
image = pytest.importorskip('PIL.Image')

from gmoe.molecules.explanation import (  # noqa: E402
    LayerRouting,
    draw_attribution,
    draw_experts,
)
from gmoe.molecules.explanation.drawing import (  # noqa: E402
    ALIKE,
    EXPERTS,
    LEGEND,
    NEGATIVE,
    POSITIVE,
    _Pen,
    expert_colour,
    scale_colour,
)
from tests.molecules.explanation.networks import molecule  # noqa: E402

PEPTIDE = 'NCC(=O)' * 28 + 'O'
SMILES = ['[Na+]', 'CCO', 'CC(=O)Oc1ccccc1C(=O)O', '[Na+].[Cl-]', PEPTIDE]


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(image.open(io.BytesIO(png)).convert('RGB')) / 255


def has(part: np.ndarray, colour) -> bool:
    return bool((np.abs(part - colour).max(axis=2) < 0.02).any())


@pytest.mark.parametrize('smiles', SMILES)
def test_attribution(smiles: str):
    found = molecule(smiles)
    values = np.zeros(found.num_atoms)
    values[0], values[-1] = -2.0, 2.0
    drawing = draw_attribution(found.molecule, values, 'solubility', ['more'])
    assert drawing.svg.startswith('<?xml')
    assert drawing.svg.count('<svg') == 1
    seen = pixels(drawing.png)
    picture, legend = seen[:, :-LEGEND], seen[:, -LEGEND:]
    assert has(picture, POSITIVE)
    assert has(picture, NEGATIVE) == (found.num_atoms > 1)
    # Nothing of the molecule reaches into the legend.
    assert (seen[:, -LEGEND - 1 : -LEGEND + 6] == 1).all()
    assert (seen[-1] == 1).all()
    assert has(legend, POSITIVE)
    assert has(legend, NEGATIVE)


@pytest.mark.parametrize('smiles', ['[Na+]', 'CC'])
def test_atoms_that_are_alike_have_no_scale(smiles: str, monkeypatch):
    words = []
    write = _Pen.word
    monkeypatch.setattr(
        _Pen, 'word', lambda *args: (words.append(args[1]), write(*args))
    )
    found = molecule(smiles)
    for value in (0.0, 1.0):
        words.clear()
        values = np.full(found.num_atoms, value)
        drawing = draw_attribution(found.molecule, values, 'solubility')
        once = words[: len(words) // 2]  # Of two formats.
        if value:
            assert once == ['solubility', '+1', '0', '-1']
        else:
            assert once == ['solubility', ALIKE]
        # Letters are black and grey.
        seen = pixels(drawing.png)
        assert (np.ptp(seen, axis=2) > 0.1).any() == (value > 0)


@pytest.mark.parametrize('smiles', SMILES)
@pytest.mark.parametrize('num_layers', [1, 3])
def test_experts(smiles: str, num_layers: int):
    found = molecule(smiles)
    expert = np.arange(found.num_atoms) % 4
    layers = [
        LayerRouting(layer, np.eye(4)[(expert + layer) % 4], 2)
        for layer in range(num_layers)
    ]
    drawing = draw_experts(found.molecule, layers, 'Experts')
    seen = pixels(drawing.png)
    picture, legend = seen[:, :-LEGEND], seen[:, -LEGEND:]
    for number in range(4):
        shown = {(e + i) % 4 for e in expert for i in range(num_layers)}
        assert has(picture, EXPERTS[number]) == (number in shown)
        assert has(legend, EXPERTS[number])
    assert (seen[:, -LEGEND - 1 : -LEGEND + 6] == 1).all()
    assert (seen[-1] == 1).all()


def test_many_experts_have_numbers():
    found = molecule('CCO')
    gates = np.eye(12)[[3, 11, 9]]
    drawing = draw_experts(found.molecule, [LayerRouting(0, gates, 6)], 'E')
    few = draw_experts(
        found.molecule, [LayerRouting(0, gates[:, 3:11], 6)], 'E'
    )
    assert "class='note'" in drawing.svg or 'note' in drawing.svg
    assert 'note' not in few.svg
    # The molecule itself is left as it is.
    assert not found.molecule.GetAtomWithIdx(0).HasProp('atomNote')
    assert expert_colour(11) == expert_colour(3)


def test_the_scale():
    assert scale_colour(0.0, 2.0) == (1, 1, 1)
    assert scale_colour(2.0, 2.0) == pytest.approx(POSITIVE)
    assert scale_colour(-9.0, 2.0) == pytest.approx(NEGATIVE)
    assert scale_colour(0.0, 0.0) == (1, 1, 1)


def test_no_mixtures():
    with pytest.raises(ValueError, match="'layers' must hold at least one"):
        draw_experts(molecule('C').molecule, [], 'Experts')
