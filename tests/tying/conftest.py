"""The one list of cases: a strategy for every constructor and every way of joining ties. Each law runs through all."""

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import sparse

from ffshare.tying import Compose, Exp, LinearTying, LowRank, Softplus

MOST = 7
numbers = st.integers(-4, 4).map(lambda k: k / 2)
sizes = st.integers(0, MOST)


def real_lists(n):
    return st.lists(numbers, min_size=n, max_size=n)


def whole_lists(low, high, n=None):
    return st.lists(st.integers(low, high), min_size=n or 0, max_size=MOST if n is None else n)


@st.composite
def groups(draw):
    n_free = draw(sizes)
    labels = draw(whole_lists(-1, n_free - 1))
    offset = draw(st.none() | real_lists(len(labels)))
    return LinearTying.groups(np.array(labels, dtype=np.int64), keys=range(n_free), offset=offset)


@st.composite
def named_groups(draw):
    labels = draw(st.lists(st.none() | st.sampled_from(["C-C", "C-H", ("Bonds", "b1")]), max_size=MOST))
    return LinearTying.groups(labels, keys=draw(st.sampled_from([None, ["O-H", "C-C", ("Bonds", "b1"), "C-H"]])))


@st.composite
def index(draw):
    n_free = draw(sizes)
    idxs = draw(whole_lists(-1, n_free - 1))
    return LinearTying.index(idxs, draw(st.none() | real_lists(len(idxs))), keys=range(n_free))


@st.composite
def orbit(draw):
    width = draw(st.integers(0, 3))
    permutation = draw(st.permutations(range(width * width)))
    return LinearTying.orbit((width, width), draw(st.sampled_from([[], [np.rot90], [np.rot90, permutation]])))


@st.composite
def hashed(draw):
    return LinearTying.hashed(
        draw(sizes), draw(st.integers(1, MOST)), draw(sizes), signed=draw(st.booleans()), balanced=draw(st.booleans())
    )


@st.composite
def basis(draw):
    n_site, n_free = draw(sizes), draw(sizes)
    dense = np.array(draw(real_lists(n_site * n_free))).reshape(n_site, n_free)
    offset = draw(st.none() | real_lists(n_site))
    return LinearTying.basis(sparse.csr_array(dense) if draw(st.booleans()) else dense, offset=offset)


@st.composite
def increments(draw):
    n_site = draw(sizes)
    pairs = st.tuples(st.integers(0, n_site - 1), st.integers(0, n_site - 1)).filter(lambda pair: pair[0] != pair[1])
    return LinearTying.increments(draw(st.lists(pairs, max_size=MOST)) if n_site > 1 else [], n_site=n_site)


@st.composite
def neutral(draw):
    labels = draw(whole_lists(-1, 2))
    return LinearTying.neutral(labels, total=draw(st.none() | real_lists(max(labels, default=-1) + 1)))


@st.composite
def shared_plus_deviation(draw):
    n_labels = draw(sizes)
    return LinearTying.shared_plus_deviation(draw(whole_lists(-1, n_labels - 1)), keys=range(n_labels))


@st.composite
def entries(draw):
    """Any entries in any order, the same place several times, factors that cancel."""
    n_site, n_free = draw(st.integers(1, MOST)), draw(st.integers(1, MOST))
    nnz = draw(st.integers(0, 2 * MOST))
    return LinearTying(
        site=draw(whole_lists(0, n_site - 1, nnz)),
        free=draw(whole_lists(0, n_free - 1, nnz)),
        coef=draw(st.none() | real_lists(nnz)),
        n_site=n_site,
        n_free=n_free,
        offset=draw(st.none() | real_lists(n_site)),
    )


CONSTRUCTORS = {
    "groups": groups(),
    "index": index(),
    "identity": sizes.map(LinearTying.identity),
    "repeat": st.builds(LinearTying.repeat, sizes, st.integers(0, 3)),
    "orbit": orbit(),
    "hashed": hashed(),
    "basis": basis(),
    "increments": increments(),
    "neutral": neutral(),
    "shared_plus_deviation": shared_plus_deviation(),
    "fixed": sizes.flatmap(real_lists).map(LinearTying.fixed),
}
any_tying = st.one_of(entries(), *CONSTRUCTORS.values())


@st.composite
def composed(draw):
    inner = draw(any_tying)
    outer = np.array(draw(real_lists(3 * inner.n_site))).reshape(3, inner.n_site)
    return LinearTying.basis(outer, offset=draw(st.none() | real_lists(3))) @ inner


@st.composite
def stacked(draw):
    first = draw(any_tying)
    second = np.array(draw(real_lists(2 * first.n_free))).reshape(2, first.n_free)
    return first.stack(LinearTying.basis(second, keys=first.keys))


@st.composite
def side_by_side(draw):
    first, second = draw(any_tying), draw(any_tying)
    return first.relabel(keys=[("first", key) for key in first.keys]) | second


@st.composite
def cut(draw):
    tying = draw(any_tying)
    return tying[np.array(draw(whole_lists(0, tying.n_site - 1)) if tying.n_site else [], dtype=np.int64)]


CASES = {
    **CONSTRUCTORS,
    "groups by name": named_groups(),
    "entries": entries(),
    "A @ B": composed(),
    "A.stack(B)": stacked(),
    "A | B": side_by_side(),
    "A[sites]": cut(),
}

SMOOTH = {
    "exp": st.builds(Exp, sizes),
    "softplus": st.builds(Softplus, sizes),
    "low rank": st.integers(1, 3).flatmap(
        lambda h: st.builds(LowRank, st.integers(h, 4), st.integers(h, 4), st.just(h))
    ),
    "exp of groups": groups().map(lambda tying: Compose(Exp(tying.n_site), tying)),
    "identity of softplus": sizes.map(lambda n: Compose(LinearTying.identity(n), Softplus(n))),
    "a linear tying": basis(),
}


@pytest.fixture(params=list(CASES), scope="session")
def ties(request):
    """A strategy of ties: every constructor and every operation in turn."""
    return CASES[request.param]


@pytest.fixture(params=list(CONSTRUCTORS), scope="session")
def constructor(request):
    """The name of each constructor in turn."""
    return request.param


@pytest.fixture(scope="session")
def constructors():
    """The names of the constructors that have a case."""
    return set(CONSTRUCTORS)


@pytest.fixture(scope="session")
def any_ties():
    """A strategy of ties of any kind."""
    return any_tying


@pytest.fixture(params=list(SMOOTH), scope="session")
def smooth_maps(request):
    """A strategy of smooth maps, each kind in turn."""
    return SMOOTH[request.param]
