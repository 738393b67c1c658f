"""A recipe that sets its own pace is swept one network after the other."""

from dataclasses import replace

import pytest
from tiny_sweep import KINDS, Kind, for_kind

