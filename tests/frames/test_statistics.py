"""Statistics over runs, by hand."""

import numpy as np
import pandas as pd

from toymono import frames


def test_excess_uses_rows_present_in_both_frames():
    mine = pd.DataFrame({"k": [1, 2], "seed": [0, 0], "loss": [3.0, 5.0]})
    other = pd.DataFrame({"k": [2, 4], "seed": [0, 0], "loss": [1.0, 7.0]})
    [row] = frames.excess(mine, other, "loss", on=("k", "seed")).to_dict("records")
    assert row == {"k": 2, "seed": 0, "loss": 5.0, "loss_excess": 4.0}


def test_course_is_the_mean_over_seeds():
    frame = pd.DataFrame({"k": [16, 8, 16], "dead": [1, 4, 3]})
    assert frames.course(frame, "dead", "k").to_dict() == {8: 4.0, 16: 2.0}


def test_half_lost_by_hand():
    frame = pd.DataFrame({"k": [1, 2, 4, 8], "dead": [1, 8, 5, 3]})
    assert frames.half_lost(frame, "dead", "k") == 8
    assert np.isnan(frames.half_lost(frame[:3], "dead", "k"))
