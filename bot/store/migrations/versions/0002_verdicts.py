"""Verdicts that can be reviewed: where they were passed, by which scores, and what people made of them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("review = 'pending'")
TEXT_KEPT = sa.text("text IS NOT NULL")


def upgrade() -> None:
    op.rename_table("verdict", "verdict_before")
    op.drop_index("ix_verdict_message_id", table_name="verdict_before")
    if op.get_bind().dialect.name == "postgresql":  # names of constraints are the schema's there
        op.execute('ALTER TABLE verdict_before RENAME CONSTRAINT "pk_verdict" TO "pk_verdict_before"')
    op.create_table(
        "verdict",
        sa.Column("id", BIG, nullable=False),
        sa.Column("message_id", BIG, nullable=True),
        sa.Column("place_id", BIG, nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("text_hash", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("review", sa.String(), nullable=True),
        sa.Column("reviewed_by", sa.String(), nullable=False),
        sa.Column("reviewed_at", sa.Double(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_verdict_message_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_verdict_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict")),
    )
    op.execute(
        """
        INSERT INTO verdict (message_id, place_id, channel, caller, direction, action, findings, scores, language,
                             model, policy, text_hash, text, created, review, reviewed_by, reviewed_at, note)
        SELECT v.message_id, m.place_id, p.channel, '', v.direction, v.action, v.findings, '{}', '',
               '', v.policy, v.text_hash, NULL, v.created, NULL, '', NULL, ''
        FROM verdict_before v JOIN message m ON m.id = v.message_id JOIN place p ON p.id = m.place_id
        ORDER BY v.id
        """
    )
    op.drop_table("verdict_before")
    op.create_index(op.f("ix_verdict_message_id"), "verdict", ["message_id"])
    op.create_index(op.f("ix_verdict_text_hash"), "verdict", ["text_hash"])
    op.create_index("ix_verdict_waiting", "verdict", ["id"], sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_index(
        "ix_verdict_text_kept", "verdict", ["created"], sqlite_where=TEXT_KEPT, postgresql_where=TEXT_KEPT
    )


def downgrade() -> None:
    """What /v1 asked has no message, and so no row before."""
    op.rename_table("verdict", "verdict_after")
    for index in (
        "ix_verdict_text_kept",
        "ix_verdict_waiting",
        "ix_verdict_text_hash",
        "ix_verdict_message_id",
    ):
        op.drop_index(index, table_name="verdict_after")
    if op.get_bind().dialect.name == "postgresql":
        op.execute('ALTER TABLE verdict_after RENAME CONSTRAINT "pk_verdict" TO "pk_verdict_after"')
    op.create_table(
        "verdict",
        sa.Column("id", BIG, nullable=False),
        sa.Column("message_id", BIG, nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("text_hash", sa.String(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_verdict_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict")),
    )
    op.execute(
        """
        INSERT INTO verdict (message_id, direction, action, findings, policy, text_hash, created)
        SELECT message_id, direction, action, findings, policy, text_hash, created
        FROM verdict_after WHERE message_id IS NOT NULL ORDER BY id
        """
    )
    op.drop_table("verdict_after")
    op.create_index(op.f("ix_verdict_message_id"), "verdict", ["message_id"])
