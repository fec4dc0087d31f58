import threading

import duckdb
import pytest

from leamstore.tables.instances import IN_USE, MOST_IDLE, Access, connected


@pytest.fixture
def file(tmp_path):
    with connected(Access(tmp_path / "a.duckdb", reads_only=False)) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT 1 AS number")
    return tmp_path / "a.duckdb"


def started(monkeypatch):
    """Count the instances that are started from now on."""
    count = []
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda **of: count.append(1) or connect(**of))
    return count


def test_one_instance_serves_one_connection_after_another(file, monkeypatch):
    count = started(monkeypatch)
    for _ in range(3):
        with connected(Access(file, reads_only=True)) as connection:
            assert connection.sql("SELECT * FROM numbers").fetchall() == [(1,)]
    assert sum(count) == 1


def test_connections_of_one_access_are_open_at_once(file):
    access = Access(file, reads_only=True)
    with connected(access) as one, connected(access) as two:
        assert one.sql("FROM numbers").fetchall() == two.sql("FROM numbers").fetchall()


def test_the_file_is_free_when_nobody_is_connected(file):
    with connected(Access(file, reads_only=True)):
        pass
    with duckdb.connect(str(file)) as elsewhere:  # refused while the file is attached
        elsewhere.execute("INSERT INTO numbers VALUES (2)")
    with connected(Access(file, reads_only=True)) as connection:
        assert connection.sql("SELECT sum(number) FROM numbers").fetchall() == [(3,)]


@pytest.mark.parametrize("other", [{"reads_only": False}, {"limits": (("threads", "1"),)}])
def test_a_file_that_is_held_with_another_access_is_refused(file, other):
    access = Access(file, **{"reads_only": True} | other)
    with (
        connected(Access(file, reads_only=True)),
        pytest.raises(duckdb.Error, match=IN_USE),
        connected(access),
    ):
        pass


def test_no_more_instances_are_kept_than_said(tmp_path, monkeypatch):
    files = [tmp_path / f"{name}.duckdb" for name in range(MOST_IDLE + 1)]
    count = started(monkeypatch)
    for file in [*files, *files]:
        with connected(Access(file, reads_only=False)):
            pass
    assert sum(count) == 2 * len(files)


def test_a_file_that_cannot_be_attached_leaves_its_path_free(tmp_path):
    file = tmp_path / "a.duckdb"
    file.write_text("no database" * 1000)
    with pytest.raises(duckdb.Error), connected(Access(file, reads_only=True)):
        pass
    file.unlink()
    with connected(Access(file, reads_only=False)) as connection:
        connection.execute("CREATE TABLE numbers (number INTEGER)")


def test_many_threads_read_and_write_one_after_another(file):
    def add():
        for _ in range(5):
            with connected(access) as connection:
                connection.execute("INSERT INTO numbers VALUES (1)")

    access = Access(file, reads_only=False)
    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connected(Access(file, reads_only=True)) as connection:
        assert connection.sql("SELECT sum(number) FROM numbers").fetchall() == [(21,)]


def test_a_forked_process_starts_instances_of_its_own(file):
    import multiprocessing

    with connected(Access(file, reads_only=True)):
        pass
    context = multiprocessing.get_context("fork")
    with context.Pool(1) as pool:
        assert pool.apply(_count, (file,)) == 1


def _count(file):
    with connected(Access(file, reads_only=True)) as connection:
        return connection.sql("SELECT count(*) FROM numbers").fetchall()[0][0]


def test_what_exceeds_the_memory_goes_next_to_the_file(file):
    access = Access(file, reads_only=True, limits=(("memory_limit", "60MB"), ("threads", "1")))
    with connected(access) as connection:
        rows = "SELECT range AS a, hash(range) AS b, range::VARCHAR AS c FROM range(2_000_000)"
        connection.execute(f"CREATE TEMP TABLE sorted AS {rows} ORDER BY b")
        assert [*file.parent.glob(f"{file.name}.tmp/*")]
