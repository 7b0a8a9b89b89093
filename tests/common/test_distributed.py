import torch.distributed as dist

from gmoe.common.distributed import is_distributed


def test_one_process_alone_and_in_a_group():
    assert not is_distributed()
    dist.init_process_group(
        'gloo', store=dist.HashStore(), rank=0, world_size=1
    )
    try:
        assert is_distributed()
    finally:
        dist.destroy_process_group()
    assert not is_distributed()
