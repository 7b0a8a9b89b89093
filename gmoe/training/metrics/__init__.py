"""Scores and losses of a whole split, and how much each expert is used."""

from gmoe.training.metrics.category_score import CATEGORY_SCORES, CategoryScore
from gmoe.training.metrics.expert_usage import ExpertUsage
from gmoe.training.metrics.graph_score import (
    GRAPH_MODES,
    GraphScore,
    GraphScores,
)
from gmoe.training.metrics.label_scores import CLASS_MODES, VALUE_MODES
from gmoe.training.metrics.link_score import LINK_SCORES, LinkScore
from gmoe.training.metrics.split_metrics import SplitLoss, SplitMetrics
from gmoe.training.metrics.weighted_mean import WeightedMean

#: Whether more (``'max'``) or less (``'min'``) of each score is better.
METRIC_MODES = {
    **GRAPH_MODES,
    **dict.fromkeys((*CATEGORY_SCORES, *LINK_SCORES), 'max'),
}

__all__ = [
    'CATEGORY_SCORES',
    'CLASS_MODES',
    'LINK_SCORES',
    'METRIC_MODES',
    'VALUE_MODES',
    'CategoryScore',
    'ExpertUsage',
    'GraphScore',
    'GraphScores',
    'LinkScore',
    'SplitLoss',
    'SplitMetrics',
    'WeightedMean',
]
