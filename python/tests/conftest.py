"""Makes the package and the fake master importable, whatever pytest is started in."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from fakemaster import Master  # noqa: E402 (found on the path only now)


@pytest.fixture
def shop():
    """A worker that plays any application of the gallery; its log must stay empty."""
    with Master("gallery:shop") as m:
        m.configure()
        yield m, m.ready()


@pytest.fixture
def noisy():
    """The same, for applications that are to leave a traceback."""
    with Master("gallery:shop", quiet=False) as m:
        m.configure()
        yield m, m.ready()
