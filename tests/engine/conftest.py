"""The engine's tests run in a process like the engine's own."""

from pvd_engine.process_setup import prepare_process

prepare_process()
