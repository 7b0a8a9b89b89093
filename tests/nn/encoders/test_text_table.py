import pytest
import torch

from gmoe.nn.encoders.text_table import TextTable


def test_rows():
    torch.manual_seed(0)
    table = TextTable(8, 3)
    features = torch.randn(5, 8)
    features[0] = 0
    table.set_table(features)
    assert table.num_texts == 5
    code = torch.tensor([3, 0, 3])
    out = table(code)
    row = (features[3] - features[3].mean()) / features[3].std(correction=0)
    assert torch.allclose(out[0], table.linear(row), atol=1e-4)
    assert torch.allclose(out[1], table.linear.bias)  # A hidden text.
    assert torch.equal(out[0], out[2])
    assert torch.allclose(table.rows()[code], out)


def test_maps():
    table = TextTable(8, 3, num_maps=2)
    table.set_table(torch.randn(5, 8))
    rows = table.rows()
    assert rows.shape == (10, 3)
    both = table.linear(table.table)
    assert torch.equal(rows[7], both[3, 3:])


def test_table_is_not_saved():
    table = TextTable(8, 3)
    table.set_table(torch.randn(5, 8))
    assert set(table.state_dict()) == {'linear.weight', 'linear.bias'}
    assert not any(p.shape[0] == 5 for p in table.parameters())


def test_dropout():
    table = TextTable(8, 3, dropout=0.5)
    table.set_table(torch.randn(50, 8))
    assert not torch.equal(table.rows(), table.rows())
    table.eval()
    assert torch.equal(table.rows(), table.rows())


def test_refused():
    table = TextTable(8, 3)
    with pytest.raises(RuntimeError, match=r'set them with set_tables\(\)'):
        table.rows()
    for shape in ((5, 7), (0, 8), (8,)):
        with pytest.raises(ValueError, match="'nodes' must have shape"):
            table.set_table(torch.zeros(shape), 'nodes')
