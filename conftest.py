"""The layers need torch: where it is not installed, their modules are not collected for doctests."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["ffshare/nn", "ffshare/cli/nn.py"]
