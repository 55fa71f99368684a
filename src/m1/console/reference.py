"""The reference of the API as a page, made from the endpoints: static, and all text is escaped."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any
from xml.etree.ElementTree import Element, tostring

from m1 import __version__
from m1.api.endpoint import Endpoint, Parameter
from m1.api.openapi import Part, document
from m1.api.rooms import answer_text, example_text, need_text, rights_text

_SERVER = "http://127.0.0.1:8100"


def reference(endpoints: Iterable[Endpoint]) -> str:
    """Give the whole page."""
    endpoints = list(endpoints)
    described = document(endpoints)
    main = [
        _e("h1", "The API"),
        *(_e("p", *_prose(each)) for each in described["info"]["description"].split("\n\n")),
        *(_section(each, described["paths"]) for each in endpoints),
        _schemas(described["components"]["schemas"]),
        _e("p", "Nothing here has these words.", id="nothing", hidden="", role="status"),
    ]
    page = _e(
        "html",
        _head(),
        _e(
            "body",
            _e("a", "To the endpoints", href="#main", klass="skip"),
            _banner(),
            _e("div", _index(endpoints), _e("main", *main, id="main"), klass="docs"),
        ),
        lang="en",
    )
    return "<!doctype html>\n" + tostring(page, encoding="unicode", method="html") + "\n"


def _head() -> Element:
    return _e(
        "head",
        _e("meta", charset="utf-8"),
        _e("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _e("title", "The API · m1 session stores"),
        _e("link", rel="icon", href="console/icon.svg"),
        _e("link", rel="stylesheet", href="console/base.css"),
        _e("link", rel="stylesheet", href="console/docs.css"),
        _e("script", src="console/theme.js"),
        _e("script", src="console/docs.js", type="module"),
    )


def _banner() -> Element:
    return _e(
        "header",
        _e("a", "m1", _e("span", " session stores"), href="console", klass="brand"),
        _e("span", f"API {__version__}", klass="muted version"),
        _e("span", klass="gap"),
        _e("a", "openapi.json", href="openapi.json"),
        _e("a", "Console", href="console"),
        _e("button", "Theme", type="button", id="theme", klass="quiet"),
        klass="banner",
    )


def _index(endpoints: list[Endpoint]) -> Element:
    groups = groupby(endpoints, key=lambda each: each.path.partition("/")[0])
    return _e(
        "nav",
        _e("label", "Search", _e("input", type="search", id="search", placeholder="Press /")),
        *(_group(name, each) for name, each in groups),
        _e("a", "Schemas", href="#schemas"),
        **{"aria-label": "Endpoints"},
    )


def _group(name: str, endpoints: Iterable[Endpoint]) -> Element:
    links = [
        _e("li", _e("a", *_verbs(each), f"/{each.path}", href=f"#{_anchor(each)}"))
        for each in endpoints
    ]
    return _e("ul", *links, **{"aria-label": name})


def _section(endpoint: Endpoint, paths: dict[str, Any]) -> Element:
    operation = paths[f"/{endpoint.path}"][endpoint.verbs[0].lower()]
    first, *others = endpoint.help.split("\n\n")
    return _e(
        "section",
        _e("h2", *_verbs(endpoint), _e("code", f"/{endpoint.path}")),
        _e("p", *_prose(first), klass="first"),
        *(_e("p", *_prose(each)) for each in others),
        _e("p", _e("b", "Rights: "), rights_text(endpoint)),
        *_parameters(endpoint),
        _e("h3", "Answers"),
        _table(("status", "what it means", "content"), _answers(endpoint, operation)),
        _e("h3", "Example"),
        _e("pre", _examples(endpoint), tabindex="0", **{"aria-label": "Example"}),
        id=_anchor(endpoint),
    )


def _parameters(endpoint: Endpoint) -> Iterator[Element]:
    if endpoint.parameters:
        yield _e("h3", "Parameters")
        rows = [_parameter(endpoint, each) for each in endpoint.parameters]
        yield _table(("name", "type", "needed", "as in"), rows)


def _parameter(endpoint: Endpoint, parameter: Parameter) -> list[Element | str]:
    example = endpoint.example_texts.get(parameter.name)
    return [
        _e("code", parameter.name),
        parameter.kind.name,
        need_text(parameter),
        "" if example is None else _e("code", example),
    ]


def _answers(endpoint: Endpoint, operation: Part) -> Iterator[list[Element | str]]:
    for status, response in operation["responses"].items():
        content = [
            _e("div", _e("code", kind), " ", *_shape(each["schema"]))
            for kind, each in response.get("content", {}).items()
        ]
        meaning = _success(endpoint) if status.startswith("2") else response["description"]
        yield [status, meaning, _e("div", *content)]


def _success(endpoint: Endpoint) -> str:
    return answer_text(endpoint).partition(", ")[2]


def _shape(schema: Part) -> list[Element | str]:
    """Say what a schema allows, in a few words, with links to those that have names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [_e("a", name, href=f"#schema-{name}")]
    if schema.get("type") == "array":
        return ["list of ", *_shape(schema["items"])]
    if isinstance(schema.get("additionalProperties"), dict):
        return ["map of ", *_shape(schema["additionalProperties"])]
    return [str(schema.get("type", "any JSON"))]


def _examples(endpoint: Endpoint) -> str:
    texts = endpoint.example_texts
    path = re.sub(r"{(\w+)}", lambda name: texts.pop(name[1]), endpoint.path)
    token = "" if endpoint.rights is None else ' -H "m1-auth-token: $myToken"'
    verb = "" if endpoint.verbs[0] == ("POST" if texts else "GET") else f" -X {endpoint.verbs[0]}"
    if endpoint.verbs[0] == "GET" and texts:
        verb = " -G"
    fields = [f"--data-urlencode {shlex.quote(f'{key}={text}')}" for key, text in texts.items()]
    return "\n\n".join(
        [example_text(endpoint), " \\\n  ".join([f"curl{verb} {_SERVER}/{path}{token}", *fields])]
    )


def _schemas(schemas: Part) -> Element:
    shown = [
        _e(
            "div",
            _e("h3", name, id=f"schema-{name}"),
            _e("pre", json.dumps(schema, indent=2), tabindex="0", **{"aria-label": name}),
        )
        for name, schema in schemas.items()
    ]
    return _e("section", _e("h2", "Schemas"), *shown, id="schemas")


# --- elements ---


def _verbs(endpoint: Endpoint) -> list[Element]:
    return [_e("span", verb, klass=f"verb {verb.lower()}") for verb in endpoint.verbs]


def _anchor(endpoint: Endpoint) -> str:
    return re.sub(r"\W+", "-", f"{endpoint.verbs[0].lower()} {endpoint.path}").strip("-")


def _table(head: Iterable[str], rows: Iterable[list[Element | str]]) -> Element:
    return _e(
        "table",
        _e("thead", _e("tr", *(_e("th", each, scope="col") for each in head))),
        _e("tbody", *(_e("tr", *(_e("td", cell) for cell in row)) for row in rows)),
    )


def _prose(text: str) -> list[Element | str]:
    """Give a paragraph with what stands in backquotes as code."""
    parts = text.replace("\n", " ").split("`")
    return [_e("code", part) if odd % 2 else part for odd, part in enumerate(parts)]


def _e(tag: str, *children: Element | str, **attributes: str) -> Element:
    """Make an element; the attribute `class` is written klass."""
    named = {name.replace("klass", "class"): value for name, value in attributes.items()}
    element = Element(tag, named)
    for child in children:
        if isinstance(child, Element):
            element.append(child)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + child
        else:
            element.text = (element.text or "") + child
    return element
