"""For whoever writes the next migration: `alembic revision --autogenerate` against a database at the last one.

    DATABASE_URL=sqlite:////tmp/next.sqlite3 python -m bot.store.migrations "what changes"

The house itself runs `bot/store/schema.py` and never this file's offline mode.
"""

from __future__ import annotations

from alembic import context

from bot.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, compare_type=True, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
