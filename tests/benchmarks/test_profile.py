from benchmarks.benchmark import Settings
from benchmarks.material import ingest as _ingest
from benchmarks.profile import Profile, profile_of


def test_the_stages_of_an_ingest_are_timed_and_the_cores_watched(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAM_OFFLINE", "1")
    monkeypatch.setattr(
        "benchmarks.profile.ingest",
        lambda settings, lake, *options: _ingest(settings, lake, "--max-images", "2", *options),
    )
    found = profile_of(Settings(quick=True, seed=0, images=None, scratch=tmp_path))
    assert {"faces", "leam", "regions", "write"} <= set(found.stages)
    assert 0 < sum(found.stages.values()) < 2 * found.seconds
    assert max(found.busy) > 0


def test_seconds_with_less_than_half_of_the_cores_at_work_are_idle(monkeypatch):
    monkeypatch.setattr("psutil.cpu_count", lambda: 2)
    assert Profile(2.0, {}, [0.1, 2.0, 0.9, 1.0]).idle_seconds == 1.0
