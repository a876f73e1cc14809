"""Force fields as tables of rules: SMIRNOFF files (offxml) and TOML rule files in, `ForceField` out."""

from ffshare.rules.findings import Finding
from ffshare.rules.lint import lint
from ffshare.rules.load import load_force_field
from ffshare.rules.locate import available_force_fields, force_field_exists, is_atom_typed
from ffshare.rules.observations import Observations, RuleUse, merged, rule_use
from ffshare.rules.patterns import check_pattern
from ffshare.rules.rule import Mode
from ffshare.rules.rule_diff import RuleDiff, SectionDiff, diff_rules
from ffshare.rules.table import Column, ForceField, RuleTable
from ffshare.rules.write import write_toml

__all__ = [
    "Column",
    "Finding",
    "ForceField",
    "Mode",
    "Observations",
    "RuleDiff",
    "RuleTable",
    "RuleUse",
    "SectionDiff",
    "available_force_fields",
    "check_pattern",
    "diff_rules",
    "force_field_exists",
    "is_atom_typed",
    "lint",
    "load_force_field",
    "merged",
    "rule_use",
    "write_toml",
]
