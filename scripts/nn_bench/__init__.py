"""Cases of scripts/bench_nn.py."""
