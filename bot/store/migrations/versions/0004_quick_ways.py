"""Quickly from a platform's message to the answer that it carries, and from somebody to what they used today."""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index(op.f("ix_outbox_platform_key"), "outbox", ["platform_key"])
    op.create_index(op.f("ix_usage_person_id_created"), "usage", ["person_id", "created"])
    op.create_index(op.f("ix_usage_place_id_created"), "usage", ["place_id", "created"])


def downgrade() -> None:
    op.drop_index(op.f("ix_usage_place_id_created"), table_name="usage")
    op.drop_index(op.f("ix_usage_person_id_created"), table_name="usage")
    op.drop_index(op.f("ix_outbox_platform_key"), table_name="outbox")
