"""`json_schema`: the format as JSON Schema 2020-12, for editors."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import CoreSchema

from rotator.config.kinds import Kinds
from rotator.config.ref import SecretRef
from rotator.config.root import NAME, Config

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_LOCATIONS = {
    "vault": "Path and field in Vault, such as registries/ghcr#token.",
    "file": "Absolute path of a file that holds the secret.",
    "env": "Name of an environment variable of the daemon.",
}


def json_schema(kinds: Kinds) -> dict[str, Any]:
    """Return the schema of a whole configuration. The same kinds give the same schema, key by key.

    It is laxer than the loader where a rule looks at two places at once or at the inside of a text, and stricter in
    one thing: it wants ``true`` and numbers bare, where the loader also takes ``yes`` and quotes.

    Args:
        kinds: What ``provider`` and ``type`` may say; every one is loaded.
    """
    credentials = {name: kinds.credentials[name] for name in sorted(kinds.credentials)}
    targets = {name: kinds.targets[name] for name in sorted(kinds.targets)}
    references, definitions = _definitions([Config, SecretRef, *credentials.values(), *targets.values()])
    definitions[references[SecretRef]] = _secret_reference()
    root = definitions.pop(references[Config])
    root["properties"]["credentials"] = _entries("provider", credentials, references, definitions)
    root["properties"]["targets"] = _entries("type", targets, references, definitions)
    for model in {*credentials.values(), *targets.values()}:
        definitions.pop(references[model])
    for unused in ("CredentialConfig", "TargetConfig"):
        definitions.pop(unused, None)
    described = _one_line({**root, "$defs": dict(sorted(definitions.items()))})
    return {"$schema": DIALECT, **described, "title": "rotator configuration"}


def _definitions(models: list[type[BaseModel]]) -> tuple[dict[type[BaseModel], str], dict[str, Any]]:
    """Return each model's name among the definitions, and all definitions."""
    found, schema = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)],
        ref_template="#/$defs/{model}",
        schema_generator=_Generator,
    )
    names = {model: str(ref["$ref"]).rpartition("/")[2] for (model, _), ref in found.items()}
    return {model: names[model] for model in models}, schema["$defs"]


def _entries(
    key: str,
    models: Mapping[str, type[BaseModel]],
    references: Mapping[type[BaseModel], str],
    definitions: dict[str, Any],
) -> dict[str, Any]:
    """Return the schema of a section with named entries, and add one definition per kind of entry."""
    branches = []
    for name, model in models.items():
        definition = copy.deepcopy(definitions[references[model]])
        for field, schema in definition["properties"].items():
            schema.setdefault("description", _description(model, field))
        definition["properties"][key] = {"const": name, "description": definition["properties"][key]["description"]}
        definition["required"] = sorted({key, *definition.get("required", [])})
        definition["title"] = f"{key} {name}"
        definitions[f"{key}.{name}"] = definition
        branches.append({"$ref": f"#/$defs/{key}.{name}"})
    return {
        "type": "object",
        "propertyNames": {"pattern": NAME},
        "additionalProperties": {
            "type": "object",
            "required": [key],
            "properties": {key: {"enum": list(models)}},
            "oneOf": branches,
        },
    }


def _description(model: type[BaseModel], field: str) -> str:
    """Return what ``field`` means; where a subclass only narrows it, what its base says."""
    bases = (base for base in model.__mro__ if issubclass(base, BaseModel) and field in base.model_fields)
    return next((text for base in bases if (text := base.model_fields[field].description)), "")


def _secret_reference() -> dict[str, Any]:
    """Return the schema of a reference as it is written, which is not how its model is made."""
    return {
        "description": "Where a secret is read; the secret itself is never written in the configuration.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {
            source: {"type": "string", "minLength": 1, "description": text} for source, text in _LOCATIONS.items()
        },
    }


def _one_line(value: Any) -> Any:
    """Return ``value`` with every description on one line, since editors show them as they are."""
    if isinstance(value, dict):
        return {
            key: _plain(inner) if key == "description" and isinstance(inner, str) else _one_line(inner)
            for key, inner in value.items()
        }
    return [_one_line(inner) for inner in value] if isinstance(value, list) else value


def _plain(text: str) -> str:
    """Return a docstring in the words of the file: absent where Python says None."""
    return " ".join(text.replace("``", "`").split()).replace("None:", "Not set:").replace("None,", "Not set,")


class _Generator(GenerateJsonSchema):
    """Leaves out a title per key: it would only repeat the key."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:  # noqa: ARG002
        return False
