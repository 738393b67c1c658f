"""Every test starts from the same random state and leaves nothing behind."""

import random

import numpy as np
import pytest
import torch
from checked_calls import check_calls
from hypothesis import settings

check_calls()

# Tests run side by side: more threads each would only get in the way.
torch.set_num_threads(1)

# A busy machine makes no test wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def seeds_fixed() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
