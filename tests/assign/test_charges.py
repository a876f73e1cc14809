"""Charges and virtual sites are labelled as openff-toolkit labels them, match for match."""

import random

import pytest

from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.rules import load_force_field
from tests.assign.oracle import label, labels_of
from tests.smirks.diverse import DIVERSE

MOLECULES = [
    *(
        "O",
        "N",
        "CN",
        "c1ccncc1",
        "Clc1ccccc1",
        "CC(C)=O",
        "CC(=O)O",
        "CCO",
        "CC",
        "C1CCC1",
        "FC(F)(F)C",
        "ClCCl",
        "OO",
    ),
    *("O=C=O", "NN", "[NH4+]", "[Na+]", "C1C2CC1C2", "CC(N)C(=O)O", "Oc1ccccc1", "O=Cc1ccccc1", "C[S@](=O)CC"),
]

SITE = 'epsilon="0 * kcal/mol" sigma="1 * angstrom" distance="0.5 * angstrom"'
ANGLES = {
    "BondCharge": "",
    "MonovalentLonePair": 'outOfPlaneAngle="0 * degree" inPlaneAngle="120 * degree"',
    "DivalentLonePair": 'outOfPlaneAngle="0 * degree"',
    "TrivalentLonePair": "",
}
# Type, how often it is placed and pattern.
SITE_RULES = [
    ("BondCharge", "all_permutations", "[#17:1]-[#6:2]"),
    ("BondCharge", "all_permutations", "[#6:1]=[#8:2]"),
    ("BondCharge", "all_permutations", "[*:1]-[*:2]-[#1]"),
    ("BondCharge", "all_permutations", "[#7X3:1]-[#7X3:2]"),
    ("MonovalentLonePair", "all_permutations", "[#8X1:1]=[#6X3:2]-[#6:3]"),
    ("MonovalentLonePair", "all_permutations", "[*X1:1]~[*X3:2]~[*:3]"),
    ("DivalentLonePair", "once", "[#1:2]-[#8X2H2+0:1]-[#1:3]"),
    ("DivalentLonePair", "all_permutations", "[*:2]~[#8X2,#7X2:1]~[*:3]"),
    ("DivalentLonePair", "once", "[#6X3:2]~[#7X2:1]~[#6X3:3]"),
    ("TrivalentLonePair", "once", "[*:2]-[#7X3:1](-[*:3])-[*:4]"),
    ("TrivalentLonePair", "once", "[#1:4]-[#7X3:1](-[#1:3])-[*:2]"),
]
CHARGES = [
    "[#8X2H2:1]",
    "[*:1]-[#1:2]",
    "[#1:1]-[#8X2H2+0:2]-[#1:3]",
    "[#6X4:1](-[#1:2])(-[#1:3])-[#1:4]",
    "[#17:1]",
    "[#6:1]-[#6:2]",
]
INCREMENTS = [
    *(
        "[*:1]~[*:2]",
        "[#6X4:1]-[#6X4:2]",
        "[*](~[#6:1])~[#6:2]",
        "[#6:1](-[#1])-[#6:2]-[#1]",
        "[#6X4:1]-[#8:2]",
        "[#7:1]-[#7:2]",
    ),
    *(
        "[#1:1]-[#8:2]-[#1:3]",
        "[*:2](~[#1:1])~[*:3]",
        "[#6:2](-[#1])-[#6:1](-[#1])-[#1]",
        "[*]~[#6,#7:1]~[#6,#7:2]~[*]",
    ),
]


def offxml(rng):
    """A force field of such rules in random order."""
    sites, charges, increments = (rng.sample(rules, len(rules)) for rules in (SITE_RULES, CHARGES, INCREMENTS))
    lines = [
        '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">',
        '<VirtualSites version="0.3" exclusion_policy="parents">',
    ]
    for kind, match, smirks in sites:
        n_tags = {"BondCharge": 2, "TrivalentLonePair": 4}.get(kind, 3)
        shifts = " ".join(f'charge_increment{tag}="0 * elementary_charge"' for tag in range(1, n_tags + 1))
        lines.append(
            f'<VirtualSite type="{kind}" name="{rng.choice(("EP", "LP"))}" match="{match}" smirks="{smirks}" '
            f"{SITE} {ANGLES[kind]} {shifts}/>"
        )
    lines += ["</VirtualSites>", '<LibraryCharges version="0.3">']
    for smirks in charges:
        values = " ".join(f'charge{tag}="0 * elementary_charge"' for tag in range(1, smirks.count(":") + 1))
        lines.append(f'<LibraryCharge smirks="{smirks}" {values}/>')
    lines += ["</LibraryCharges>", '<ChargeIncrementModel version="0.4" partial_charge_method="formal_charge">']
    for smirks in increments:
        shifts = " ".join(f'charge_increment{tag}="0 * elementary_charge"' for tag in range(1, smirks.count(":") + 1))
        lines.append(f'<ChargeIncrement smirks="{smirks}" {shifts}/>')
    return "\n".join([*lines, "</ChargeIncrementModel>", "</SMIRNOFF>"])


def batch_of(smiles):
    return GraphBatch.from_molecules([molecule_from_smiles(text) for text in smiles])


def of_toolkit(force_field, molecule):
    """Rule of each match in a molecule, by section, in the form of the oracle."""
    topology = molecule.to_topology()
    found = {}
    for section in ("LibraryCharges", "ChargeIncrementModel", "VirtualSites"):
        handler = force_field.get_parameter_handler(section)
        matches = handler.find_matches(topology)
        place = {id(parameter): rule for rule, parameter in enumerate(handler.parameters)}
        if section == "VirtualSites":
            placed = [(match.parameter_type, match.environment_match) for row in matches.values() for match in row]
            found[section] = {
                (parameter.name, *match.topology_atom_indices): place[id(parameter)] for parameter, match in placed
            }
        else:
            found[section] = {tuple(key): place[id(match.parameter_type)] for key, match in matches.items()}
    return found


@pytest.mark.filterwarnings("ignore:RDKit Molecule passed to from_rdkit consists of more than one")
@pytest.mark.parametrize("seed", range(6))
def test_matches_are_those_of_openff_toolkit(seed, tmp_path, monkeypatch):
    toolkit = pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")
    # It refuses sites on atoms that it has no tests for.
    monkeypatch.setenv("OPENFF_UNSAFE_VSITES", "1")
    rng = random.Random(seed)
    path = tmp_path / "charges.offxml"
    path.write_text(offxml(rng))
    smiles = [*rng.sample(MOLECULES, 12), *rng.sample(list(DIVERSE.values()), 4)]
    theirs, ours = toolkit.ForceField(str(path)), SmirnoffScheme(load_force_field(path))
    for text in smiles:
        expected = of_toolkit(theirs, toolkit.Molecule.from_smiles(text, allow_undefined_stereo=True))
        assert labels_of(ours.assign(batch_of([text]))) == expected, text


@pytest.mark.parametrize("seed", range(6))
def test_matches_in_a_batch_are_those_of_a_plain_loop(seed, tmp_path):
    rng = random.Random(seed)
    path = tmp_path / "charges.offxml"
    path.write_text(offxml(rng))
    force_field = load_force_field(path)
    batch = batch_of([*MOLECULES, *DIVERSE.values()])
    assert labels_of(SmirnoffScheme(force_field).assign(batch)) == label(force_field, batch)


# Water models and how many virtual sites of which orientations each puts on a water O-H-H.
@pytest.mark.parametrize(
    ("name", "sites"),
    [("tip4p_fb", [[0, 1, 2]]), ("opc", [[0, 1, 2]]), ("tip5p", [[0, 1, 2], [0, 2, 1]]), ("tip3p", None)],
)
def test_water_models_put_their_sites_on_the_oxygen(name, sites):
    found = SmirnoffScheme(load_force_field(name)).assign(batch_of(["O", "C"])).sites
    if sites is None:
        assert "VirtualSites" not in found
    else:
        assert found["VirtualSites"].atom_idxs.tolist() == sites
    assert found["LibraryCharges"].atom_idxs.tolist() == [[0], [1], [2]]


def test_of_two_rules_on_one_atom_the_later_places_its_sites_and_other_names_stay(tmp_path):
    path = tmp_path / "sites.offxml"
    rule = (
        f'<VirtualSite type="BondCharge" match="all_permutations" {SITE} '
        'charge_increment1="0 * elementary_charge" charge_increment2="0 * elementary_charge" '
    )
    path.write_text(
        '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL"><VirtualSites version="0.3">'
        f'{rule} name="A" smirks="[#8:1]-[#1:2]"/>'
        f'{rule} name="B" smirks="[#8:1]-[#1:2]"/>'
        f'{rule} name="A" smirks="[#8:1]-[#6:2]"/>'
        "</VirtualSites></SMIRNOFF>"
    )
    batch = batch_of(["CO"])
    found = labels_of(SmirnoffScheme(load_force_field(path)).assign(batch))["VirtualSites"]
    assert found == {("B", 1, 5): 1, ("A", 1, 0): 2}
