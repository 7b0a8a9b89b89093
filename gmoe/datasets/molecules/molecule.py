"""One rule for each kind of SMILES string."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gmoe.common.require import require
from gmoe.common.shown import one_line

#: The largest molecule, in atoms without implicit hydrogens: a protein is
#: none for networks of a few layers, and decides the memory of its batch.
MAX_ATOMS = 1_000
#: The longest SMILES string, in characters.
MAX_LENGTH = 10_000
#: After how many readings a canonical form must be stable.
MAX_READINGS = 10

# Notes on molecules that are kept.
FRAGMENTS = 'several fragments: kept whole, as one graph of several parts'
RADICAL = 'radical: kept, its electrons are features'
ISOTOPE = 'isotope: kept as its element, the mass is not seen'
DUMMY = 'dummy atom: kept, as an element of its own'
SINGLE = 'single atom: kept, a graph without edges'
NAME = 'text after the SMILES string: taken for a name and left out'
EXTENSION = 'CXSMILES extension: left out'
ATOM_MAP = 'atom map numbers: left out'
NOTES = (
    FRAGMENTS,
    RADICAL,
    ISOTOPE,
    DUMMY,
    SINGLE,
    NAME,
    EXTENSION,
    ATOM_MAP,
)

UNREADABLE = 'no SMILES string that RDKit can read'
# The sign of a reaction, not of a dative bond.
_ARROW = re.compile('(?<!-)>')


@dataclass(frozen=True)
class Molecule:
    """A molecule that is kept.

    Args:
        canonical: Its canonical SMILES string: the same one, however the
            molecule was written.
        notes: What was done to it, of :obj:`NOTES`.
    """

    canonical: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A string that is no molecule for a network.

    Args:
        reason: Why not, on one line.
    """

    reason: str


def prepare(smiles: str) -> Molecule | Refused:
    """Decides about a SMILES string.

    What OGB's datasets hold is kept, as they do: salts and mixtures as one
    graph of several parts, radicals, isotopes, dummy atoms (``*``), single
    atoms. Names and CXSMILES extensions after the string, and atom map
    numbers, are left out. Refused are strings without an atom, those that
    RDKit cannot read, reactions, and molecules of more than
    :obj:`MAX_ATOMS` atoms. Needs RDKit.

    Args:
        smiles: The string.
    """
    found = prepare_molecule(smiles)
    return found if isinstance(found, Refused) else found[0]


def prepare_molecule(smiles: str) -> tuple[Molecule, Any] | Refused:
    """Decides about a SMILES string, as :func:`prepare` does, and gives the
    molecule of RDKit of which the graph is made: that of the canonical form,
    since tags of chirality depend on the order of the neighbours.

    Args:
        smiles: The string.
    """
    found = parse(smiles)
    if isinstance(found, Refused):
        return found
    molecule, notes = found
    text, molecule = _stable(molecule)
    return Molecule(text, notes), molecule


def parse(smiles: str) -> tuple[Any, tuple[str, ...]] | Refused:
    """Reads a SMILES string by the rules of :func:`prepare`.

    Args:
        smiles: The string.

    Returns:
        The molecule of RDKit in the order in which it was written, and the
        notes on it.
    """
    text, *rest = smiles.split(maxsplit=1) or ['']
    notes = []
    if rest:
        notes.append(EXTENSION if rest[0].startswith('|') else NAME)
    reason = _refusal(text)
    if reason is not None:
        return Refused(reason)
    molecule = read(text)
    if molecule is None:
        return Refused(_problem(text))
    size = molecule.GetNumAtoms()
    if not 1 <= size <= MAX_ATOMS:
        return Refused(f'must have 1 to {MAX_ATOMS} atoms, has {size}')
    return molecule, (*notes, *_notes(molecule))


def read(smiles: str) -> Any:
    """Returns the molecule of RDKit of a string, :obj:`None` if it cannot be
    read, without RDKit's lines on stderr.

    Args:
        smiles: The string.
    """
    with require('rdkit.rdBase', 'mol').BlockLogs():
        return require('rdkit.Chem', 'mol').MolFromSmiles(smiles)


def _refusal(text: str) -> str | None:
    if not text:
        return 'empty'
    if len(text) > MAX_LENGTH:
        return f'must be of at most {MAX_LENGTH} characters, has {len(text)}'
    if text.startswith('InChI='):
        return 'an InChI, not a SMILES string'
    if not text.isascii() or '\0' in text:
        return UNREADABLE
    if _ARROW.search(text):
        return 'a reaction, not a molecule'
    return None


def _problem(text: str) -> str:
    chem = require('rdkit.Chem', 'mol')
    with require('rdkit.rdBase', 'mol').BlockLogs():
        raw = chem.MolFromSmiles(text, sanitize=False)
        problems = [] if raw is None else chem.DetectChemistryProblems(raw)
    if not problems:
        return UNREADABLE
    return f'RDKit refuses it: {one_line(problems[0].Message(), 120)}'


def _notes(molecule: Any) -> list[str]:
    atoms = list(molecule.GetAtoms())
    has_map = any(atom.GetAtomMapNum() for atom in atoms)
    for atom in atoms if has_map else ():
        atom.SetAtomMapNum(0)
    size = len(require('rdkit.Chem', 'mol').GetMolFrags(molecule))
    found = {
        FRAGMENTS: size > 1,
        RADICAL: any(atom.GetNumRadicalElectrons() for atom in atoms),
        ISOTOPE: any(atom.GetIsotope() for atom in atoms),
        DUMMY: any(atom.GetAtomicNum() == 0 for atom in atoms),
        SINGLE: len(atoms) == 1,
        ATOM_MAP: has_map,
    }
    return [note for note, is_so in found.items() if is_so]


def _stable(molecule: Any) -> tuple[str, Any]:
    """The canonical form that is its own: RDKit's is not always."""
    chem = require('rdkit.Chem', 'mol')
    forms: dict[str, Any] = {}
    text = chem.MolToSmiles(molecule)
    while text not in forms and len(forms) < MAX_READINGS:
        again = read(text)
        if again is None:  # As none of millions was: it stays as written.
            return (text, molecule) if not forms else forms.popitem()
        forms[text] = again
        text = chem.MolToSmiles(again)
    circle = list(forms)
    circle = circle[circle.index(text) :] if text in forms else circle[-1:]
    return min(circle), forms[min(circle)]
