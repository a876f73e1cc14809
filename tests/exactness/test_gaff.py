"""GAFF types are those of antechamber, renumbering changes nothing, and both languages of AlkEthOH say the same."""

import pytest

import ffshare
from ffshare.data_files import data_directory
from scripts.check_gaff import comparison
from tests.assign.samples import part, scheme_of
from tests.exactness.antechamber import (
    FORCE_FIELDS,
    freesolv_batch,
    program,
    shipped_batch,
    typed_drugs,
    typed_frozen,
    typed_live,
)
from tests.exactness.renumbering import SYMMETRIC, renumbering_changes

# What is asked for: shares of equal types over the drugs and FreeSolv together [%].
ATOMS, MOLECULES = 99.8, 98.5


@pytest.fixture(scope="module")
def freesolv():
    pytest.importorskip("openff.toolkit", reason="FreeSolv comes with openff-toolkit, which is not installed")
    return typed_frozen("freesolv", freesolv_batch())


@pytest.mark.parametrize("force_field", FORCE_FIELDS)
def test_types_of_drugs_and_of_freesolv_are_those_of_antechamber(freesolv, force_field):
    drugs = typed_drugs()
    found = [comparison(force_field, molecules) for molecules in (freesolv, drugs or [])]
    atoms, molecules = (
        100.0 * sum(row[f"{key}_same"] for row in found) / sum(row[key] for row in found)
        for key in ("atoms", "molecules")
    )
    assert atoms >= ATOMS
    assert molecules >= MOLECULES
    if drugs is None:
        pytest.skip("FreeSolv agrees; the drugs typed beside the project are absent")


@pytest.mark.parametrize("force_field", FORCE_FIELDS)
def test_types_of_the_shipped_molecules_are_those_of_antechamber(force_field):
    found = comparison(force_field, typed_frozen("shipped", shipped_batch()))
    assert found["molecules"] == 661
    assert {one["molecule"] for one in found["differing"]} == {
        "pyrazol-1-ide",
        "tetrazol-1-ide",
        "N-methyl-N-oxidoacetamide",
    }


def test_frozen_types_are_those_that_antechamber_gives():
    antechamber = program()
    if antechamber is None:
        pytest.skip("antechamber is neither on the path nor in $AMBERHOME/bin")
    batch = part(shipped_batch(), range(0, 661, 60))
    frozen = {one.name: one.types for one in typed_frozen("shipped", batch)}
    assert {one.name: one.types for one in typed_live(batch, antechamber)} == frozen


def sample(n_molecules):
    """The symmetric molecules, and the first shipped drugs."""
    drugs = ffshare.read(data_directory("molecules") / "drugs.smi")
    return ffshare.from_smiles(*SYMMETRIC.values()), part(drugs, range(n_molecules))


@pytest.mark.parametrize("force_field", FORCE_FIELDS)
def test_renumbering_changes_no_parameter_and_no_energy(force_field):
    for batch in sample(6):
        found = renumbering_changes(scheme_of(force_field), batch, n_renumberings=4, seed=0)
        assert (found.parameters, found.energies) == ((), ())
        assert found.n_molecules == batch.n_molecules


@pytest.mark.full
@pytest.mark.parametrize("force_field", FORCE_FIELDS)
def test_twenty_renumberings_of_many_drugs_change_no_parameter_and_no_energy(force_field):
    for batch in sample(150):
        found = renumbering_changes(scheme_of(force_field), batch, n_renumberings=20, seed=1)
        assert (found.parameters, found.energies) == ((), ())


def test_the_mode_of_antechamber_shows_that_its_parameters_depend_on_the_order_of_atoms():
    symmetric, _ = sample(1)
    found = renumbering_changes(scheme_of("gaff2-antechamber"), symmetric, n_renumberings=10, seed=0)
    assert len(found.parameters) == found.n_molecules
    assert found.largest > 1e-3


ALKETHOH = {"Bonds": 803, "Angles": 1499, "ProperTorsions": 2175, "vdW": 803}


def test_types_and_smirks_of_alkethoh_give_the_same_parameters():
    toolkit = pytest.importorskip("openff.toolkit.utils", reason="the typed molecules come with openff-toolkit")
    path = toolkit.get_data_file_path("molecules/AlkEthOH_test_filt1_tripos.mol2")
    batch = mol2_batch(path)
    assert batch.n_molecules == 42
    typed, direct = (scheme_of(name).assign(batch) for name in ("alkethoh-types", "alkethoh-smirks"))
    n_terms = dict.fromkeys(ALKETHOH, 0)
    for section in ALKETHOH:
        for place, rows in enumerate(zip(by_atoms(typed, section), by_atoms(direct, section), strict=True)):
            assert rows[0] == rows[1], (section, place)
            n_terms[section] += 1
    assert n_terms == ALKETHOH


def mol2_batch(path):
    """The molecules of a Tripos mol2 file of several."""
    from rdkit import Chem

    from ffshare.molecules import GraphBatch, molecule_from_molblock

    with open(path) as lines:
        blocks = lines.read().split("@<TRIPOS>MOLECULE")[1:]
    read = [Chem.MolFromMol2Block("@<TRIPOS>MOLECULE" + block, removeHs=False) for block in blocks]
    return GraphBatch.from_molecules([molecule_from_molblock(Chem.MolToMolBlock(one)) for one in read])


def by_atoms(assignment, section):
    """Atoms and torsion-by-torsion, angle-by-angle values of every site of a section, sorted by atoms."""
    sites, table = assignment.sites[section], assignment.tables[section]
    rows = []
    for atoms, rule in zip(sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True):
        assert rule >= 0
        columns = {name: column.values[column.rule_idxs == rule].tolist() for name, column in table.columns.items()}
        names = sorted(columns)
        if section == "ProperTorsions":
            # A barrier and its divisor may be written in several ways, and so may a term without a barrier.
            terms = zip(*(columns[name] for name in ("k", "idivf", "periodicity", "phase")), strict=True)
            values = sorted((n, round(phase, 9), round(k / divisor, 9)) for k, divisor, n, phase in terms if k)
        else:
            values = [(name, [round(value, 9) for value in columns[name]]) for name in names]
        rows.append((min(tuple(atoms), tuple(atoms[::-1])), values))
    return sorted(rows)
