"""ForceBalance's `parameter_eval` attributes, parsed as affine expressions and never run.

Force fields that ForceBalance fitted may carry ties between parameters as text::

    <Bond id="b2" … parameter_eval="k=2*PARM['Bonds/Bond/k/b1'], length=PARM['Bonds/Bond/length/b1']+0.01"/>

ForceBalance gives such text to Python's ``eval``, which makes a program of every file. Here it is read by a grammar
that knows numbers, references and arithmetic, and nothing else::

    attribute  = tie {"," tie}
    tie        = name "=" sum
    sum        = product {("+" | "-") product}
    product    = signed {("*" | "/") signed}
    signed     = {"+" | "-"} (number | reference | "(" sum ")")
    reference  = "PARM" "[" quoted section/element/attribute/id "]"

What comes out is affine, Σ a_i PARM_i + b: a product of two references, or a division by one, is an error.

Reference: ForceBalance 1.9, ``forcebalance.forcefield``, which defines ``parameter_eval`` and the names in ``PARM``.
"""

import math
import re
from collections.abc import Callable, Mapping

from ffshare.errors import FfshareError
from ffshare.records import doc, record

ATTRIBUTE = "parameter_eval"

# The longest in use has some 100 characters. The bounds keep hostile text from costing time or depth of recursion.
LONGEST = 2000
DEEPEST = 20

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_TOKEN = re.compile(
    rf"""(?P<reference>PARM\s*\[\s*(?:'[^']*'|"[^"]*")\s*\])|(?P<number>{_NUMBER})|(?P<name>{_NAME})|(?P<sign>[-+*/(),=])""",
    re.ASCII,
)
_BLANKS = re.compile(r"\s*")
_PATH = re.compile(r"[^/]+/[^/]+/[^/]+/.+", re.DOTALL)
_END = ""


class ParameterEvalError(FfshareError):
    """A `parameter_eval` attribute is no list of affine ties.

    Attributes:
        text: The attribute.
        reason: Why.
    """

    def __init__(self, text: str, reason: str) -> None:
        self.text = text
        self.reason = reason
        shown = text if len(text) <= 80 else f"{text[:79]}…"
        super().__init__(f"{ATTRIBUTE}={shown!r}: {reason}")

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.text, self.reason)


@record
class Affine:
    """Σ a_i PARM_i + b."""

    coefficients: Mapping[str, float] = doc("a by the path of the parameter: Bonds/Bond/k/b1")
    constant: float = doc("b")

    def __str__(self) -> str:
        terms = [f"{factor:g}*{path}" for path, factor in self.coefficients.items()]
        return " + ".join([*terms, f"{self.constant:g}"] if self.constant or not terms else terms)


def parse_parameter_eval(text: str) -> dict[str, Affine]:
    """The ties of a `parameter_eval` attribute.

    Args:
        text: The attribute.

    Returns:
        What each attribute of the rule is to be.

    Raises:
        ParameterEvalError: It is anything else than affine ties; nothing of it is ever run.

    Example:
        >>> ties = parse_parameter_eval("k=(PARM['Bonds/Bond/k/b1']-4)*2, length=1.5")
        >>> ties["k"].coefficients, ties["k"].constant, str(ties["length"])
        ({'Bonds/Bond/k/b1': 2.0}, -8.0, '1.5')
        >>> parse_parameter_eval("k=run(1)")
        Traceback (most recent call last):
            ...
        ffshare.rules.parameter_eval.ParameterEvalError: parameter_eval='k=run(1)': 'run' is no number and no PARM[…]
    """
    return _Parser(text).ties()


class _Parser:
    """Recursive descent over the tokens of one attribute."""

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) > LONGEST:
            raise self._error(f"it has {len(text)} characters, more than {LONGEST}")
        self._tokens = self._split()
        self._depth = 0

    def ties(self) -> dict[str, Affine]:
        found: dict[str, Affine] = {}
        while True:
            name = self._next()
            if not re.fullmatch(_NAME, name):
                raise self._error(f"{name or 'its end'!r} stands where a name is expected, as in k=PARM['…']")
            if name in found:
                raise self._error(f"{name} is given twice")
            self._expect("=")
            found[name] = self._checked(self._sum())
            if self._peek() == _END:
                return found
            self._expect(",")

    def _split(self) -> list[str]:
        tokens, position = [], 0
        while (position := self._after_blanks(position)) < len(self._text):
            match = _TOKEN.match(self._text, position)
            if match is None:
                raise self._error(f"cannot be read at {self._text[position : position + 10]!r}")
            tokens.append(match[0])
            position = match.end()
        return [*reversed(tokens)]

    def _after_blanks(self, position: int) -> int:
        blanks = _BLANKS.match(self._text, position)
        return position if blanks is None else blanks.end()

    def _peek(self) -> str:
        return self._tokens[-1] if self._tokens else _END

    def _next(self) -> str:
        return self._tokens.pop() if self._tokens else _END

    def _expect(self, sign: str) -> None:
        found = self._next()
        if found != sign:
            raise self._error(f"{found or 'its end'!r} stands where {sign!r} is expected")

    def _sum(self) -> Affine:
        found = self._product()
        while self._peek() in ("+", "-"):
            sign = 1.0 if self._next() == "+" else -1.0
            found = _added(found, self._product(), sign)
        return found

    def _product(self) -> Affine:
        found = self._signed()
        while self._peek() in ("*", "/"):
            found = _OPERATIONS[self._next()](self, found, self._signed())
        return found

    def _signed(self) -> Affine:
        factor = 1.0
        while self._peek() in ("+", "-"):
            factor *= 1.0 if self._next() == "+" else -1.0
        return _scaled(self._atom(), factor)

    def _atom(self) -> Affine:
        token = self._next()
        if token == "(":
            self._depth += 1
            if self._depth > DEEPEST:
                raise self._error(f"parentheses nest deeper than {DEEPEST}")
            inner = self._sum()
            self._expect(")")
            self._depth -= 1
            return inner
        if token.startswith("PARM") and token.endswith("]"):
            return Affine(coefficients={self._path(token): 1.0}, constant=0.0)
        if re.fullmatch(_NUMBER, token):
            return Affine(coefficients={}, constant=float(token))
        raise self._error(f"{token or 'its end'!r} is no number and no PARM[…]")

    def _path(self, token: str) -> str:
        path = token.partition("[")[2].rpartition("]")[0].strip()[1:-1]
        if not _PATH.fullmatch(path):
            raise self._error(f"{path!r} is no parameter; expected Section/Element/attribute/id")
        return path

    def multiplied(self, left: Affine, right: Affine) -> Affine:
        if left.coefficients and right.coefficients:
            raise self._error("a product of two parameters is not affine")
        return _scaled(left, right.constant) if left.coefficients else _scaled(right, left.constant)

    def divided(self, left: Affine, right: Affine) -> Affine:
        if right.coefficients:
            raise self._error("a division by a parameter is not affine")
        if not right.constant:
            raise self._error("a division by zero")
        quotients = {path: value / right.constant for path, value in left.coefficients.items()}
        return Affine(coefficients=quotients, constant=left.constant / right.constant)

    def _checked(self, found: Affine) -> Affine:
        if not all(map(math.isfinite, (*found.coefficients.values(), found.constant))):
            raise self._error("a number in it is not finite")
        return found

    def _error(self, reason: str) -> ParameterEvalError:
        return ParameterEvalError(self._text, reason)


_OPERATIONS: Mapping[str, Callable[[_Parser, Affine, Affine], Affine]] = {
    "*": _Parser.multiplied,
    "/": _Parser.divided,
}


def _scaled(given: Affine, factor: float) -> Affine:
    scaled = {path: value * factor for path, value in given.coefficients.items()}
    return Affine(coefficients=scaled, constant=given.constant * factor)


def _added(left: Affine, right: Affine, sign: float) -> Affine:
    total = dict(left.coefficients)
    for path, value in right.coefficients.items():
        total[path] = total.get(path, 0.0) + sign * value
    return Affine(coefficients=total, constant=left.constant + sign * right.constant)
