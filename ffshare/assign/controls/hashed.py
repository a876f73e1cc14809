"""`hashed:SCHEME`: sites share by chance, with as many parameters as another scheme has."""

from collections.abc import Mapping

import numpy as np

from ffshare.assign.contract import Scheme
from ffshare.assign.controls.classes import site_classes
from ffshare.assign.controls.control import Control, Shared, Sharing, shared_sections
from ffshare.assign.controls.made_rules import Averages, made_rules
from ffshare.assign.controls.refine import sequence_keys
from ffshare.assign.controls.sizes import Size, rules_in_turn, sizes_of
from ffshare.assign.controls.symmetry import symmetry
from ffshare.errors import SchemeError
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.rules.table import RuleTable
from ffshare.tying import buckets, hash_keys


class HashedScheme(Control):
    """Sites of a section share at random: each symmetry class of each molecule falls into one of its buckets.

    bucket = SplitMix64(key of molecule, class and section; seed) modulo the number of buckets

    Bucket i has the terms of rule i of the base, so that there are as many parameters as the base defines; if another
    number is asked for, rules are taken in turn until it is reached exactly. A bucket knows nothing of the sites in it:
    its values are the means over all rules of the base, of torsions over terms of the same periodicity, phase and
    idivf.

    Example:
        >>> import ffshare
        >>> scheme = HashedScheme(ffshare.load_scheme("openff-2.2.1"), {"Bonds": 20})
        >>> labels = scheme.assign(ffshare.from_smiles("CCO"))
        >>> [labels.tables["Bonds"].ids[rule] for rule in labels.sites["Bonds"].rule_idxs]
        ['b00007', 'b00004', 'b00004', 'b00004', 'b00003', 'b00002', 'b00002', 'b00008']
    """

    _reason = "bucket drawn from the molecule and the symmetry class"

    def __init__(
        self,
        base: Scheme,
        n_parameters: Mapping[str, int] | None = None,
        seed: int = 0,
        n_rules: Mapping[str, int] | None = None,
    ) -> None:
        """The scheme that shares at random what another one shares by chemistry.

        Args:
            base: The scheme whose sites and numbers of parameters it takes.
            n_parameters: Parameters of a section where they are not to be as many as the base defines.
            seed: Another seed gives an independent sharing.
            n_rules: The same as a number of rules, each with all its parameters.

        Raises:
            SchemeError: A section cannot have that many, or the base has no rules.
        """
        super().__init__(control_name("hashed", base, seed, n_parameters, n_rules), base)
        self.seed = seed
        tables = shared_sections(base)
        sizes = sizes_of(base.name, tables, n_parameters, n_rules)
        self._tables = {section: _buckets(table, sizes[section]) for section, table in tables.items()}
        if not any(map(len, self._tables.values())):
            raise SchemeError(f"{base.name} defines no rules that buckets could have the terms of; take another scheme")

    @property
    def tables(self) -> Mapping[str, RuleTable]:
        """The buckets by section."""
        return self._tables

    def _sharing(self, batch: GraphBatch) -> Sharing:
        found = symmetry(batch)

        def share(section: str, atoms: IntArray, rules: IntArray, table: RuleTable) -> Shared:
            classes, made = site_classes(found, atoms, section), self._tables[section]
            keys = sequence_keys([np.repeat(hash_keys([section]), len(classes.keys)), classes.keys])
            placed = buckets(keys, max(len(made), 1), self.seed)[classes.site_classes]
            if not len(made) and np.any(rules >= 0):
                raise SchemeError(f"{self.name} has no buckets in {section}, where {self.base.name} defines no rule")
            return Shared(rule_idxs=placed, table=made)

        return share


def control_name(
    kind: str,
    base: Scheme,
    seed: int,
    n_parameters: Mapping[str, int] | None,
    n_rules: Mapping[str, int] | None,
) -> str:
    """Name of a random control: ``hashed:openff-2.2.1?seed=3&Bonds=120``, settings only where they are not the usual.

    Args:
        kind: What stands before the colon.
        base: The scheme behind it.
        seed: The seed; 0 is usual.
        n_parameters: Parameters asked for, by section.
        n_rules: Rules asked for, by section.

    Returns:
        The name.
    """
    settings = [f"seed={seed}"] if seed else []
    settings += [f"{section}={number}" for section, number in sorted((n_parameters or {}).items())]
    settings += [f"{section}.rules={number}" for section, number in sorted((n_rules or {}).items())]
    return f"{kind}:{base.name}" + ("?" + "&".join(settings) if settings else "")


def bucket_ids(n_buckets: int) -> list[str]:
    """Ids of buckets in their order: b00000, b00001 and so on."""
    return [f"b{number:05d}" for number in range(n_buckets)]


def _buckets(table: RuleTable, size: Size) -> RuleTable:
    rules = rules_in_turn(size)
    every = np.arange(len(table))
    together = Averages(
        made_groups=np.zeros_like(rules), groups=np.zeros_like(every), rules=every, weights=np.ones(len(every))
    )
    return made_rules(table, rules, bucket_ids(len(rules)), ["any"] * len(rules), together)
