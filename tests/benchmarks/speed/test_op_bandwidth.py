"""The bandwidth benchmark, small."""

import json

import pytest
import torch
from jsonargparse import auto_cli
from torch_geometric.data import Data

from benchmarks.speed import op_bandwidth, step_time
from benchmarks.speed.op_bandwidth import CASES, main, share
from benchmarks.speed.op_case import Case, check
from benchmarks.speed.op_message import message_case

NAME = 'message-gcn-n8-k4-d150-train'


def star() -> Data:
    # Two edges into node 0, of different bonds; node 2 has none.
    return Data(
        x=torch.zeros(4, 9, dtype=torch.long),
        edge_index=torch.tensor([[1, 3], [0, 0]]),
        edge_attr=torch.tensor([[0, 0, 0], [1, 0, 0]]),
    )


def test_main(data_root, tmp_path, capsys):
    path = tmp_path / 'bandwidth.json'
    main(
        root=str(data_root / 'ogb'),
        only=[NAME],
        batch=[4],
        rounds=1,
        copy_mb=1,
        json=path,
    )
    assert "over a memory copy's" in capsys.readouterr().out
    (row,) = json.loads(path.read_text())['rows']
    assert (row['name'], row['batch']) == (NAME, 4)
    for variant in ('gmoe', 'pyg', 'copy', 'small_copy'):
        assert row[f'{variant}_ms'] > 0
        assert row[f'{variant}_gb_per_s'] > 0
    assert 'compile_ms' in row
    assert row['gmoe_gb_per_s'] == pytest.approx(
        row['num_bytes'] / row['gmoe_ms'] / 1e6, rel=0.02, abs=0.01
    )


def test_bytes_of_a_star():
    # Rows of 5 channels: 2 of x, 2 terms, 4 slots. Indices: node and expert
    # of 4 slots, 5 pointers, source and code of 2 edges.
    forward = 4 * 5 * (2 + 2 + 4) + 8 * (4 + 4 + 5 + 2 + 2)
    shared = message_case(star(), 'gin', 1, 5, backward=False)
    assert shared.num_bytes == forward
    # Backward writes the gradients of 4 rows and of 8 tables of the 2 terms
    # that occur.
    both = message_case(star(), 'gin', 1, 5, backward=True)
    assert both.num_bytes == 2 * forward + 4 * 5 * (4 + 8 * 2)
    # Rows of their own: one index for each of both, and a weight per edge.
    own = message_case(star(), 'gcn', 1, 5, backward=False)
    assert own.num_bytes == forward + 8 * 2 + 4 * 2


@pytest.mark.parametrize('name', CASES)
def test_variants_are_checked(name):
    case = CASES[name](star())
    assert len(case.expected) == (3 if name.endswith('train') else 1)
    for variant in ('gmoe', 'pyg'):
        results = case.calls[variant]()
        check(variant, results, case)
        results[-1] = 1.01 * results[-1]
        with pytest.raises(RuntimeError, match=f"'{variant}' differs"):
            check(variant, results, case)


def test_check_of_shapes():
    case = Case({}, [torch.zeros(2, 1)], 8)
    with pytest.raises(RuntimeError, match=r"'x'.*\[1, 1\].*\[2, 1\]"):
        check('x', [torch.zeros(1, 1)], case)


def test_share():
    row = {'copy_gb_per_s': 10.0, 'gmoe_gb_per_s': 2.5, 'pyg_ms': None}
    assert share(row, 'gmoe') == '0.25'
    assert share(row, 'pyg') == '-'


def test_unknown_case():
    with pytest.raises(SystemExit, match=f"{NAME}.*'nothing'"):
        main(only=['nothing'])


@pytest.mark.parametrize('module', [op_bandwidth, step_time])
def test_json_is_an_option(module):
    with pytest.raises(SystemExit, match="'nothing'"):
        auto_cli(
            module.main,
            args=['--json=a.json', '--only=[nothing]'],
            as_positional=False,
        )
