"""Whether there are several processes; tests/training has two of them."""

import torch.distributed as dist

from gmoe._distributed import is_distributed


def test_a_group_is_seen(tmp_path):
    assert not is_distributed()
    dist.init_process_group(
        'gloo', f'file://{tmp_path}/rendezvous', rank=0, world_size=1
    )
    try:
        assert is_distributed()
    finally:
        dist.destroy_process_group()
    assert not is_distributed()
