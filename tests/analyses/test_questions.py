import subprocess
import sys


def test_questions_are_there_without_what_takes_seconds_to_load():
    loaded = (
        "import sys, analyses.questions; print({'torch', 'ot', 'distributed'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert done.stdout.strip() == "set()"
