"""What torch computes with in a block, and that it is as before after it."""

import pytest
import torch

from sculpt_plugin.threads import one_thread


def flushes() -> bool:
    return not float(torch.tensor(1e-40) * torch.tensor(0.5))


@pytest.mark.parametrize("flush", [False, True])
def test_threads_and_small_numbers_are_as_before_after_the_block(flush):
    threads, flushed = torch.get_num_threads(), flushes()

    with pytest.raises(KeyError), one_thread(flush_denormals=flush):
        assert torch.get_num_threads() == 1
        assert flushes() is (flush or flushed)
        raise KeyError

    assert torch.get_num_threads() == threads
    assert flushes() is flushed
