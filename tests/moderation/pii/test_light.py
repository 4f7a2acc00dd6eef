"""What importing the package costs: nothing heavy, until a text needs it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("phonenumbers", "detect_secrets", "stdnum")
PROGRAM = f"""
import sys
from moderation.pii import find
def heavy(): return sorted(name for name in {HEAVY} if name in sys.modules)
assert heavy() == [], heavy()
assert find("Hello, how do I get to the station by bus tomorrow?") == ()
assert heavy() == [], heavy()
assert find("call +44 20 7946 0958")
assert "phonenumbers" in heavy() and "detect_secrets" not in heavy(), heavy()
"""


def test_plain_text_loads_no_heavy_library():
    subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], check=True, timeout=120)
