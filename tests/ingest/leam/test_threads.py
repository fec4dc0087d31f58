import threading

import pytest
import torch

from ingest.leam.threads import computing_threads


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def meet(executor, count):
    """Run tasks that end only when `count` of them are under way; return their torch threads."""
    barrier = threading.Barrier(count)

    def task(_):
        barrier.wait(30)
        return torch.get_num_threads()

    return list(executor.map(task, range(count)))


def test_on_a_processor_each_thread_computes_with_one_of_torch_and_counts_itself(three_threads):
    with computing_threads(4, torch.device("cpu")) as threads:
        assert meet(threads.explaining, 4) == [1] * 4
        assert threads.counting is None
    assert torch.get_num_threads() == 3


def test_a_gpu_is_one_threads_while_all_count(three_threads):
    with computing_threads(4, torch.device("cuda")) as threads:
        seen = set(threads.explaining.map(lambda _: threading.get_ident(), range(20)))
        assert len(seen) == 1
        assert threads.counting is not None
        meet(threads.counting, 4)
    assert torch.get_num_threads() == 3


def test_what_has_not_begun_is_given_up_at_an_error():
    begun = []
    going, release = threading.Event(), threading.Event()

    def task(number):
        begun.append(number)
        going.set()
        release.wait(30)

    def fail_meanwhile():
        with computing_threads(1, torch.device("cpu")) as threads:
            for number in range(5):
                threads.explaining.submit(task, number)
            going.wait(30)
            threading.Timer(0.1, release.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_meanwhile()
    assert begun == [0]
