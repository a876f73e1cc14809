"""Parts of ``bench_fit.py``: the data, ffshare's side, and what it is compared with."""
