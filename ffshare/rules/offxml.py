"""A small safe pass over offxml: text in, sections and rules with their lines out.

The file comes from anywhere, so it is parsed by the standard library's expat with document types and entities
refused: a few lines of them can ask for gigabytes of memory ("billion laughs") or for other files of the machine.
Attributes stay text. A file that is no XML has one fault, the first; every other fault is collected, up to a number
after which a file is no force field. Elements nest in three levels, so that one far deeper is refused.
"""

from pathlib import Path
from xml.parsers import expat

from ffshare.errors import Fault, RuleFileError
from ffshare.rules.document import RawRule, RawSection, RuleDocument

DEEPEST = 32
MOST_FAULTS = 1000

_ROOTS = ("SMIRNOFF", "SMIRFF")
# Elements below the root that are no sections.
_METADATA = ("Author", "Date")
# Plain words for the commonest errors of expat.
_EXPLANATIONS = {
    expat.errors.codes[
        expat.errors.XML_ERROR_NO_ELEMENTS
    ]: "the file ends too early; it holds no complete XML (cut short?)",
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN]: "the file ends too early, inside a tag (cut short?)",
}


class _RefusedError(Exception):
    """What ends the pass: a document type declaration, or elements without end."""


def parse_offxml(data: bytes, path: str | Path) -> RuleDocument:
    """The sections and rules of an offxml file, as text.

    Args:
        data: Content of the file.
        path: The file, for messages.

    Returns:
        The document.

    Raises:
        RuleFileError: The content is no XML with the root ``SMIRNOFF``, or holds document types or entities.

    Example:
        >>> text = b'<SMIRNOFF version="0.3"><Bonds version="0.3"><Bond id="b1"/></Bonds></SMIRNOFF>'
        >>> parse_offxml(text, "a.offxml").sections[0].rules[0].attributes
        {'id': 'b1'}
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"the file is not UTF-8 text: byte 0x{data[error.start]:02x}; save it as UTF-8"
        raise RuleFileError(str(path), [Fault(message, line)]) from None
    if not text.strip():
        raise RuleFileError(str(path), [Fault("the file is empty; expected XML with the root <SMIRNOFF>")])
    reader = _Reader()
    try:
        reader.read(text)
    except expat.ExpatError as error:
        raise RuleFileError(str(path), [_syntax_fault(error, reader.open_elements)]) from None
    except _RefusedError as error:
        raise RuleFileError(str(path), [Fault(str(error), reader.line)]) from None
    if reader.root not in _ROOTS:
        message = f"the root element is <{reader.root}>; a SMIRNOFF force field has <SMIRNOFF version=… >"
        raise RuleFileError(str(path), [Fault(message, reader.root_line)])
    return RuleDocument(
        path=str(path),
        version=reader.root_attributes.get("version", ""),
        aromaticity_model=reader.root_attributes.get("aromaticity_model", ""),
        sections=tuple(
            RawSection(name=name, settings=settings, rules=tuple(rules), line=line)
            for name, settings, rules, line in reader.sections
        ),
        line=reader.root_line,
        faults=tuple(reader.faults),
    )


def _syntax_fault(error: expat.ExpatError, open_elements: list[str]) -> Fault:
    message = _EXPLANATIONS.get(error.code) or f"not XML: {expat.ErrorString(error.code)} at column {error.offset + 1}"
    if open_elements:
        message += f"; <{open_elements[-1]}> is not closed"
    return Fault(message, error.lineno)


def refuse_document_types(parser: expat.XMLParserType) -> None:
    """Make a parser raise at a document type declaration, without which there are neither entities nor other files.

    Args:
        parser: A parser that has read nothing yet.
    """

    def refuse(*_: object) -> None:
        raise _RefusedError(
            "document types and entities are refused: they can make a small file fill the memory or read other files; "
            "remove <!DOCTYPE …> and write out what the entities stand for"
        )

    parser.StartDoctypeDeclHandler = refuse


class _Reader:
    """Collects sections while expat walks through the file."""

    def __init__(self) -> None:
        self.root = ""
        self.root_line = 1
        self.root_attributes: dict[str, str] = {}
        self.sections: list[tuple[str, dict[str, str], list[RawRule], int]] = []
        self.faults: list[Fault] = []
        self.open_elements: list[str] = []
        # The declared encoding is overruled: the text has been decoded already.
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        refuse_document_types(self._parser)

    @property
    def line(self) -> int:
        """Line of the event that is being handled, from 1."""
        return self._parser.CurrentLineNumber

    def read(self, text: str) -> None:
        self._parser.Parse(text.encode(), True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        depth = len(self.open_elements)
        self.open_elements.append(name)
        if depth >= DEEPEST:
            raise _RefusedError(f"elements nest deeper than {DEEPEST}; expected sections, and rules in them")
        if depth == 0:
            self.root, self.root_line, self.root_attributes = name, self.line, attributes
        elif depth == 1 and name not in _METADATA:
            self.sections.append((name, attributes, [], self.line))
        elif depth == 2 and self.open_elements[1] not in _METADATA:
            self.sections[-1][2].append(RawRule(element=name, attributes=attributes, line=self.line))
        elif depth == 3:
            parent = self.open_elements[2]
            if len(self.faults) == MOST_FAULTS:
                raise _RefusedError(f"more than {MOST_FAULTS} elements inside rules; is it a force field?")
            self.faults.append(Fault(f"<{name}> inside <{parent}>: a rule has attributes only", self.line))

    def _end(self, name: str) -> None:
        self.open_elements.pop()
