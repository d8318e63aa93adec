"""Hostile and broken inputs for every reader of files that others wrote.

``python -m tests.fuzz --inputs 20000`` runs them in processes with limits; the engine's tests run a
few hundred of the same (``tests/engine/test_data_fuzz.py``).
"""
