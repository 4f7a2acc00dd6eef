"""What this machine is, for the reader of a figure. Knows the operating system, and no figure."""

import platform
import re
from pathlib import Path


def processor() -> str:
    """What Linux calls it; elsewhere only its kind."""
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.is_file() else []
    return names[0] if names else platform.machine()
