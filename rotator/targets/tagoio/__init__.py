"""What the two TagoIO targets share: how its API is reached, and what its answers mean.

Sources: docs.tago.io with its ``specs/tagoio-api.yaml`` (read 2026-05-29), github.com/tago-io/sdk-js
``src/infrastructure/apiRequest.ts`` and ``src/modules/Resources/Secrets.ts`` (read 2026-07-23), and
github.com/tago-io/mcp-server ``src/server/shared.ts`` for the rules about addresses (read 2026-07-31).
"""
