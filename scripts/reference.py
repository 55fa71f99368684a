"""Write the reference of the API, docs/api.md, from the endpoints themselves."""

from __future__ import annotations

from m1.api.endpoint import Endpoint
from m1.api.rooms import (
    answer_text,
    endpoints,
    example_text,
    need_text,
    refusals_text,
    rights_text,
)

_HEAD = """\
# The API

Made from the endpoints by `make reference`; do not edit. Calls carry the token in the header
`m1-auth-token`. Parameters come in the query string, as a form (`curl -d`), as multipart
(`curl --form`) or as a JSON object; those that an endpoint does not know are ignored.
Every refusal is `{"message": "...", "status": N}`; 405, 408, 414 and 431 may meet any call that is
not well formed. Every answer has the header `m1-request-id`, by which the log speaks of it.
A server describes itself in OpenAPI 3.1 at `/openapi.json`, and as a page at `/docs`.
"""


def reference() -> str:
    """Give the whole page."""
    return "\n".join([_HEAD, *map(_section, endpoints())])


def _section(endpoint: Endpoint) -> str:
    lines = [
        f"## {' or '.join(endpoint.verbs)} /{endpoint.path}",
        "",
        endpoint.help,
        "",
        f"- rights: {rights_text(endpoint)}",
        f"- answer: {answer_text(endpoint)}",
        f"- refusals: {refusals_text(endpoint)}",
        "",
    ]
    if endpoint.parameters:
        lines += ["| parameter | type | |", "|---|---|---|"]
        lines += [
            f"| {each.name} | {each.kind.name} | {need_text(each)} |"
            for each in endpoint.parameters
        ]
        lines.append("")
    lines += [f"    {example_text(endpoint)}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201
