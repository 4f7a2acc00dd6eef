"""A program in a worker's place: leaves its name in a folder, says that it answers, and ends as it is told to, by
signal or by pipe."""

import os
import select
import signal
import sys
import time
from pathlib import Path

index = sys.argv[sys.argv.index("--device-index") + 1]
tells = int(sys.argv[sys.argv.index("--tell-pipe") + 1])
model = os.environ["FRONTDESK_MODEL"]
manner = os.environ.get(f"MANNER_{model}", os.environ[f"MANNER_{index}"])
names = Path(os.environ["NAMES"])

if manner == "refuses":
    sys.exit(1)
if manner == "crashes":
    os.kill(os.getpid(), signal.SIGKILL)
if manner == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
(names / f"{index}-{os.getpid()}-{model}").touch()
if manner == "pipe":
    sys.exit(0 if sys.stdin.read() == "" else 3)
if manner != "loads":  # for ever
    os.write(tells, b"loaded\n")
retiring = False
while True:
    if select.select([0], [], [], 0.01)[0]:
        orders = os.read(0, 100).decode()
        if orders == "" and manner != "stubborn":
            os._exit(0)
        if orders == "":
            time.sleep(0.01)
        for order in orders.split("\n"):
            if order.startswith("retire"):
                retiring = True
                (names / f"retired-{os.getpid()}-{model}").touch()
            if order == "stay":
                retiring = False
    # an answer under way takes until somebody allows its end
    if retiring and (manner != "lingers" or (names / "end").exists()):
        os._exit(0)
