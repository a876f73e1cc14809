"""Parameters that ffshare assigns against those in OpenMM Systems that the first SMIRNOFF engine wrote.

openff-toolkit installs 755 such Systems of the FreeSolv set, by force fields of its versions 0.0.2 and 0.0.4. They were
made with OpenEye's toolkit and know nothing of RDKit, so they test perception too. What is compared: constraints,
bonds and angles with their lengths, angles and force constants; the set of (periodicity, phase, barrier) of every
proper; impropers; sigma and epsilon of every atom. Charges are not compared: these force fields give none. The old
engine wrote every improper as six torsions of k/6, today's reading is three of k/3, so the sums over the permutations
are compared.

What the old engine reads in another way than RDKit does is corrected, one thing after the other, to show that nothing
else differs (`CORRECTIONS`):

* *ring bonds*: ``R2`` of a rule means two ring bonds to OpenEye and two rings to RDKit; it is written as ``x2``;
* *sulfone*: where a file writes both S-O bonds as single ones, RDKit charges the oxygens, OpenEye the sulfur too;
* *nitro*: where a file writes two N=O bonds, RDKit makes them ``[N+](=O)[O-]``, OpenEye leaves them.
"""

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from rdkit import Chem

import ffshare
from ffshare.assign import Assignment, Scheme
from ffshare.molecules import GraphBatch, molecule_from_molblock
from ffshare.records import doc, record
from ffshare.rules.table import RuleTable
from tests.exactness.molecule_sets import freesolv_archive, freesolv_molecule

CORRECTIONS = ("ring bonds", "sulfone", "nitro")
VERSIONS = ("0_0_2", "0_0_4_fixed")
HYDROGEN_CONSTRAINTS = "old/hbonds.offxml"
# OpenMM's units: nm and kJ/mol.
ANGSTROM, KCAL = 10.0, 1 / 4.184
TOLERANCE = 1e-6

Term = tuple[int, ...]
Numbers = tuple[float, ...]
# The numbers of every term, by kind of term.
Parameters = Mapping[str, Mapping[Term, Numbers]]


@record
class SystemDifference:
    """A term of one System with other numbers."""

    system: str = doc("version of the force field and name of the molecule")
    kind: str = doc("constraint, bond, angle, proper, improper or vdW")
    atoms: Term = doc("0-based atoms; centre first for impropers")
    ours: Numbers | None = doc("numbers by ffshare, None where it has no such term")
    theirs: Numbers | None = doc("numbers in the System")

    def __str__(self) -> str:
        return f"{self.system} {self.kind} {'-'.join(map(str, self.atoms))}: ffshare {self.ours}; System {self.theirs}"


@record
class SystemsComparison:
    """All Systems by one reading."""

    systems: int = doc("Systems compared")
    terms: int = doc("terms of the Systems")
    differences: Mapping[str, tuple[SystemDifference, ...]] = doc("by System, those that differ only")


def compare_systems(
    folder: Path, corrections: Collection[str] = CORRECTIONS, only: Collection[str] | None = None
) -> SystemsComparison:
    """The parameters of ffshare against those of Systems.

    Args:
        folder: Where changed rules are written.
        corrections: Which of `CORRECTIONS` to make.
        only: Names of molecules; all by default.
    """
    n_systems, n_terms, differences = 0, 0, {}
    for version in VERSIONS:
        names = [name for name in system_names(version) if only is None or name in only]
        batch = GraphBatch.from_molecules([_molecule(name, corrections) for name in names], names)
        assignment = _scheme(version, folder, "ring bonds" in corrections).assign(batch)
        for name, ours in zip(names, _our_parameters(assignment), strict=True):
            theirs = system_parameters(freesolv_archive()[f"xml_{version}/{name}_vacuum.xml"])
            n_systems += 1
            n_terms += sum(map(len, theirs.values()))
            system = f"{version} {name}"
            found = tuple(_differences(system, ours, theirs))
            if found:
                differences[system] = found
    return SystemsComparison(systems=n_systems, terms=n_terms, differences=differences)


def system_names(version: str) -> list[str]:
    """Names of the molecules that have a System of a version, sorted."""
    pattern = re.compile(rf"xml_{version}/(.+)_vacuum\.xml")
    return sorted(found[1] for path in freesolv_archive() if (found := pattern.fullmatch(path)))


def _differences(system: str, ours: Parameters, theirs: Parameters) -> Iterator[SystemDifference]:
    for kind in theirs:
        for atoms in sorted({**ours[kind], **theirs[kind]}):
            pair = ours[kind].get(atoms), theirs[kind].get(atoms)
            if not _equal(*pair):
                yield SystemDifference(system=system, kind=kind, atoms=atoms, ours=pair[0], theirs=pair[1])


def _equal(first: Numbers | None, second: Numbers | None) -> bool:
    if first is None or second is None or len(first) != len(second):
        return False
    return all(math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) for a, b in zip(first, second, strict=True))


def _scheme(version: str, folder: Path, ring_bonds: bool) -> Scheme:
    name = f"old/test_ff_{version}_spec_0_3.offxml"
    if not ring_bonds:
        return ffshare.load_scheme(name, HYDROGEN_CONSTRAINTS)
    (source,) = ffshare.load_force_field(name).checksums
    changed = folder / Path(source).name
    changed.write_text(re.sub(r"\bR(\d)(?=[;:\]])", r"x\1", Path(source).read_text(encoding="utf-8")), encoding="utf-8")
    return ffshare.load_scheme(changed, HYDROGEN_CONSTRAINTS)


def _molecule(name: str, corrections: Collection[str]) -> Chem.Mol:
    given = freesolv_molecule(name, charge_sulfur="sulfone" in corrections)
    molecule = molecule_from_molblock(Chem.MolToMolBlock(given))
    return _with_nitro_as_written(molecule, name) if "nitro" in corrections else molecule


def _with_nitro_as_written(molecule: Chem.Mol, name: str) -> Chem.Mol:
    written = [(nitrogen, oxygens) for nitrogen, oxygens in _double_bonded_oxygens(name).items() if len(oxygens) == 2]
    if not written:
        return molecule
    editable = Chem.RWMol(molecule)
    for nitrogen, oxygens in written:
        for oxygen in oxygens:
            editable.GetBondBetweenAtoms(nitrogen, oxygen).SetBondType(Chem.BondType.DOUBLE)
        for idx in (nitrogen, *oxygens):
            editable.GetAtomWithIdx(idx).SetFormalCharge(0)
            editable.GetAtomWithIdx(idx).SetNoImplicit(True)
    editable.UpdatePropertyCache(strict=False)
    return editable.GetMol()


def _double_bonded_oxygens(name: str) -> dict[int, list[int]]:
    """The oxygens to which each nitrogen has a double bond in the mol2 file, 0-based."""
    text = freesolv_archive()[f"mol2files_sybyl/{name}.mol2"].decode()
    atoms, bonds = (
        [line.split() for line in part.partition("@<TRIPOS>")[0].splitlines() if line.strip()]
        for part in re.split(r"@<TRIPOS>(?:ATOM|BOND)\n", text)[1:3]
    )
    found: dict[int, list[int]] = defaultdict(list)
    for _, first, second, order in (line[:4] for line in bonds):
        for a, b in ((int(first) - 1, int(second) - 1), (int(second) - 1, int(first) - 1)):
            if order == "2" and atoms[a][5].startswith("N.") and atoms[b][5].startswith("O."):
                found[a].append(b)
    return found


def system_parameters(xml: bytes) -> Parameters:
    """The numbers of every term of a serialized OpenMM System, in Å, rad and kcal/mol."""
    root = ElementTree.fromstring(xml)
    forces = {force.get("type"): force for force in root.iter("Force")}
    bonds, angles, torsions, atoms = (
        forces[kind].iter(element)
        for kind, element in (
            ("HarmonicBondForce", "Bond"),
            ("HarmonicAngleForce", "Angle"),
            ("PeriodicTorsionForce", "Torsion"),
            ("NonbondedForce", "Particle"),
        )
    )
    constraints = {_forward(_atoms(each, 2)): (_number(each, "d") * ANGSTROM,) for each in root.iter("Constraint")}
    harmonic = {
        _forward(_atoms(each, 2)): (_number(each, "d") * ANGSTROM, _number(each, "k") * KCAL / ANGSTROM**2)
        for each in bonds
    }
    bonded = {*constraints, *harmonic}
    propers: dict[Term, list[Numbers]] = defaultdict(list)
    impropers: dict[Term, list[Numbers]] = defaultdict(list)
    for each in torsions:
        quadruple = _atoms(each, 4)
        numbers = _number(each, "periodicity"), _number(each, "phase"), _number(each, "k") * KCAL
        if all(_forward(pair) in bonded for pair in itertools.pairwise(quadruple)):
            propers[_forward(quadruple)].append(numbers)
        else:
            impropers[_centre_first(quadruple, bonded)].append(numbers)
    return {
        "constraint": constraints,
        "bond": harmonic,
        "angle": {_forward(_atoms(each, 3)): (_number(each, "a"), _number(each, "k") * KCAL) for each in angles},
        "proper": {atoms: _flat(terms) for atoms, terms in propers.items()},
        "improper": {atoms: _joined(terms) for atoms, terms in impropers.items()},
        "vdW": {
            (idx,): (_number(each, "sig") * ANGSTROM, _number(each, "eps") * KCAL) for idx, each in enumerate(atoms)
        },
    }


def _our_parameters(assignment: Assignment) -> list[Parameters]:
    """The numbers that ffshare gives every term of each molecule, in the form of `system_parameters`."""
    found: list[dict[str, dict[Term, Numbers]]] = [
        {kind: {} for kind in ("constraint", "bond", "angle", "proper", "improper", "vdW")}
        for _ in range(assignment.batch.n_molecules)
    ]
    for section, put in _PUT.items():
        sites, table = assignment.sites[section], assignment.tables[section]
        values = [_values(table, rule) for rule in range(len(table))]
        local = assignment.batch.local_idxs(sites.atom_idxs).tolist()
        for molecule, atoms, rule in zip(sites.molecule_idxs.tolist(), local, sites.rule_idxs.tolist(), strict=True):
            put(found[molecule], tuple(atoms), values[rule])
    for molecule in found:
        # A constraint takes the length of its bond and the bond's energy away.
        molecule["constraint"] = {atoms: molecule["bond"].pop(atoms)[:1] for atoms in molecule["constraint"]}
    return list(found)


Put = Callable[[dict[str, dict[Term, Numbers]], Term, Mapping[str, list[float]]], None]


def _put_improper(terms: dict[str, dict[Term, Numbers]], atoms: Term, values: Mapping[str, list[float]]) -> None:
    # Each of the three torsions of an improper has k / idivf, with idivf 3 by default: together they have k.
    (periodicity,), (phase,), (k,), (idivf,) = (values[name] for name in ("periodicity", "phase", "k", "idivf"))
    terms["improper"][(atoms[1], *sorted((atoms[0], *atoms[2:])))] = (periodicity, phase, 3 * k / idivf)


def _put_proper(terms: dict[str, dict[Term, Numbers]], atoms: Term, values: Mapping[str, list[float]]) -> None:
    barriers = [k / idivf for k, idivf in zip(values["k"], values["idivf"], strict=True)]
    terms["proper"][_forward(atoms)] = _flat(zip(values["periodicity"], values["phase"], barriers, strict=True))


def _put_vdw(terms: dict[str, dict[Term, Numbers]], atoms: Term, values: Mapping[str, list[float]]) -> None:
    terms["vdW"][atoms] = (values["rmin_half"][0] * 2 / 2 ** (1 / 6), values["epsilon"][0])


_PUT: Mapping[str, Put] = {
    "Constraints": lambda terms, atoms, values: terms["constraint"].update({_forward(atoms): ()}),
    "Bonds": lambda terms, atoms, values: terms["bond"].update(
        {_forward(atoms): (values["length"][0], values["k"][0])}
    ),
    "Angles": lambda terms, atoms, values: terms["angle"].update(
        {_forward(atoms): (values["angle"][0], values["k"][0])}
    ),
    "ProperTorsions": _put_proper,
    "ImproperTorsions": _put_improper,
    "vdW": _put_vdw,
}


def _values(table: RuleTable, rule: int) -> dict[str, list[float]]:
    return {name: column.values[column.rule_idxs == rule].tolist() for name, column in table.columns.items()}


def _flat(terms: Iterable[Numbers]) -> Numbers:
    return tuple(itertools.chain.from_iterable(sorted(terms)))


def _joined(terms: list[Numbers]) -> Numbers:
    """Periodicity, phase and summed barrier of the six torsions that the old engine made of an improper."""
    (kind,) = {numbers[:2] for numbers in terms}
    assert len(terms) == 6
    return (*kind, sum(numbers[2] for numbers in terms))


def _forward(atoms: Term) -> Term:
    return atoms if atoms[0] < atoms[-1] else atoms[::-1]


def _centre_first(quadruple: Term, bonded: Collection[Term]) -> Term:
    (centre,) = (
        atom for atom in quadruple if all(_forward((atom, other)) in bonded for other in quadruple if other != atom)
    )
    return centre, *sorted(atom for atom in quadruple if atom != centre)


def _atoms(element: ElementTree.Element, count: int) -> Term:
    return tuple(int(_number(element, f"p{place}")) for place in range(1, count + 1))


def _number(element: ElementTree.Element, key: str) -> float:
    return float(element.attrib[key])
