"""What destinations of notifications were told: one more table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "notes",
        sa.Column("destination", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("credential", sa.String(64), primary_key=True),
        sa.Column("about", sa.String(255), primary_key=True),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("noticed_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("notes")
