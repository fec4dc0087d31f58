import json

from ingest.run.outcome import Outcome


def test_an_outcome_is_json_with_seconds_to_the_millisecond():
    outcome = Outcome(looked_at=3, units=1, images=2, pairs=2, maps=4)
    outcome.stopwatch.seconds["read"] = 1.23456
    assert json.loads(json.dumps(outcome.as_dict())) == {
        "looked_at": 3, "departed": 0, "departed_identities": 0, "pruned": False,
        "units": 1, "images": 2, "pairs": 2, "maps": 4, "seconds": {"read": 1.235},
    }  # fmt: skip
