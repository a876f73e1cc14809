"""Parameters are those that the first SMIRNOFF engine wrote with OpenEye's toolkit, which shares no code with RDKit."""

import math

import pytest

from tests.exactness.systems import CORRECTIONS, compare_systems, system_parameters

pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")

# Angles between fused rings of five and six atoms, whose rule asks for `R2`.
FUSED_RINGS = {
    f"0_0_2 mobley_{number}"
    for number in (1417007, 1821184, 2261979, 2518989, 2782339, 5094777, 6620221, 7378987, 9565165)
}
SULFOLANE = {"0_0_2 mobley_3323117"}
# Pentachloronitrobenzene and 4-nitroaniline, the only files with two N=O bonds.
NITRO_WITH_TWO_DOUBLE_BONDS = {"0_0_2 mobley_1396156", "0_0_2 mobley_6082662"}


def test_all_systems_have_the_parameters_of_ffshare(tmp_path):
    found = compare_systems(tmp_path)
    assert (found.systems, found.terms) == (755, 82049)
    assert found.differences == {}


@pytest.mark.parametrize(
    ("corrections", "differing"),
    [
        ((), FUSED_RINGS | SULFOLANE | NITRO_WITH_TWO_DOUBLE_BONDS),
        (CORRECTIONS[:1], SULFOLANE | NITRO_WITH_TWO_DOUBLE_BONDS),
        (CORRECTIONS[:2], NITRO_WITH_TWO_DOUBLE_BONDS),
    ],
)
def test_systems_differ_only_where_the_old_engine_reads_rules_or_files_otherwise(tmp_path, corrections, differing):
    names = {system.split()[1] for system in FUSED_RINGS | SULFOLANE | NITRO_WITH_TWO_DOUBLE_BONDS}
    agreeing = {"mobley_1017962", "mobley_4193752"}
    found = compare_systems(tmp_path, corrections, only=names | agreeing)
    assert found.systems >= len(names | agreeing)
    assert set(found.differences) == differing


@pytest.mark.full
def test_no_other_system_differs_before_corrections(tmp_path):
    found = compare_systems(tmp_path, corrections=())
    assert set(found.differences) == FUSED_RINGS | SULFOLANE | NITRO_WITH_TWO_DOUBLE_BONDS


SYSTEM = """<System>
  <Constraints><Constraint d=".1" p1="4" p2="0"/></Constraints>
  <Forces>
    <Force type="HarmonicBondForce"><Bonds>
      <Bond d=".15" k="41840" p1="1" p2="0"/> <Bond d=".15" k="418.4" p1="0" p2="2"/>
      <Bond d=".15" k="418.4" p1="2" p2="3"/>
    </Bonds></Force>
    <Force type="HarmonicAngleForce"><Angles><Angle a="2" k="4.184" p1="2" p2="0" p3="1"/></Angles></Force>
    <Force type="PeriodicTorsionForce"><Torsions>
      <Torsion k="8.368" p1="3" p2="2" p3="0" p4="1" periodicity="3" phase="0"/>
      <Torsion k="4.184" p1="1" p2="0" p3="2" p4="3" periodicity="2" phase="3.141592653589793"/>
      {impropers}
    </Torsions></Force>
    <Force type="NonbondedForce"><Particles><Particle eps="4.184" q="0" sig=".3"/></Particles></Force>
  </Forces>
</System>
"""


def test_a_system_is_read_in_angstroms_radians_and_kilocalories_by_terms():
    orders = [(1, 2, 4), (1, 4, 2), (2, 1, 4), (2, 4, 1), (4, 1, 2), (4, 2, 1)]
    improper = '<Torsion k="4.184" p1="{}" p2="0" p3="{}" p4="{}" periodicity="2" phase="3.14"/>'
    xml = SYSTEM.format(impropers="".join(improper.format(*order) for order in orders))
    found = system_parameters(xml.encode())
    assert found == {
        "constraint": {(0, 4): pytest.approx((1.0,))},
        "bond": {
            (0, 1): pytest.approx((1.5, 100.0)),
            (0, 2): pytest.approx((1.5, 1.0)),
            (2, 3): pytest.approx((1.5, 1.0)),
        },
        "angle": {(1, 0, 2): pytest.approx((2.0, 1.0))},
        "proper": {(1, 0, 2, 3): pytest.approx((2.0, math.pi, 1.0, 3.0, 0.0, 2.0))},
        "improper": {(0, 1, 2, 4): pytest.approx((2.0, 3.14, 6.0))},
        "vdW": {(0,): pytest.approx((3.0, 1.0))},
    }
