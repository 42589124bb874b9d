# What rotator needs of Vault or OpenBao to read its secrets: vault policy write rotator deploy/vault/rotator.hcl
# For secrets directly below the mount "registries", with a key-value engine of version 2. "+" stands for one name: where
# others keep secrets there as well, write a pair of rules for each secret instead.
path "registries/data/+" {
  capabilities = ["read"]
}

# By its metadata a change is noticed, without the secret being read; and they say when it expires.
path "registries/metadata/+" {
  capabilities = ["read"]
}

# An engine of version 1 has no metadata; instead of both:
#path "registries/+" {
#  capabilities = ["read"]
#}

# Its own token: it is renewed, and one that was given (method: token) is looked at. Vault's policy "default" says the
# same; with these, the role may have token_no_default_policy=true.
path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

# `rotator doctor` asks which of these rights the token has; "default" allows that as well.
path "sys/capabilities-self" {
  capabilities = ["update"]
}
