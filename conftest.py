"""Gives nbval's kernels the surroundings in which the stored outputs were made."""

import os
from unittest import mock

import pytest
from nbval.plugin import IPyNbCell

from tools.kernel import CHECKED, environment


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """The kernel of a notebook is started when its first cell is set up."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    with mock.patch.dict(os.environ, environment(**CHECKED)):
        return (yield)
