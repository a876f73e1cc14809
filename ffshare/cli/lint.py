"""`ffshare lint`: rules that can never win, and other traps in a force field."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ffshare.cli.console import note, print_json, print_table
from ffshare.cli.labelling import Input, Observer, Scheduler, Workers, in_chunks, smirnoff_scheme_of
from ffshare.parallel import Engine
from ffshare.rules import lint as lint_rules
from ffshare.rules import merged

_HEADS = {"rule_id": "rule", "line": "line", "kind": "what", "certainty": "certainty", "message": "why, and what to do"}


def lint(
    force_field: str,
    *,
    against: list[Input] | None = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    smiles_column: str | None = None,
    name_column: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Find rules that can never win, duplicates, and patterns or values that do not mean what they seem to.

    What is proven follows from the file alone and holds for all molecules. With --against, rules that win nothing on
    the given molecules (observed) or match nothing there (not observed) are listed too; other molecules may need these.

    Args:
        force_field: A force field by name or file.
        against: Molecules to observe the rules on: files as `ffshare assign` takes them; may be given more than once.
        workers: Processes to use.
        scheduler: Address of a scheduler of dask.distributed, whose workers are used instead.
        smiles_column: Heading of the SMILES column of tables.
        name_column: Heading of the name column of tables.
        json: Print as JSON.
    """
    engine = Engine(workers=workers, scheduler=scheduler)
    scheme = smirnoff_scheme_of(force_field)
    seen = None
    if against:
        chunks = in_chunks(
            Observer(scheme=scheme, molecules=", ".join(Path(one).name for one in against)),
            against,
            engine=engine,
            strict=False,
            smiles_column=smiles_column,
            name_column=name_column,
        )
        seen = merged(chunk.observations for chunk in chunks)
    findings = lint_rules(scheme.force_field, seen)
    if json:
        print_json([asdict(one) for one in findings])
        return
    for section in dict.fromkeys(one.section for one in findings):
        rows = [asdict(one) for one in findings if one.section == section]
        print_table(f"{section} of {scheme.name}", rows, _HEADS)
    note(f"{len(findings)} findings in {scheme.name}")
