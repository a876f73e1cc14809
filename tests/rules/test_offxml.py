"""Files that are no good offxml: what is said, and where."""

import pickle

import pytest

from ffshare.errors import RuleFileError
from ffshare.rules import load_force_field
from ffshare.rules.offxml import parse_offxml

BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [
  <!ENTITY lol "lol">
  <!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
  <!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">
]>
<SMIRNOFF version="0.3"><Author>&lol3;</Author></SMIRNOFF>"""
EXTERNAL = '<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]><SMIRNOFF version="0.3">&secret;</SMIRNOFF>'
BONDS = '<Bonds version="0.3"><Bond smirks="[#6:1]-[#6:2]" length="1 * angstrom" k="1 * kcal/mol/angstrom**2"/></Bonds>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty; expected XML with the root <SMIRNOFF>"),
        (b" \n \n", "the file is empty"),
        (b"[#6:1]-[#6:2] 1.5", "line 1: not XML: syntax error at column 1"),
        (b"\x89PNG\r\n\x1a\n", "line 1: the file is not UTF-8 text: byte 0x89; save it as UTF-8"),
        ("<SMIRNOFF>\nÅ".encode("latin-1"), "line 2: the file is not UTF-8 text: byte 0xc5"),
        ('<SMIRNOFF version="0.3"/>'.encode("utf-16"), "not UTF-8 text"),
        (
            b'<SMIRNOFF version="0.3">\n<Bonds>\n',
            r"line 3: the file ends too early.*\(cut short\?\); <Bonds> is not closed",
        ),
        (b'<SMIRNOFF version="0.3">\n<Bonds vers', r"line 2: the file ends too early, inside a tag \(cut short\?\)"),
        (b'<SMIRNOFF version="0.3">\n<Bonds></Angles>', "line 2: not XML: mismatched tag at column 10; <Bonds> is not"),
        (b'<SMIRNOFF version="0.3" version="0.3"/>', "line 1: not XML: duplicate attribute"),
        (b"<SMIRNOFF>\n&angstrom;</SMIRNOFF>", "line 2: not XML: undefined entity"),
        (b"\n<html><body/></html>", r"line 2: the root element is <html>; a SMIRNOFF force field has <SMIRNOFF"),
        (BOMB.encode(), "line 2: document types and entities are refused"),
        (EXTERNAL.encode(), "line 1: document types and entities are refused"),
        (b"<SMIRNOFF/>", "line 1: SMIRNOFF version '' is not supported; expected one of 0.1, 0.2, 0.3"),
        (b'<SMIRNOFF version="99"/>', "line 1: SMIRNOFF version '99' is not supported"),
        (
            b'<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_Daylight"/>',
            "line 1: aromaticity_model='OEAroModel_Daylight' is not supported; expected 'OEAroModel_MDL'",
        ),
    ],
)
def test_a_file_that_is_no_force_field_says_why(write_file, content, message):
    with pytest.raises(RuleFileError, match=message):
        load_force_field(write_file(content))


def test_every_fault_of_a_file_is_told_at_once_with_its_line(write_sections):
    path = write_sections(
        '<Bonds version="0.3">',  # line 2
        '<Bond id="b1" smirks="[#6:1" length="1 * angstrom" k="1 * kcal/mol/angstrom**2"/>',
        '<Bond id="b2" smirks="[#6:1]-[#6:3]" length="1 * kcal" k="nan"/>',
        "<!-- a comment",
        "     of two lines -->",
        '<Bond id="b3" smirks="[#6:1]-[#6:2]"',  # line 7
        '      length="1 * angstrom"/>',
        '<Angle id="b4" smirks="[#6:1]-[#6:2]"/>',
        "</Bonds>",
        '<vdW version="0.2" potential="Buckingham-6-8"/>',  # line 11
        '<ProperTorsion version="0.3"/>',
        '<Angles/><Bonds version="0.3"/>',
    )
    with pytest.raises(RuleFileError) as caught:
        load_force_field(path)
    assert [(fault.line, fault.message) for fault in caught.value.faults] == [
        (3, "Bonds rule 'b1': pattern '[#6:1': RDKit cannot parse it: syntax error while parsing: [#6:1"),
        (4, "Bonds rule 'b2': length: '1 * kcal' has the unit kcal; expected one like 'Å'"),
        (4, "Bonds rule 'b2': k: 'nan' is not a finite number"),
        (4, "Bonds rule 'b2': pattern '[#6:1]-[#6:3]': tag 2 is missing; Bonds needs the tags 1 to 2"),
        (4, "Bonds rule 'b2': pattern '[#6:1]-[#6:3]': tag 3 is one too many; Bonds needs the tags 1 to 2"),
        (7, "Bonds rule 'b3': k or k_bondorder is missing"),
        (9, "Bonds rule 'b4': it is a <Angle>; Bonds holds <Bond>"),
        (11, "section vdW: version='0.2' is not supported; expected one of 0.3, 0.4, 0.5"),
        (11, "section vdW: potential='Buckingham-6-8' is not supported; expected one of Lennard-Jones-12-6"),
        (12, "section ProperTorsion: unknown; did you mean ProperTorsions?"),
        (13, "section Angles: version is missing; expected one of 0.3"),
        (13, "section Bonds: it comes a second time; write its rules into the first"),
    ]
    assert str(caught.value).startswith(f"{path}: 12 faults\n  line 3: ")


def test_the_error_travels_between_processes(write_file):
    with pytest.raises(RuleFileError) as caught:
        load_force_field(write_file(b"<html/>"))
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == str(caught.value)
    assert error.faults == caught.value.faults


def test_a_rule_holds_no_elements(write_sections):
    path = write_sections(BONDS.replace("/></Bonds>", "><note/></Bond></Bonds>"))
    with pytest.raises(RuleFileError, match="line 2: <note> inside <Bond>: a rule has attributes only"):
        load_force_field(path)


def test_a_huge_file_is_refused_before_it_is_read(write_file, monkeypatch):
    monkeypatch.setattr("ffshare.rules.content.MOST_BYTES", 10)
    with pytest.raises(RuleFileError, match=r"the file has more than 10 bytes; is it a force field\?"):
        load_force_field(write_file(b'<SMIRNOFF version="0.3"/>'))


def test_a_byte_order_mark_and_a_wrong_declaration_do_no_harm(write_file):
    text = f'<?xml version="1.0" encoding="ASCII"?><!-- Å --><SMIRNOFF version="0.3">{BONDS}</SMIRNOFF>'
    for content in (text.encode("utf-8"), text.encode("utf-8-sig")):
        assert len(load_force_field(write_file(content)).tables["Bonds"]) == 1


def test_faults_of_patterns_do_not_reach_the_terminal(write_sections, capfd):
    with pytest.raises(RuleFileError):
        load_force_field(write_sections(BONDS.replace("[#6:1]", "[#6:1")))
    assert capfd.readouterr() == ("", "")


def test_author_and_date_are_no_sections():
    document = parse_offxml(b'<SMIRNOFF version="0.3"><Author>A<b/></Author><Date/></SMIRNOFF>', "a.offxml")
    assert (document.sections, document.faults) == ((), ())


def test_extensions_of_plugins_keep_their_text(write_sections):
    path = write_sections('<Buckingham version="0.3"><Atom smirks="[#1:1]" a="1 * kilojoule_per_mole"/></Buckingham>')
    table = load_force_field(path).tables["Buckingham"]
    assert (table.patterns, dict(table.columns)) == (("[#1:1]",), {})
    assert table.attributes[0]["a"] == "1 * kilojoule_per_mole"
