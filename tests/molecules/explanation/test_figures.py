from gmoe.molecules.explanation.figures import (
    enrichment_figure,
    usage_figure,
)
from gmoe.molecules.explanation.routing_table import Enrichment, Interval

SHARE = Interval(0.5, 0.4, 0.6)


def test_usage():
    text = usage_figure(['layer 0', 'layer 1'], [[SHARE] * 2] * 2)
    assert text.startswith('<svg')
    assert text.rstrip().endswith('</svg>')


def test_enrichment():
    found = [Enrichment(i, 'atom type', 'O', SHARE, 9, True) for i in (0, 1)]
    few = enrichment_figure(found[:1])
    assert few.startswith('<svg')
    assert len(enrichment_figure(found)) > len(few)
