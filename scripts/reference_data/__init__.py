"""How `make_reference.py` makes reference data: tasks and their parts, sampling, single points, joining."""
