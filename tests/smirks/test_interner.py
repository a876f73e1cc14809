import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ffshare.smirks import Interner

KEYS = st.lists(st.one_of(st.integers(0, 8), st.integers(0, 2**63 - 1)), max_size=40)


def first_sight(batches):
    """Ids by a plain dictionary."""
    known = {}
    return [[known.setdefault(key, len(known)) for key in keys] for keys in batches], known


@given(batches=st.lists(KEYS, max_size=5))
def test_keys_are_numbered_in_the_order_of_first_sight_and_keep_their_number(batches):
    interner = Interner()
    expected, known = first_sight(batches)
    assert [interner.ids(np.array(keys, dtype=np.int64)).tolist() for keys in batches] == expected
    assert interner.keys().tolist() == list(known)
    assert len(interner) == len(known)


def test_keys_that_share_a_slot_of_the_table_are_told_apart():
    # More keys than slots, so that many collide; a second time in another order.
    keys = np.random.default_rng(0).integers(0, 2**63 - 1, size=400_000)
    interner = Interner()
    assert interner.ids(keys).tolist() == list(range(len(keys)))
    assert interner.ids(keys[::-1].copy()).tolist() == list(range(len(keys) - 1, -1, -1))


def test_keys_are_read_from_the_id_asked_for_on():
    interner = Interner()
    interner.ids(np.array([30, 10, 20]))
    assert interner.keys(1).tolist() == [10, 20]
