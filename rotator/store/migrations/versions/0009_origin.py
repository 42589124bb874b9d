"""Which registry a version is for, and who made it: two more columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    with op.batch_alter_table("versions") as versions:
        versions.add_column(sa.Column("registry", sa.Text, nullable=False, server_default=sa.text("''")))
        versions.add_column(sa.Column("maker", sa.String(16), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    """Remove the columns."""
    with op.batch_alter_table("versions") as versions:
        versions.drop_column("maker")
        versions.drop_column("registry")
