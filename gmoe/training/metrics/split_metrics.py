"""The loss and the scores of a split."""

from __future__ import annotations

from torch import Tensor, nn

from gmoe.training.metrics.category_score import CategoryScore
from gmoe.training.metrics.graph_score import GraphScore
from gmoe.training.metrics.link_score import LinkScore
from gmoe.training.metrics.per_graph import PerGraph


class SplitLoss(PerGraph):
    """The loss of all labels of a split: the same in batches of any size, on
    any number of processes.

    Shapes:
        - **update:** losses :math:`(B, C)`, zero where there is no label,
          whether there is one :math:`(B, C)`, graph ids :math:`(B)`
    """

    def update(self, loss: Tensor, labelled: Tensor, graph_id: Tensor) -> None:
        """Adds a batch."""
        loss = loss.detach().sum(dim=1)
        self._keep(loss, labelled.sum(dim=1), graph_id)

    def compute(self) -> tuple[Tensor, Tensor]:
        """The sum over all labels, and their number."""
        loss, count = self._kept()
        return loss.double().sum(), count.sum()


class SplitMetrics(nn.Module):
    """The loss and the scores of a split.

    Args:
        score: What gives the scores.
    """

    def __init__(self, score: GraphScore | CategoryScore | LinkScore) -> None:
        super().__init__()
        self.score = score
        self.loss = SplitLoss()

    @property
    def is_empty(self) -> bool:
        """Whether there was no batch."""
        return self.score.update_count == 0

    def reset(self) -> None:
        """Forgets all batches."""
        self.score.reset()
        self.loss.reset()

    def update(
        self,
        prediction: Tensor,
        target: Tensor,
        loss: tuple[Tensor, Tensor],
        graph_id: Tensor,
    ) -> None:
        """Adds a batch.

        Args:
            prediction: Predictions of the score.
            target: Targets of the score.
            loss: Losses and whether there is a label, of the same shape.
            graph_id: The graphs.
        """
        self.score.update(prediction, target, graph_id)
        self.loss.update(*loss, graph_id)

    def mean_loss(self) -> tuple[Tensor, bool]:
        """The mean over all labels, NaN if there are none, and whether there
        are labels whose loss is not finite.
        """
        total, count = self.loss.compute()
        return total / count, bool(count > 0 and not total.isfinite())

    def scores(self) -> dict[str, Tensor]:
        """The scores by name."""
        scores = self.score.compute()
        if isinstance(scores, dict):
            return scores
        return {str(self.score.metric): scores}
