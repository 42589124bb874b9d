"""The audit of one credential is found without reading all of it: one more index."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("audit_by_credential", "audit", ["credential", "number"])


def downgrade() -> None:
    """Remove the index."""
    op.drop_index("audit_by_credential", "audit")
