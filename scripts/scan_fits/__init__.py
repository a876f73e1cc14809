"""Fits of torsion barriers to scans: the scans, the fits, the errors. See `scripts/fit_scans.py`."""
