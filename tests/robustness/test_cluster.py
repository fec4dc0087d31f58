"""An ingest on a cluster, whose workers die and hang, and whose network is cut."""

import contextlib
import os
import shutil
import subprocess
import sys
import time

import dask
import pytest
from distributed import LocalCluster

from leamstore.lake import Lake
from leamstore.safety.run_token import RUN_TOKEN_FILE
from tests.robustness.contents import contents, differences

IMPORTS = """
import sys
from pathlib import Path
from tests.robustness.scenarios import ingest
from leamstore.commandline import run
"""

RUN = """
run(lambda: ingest(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
"""

ALONE_FIRST = """
run(lambda: ingest(Path(sys.argv[1]), Path(sys.argv[2]).with_name("alone.lake")))
"""

IMPATIENT = """
from ingest.run import dask_cluster
dask_cluster._LEAST_LIMIT_SECONDS, dask_cluster._TIMES_THE_SLOWEST = 30, 1
"""

HERE, THERE = (f"10.213.{os.getpid() % 256}.{end}" for end in (1, 2))


@contextlib.contextmanager
def cable():
    """A cable to a network of its own: the names of its end here and of that network."""
    end, name = f"leam{os.getpid()}a", f"leam{os.getpid()}"
    steps = [
        f"ip netns add {name}",
        f"ip link add {end} type veth peer name {name}b netns {name}",
        f"ip addr add {HERE}/30 dev {end}",
        f"ip link set {end} up",
        f"ip -n {name} addr add {THERE}/30 dev {name}b",
        f"ip -n {name} link set {name}b up",
    ]
    try:
        for step in steps:
            subprocess.run(step.split(), check=True, capture_output=True)
        yield end, name
    finally:
        if shutil.which("ip"):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture(scope="module")
def network():
    """A cable, or None where nobody may lay one."""
    with contextlib.ExitStack() as stack:
        try:
            laid = stack.enter_context(cable())
        except (OSError, subprocess.CalledProcessError):
            laid = None
        yield laid


@pytest.fixture(scope="module")
def hindrances(tmp_path_factory):
    return tmp_path_factory.mktemp("hindrances")


@pytest.fixture(scope="module")
def scheduler(network, hindrances):
    """The address of a scheduler with two workers."""
    # Else a worker that takes longer to start again than 15 seconds is given up for ever.
    patience = dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})
    with patience, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HINDRANCES", str(hindrances))
        with LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host=HERE if network else "127.0.0.1",
            dashboard_address=":0",
            preload=["tests.robustness.hindered_worker"],
        ) as cluster:
            yield cluster.scheduler_address


@pytest.fixture(scope="module")
def photographs(demo_photographs, tmp_path_factory):
    """Four people with three photographs each, a block each, and a file that is none."""
    folder = tmp_path_factory.mktemp("photographs")
    for path in sorted(demo_photographs.rglob("*.jpg")):
        number = int(path.stem[-1])
        if number % 4:
            person = folder / "photographs" / f"{path.parent.name}_{number // 4}"
            person.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, person / path.name)
    (folder / "photographs" / "Grace_Hopper_0" / "notes.jpg").write_text("not an image")
    return folder / "photographs"


@pytest.fixture(scope="module")
def clustered(photographs, scheduler, tmp_path_factory):
    """A lake that the cluster made, beside one that the same process made alone before."""
    lake = tmp_path_factory.mktemp("whole") / "clustered.lake"
    command = ingest(photographs, lake, scheduler, first=ALONE_FIRST)
    _, said = command.communicate()
    assert command.returncode == 0, said
    return Lake(lake)


@pytest.fixture(scope="module")
def whole(clustered):
    """What a lake holds that one process made."""
    return contents(Lake(clustered.path.with_name("alone.lake")))


def ingest(photographs, lake, *scheduler, within=(), first=""):
    """Begin an ingest in a process of its own."""
    return subprocess.Popen(
        [*within, sys.executable, "-c", f"{IMPORTS}{first}{RUN}", photographs, lake, *scheduler],
        stderr=subprocess.PIPE, text=True,
        env=os.environ | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s", "COLUMNS": "400"},
    )  # fmt: skip


def units(lake):
    return lake.sql("SELECT count(*) FROM units").item()


def test_a_cluster_makes_the_lake_that_one_process_makes(clustered, whole):
    assert differences(contents(clustered), whole) == []
    assert not (clustered.path / RUN_TOKEN_FILE).exists()


def test_a_worker_that_dies_in_mid_write_and_one_that_hangs_cost_nothing(
    photographs, scheduler, hindrances, whole, tmp_path
):
    (hindrances / "die").touch()
    (hindrances / "hang").touch()
    command = ingest(photographs, tmp_path / "a.lake", scheduler, first=IMPATIENT)
    _, said = command.communicate()
    assert command.returncode == 0, said
    assert not (hindrances / "die").exists()
    (hindrances / "hangs").unlink()
    assert differences(contents(Lake(tmp_path / "a.lake")), whole) == []


def test_where_the_network_is_cut_it_ends_in_a_sentence_and_goes_on_later(
    network, photographs, scheduler, hindrances, whole, tmp_path
):
    if network is None:
        pytest.skip("laying a network of one's own is not permitted here")
    end, name = network
    (hindrances / "hang").touch()
    within = ["ip", "netns", "exec", name]
    command = ingest(photographs, tmp_path / "a.lake", scheduler, within=within)
    patience = time.monotonic() + 120
    while not (hindrances / "hangs").exists() or not units(Lake(tmp_path / "a.lake")):
        assert command.poll() is None
        assert time.monotonic() < patience
        time.sleep(0.1)
    subprocess.run(["ip", "link", "set", end, "down"], check=True)
    _, said = command.communicate()
    subprocess.run(["ip", "link", "set", end, "up"], check=True)
    assert command.returncode == 1
    assert "doesn't answer any more" in said
    assert "Traceback" not in said, said

    lake = Lake(tmp_path / "a.lake")
    assert 0 < units(lake) < 4 * 3
    resumed = ingest(photographs, lake.path)
    assert resumed.wait() == 0
    (hindrances / "hangs").unlink()
    time.sleep(1)
    assert differences(contents(lake), whole) == []
