"""The parts of tools/ulp_sweep.py: which functions, who else computes them, and the C code that compares."""
