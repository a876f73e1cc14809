#!/usr/bin/env python3
"""How far GAFF types are those of antechamber, and what renumbering the atoms changes.

    python scripts/check_gaff.py [INPUT] [--molecules 150] [--renumberings 20] [--json]

Without INPUT: the drugs that were typed beside the project (left out where these data are absent), FreeSolv as
openff-toolkit installs it, and the shipped drugs and fragments. With INPUT (an SD file, a SMILES file, …): those
molecules, which needs antechamber. Where antechamber of AmberTools is installed it types FreeSolv and the shipped
molecules live; else its frozen types are compared with.

Of each force field: `atoms_same` and `molecules_same` [%], pooled and for each set, and every molecule that differs,
with its atoms. Of each mode: `renumbering_changes`, how many of the shipped drugs and of a few symmetric molecules get
other parameters when their atoms are renumbered, and under `renumbering` the energies too.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the oracle lives beside its tests

import ffshare
from ffshare.assign import AtomTypedScheme
from ffshare.data_files import data_directory
from ffshare.molecules import GraphBatch
from tests.exactness.antechamber import (
    BATCHES,
    FORCE_FIELDS,
    TypedMolecule,
    batch_of,
    program,
    typed_drugs,
    typed_frozen,
    typed_live,
)
from tests.exactness.renumbering import SYMMETRIC, renumbering_changes

# Why a molecule of the usual sets differs.
REASONS = {
    "DrugBank_2543": "the record writes a sulfone as S(OH)2; antechamber then gives its conjugated system other bonds",
    "pyrazol-1-ide": "antechamber loses the charge of azolide anions and gives a nitrogen two double bonds",
    "tetrazol-1-ide": "antechamber loses the charge of azolide anions and gives a nitrogen two double bonds",
    "N-methyl-N-oxidoacetamide": "antechamber moves the charge of the hydroxamate to the carbonyl oxygen",
}
UNEXPLAINED = "not looked into"


def our_types(scheme: AtomTypedScheme, batch: GraphBatch) -> list[str | None]:
    """The type of every atom of a batch, None without; also types that no table has parameters for."""
    typed = scheme.type_atoms(batch)
    return [typed.names[found] if found >= 0 else None for found in typed.types.tolist()]


def comparison(force_field: str, molecules: Sequence[TypedMolecule]) -> dict[str, Any]:
    """Numbers of atoms and molecules with equal types, and the molecules that differ."""
    typed = [one for one in molecules if force_field in one.types]
    batch = batch_of(typed)
    scheme = ffshare.load_scheme(f"{force_field}-antechamber")
    assert isinstance(scheme, AtomTypedScheme)
    found = our_types(scheme, batch)
    # Types that GAFF documents as one, written with two signs.
    one_of_pair = {other: one for pair in scheme.rules.pairs for one, other in pair.partners.items()}
    same_atoms, differing = 0, []
    for idx, one in enumerate(typed):
        ours = found[batch.atom_offsets[idx] : batch.atom_offsets[idx + 1]]
        unlike = [
            (atom, ours[atom], theirs) for atom, theirs in enumerate(one.types[force_field]) if ours[atom] != theirs
        ]
        same_atoms += len(ours) - len(unlike)
        if unlike:
            signs = all(
                one_of_pair.get(mine or "", mine) == one_of_pair.get(theirs, theirs) for _, mine, theirs in unlike
            )
            differing.append(
                {
                    "molecule": one.name,
                    "only_signs": signs,
                    "reason": REASONS.get(one.name, UNEXPLAINED),
                    "atoms": unlike,
                }
            )
    return {
        "force_field": force_field,
        "atoms": batch.n_atoms,
        "atoms_same": same_atoms,
        "molecules": batch.n_molecules,
        "molecules_same": batch.n_molecules - len(differing),
        "not_typed_by_antechamber": len(molecules) - len(typed),
        "differing": differing,
    }


def sets_of(given: Path | None) -> Iterable[tuple[str, str, Sequence[TypedMolecule]]]:
    """Name, origin of the types, and molecules of each set."""
    antechamber = program()
    if given is not None:
        if antechamber is None:
            raise SystemExit("to type molecules of your own, antechamber must be on the path or in $AMBERHOME/bin")
        yield given.name, "live", list(typed_live(ffshare.read(given), antechamber))
        return
    drugs = typed_drugs()
    if drugs is None:
        print("the drugs typed beside the project are absent: left out", file=sys.stderr)
    else:
        yield "typed drugs", "beside the project", drugs
    for name, batch in BATCHES.items():
        if antechamber is None:
            yield name, "frozen", typed_frozen(name, batch())
        else:
            yield name, "live", list(typed_live(batch(), antechamber))


def share(part: float, whole: float) -> float:
    return round(100.0 * part / whole, 3) if whole else 100.0


def type_figures(given: Path | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Shares of equal types by force field, and the rows of each set."""
    rows = [
        {"set": name, "types": origin, **comparison(force_field, molecules)}
        for name, origin, molecules in sets_of(given)
        for force_field in FORCE_FIELDS
    ]
    figures: dict[str, Any] = {"atoms_same": {}, "molecules_same": {}}
    for force_field in FORCE_FIELDS:
        # The shipped molecules are a set of their own: the pooled figures are over the drugs and FreeSolv.
        pooled = [row for row in rows if row["force_field"] == force_field and row["set"] != "shipped"]
        figures["atoms_same"][force_field] = share(
            *(sum(row[key] for row in pooled) for key in ("atoms_same", "atoms"))
        )
        figures["molecules_same"][force_field] = share(
            *(sum(row[key] for row in pooled) for key in ("molecules_same", "molecules"))
        )
    return figures, rows


def renumbering_figures(n_molecules: int, n_renumberings: int, seed: int) -> dict[str, Any]:
    """Changes by mode and force field."""
    drugs = ffshare.read(data_directory("molecules") / "drugs.smi")
    chosen = list(range(min(n_molecules, drugs.n_molecules)))
    symmetric = ffshare.from_smiles(*SYMMETRIC.values())
    batch = GraphBatch.from_molecules(
        [*(drugs.molecules[idx] for idx in chosen), *symmetric.molecules],
        [*(drugs.names[idx] for idx in chosen), *SYMMETRIC],
    )
    figures: dict[str, dict[str, Any]] = {"canonical": {}, "antechamber": {}}
    for force_field in FORCE_FIELDS:
        for mode in figures:
            name = force_field if mode == "canonical" else f"{force_field}-antechamber"
            found = renumbering_changes(ffshare.load_scheme(name), batch, n_renumberings, seed)
            figures[mode][force_field] = {
                "molecules": found.n_molecules,
                "parameters": len(found.parameters),
                "energies": len(found.energies),
                "largest_change_kcal_per_mol": round(found.largest, 9),
                "changed": list(found.parameters),
            }
            print(f"renumbered: {name}", file=sys.stderr)
    return figures


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="GAFF types against antechamber, and under renumbering.")
    parser.add_argument("input", nargs="?", type=Path)
    parser.add_argument("--molecules", type=int, default=150, help="shipped drugs to renumber")
    parser.add_argument("--renumberings", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures, rows = type_figures(arguments.input)
    figures["sets"] = rows
    renumbering = renumbering_figures(arguments.molecules, arguments.renumberings, arguments.seed)
    figures["renumbering_changes"] = {
        mode: {force_field: row["parameters"] for force_field, row in rows_of_mode.items()}
        for mode, rows_of_mode in renumbering.items()
    }
    figures["renumbering"] = renumbering
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return 0
    for row in rows:
        atoms, molecules = share(row["atoms_same"], row["atoms"]), share(row["molecules_same"], row["molecules"])
        print(
            f"{row['force_field']:6} {row['set']:12} ({row['types']}): atoms {atoms:.3f} % of {row['atoms']:,}, ",
            end="",
        )
        print(f"molecules {molecules:.2f} % of {row['molecules']:,}")
        for one in row["differing"]:
            atoms = ", ".join(f"{atom}: {ours} for {theirs}" for atom, ours, theirs in one["atoms"][:8])
            print(f"    {one['molecule']}{' (signs only)' if one['only_signs'] else ''}: {atoms}; {one['reason']}")
    for force_field in FORCE_FIELDS:
        same = figures["atoms_same"][force_field], figures["molecules_same"][force_field]
        print(f"{force_field:6} drugs and FreeSolv together: atoms {same[0]:.3f} %, molecules {same[1]:.2f} %")
    for mode, by_name in renumbering.items():
        for force_field, row in by_name.items():
            print(
                f"{force_field:6} {mode:12} {arguments.renumberings} renumberings of {row['molecules']} molecules: "
                f"other parameters in {row['parameters']}, other energies in {row['energies']}, "
                f"by up to {row['largest_change_kcal_per_mol']} kcal/mol"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
