"""`python -m worker`, whose chore is a script that leaves its process id, says how far it is, and waits for a file."""

import sys

from worker.bulk import record, recovery, work
from worker.cli import app

SCRIPT = """
import os, sys, time
from pathlib import Path
folder = Path(os.environ["CHORES"])
name = sys.argv[3]
(folder / f"{name}.{os.getpid()}").touch()
print("[2/4] under way", file=sys.stderr, flush=True)
while not (folder / "go").exists():
    time.sleep(0.02)
print('{"made": "%s"}' % name)
"""

if __name__ == "__main__":
    work.PROGRAM = (sys.executable, "-c", SCRIPT)
    record.LEASE, record.RENEW, recovery.LOOK = 1.0, 0.1, 0.2
    app()
