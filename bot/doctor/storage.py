"""Where the house keeps its data: the folder, and the room on its disk.

Knows the file system, and makes nothing there. What stands in the files is for the others to read.
"""

from __future__ import annotations

import os
import shutil
import stat

from bot.finding import Finding
from bot.settings import Settings

LITTLE_DISK = 2 * 1024**3  # bytes; a real model takes this and more
NO_DISK = 200 * 1024**2  # bytes; SQLite, logs and Redis need some room to breathe


def check_folder(settings: Settings) -> Finding:
    data = settings.data.absolute()
    if not data.exists():
        parent = next(folder for folder in data.parents if folder.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return Finding("ok", "data folder", f"{data} will be made at the first start")
        todo = "set FRONTDESK_DATA to a folder of yours"
        return Finding("fail", "data folder", f"{data} cannot be made: {parent} is not writable", todo)
    if not data.is_dir() or not os.access(data, os.W_OK | os.X_OK):
        return Finding(
            "fail", "data folder", f"{data} is no folder that can be written to", "set FRONTDESK_DATA to one"
        )
    if stat.S_IMODE(data.stat().st_mode) & 0o077:
        return Finding("warn", "data folder", f"{data} can be opened by other users", f"chmod 700 {data}")
    return Finding("ok", "data folder", str(data))


def check_disk(settings: Settings) -> Finding:
    data = settings.data.absolute()
    free = shutil.disk_usage(next(folder for folder in (data, *data.parents) if folder.is_dir())).free
    said = f"{free / 1024**3:.1f} GB free"
    if free < NO_DISK:
        return Finding("fail", "disk", said, "make room, or set FRONTDESK_DATA to a folder on another disk")
    if free < LITTLE_DISK:
        return Finding("warn", "disk", said, "a real model needs some gigabytes")
    return Finding("ok", "disk", said)
