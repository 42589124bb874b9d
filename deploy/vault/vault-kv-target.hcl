# What a vault_kv target needs beside rotator.hcl, for `paths: [registries/pull]` and a key-value engine of version 2.
# Of version 1 instead: path "registries/pull" with create, read and update.
path "registries/data/pull" {
  capabilities = ["create", "read", "update", "patch"]
}

path "registries/metadata/pull" {
  capabilities = ["create", "read", "update", "patch"]
}
