"""Atom-typed force fields as a scheme: perceive, type, sign, look up.

1. Rings, their kinds and AMBER bond types are perceived (`annotate`).
2. Ordered typing rules give each atom a type (`typing`), signs tell pair types apart (`pair_types`).
3. Combinations of types are looked up in the tables, with named fall-backs (`lookup`, `search`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ffshare.assign.assignment import Assignment
from ffshare.assign.atom_types.annotate import Perception, annotate
from ffshare.assign.atom_types.definition import AtomTypedForceField, load_definition
from ffshare.assign.atom_types.lookup import CANONICAL, LOOKED_UP, Lookup
from ffshare.assign.atom_types.reasons import reasons_of_type, reasons_of_value
from ffshare.assign.atom_types.typed_atoms import TypedAtoms
from ffshare.assign.atom_types.typing import Typer
from ffshare.assign.atom_types.typing_rules import TypingRules, load_typing_rules
from ffshare.assign.explain import Explanation
from ffshare.assign.sites import Coded, Sites
from ffshare.molecules import GraphBatch
from ffshare.rules.table import ForceField, RuleTable


class AtomTypedScheme:
    """An atom-typed force field as a scheme.

    Law (mode ``canonical``): values and energies of a molecule do not change when its atoms are renumbered. In mode
    ``antechamber`` they do, as those of AmberTools do.

    Compiled once, when it is made; what it learns about kinds of atoms and terms it keeps from batch to batch. It
    pickles as its tables and rules and compiles again where it arrives.
    """

    def __init__(self, name: str, definition: AtomTypedForceField, rules: TypingRules, mode: str = CANONICAL) -> None:
        """The scheme of tables and typing rules.

        Args:
            name: What it is asked for by.
            definition: The tables.
            rules: The typing rules.
            mode: ``canonical`` or ``antechamber``.
        """
        self.name, self.mode = name, mode
        self.definition, self.rules = definition, rules
        self.checksums: Mapping[str, str] = {**definition.checksums, rules.path: rules.checksum}
        self.force_field = ForceField(name=name, tables=definition.tables, checksums=self.checksums)
        self._typer = Typer(rules)
        partners = {name: partner for pair in rules.pairs for name, partner in pair.partners.items()}
        self._lookup = Lookup(definition, partners, mode)
        self._rule_texts = tuple(rule.text for rule in rules.rules)

    @classmethod
    def load(cls, name: str, folder: str | Path, mode: str = CANONICAL) -> "AtomTypedScheme":
        """The scheme of a folder.

        Args:
            name: What it is asked for by.
            folder: Tables (see `ffshare.assign.atom_types.definition`) and ``typing.toml``.
            mode: ``canonical`` or ``antechamber``.

        Returns:
            The scheme.

        Raises:
            RuleFileError: A file is missing or faulty; all faults of the file are listed.

        Example:
            >>> import ffshare
            >>> from ffshare.data_files import data_directory
            >>> gaff2 = AtomTypedScheme.load("gaff2", data_directory("rules") / "gaff2")
            >>> ethanol = gaff2.assign(ffshare.from_smiles("CCO"))
            >>> [ethanol.tables["vdW"].ids[rule] for rule in ethanol.sites["vdW"].rule_idxs]
            ['c3', 'c3', 'oh', 'hc', 'hc', 'hc', 'h1', 'h1', 'ho']
        """
        definition = load_definition(folder)
        return cls(name, definition, load_typing_rules(definition.typing_path), mode)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.definition, self.rules, self.mode)

    @property
    def tables(self) -> Mapping[str, RuleTable]:
        """The sections that hold rows: Bonds, Angles, ProperTorsions, ImproperTorsions, vdW."""
        return {section: self.definition.tables[section] for section in self.explained}

    @property
    def explained(self) -> tuple[str, ...]:
        """Sections that it can explain."""
        return (*LOOKED_UP, "vdW")

    def assign(self, batch: GraphBatch) -> Assignment:
        """The parameters of a batch.

        Args:
            batch: The molecules.

        Returns:
            Every bond, angle, proper and atom as a site, with rule −1 where neither the tables nor a fall-back give a
            parameter, and the impropers of planar atoms. The rule of an atom in vdW is its type, and the pattern there
            the typing rule that gave it; the rule of a bonded site is the key that was found.
        """
        perception = annotate(batch)
        typed = self._type(batch, perception)
        found = self._lookup.find(batch, typed)
        sites = {**found.sites, "vdW": self._with_patterns(found.sites["vdW"], typed)}
        return Assignment(
            scheme=self.name,
            batch=batch,
            sites=sites,
            tables=found.tables,
            frustrated=typed.frustrated,
            arbitrary=perception.arbitrary,
        )

    def type_atoms(self, batch: GraphBatch) -> TypedAtoms:
        """The type of every atom of a batch, and the molecules whose pair types cannot be signed.

        Args:
            batch: The molecules.

        Returns:
            Types, the rules that gave them, and signs.
        """
        return self._type(batch, annotate(batch))

    def explanations(self, batch: GraphBatch, section: str) -> Iterator[Explanation]:
        """Why the terms of a section have their parameters.

        Args:
            batch: The molecules.
            section: One of `explained`. Of vdW, the typing rules that match each atom and its sign are told; of the
                others, the keys that were looked up.

        Yields:
            An explanation for each site.
        """
        perception = annotate(batch)
        typed = self._type(batch, perception)
        found = self._lookup.find(batch, typed)
        sites, table = found.sites[section], found.tables[section]
        if section == "vdW":
            matches = self._typer.every_match(batch, perception.annotations)
            reasons = reasons_of_type(batch, typed, self.rules, matches, sites, self.mode)
        else:
            reasons = reasons_of_value(self._lookup.steps(batch, typed, section), sites, table)
        local = batch.local_idxs(sites.atom_idxs).tolist()
        for molecule, atoms, tried in zip(sites.molecule_idxs.tolist(), local, reasons, strict=True):
            yield Explanation(molecule_idx=molecule, section=section, atoms=tuple(atoms), matches=tried)

    def _type(self, batch: GraphBatch, perception: Perception) -> TypedAtoms:
        return self._typer.typed_atoms(batch, perception.annotations, perception.bond_types, self.mode)

    def _with_patterns(self, sites: Sites, typed: TypedAtoms) -> Sites:
        return replace(sites, patterns=Coded(idxs=np.asarray(typed.rules), texts=self._rule_texts))
