"""What platforms deliver and what is brought to them: kept events, notes of channels, sendings with their details."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNFINISHED = sa.text("state IN ('received', 'leased')")


def upgrade() -> None:
    op.add_column("inbox", sa.Column("outcome", sa.String(), nullable=False, server_default=""))
    op.add_column("inbox", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("feedback", sa.Column("reason", sa.String(), nullable=False, server_default=""))
    op.drop_table("outbox")  # nothing has written to it so far
    op.create_table(
        "outbox",
        sa.Column("id", BIG, nullable=False),
        sa.Column("message_id", BIG, nullable=False),
        sa.Column("platform_key", sa.String(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_outbox_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("message_id", "platform_key", name=op.f("uq_outbox_message_id_platform_key")),
    )
    op.create_table(
        "event",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("channel", "key", name=op.f("uq_event_channel_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_event_unfinished",
        "event",
        ["channel", "lane", "id"],
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )
    op.create_table(
        "shelf",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("until", sa.Double(), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shelf")),
        sa.UniqueConstraint("channel", "name", name=op.f("uq_shelf_channel_name")),
    )


def downgrade() -> None:
    op.drop_table("shelf")
    op.drop_index("ix_event_unfinished", table_name="event")
    op.drop_table("event")
    op.drop_table("outbox")
    op.create_table(
        "outbox",
        sa.Column("id", BIG, nullable=False),
        sa.Column("turn_id", BIG, nullable=False),
        sa.Column("platform_key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["turn_id"], ["message.id"], name=op.f("fk_outbox_turn_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("turn_id", "platform_key", name=op.f("uq_outbox_turn_id_platform_key")),
    )
    op.drop_column("feedback", "reason")
    op.drop_column("inbox", "failures")
    op.drop_column("inbox", "outcome")
