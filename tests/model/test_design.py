"""Columns of a design: with the amplitudes of a force field they are its energies and forces."""

import dataclasses

import numpy as np
import pytest

import ffshare
from ffshare.errors import TyingError
from ffshare.model import (
    Design,
    Frames,
    Model,
    Waves,
    bonded_terms,
    derivative_bases,
    linear_bases,
    rule_ties,
)
from ffshare.molecules import GraphBatch
from ffshare.tying import LinearTying
from tests.model.samples import VARIED, conformers, scheme_of

BONDED = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions")
SCHEME = "openff-2.2.1"


@pytest.fixture(scope="module")
def assignment():
    return scheme_of(SCHEME).assign(ffshare.from_smiles(*VARIED))


@pytest.fixture(scope="module")
def model(assignment):
    return Model.of(assignment, None).only(BONDED)


@pytest.fixture(scope="module")
def frames(assignment):
    return Frames.from_conformers(assignment.batch, conformers(assignment.batch, n_conformers=3))


@pytest.fixture(scope="module")
def bases(assignment):
    return linear_bases(assignment.tables)


def free_values(assignment, ties):
    """k, k·x0 and the barriers of all rules, in the order of the keys of the ties."""
    values = {}
    for section in BONDED:
        table = assignment.tables[section]
        for name, column in table.columns.items():
            keys = assignment.tying(section, name).keys
            values.update(zip(keys, column.values.tolist(), strict=True))
    rest = {"Bonds": "length", "Angles": "angle"}

    def value(key):
        section, rule, name, term = key
        if name == "k*x0":
            return values[section, rule, "k", term] * values[section, rule, rest[section], term]
        return values[key]

    return np.array([value(key) for key in ties.keys])


def dense(design, frames):
    """All columns as two dense matrices: energies (n_frames, n_columns), forces (3 * n_points, n_columns)."""
    energies = np.zeros((len(frames), design.n_columns))
    forces = np.zeros((3, frames.coordinates.shape[1], design.n_columns))
    for found in design.by_molecule(frames):
        first = frames.frame_offsets[found.molecule_idx]
        rows = slice(first + found.conformers.start, first + found.conformers.stop)
        energies[rows, found.columns] = found.energies.T
        for place, column in enumerate(found.columns.tolist()):
            block = frames.block(forces[:, :, column], found.molecule_idx)
            block[:, :, found.conformers] = found.forces[place]
            points = slice(*frames.point_offsets[frames.atom_offsets[[found.molecule_idx, found.molecule_idx + 1]]])
            forces[:, points, column] = block.reshape(3, -1)
    return energies, forces.reshape(-1, design.n_columns)


def centred(energies, frames):
    """Energies less the mean of their molecule."""
    means = np.zeros((frames.n_molecules, *energies.shape[1:]))
    np.add.at(means, frames.molecule_idxs, energies)
    return (
        energies
        - (means / np.maximum(frames.n_conformers, 1).reshape(-1, *[1] * (energies.ndim - 1)))[frames.molecule_idxs]
    )


def test_columns_times_the_numbers_of_a_scheme_are_its_energies_and_forces(assignment, model, frames, bases):
    ties = rule_ties(assignment, bases)
    theta = free_values(assignment, ties)
    expected = model.evaluate(frames)
    for design, amplitudes in (
        (Design(bonded_terms(assignment), bases), ties.expand(theta)),
        (Design(bonded_terms(assignment), bases, ties), theta),
    ):
        energies, forces = dense(design, frames)
        np.testing.assert_allclose(
            centred(energies @ amplitudes, frames), centred(expected.energies.total, frames), atol=1e-8
        )
        np.testing.assert_allclose(forces @ amplitudes, expected.forces.ravel(), atol=1e-9)


def test_force_columns_are_minus_the_derivatives_of_the_energy_columns(assignment, bases):
    design, step = Design(bonded_terms(assignment), bases), 1e-6
    given = conformers(assignment.batch, n_conformers=2)
    rng = np.random.default_rng(6)
    ways = [rng.normal(size=one.shape) for one in given]

    def of(conformers):
        return list(design.by_molecule(Frames.from_conformers(assignment.batch, conformers)))

    ahead, behind = (of([one + sign * step * way for one, way in zip(given, ways, strict=True)]) for sign in (1, -1))
    for found, more, less in zip(of(given), ahead, behind, strict=True):
        along = np.einsum("nxaf,fax->nf", found.forces, ways[found.molecule_idx])
        slope = -(more.energies - less.energies) / (2 * step)
        np.testing.assert_allclose(along, slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("section", BONDED)
def test_derivatives_by_the_parameters_are_those_of_finite_differences(assignment, model, frames, section):
    design = Design(bonded_terms(assignment), derivative_bases({section: model.interactions[section]}))
    energies, forces = dense(design, frames)
    potential, step = model.interactions[section].potential, 1e-4
    names = ("force_constants", "rest_values") if section in ("Bonds", "Angles") else ("barriers",)
    rng = np.random.default_rng(8)
    for slot in rng.choice(design.n_slots, min(12, design.n_slots), replace=False).tolist():
        _, site, name = design.slots[slot]
        place = ("k", "x0").index(name) if len(names) == 2 else 0
        where = site if len(names) == 2 else (site, int(name[1:]) - 1)

        def moved(by, field=names[place], where=where):
            values = np.array(getattr(potential, field))
            values[where] += by
            changed = dataclasses.replace(model.interactions[section], potential=_with(potential, **{field: values}))
            return dataclasses.replace(model, interactions={section: changed}).evaluate(frames)

        if len(names) == 1 and potential.periodicities[where] == 0:  # a term that this torsion does not have
            assert not energies[:, slot].any()
            assert not forces[:, slot].any()
            continue
        ahead, behind = moved(step), moved(-step)
        np.testing.assert_allclose(
            energies[:, slot], (ahead.energies.total - behind.energies.total) / (2 * step), rtol=1e-6, atol=1e-6
        )
        np.testing.assert_allclose(
            forces[:, slot], (ahead.forces - behind.forces).ravel() / (2 * step), rtol=1e-6, atol=1e-6
        )


def _with(potential, **values):
    fields = [each.name for each in dataclasses.fields(potential) if each.init]
    return type(potential)(**{**{name: getattr(potential, name) for name in fields}, **values})


def test_tied_columns_are_sums_of_the_columns_of_the_slots(assignment, frames, bases):
    terms = bonded_terms(assignment)
    plain = Design(terms, bases)
    rng = np.random.default_rng(9)
    # Shared with factors, some slots fixed, some parameters unused, and slots that combine two parameters.
    ties = LinearTying.index(rng.integers(-1, 30, plain.n_slots), rng.normal(size=plain.n_slots), keys=range(40))
    pairs = LinearTying(
        site=np.repeat(np.arange(plain.n_slots), 2),
        free=rng.integers(0, 25, 2 * plain.n_slots),
        coef=rng.normal(size=2 * plain.n_slots),
        n_site=plain.n_slots,
        n_free=25,
    )
    energies, forces = dense(plain, frames)
    for each in (ties, pairs):
        tied = dense(Design(terms, bases, each), frames)
        np.testing.assert_allclose(tied[0], energies @ each.matrix.toarray(), atol=1e-10)
        np.testing.assert_allclose(tied[1], forces @ each.matrix.toarray(), atol=1e-10)


def test_cutting_the_frames_into_pieces_changes_nothing(monkeypatch, assignment, frames, bases):
    design = Design(bonded_terms(assignment), bases)
    whole = dense(design, frames)
    for most_numbers in (1, 40_000):
        monkeypatch.setattr("ffshare.model.design._MOST_NUMBERS", most_numbers)
        pieces = dense(design, frames)
        for mine, theirs in zip(pieces, whole, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-12)


def test_the_columns_of_a_molecule_are_its_own_whatever_stands_beside_it(assignment, frames, bases):
    whole = {found.molecule_idx: found for found in Design(bonded_terms(assignment), bases).by_molecule(frames)}
    for idx in (1, 8):
        alone = scheme_of(SCHEME).assign(GraphBatch.from_molecules([assignment.batch.molecules[idx]]))
        given = Frames.from_conformers(alone.batch, [frames.by_molecule(frames.coordinates)[idx]])
        (found,) = Design(bonded_terms(alone), bases).by_molecule(given)
        np.testing.assert_array_equal(found.energies, whole[idx].energies)
        np.testing.assert_array_equal(found.forces, whole[idx].forces)


def test_molecules_without_a_conformer_have_no_columns(assignment, bases):
    given = conformers(assignment.batch, n_conformers=1)
    given[2] = given[2][:0]
    frames = Frames.from_conformers(assignment.batch, given)
    seen = [found.molecule_idx for found in Design(bonded_terms(assignment), bases).by_molecule(frames)]
    assert seen == [idx for idx in range(len(VARIED)) if idx != 2]


def test_a_single_atom_has_no_column(assignment, frames, bases):
    found = [each for each in Design(bonded_terms(assignment), bases).by_molecule(frames) if each.molecule_idx == 9]
    assert [each.forces.shape for each in found] == [(0, 3, 1, 3)]


def test_slots_are_numbered_section_by_section_and_site_by_site(assignment, bases):
    design = Design(bonded_terms(assignment), bases)
    assert design.n_slots == design.n_columns == len(design.slots)
    assert design.slots[:3] == (("Bonds", 0, "k"), ("Bonds", 0, "k*x0"), ("Bonds", 1, "k"))
    assert design.slots[-1] == ("ImproperTorsions", len(assignment.sites["ImproperTorsions"]) - 1, "cos 2")


def test_straight_dihedrals_are_marked_in_their_frames():
    assignment = scheme_of(SCHEME).assign(ffshare.from_smiles("CC#CC"))
    given = conformers(assignment.batch, n_conformers=2, scale=0.0)
    given[0][1, 0] += [1.0, 1.0, 1.0]
    frames = Frames.from_conformers(assignment.batch, given)
    (found,) = Design(bonded_terms(assignment), linear_bases(assignment.tables)).by_molecule(frames)
    straight = found.straight["ProperTorsions"]
    assert straight.shape == (len(assignment.sites["ProperTorsions"]), 2)
    assert straight[:, 0].all()
    assert not straight[:, 1].all()
    assert np.isfinite(found.forces).all()
    assert not any(found.straight[section].any() for section in ("Bonds", "Angles", "ImproperTorsions"))


def test_a_design_of_nothing_has_no_columns(assignment, frames):
    design = Design({}, linear_bases(assignment.tables))
    assert (design.n_slots, list(design.by_molecule(frames))) == (0, [])


def test_ties_must_have_as_many_sites_as_there_are_slots(assignment, bases):
    with pytest.raises(TyingError, match="the ties have 3 sites; this design has"):
        Design(bonded_terms(assignment), bases, LinearTying.identity(3))


def test_a_basis_that_lacks_a_periodicity_of_a_rule_is_refused(assignment, bases):
    with pytest.raises(TyingError, match=r"openff-2.2.1 needs cos 4φ in ProperTorsions, which the basis lacks"):
        rule_ties(assignment, {**bases, "ProperTorsions": Waves(cosines=(1, 2, 3, 6), sines=(1, 2, 3))})


def test_rule_ties_name_each_number_of_a_scheme(assignment, bases):
    ties = rule_ties(assignment, bases)
    counted = {section: sum(key[0] == section for key in ties.keys) for section in BONDED}
    assert counted == {"Bonds": 180, "Angles": 88, "ProperTorsions": 302, "ImproperTorsions": 7}
    assert {key[2] for key in ties.keys} == {"k", "k*x0"}


def test_sites_without_a_rule_get_nothing():
    assignment = scheme_of("openff-1.3.1").assign(ffshare.from_smiles("CN(C)[N+](=O)[O-]"))
    bases = {"ProperTorsions": linear_bases(assignment.tables)["ProperTorsions"]}
    amplitudes = rule_ties(assignment, bases).expand(np.ones(rule_ties(assignment, bases).n_free))
    width = len(bases["ProperTorsions"].names)
    missing = assignment.sites["ProperTorsions"].rule_idxs < 0
    assert missing.any()
    assert not amplitudes.reshape(-1, width)[missing].any()
    assert amplitudes.reshape(-1, width)[~missing].any(axis=1).all()
