"""Why a network predicts what it predicts: the contributions of atoms, the
experts that they are routed to, drawings, and a report on the router."""

from gmoe.molecules.explanation.attribution import (
    Attribution,
    integrated_gradients,
    occlusion,
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

__all__ = [
    'Attribution',
    'Drawing',
    'ExplainedMolecule',
    'LayerRouting',
    'draw_attribution',
    'draw_experts',
    'integrated_gradients',
    'occlusion',
    'read_molecule',
    'route',
]
