import re

import pytest

from tools import time_effects


def test_every_effect_is_measured_on_a_person_in_a_top(capsys: pytest.CaptureFixture[str]) -> None:
    time_effects.main(["--size", "320x240", "--count", "8"])
    printed = capsys.readouterr()
    share = re.search(r"the top is (\d+)% of the picture", printed.err)
    assert share
    assert 10 < int(share[1]) < 40
    rows = printed.out.splitlines()[2:]
    assert len(rows) == len(time_effects.EFFECTS)
    assert all(float(re.split(r"[|(]", row)[2]) > 0 for row in rows)
