"""A file of rules as it was written: sections, rules and their attributes as text, each with its line.

Readers of offxml and of TOML both make a `RuleDocument`; what the text means is decided once, by `ffshare.rules.build`.
"""

from collections.abc import Mapping

from ffshare.errors import Fault
from ffshare.records import doc, record


@record
class RawRule:
    """One rule as written."""

    element: str = doc("name of the XML element: Bond, Angle, Proper, …")
    attributes: Mapping[str, str] = doc("every attribute as text, smirks and id included")
    line: int = doc("line of the file, from 1; 0 where it is unknown")


@record
class RawSection:
    """One section as written."""

    name: str = doc("SMIRNOFF's name: Bonds, Angles, …")
    settings: Mapping[str, str] = doc("attributes of the section itself as text")
    rules: tuple[RawRule, ...] = doc("rules in file order")
    line: int = doc("line of the file, from 1; 0 where a converter added the section")


@record
class RuleDocument:
    """One file of rules as written, with the faults that reading it brought up."""

    path: str = doc("the file")
    version: str = doc("version of the SMIRNOFF specification that the file follows")
    aromaticity_model: str = doc("aromaticity model that the file asks for; '' where it asks for none")
    sections: tuple[RawSection, ...] = doc("sections in file order")
    line: int = doc("line of the root element, from 1; 0 where there is none", default=0)
    faults: tuple[Fault, ...] = doc("what is wrong with the form of the file", default=())
