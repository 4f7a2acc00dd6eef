"""From a platform's message to the answer that it carries, quickly: people react to it."""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index(op.f("ix_outbox_platform_key"), "outbox", ["platform_key"])


def downgrade() -> None:
    op.drop_index(op.f("ix_outbox_platform_key"), table_name="outbox")
