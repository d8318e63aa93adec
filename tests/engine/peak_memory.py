"""Run a program and print the most memory that it had at once, bytes.

    python peak_memory.py WORD ...

The kernel counts for a new process what its parent has; this parent is small.
"""

import resource
import subprocess
import sys

if __name__ == "__main__":
    subprocess.run([sys.executable, *sys.argv[1:]], stdin=subprocess.DEVNULL, check=True)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
