"""Which experts serve which atoms of a set of molecules, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gmoe.molecules.explanation.atom_properties import Property

#: How often molecules are drawn again, and the share of the intervals.
DRAWS, LEVEL = 500, 0.95
#: Properties of fewer molecules are not looked at.
FEWEST = 10
#: An expert with less than this part of an equal share is idle; a layer with
#: more than this share at one expert has collapsed.
IDLE, COLLAPSED = 0.05, 0.9
#: The share of false findings that is allowed among those named.
FALSE = 0.05


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Enrichment:
    """How much more of a property an expert serves than of all atoms.

    Args:
        expert: The expert.
        kind: The kind of the property.
        name: The property.
        ratio: The expert's share of the atoms with the property, by its
            share of all atoms.
        num_atoms: How many atoms have the property.
        is_found: Whether it remains after the correction for the number of
            comparisons.
    """

    expert: int
    kind: str
    name: str
    ratio: Interval
    num_atoms: int
    is_found: bool


class RoutingTable:
    """The routing of one layer, summed molecule by molecule: an atom counts
    for its experts in proportion to their weights.

    Args:
        name: The layer.
        num_experts: The number of experts.
        num_experts_1hop: How many of them look at hop-1 edges.
    """

    def __init__(
        self, name: str, num_experts: int, num_experts_1hop: int
    ) -> None:
        self.name = name
        self.num_experts = num_experts
        self.num_experts_1hop = num_experts_1hop
        self._shares: list[np.ndarray] = []
        self._parts: list[dict[Property, tuple[int, np.ndarray]]] = []
        self._sizes: list[int] = []

    def add(
        self, gates: np.ndarray, properties: dict[Property, np.ndarray]
    ) -> None:
        """Adds a molecule.

        Args:
            gates: The weights of the experts, of shape :math:`(N, n)`.
            properties: Which atoms have which properties.
        """
        share = gates / gates.sum(axis=1, keepdims=True).clip(min=1e-12)
        self._sizes.append(len(share))
        self._shares.append(share.sum(axis=0))
        self._parts.append(
            {
                key: (int(mask.sum()), share[mask].sum(axis=0))
                for key, mask in properties.items()
            }
        )

    @property
    def num_molecules(self) -> int:
        """The number of molecules."""
        return len(self._sizes)

    def draws(self, seed: int = 0) -> np.ndarray:
        """How often each molecule is drawn, of shape :math:`(R, M)`; the
        first row has each once.

        Args:
            seed: The seed.
        """
        count = self.num_molecules
        random = np.random.default_rng(seed)
        drawn = random.multinomial(count, np.full(count, 1 / count), DRAWS)
        return np.concatenate([np.ones((1, count), drawn.dtype), drawn])

    def usage(self) -> list[Interval]:
        """The share of each expert."""
        return _intervals(self._usage(self.draws()))

    def _usage(self, draws: np.ndarray) -> np.ndarray:
        atoms = draws @ np.array(self._sizes)
        return draws @ np.stack(self._shares) / atoms[:, None]

    def hop1(self) -> Interval:
        """The share of the experts that look at hop-1 edges."""
        usage = self._usage(self.draws())[:, : self.num_experts_1hop]
        return _intervals(usage.sum(axis=1, keepdims=True))[0]

    def idle(self) -> list[int]:
        """The experts that hardly any atom is routed to."""
        return [
            expert
            for expert, share in enumerate(self.usage())
            if share.value < IDLE / self.num_experts
        ]

    def is_collapsed(self) -> bool:
        """Whether one expert does nearly all of the work."""
        most = max(share.value for share in self.usage())
        return self.num_experts > 1 and most > COLLAPSED

    def enrichments(self) -> list[Enrichment]:
        """Each expert's ratio for each property of enough molecules.

        Molecules, not atoms, are drawn again, since atoms of one molecule
        are no independent observations. Findings are those that Benjamini
        and Hochberg's procedure leaves at a false discovery rate of 5 % over
        all comparisons of the layer.
        """
        draws = self.draws()
        usage = self._usage(draws)
        often = Counter(key for part in self._parts for key in part)
        found: list[Enrichment] = []
        scores: list[float] = []
        for key in sorted(k for k, n in often.items() if n >= FEWEST):
            zero = (0, np.zeros(self.num_experts))
            rows = [part.get(key, zero) for part in self._parts]
            count = draws @ np.array([row[0] for row in rows])
            share = draws @ np.stack([row[1] for row in rows])
            share = share / count.clip(min=1)[:, None]
            for expert in range(self.num_experts):
                if usage[0, expert] < IDLE / self.num_experts:
                    continue
                base = usage[:, expert].clip(min=1e-12)
                ratio = share[:, expert] / base
                interval = _intervals(ratio[:, None])[0]
                spread = (share[1:, expert] - usage[1:, expert]).std()
                gap = share[0, expert] - usage[0, expert]
                scores.append(abs(gap) / max(spread, 1e-12))
                found.append(
                    Enrichment(expert, *key, interval, int(count[0]), False)
                )
        kept = remaining(np.array(scores))
        return [replace(e, is_found=bool(k)) for e, k in zip(found, kept)]


def remaining(scores: np.ndarray, rate: float = FALSE) -> np.ndarray:
    """Which findings remain at a false discovery rate (`Benjamini and
    Hochberg 1995 <https://doi.org/10.1111/j.2517-6161.1995.tb02031.x>`_).

    Args:
        scores: How far each is from nothing, in standard deviations.
        rate: The rate.
    """
    from scipy.special import ndtr
    from scipy.stats import false_discovery_control

    return false_discovery_control(2 * ndtr(-scores)) <= rate


def agreement(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """How far two networks route atoms alike, whatever the numbers of their
    experts are.

    Args:
        a: The strongest expert of each atom in one network.
        b: The same of another one.

    Returns:
        The adjusted mutual information, which is zero for chance and one for
        the same; and the share of atoms whose experts are the same, once
        experts have been matched so that most are.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_mutual_info_score

    size = int(max(a.max(), b.max())) + 1
    table = np.zeros((size, size))
    np.add.at(table, (a, b), 1)
    rows, columns = linear_sum_assignment(-table)
    matched = float(table[rows, columns].sum() / len(a))
    return float(adjusted_mutual_info_score(a, b)), matched


def mean_agreement(strongest: Sequence[np.ndarray]) -> tuple[float, float]:
    """The mean :func:`agreement` over all pairs of networks.

    Args:
        strongest: The strongest expert of each atom in each network.
    """
    pairs = [
        agreement(strongest[i], strongest[j])
        for i in range(len(strongest))
        for j in range(i)
    ]
    information, matched = np.mean(pairs, axis=0)
    return float(information), float(matched)


def _intervals(draws: np.ndarray) -> list[Interval]:
    """The value of the first row, and the interval of the others."""
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(draws[1:], [edge, 1 - edge], axis=0)
    return [
        Interval(float(v), float(a), float(b))
        for v, a, b in zip(draws[0], low, high)
    ]
