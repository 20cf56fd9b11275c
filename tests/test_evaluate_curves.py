"""How alike two takes are: known answers."""

from dataclasses import replace

import numpy as np
import pytest
from toy_avatar import toy_take

from spark_backend.evaluate.curves import agreement
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.take import Take

JAW, SMILE, BROW = (ARKIT_52.index(name) for name in ("jawOpen", "mouthSmileLeft", "browInnerUp"))


def swinging(count: int = 90, rate: float = 30.0, late: float = 0.0) -> Take:
    """A jaw and a smile that go to and fro, and a brow that hardly does."""
    take = toy_take(count)
    pts = np.arange(count) / rate
    weights = np.zeros((count, 52))
    weights[:, JAW] = 0.5 + 0.4 * np.sin(6 * (pts - late))
    weights[:, SMILE] = 0.3 + 0.2 * np.cos(6 * (pts - late))
    weights[:, BROW] = 0.02 * np.sin(pts)
    return replace(take, pts=pts, weights=weights, names=ARKIT_52, valid=np.ones(count, bool))


def test_the_same_at_another_rate_agrees_and_what_stands_still_is_left_out():
    found = agreement(swinging(60, rate=20.0), swinging())
    assert found.names == ("jawOpen", "mouthSmileLeft")
    assert found.correlations.min() > 0.999
    assert found.pooled > 0.999


def test_the_opposite_disagrees_and_a_still_one_says_nothing():
    take = swinging()
    weights = take.weights.copy()
    weights[:, JAW], weights[:, SMILE] = 1 - weights[:, JAW], 0.5
    found = agreement(replace(take, weights=weights), take)
    np.testing.assert_allclose(found.correlations, (-1, 0), atol=1e-6)


def test_a_delay_is_found():
    late = swinging(late=0.06)
    assert agreement(late, swinging()).pooled < 0.95
    assert agreement(late, swinging(), delay=0.06).pooled > 0.999


def test_frames_without_a_face_do_not_count():
    take = swinging()
    weights, valid = take.weights.copy(), take.valid.copy()
    weights[40:50], valid[40:50] = 0.0, False
    assert agreement(replace(take, weights=weights, valid=valid), take).pooled > 0.999


def test_nothing_in_common_is_refused():
    still = replace(swinging(), weights=np.zeros((90, 52)))
    with pytest.raises(ValueError, match="nothing in common"):
        agreement(swinging(), still)
