"""What the engine that the add-on uses prints, without the add-on."""

import subprocess

from pvd_blender.engine import environment


def printed(python, *arguments):
    """Run the engine's Python and return what it prints; fails unless it ends well."""
    variables = environment.engine_variables(environment.engine_sources())
    command = [python, *map(str, arguments)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
