from pathlib import Path

import matplotlib.cbook
import pytest
import skimage.data

from ingest.photographs.decoding import read_photograph


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def hopper():
    return read_photograph(
        Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    )
