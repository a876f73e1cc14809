"""Schemes that cannot be compared on terms of their own."""

import pytest

import ffshare
from ffshare.errors import SchemeError
from ffshare.fit.comparison import TermsOf
from ffshare.fit.comparison.sites import CommonSites

OWN = TermsOf(periodicities=None)


def test_a_rule_in_use_without_a_term_is_refused_by_name():
    """MMFF94 has no torsion about a linear bond, and says so by a rule without a term."""
    batch = ffshare.from_smiles("CC#CC")
    labels = ffshare.load_scheme("mmff94").assign(batch)
    with pytest.raises(SchemeError, match="mmff94: rule torsion:linear has no term of its own; compare it on common"):
        OWN.labelled(labels, CommonSites.of(batch))


def test_a_rule_without_a_term_that_no_site_has_does_no_harm():
    batch = ffshare.from_smiles("CCC")
    labelled = OWN.labelled(ffshare.load_scheme("mmff94").assign(batch), CommonSites.of(batch))
    assert set(labelled.tables["ProperTorsions"].columns) == {"k", "periodicity", "phase", "idivf"}
