"""Ops without a second derivative say so by name."""

import pytest
import torch

from gmoe.ops.autograd import refuse_double_backward


def test_refusal_names_the_op():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x**2

        backward = staticmethod(refuse_double_backward('square'))

    out = Square.apply(torch.ones(2, requires_grad=True))
    with pytest.raises(
        NotImplementedError, match="'gmoe::square' has no second .*eager_ops"
    ):
        out.sum().backward()
