"""Checks one record against docs/records.schema.json.

Only the keywords that this schema uses are understood, and the tests hold the result against the
jsonschema package. So the tool needs nothing but Python.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

SCHEMA_PATH = Path(__file__).resolve().parents[2] / "docs" / "records.schema.json"

ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description"}
KEYWORDS = {
    "$ref", "type", "enum", "const", "pattern", "minimum", "required", "properties", "allOf",
    "if", "then",
}  # fmt: skip

TYPES = {
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float, Decimal))
    and not isinstance(value, bool),
}


@lru_cache(maxsize=None)
def load() -> dict[str, Any]:
    return json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))


def kinds() -> list[str]:
    """The record kinds that this version knows."""
    return load()["properties"]["record"]["enum"]


def shown(value: Any) -> str:
    """A value as JSON writes it."""
    return json.dumps(value, default=str)


def errors(record: Any) -> list[str]:
    """What is wrong with a record, each as "field: expected ..., found ..."."""
    found: list[str] = []
    _check(record, load(), "", found)
    return list(dict.fromkeys(found))


def _check(value: Any, schema: dict[str, Any], field: str, found: list[str]) -> None:
    unknown = schema.keys() - KEYWORDS - ANNOTATIONS
    if unknown:
        raise NotImplementedError(f"schema keywords that are not understood: {sorted(unknown)}")

    def expected(what: str) -> None:
        where = f"{field}: " if field else ""
        found.append(f"{where}expected {what}, found {shown(value)}")

    if "$ref" in schema:
        _check(value, load()["$defs"][schema["$ref"].removeprefix("#/$defs/")], field, found)
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(TYPES[name](value) for name in names):
            expected(" or ".join(names))
            return
    if "const" in schema and not _same(value, schema["const"]):
        expected(shown(schema["const"]))
    if "enum" in schema and not any(_same(value, word) for word in schema["enum"]):
        expected("one of " + ", ".join(map(shown, schema["enum"])))
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        expected(f"a string like {schema['pattern']}")
    if "minimum" in schema and TYPES["number"](value) and value < schema["minimum"]:
        expected(f"at least {schema['minimum']}")
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                found.append(f'expected a field "{name}", found none')
        for name, part in schema.get("properties", {}).items():
            if name in value:
                _check(value[name], part, name, found)
    for part in schema.get("allOf", []):
        _check(value, part, field, found)
    if "if" in schema:
        condition: list[str] = []
        _check(value, schema["if"], field, condition)
        if not condition:
            _check(value, schema["then"], field, found)


def _same(value: Any, other: Any) -> bool:
    # JSON's true is not its 1, but Python's True == 1.
    return value == other and isinstance(value, bool) == isinstance(other, bool)
