"""Writes the table of molecule results into the README and the docs.

    python -m benchmarks.molecules_table

The rows come from ``benchmarks/results``; only the paper's numbers are given
here (arXiv 2304.02806, tables 1 and 2: mean and standard deviation over ten
seeds; ROC-AUC in %, RMSE).
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import numpy as np
from jsonargparse import auto_cli

from benchmarks import markdown
from benchmarks.record import RESULTS, ROOT

PAPER = {
    ('ogbg-molbbbp', 'GCN'): '68.87 ± 1.51',
    ('ogbg-molbbbp', 'GMoE-GCN'): '70.28 ± 1.36',
    ('ogbg-molfreesolv', 'GCN'): '2.640 ± 0.239',
    ('ogbg-molfreesolv', 'GMoE-GCN'): '2.500 ± 0.193',
}
FILES = (ROOT / 'README.md', ROOT / 'docs' / 'results.md')
NAME = 'benchmarks.molecules_table'


def load() -> list[dict[str, Any]]:
    """The results of :mod:`benchmarks.molecules`."""
    paths = sorted(RESULTS.glob('mol*.json'))
    return [json.loads(path.read_text()) for path in paths]


def table(results: list[dict[str, Any]]) -> str:
    """The results as a Markdown table.

    Args:
        results: The contents of the result files.
    """
    groups: dict[tuple[str, str, float], list[dict[str, Any]]]
    groups = defaultdict(list)
    for result in results:
        model = result['model']
        name = model['conv'].upper()
        if model.get('num_experts', 1) > 1:
            name = f'GMoE-{name}'
        key = (result['dataset'], name, result['data']['drop_nodes'])
        groups[key].append(result)
    rows = []
    for (dataset, name, drop), group in sorted(groups.items()):
        model, metric = group[0]['model'], group[0]['metric']
        label = f'{name} (d={model["hidden_channels"]}'
        if model.get('num_experts', 1) > 1:
            label += ', n={num_experts}, m={num_experts_1hop}, k={top_k}'
            label = label.format(**model)
        rows.append(
            [
                f'{dataset} ({metric} {"↓" if metric == "rmse" else "↑"})',
                f'{label})',
                f'{drop:g}',
                _spread(group, 'test'),
                str(len(group)),
                PAPER[dataset, name],
                _spread(group, 'valid'),
                f'{group[0]["num_parameters"]:,}',
            ]
        )
    header = [
        'dataset (metric)',
        'model',
        'node drop',
        'test (here)',
        'seeds',
        'test (paper)',
        'validation',
        'parameters',
    ]
    return markdown.table(header, rows)


def _spread(group: list[dict[str, Any]], key: str) -> str:
    scale, digits = (1, 3) if group[0]['metric'] == 'rmse' else (100, 2)
    values = np.array([result[key] for result in group]) * scale
    text = f'{values.mean():.{digits}f}'
    if len(values) > 1:
        text += f' ± {values.std(ddof=1):.{digits}f}'
    return text


def main() -> None:
    """Writes the table."""
    markdown.update(FILES, NAME, table(load()))


if __name__ == '__main__':
    auto_cli(main)
