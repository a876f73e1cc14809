"""Controls by name: ``untied``, ``hashed:openff-2.2.1?seed=3&Bonds=120``."""

from collections.abc import Callable

from ffshare.assign.contract import Scheme
from ffshare.assign.controls.control import Control
from ffshare.assign.controls.hashed import HashedScheme
from ffshare.assign.controls.hashed_element import HashedElementScheme
from ffshare.assign.controls.untied import UntiedScheme
from ffshare.errors import SchemeError

# What `untied` unties when it is not told.
USUAL_BASE = "openff-2.2.1"

_AT_RANDOM: dict[str, type[HashedScheme] | type[HashedElementScheme]] = {
    "hashed": HashedScheme,
    "hashed-element": HashedElementScheme,
}
KINDS = ("untied", *_AT_RANDOM)


def is_control(name: str) -> bool:
    """Whether a name asks for a control: its part before a colon or question mark is one of `KINDS`.

    Example:
        >>> is_control("hashed:gaff2?seed=1"), is_control("openff-2.2.1")
        (True, False)
    """
    return _kind(name) in KINDS


def parse_control(name: str, load: Callable[[str], Scheme]) -> Control:
    """The control of a name.

    Args:
        name: ``untied``, ``untied:SCHEME``, ``hashed:SCHEME`` or ``hashed-element:SCHEME``. Behind the last two there
            may be settings: a question mark, then ``seed=NUMBER``, ``SECTION=NUMBER`` for the parameters of a section
            and ``SECTION.rules=NUMBER`` for its rules, with ``&`` between.
        load: What loads the scheme behind the colon by its name.

    Returns:
        The control.

    Raises:
        SchemeError: The name does not read like that, or the scheme cannot have these numbers.

    Example:
        >>> import ffshare
        >>> parse_control("hashed:openff-2.2.1?Bonds=120&seed=3", ffshare.load_scheme).name
        'hashed:openff-2.2.1?seed=3&Bonds=120'
    """
    kind = _kind(name)
    if kind not in KINDS:
        raise SchemeError(f"no control is called {name!r}; controls: {', '.join(KINDS)}")
    base, question, settings = name[len(kind) :].removeprefix(":").partition("?")
    if kind == "untied":
        if question:
            raise SchemeError(f"{name!r}: untied has no settings; leave out {question + settings!r}")
        return UntiedScheme(load(base or USUAL_BASE))
    if not base:
        raise SchemeError(f"{name!r} does not say whose numbers to take; write {kind}:{USUAL_BASE}, for instance")
    numbers = _numbers(name, settings) if question else {}
    seed = numbers.pop("seed", 0)
    n_rules = {key.removesuffix(".rules"): number for key, number in numbers.items() if key.endswith(".rules")}
    n_parameters = {key: number for key, number in numbers.items() if not key.endswith(".rules")}
    return _AT_RANDOM[kind](load(base), n_parameters, seed, n_rules)


def _kind(name: str) -> str:
    return name.partition("?")[0].partition(":")[0]


def _numbers(name: str, settings: str) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for setting in settings.split("&"):
        key, equals, value = setting.partition("=")
        if not (key and equals and value.isascii() and value.isdigit()):
            raise SchemeError(
                f"{name!r}: cannot read the setting {setting!r}; write seed=3, Bonds=120 or Bonds.rules=60, "
                "with & between several"
            )
        if key in numbers:
            raise SchemeError(f"{name!r}: {key} is set twice")
        numbers[key] = int(value)
    return numbers
