"""Force fields as tables of rules: SMIRNOFF files (offxml) and TOML rule files in, `ForceField` out."""

from ffshare.rules.load import load_force_field
from ffshare.rules.locate import available_force_fields
from ffshare.rules.patterns import check_pattern
from ffshare.rules.rule import Mode
from ffshare.rules.table import Column, ForceField, RuleTable
from ffshare.rules.write import write_toml

__all__ = [
    "Column",
    "ForceField",
    "Mode",
    "RuleTable",
    "available_force_fields",
    "check_pattern",
    "load_force_field",
    "write_toml",
]
