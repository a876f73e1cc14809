"""`python -m ffshare` is the command line."""

from ffshare.cli import main

main()
