"""A program in a worker's place: leaves its name in a folder, and ends as it is told to, by signal or by pipe."""

import os
import signal
import sys
import time
from pathlib import Path

index = sys.argv[sys.argv.index("--device-index") + 1]
manner = os.environ[f"MANNER_{index}"]

if manner == "refuses":
    sys.exit(1)
if manner == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
(Path(os.environ["NAMES"]) / f"{index}-{os.getpid()}").touch()
if manner == "pipe":
    sys.exit(0 if sys.stdin.read() == "" else 3)
while True:
    time.sleep(60)
