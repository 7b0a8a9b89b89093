"""Whether there are several processes to agree with."""

import torch.distributed as dist


def is_distributed() -> bool:
    """Whether this process is one of a group of :mod:`torch.distributed`."""
    return dist.is_available() and dist.is_initialized()
