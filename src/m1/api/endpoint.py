"""An endpoint is one annotated method; everything else about it is read from there.

    @endpoint(
        "session/query",
        verbs=("POST", "GET"),
        rights=("sessionQuery",),
        raises=(NotFound,),
        example={"store": "stash", "q": "user.name:Ada"},
    )
    async def query(self, call: Call, store: str, q: str, rows: Natural = 10) -> Page:
        '''Find items.'''

The signature is the parameters: the name, the kind (by annotation), whether it is needed
(no default). The docstring is the help. The return annotation is the kind of answer: None
is 204, `Text` plain text (or what `media` says), `Page` a stream, anything else JSON.
`rights` are those any one of which will do; an empty set is "any token", None is "no token";
`local` lets callers on this machine in without, where the operator wants it. Calls that only
read are those by GET; all others are written to the audit log unless the declaration says
otherwise.
`raises` are the refusals of its own, beside those that its signature and rights tell of.
Form reading, rights, `m1 help`, OpenAPI, the reference in docs/ and the tests all read the
same declaration.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, NewType

import msgspec

from m1.access import Caller
from m1.catalog import Catalog, Step
from m1.errors import BadRequest, Forbidden, M1Error, TooLarge, Unauthorized, Unavailable
from m1.jsontext import read


class Json(NamedTuple):
    """A parameter in JSON: the text as it came, and what it reads as."""

    text: bytes
    value: Any

    @classmethod
    def of(cls, text: bytes) -> Json:
        """Read a text; raises NotJson."""
        return cls(text, read(text))


Value = str | Json
"""A parameter as a call brings it: text, or JSON that is not a text."""

Text = NewType("Text", str)
"""An answer in plain text."""


@dataclass(frozen=True, slots=True)
class Call:
    """What an endpoint may know of a call besides its parameters; `now` in epoch ms.

    `catalog` is that of the moment when the call came: one call sees one configuration.
    `caller` is None where the endpoint needs no token, `is_local` True where a program on this
    machine calls; it is looked at only where no token is needed.
    """

    catalog: Catalog
    address: str
    now: int
    token: str | None = None
    caller: Caller | None = None
    is_local: bool = False

    def guarded(self, step: Step) -> Step:
        """Give a step that raises Unauthorized once the caller has lost the token or a right.

        Of changes that were asked for at once, one may end what the others were let by.
        """

        def guarded(catalog: Catalog) -> Catalog:
            self._check_still(catalog)
            return step(catalog)

        return guarded

    def _check_still(self, catalog: Catalog) -> None:
        if self.caller is None:
            return
        now, then = (each.users.get(self.caller.user) for each in (catalog, self.catalog))
        if now is None or then is None or (now.epoch, now.rights) != (then.epoch, then.rights):
            raise Unauthorized("the token was revoked, or its rights changed: log in again")


class Kind:
    """How a parameter is read; `name` is what help calls it."""

    name = "String"
    is_secret = False
    """Whether the value may be neither logged nor shown."""
    is_said_once_taken = False
    """Whether it may, unless the call was refused: nobody knows what the value was then."""
    schema: Mapping[str, Any] = {"type": "string"}
    """What it looks like in a JSON body, as JSON Schema; a text that reads as it will do too."""

    def read(self, value: Value) -> Any:
        """Read a parameter; raises BadRequest, whose message follows the parameter's name."""
        if isinstance(value, str):
            return value
        text = value.text.decode()
        if text[0] in "[{":
            raise BadRequest("must be a text")
        return text


class SecretText(Kind):
    """A text that stays between the caller and us."""

    is_secret = True
    schema: Mapping[str, Any] = {"type": "string", "format": "password"}


class SettingText(Kind):
    """The text of a setting, or of something else whose name was mistaken for one."""

    is_said_once_taken = True


class Long(Kind):
    """A whole number that is not less than another; all beyond 10^18 are as large as that."""

    name = "long"

    def __init__(self, least: int) -> None:
        self.least = least
        self.schema = {"type": "integer", "minimum": least}

    def read(self, value: Value) -> int:
        """Read digits."""
        text = super().read(value)
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise BadRequest(f"must be a whole number, not {text[:40]!r}")
        number = int(digits) if len(digits) <= 18 else 10**18
        if text.startswith("-"):
            number = -number
        if number < self.least:
            raise BadRequest(f"must be at least {self.least}")
        return number


class JsonKind(Kind):
    """JSON, as text or as it stands in a JSON body; `schema` says what it must be."""

    name = "JSON"

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def read(self, value: Value) -> Json:
        """Read the text, if it was not read yet; raises NotJson."""
        return Json.of(value.encode()) if isinstance(value, str) else value


class Names(Kind):
    """A list of names: with commas between them, or a JSON list of texts."""

    name = "String[]"
    schema: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}

    def read(self, value: Value) -> tuple[str, ...]:
        """Give the names, each once, in the order given."""
        text = value if isinstance(value, str) else value.text.decode()
        if text.lstrip().startswith("["):
            try:
                names = msgspec.json.decode(text, type=list[str])
            except msgspec.MsgspecError:
                raise BadRequest("must be a list of texts") from None
        else:
            names = text.split(",")
        return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


Natural = Annotated[int, Long(0)]
Positive = Annotated[int, Long(1)]
NameList = Annotated[tuple[str, ...], Names()]
Secret = Annotated[str, SecretText()]
Setting = Annotated[str, SettingText()]


class Rest(dict[str, str]):
    """All parameters that are not declared, by their names, as texts of settings."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an endpoint."""

    name: str
    kind: Kind
    required: bool
    default: object

    def read(self, values: Mapping[str, Value]) -> Any:
        """Read this one out of what a call brings; raises BadRequest that names it."""
        value = values.get(self.name)
        if value is None:
            if self.required:
                raise BadRequest(f"{self.name}: this parameter is missing")
            return self.default
        try:
            return self.kind.read(value)
        except BadRequest as error:
            raise type(error)(f"{self.name}: {error.message}") from None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """All that is declared about an endpoint."""

    path: str
    verbs: tuple[str, ...]
    rights: tuple[str, ...] | None
    parameters: tuple[Parameter, ...]
    rest: str | None
    """The argument that gets the parameters of any other name, as texts."""
    answer: Any
    help: str
    media: str
    """The content type of an answer that is text."""
    local: bool
    """Whether `--local-metrics` opens it to callers on this machine."""
    audited: bool
    """Whether a call is written to the audit log."""
    raises: tuple[type[M1Error], ...]
    example: Mapping[str, Any]
    """The parameters of a call that makes sense, as in a JSON body."""

    @property
    def example_texts(self) -> dict[str, str]:
        """The parameters of the example, as in a form."""
        return {
            name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
            for name, value in self.example.items()
        }

    @property
    def refusals(self) -> list[type[M1Error]]:
        """The errors that a call may be answered with, by their statuses."""
        found: set[type[M1Error]] = {Unavailable, *self.raises}
        if self.rights is not None:
            found |= {Unauthorized, Forbidden}
        if self.parameters or self.rest:
            found |= {BadRequest, TooLarge}
        return sorted(found, key=lambda error: error.status)

    def read(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """Read the parameters of a call; raises BadRequest for the first that cannot be."""
        read = {parameter.name: parameter.read(values) for parameter in self.parameters}
        if self.rest is not None:
            others = values.keys() - read.keys()
            read[self.rest] = {
                name: Parameter(name, Kind(), True, None).read(values) for name in others
            }
        return read

    def sayable(self, read: Mapping[str, Any], was_taken: bool) -> dict[str, Any]:
        """Give those of the parameters that were read that may be said to others.

        `was_taken` tells whether the call did what it asked for; else settings are but names.
        """
        hidden = {
            each.name
            for each in self.parameters
            if each.kind.is_secret or (each.kind.is_said_once_taken and not was_taken)
        }
        said = {name: value for name, value in read.items() if name not in hidden}
        if self.rest in said and not was_taken:
            said[self.rest] = sorted(said[self.rest])
        return said


Method = Callable[..., Awaitable[Any]]


def endpoint(
    path: str,
    *,
    rights: tuple[str, ...] | None,
    verbs: tuple[str, ...] = ("POST",),
    media: str = "text/plain; charset=utf-8",
    local: bool = False,
    audited: bool | None = None,
    raises: tuple[type[M1Error], ...] = (),
    example: Mapping[str, Any] | None = None,
) -> Callable[[Method], Method]:
    """Declare a method to be an endpoint; see the module."""

    def declare(method: Method) -> Method:
        hints = typing.get_type_hints(method, include_extras=True)
        signature = [
            parameter
            for name, parameter in inspect.signature(method).parameters.items()
            if name not in ("self", "call")
        ]
        declared = Endpoint(
            path=path,
            verbs=verbs,
            rights=rights,
            parameters=tuple(
                _parameter(parameter, hints[parameter.name])
                for parameter in signature
                if hints[parameter.name] is not Rest
            ),
            rest=next((each.name for each in signature if hints[each.name] is Rest), None),
            answer=hints["return"],
            help=inspect.getdoc(method) or "",
            media=media,
            local=local,
            audited="GET" not in verbs if audited is None else audited,
            raises=raises,
            example=example or {},
        )
        method.__dict__["endpoint"] = declared
        return method

    return declare


def _parameter(parameter: inspect.Parameter, hint: Any) -> Parameter:
    required = parameter.default is parameter.empty
    return Parameter(parameter.name, _kind(hint), required, None if required else parameter.default)


_TEXT = Kind()


def _kind(hint: Any) -> Kind:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next(inner for inner in typing.get_args(hint) if inner is not types.NoneType)
    if hint is str:
        return _TEXT
    kind = typing.get_args(hint)[1]
    assert isinstance(kind, Kind)
    return kind


def declared_in(*rooms: object) -> list[tuple[Endpoint, str]]:
    """Give the endpoints that classes (or their instances) declare, with the methods' names."""
    return [
        (member.endpoint, name)
        for room in rooms
        for name, member in _members(room)
        if hasattr(member, "endpoint")
    ]


def _members(room: object) -> Iterable[tuple[str, Any]]:
    holder = room if isinstance(room, type) else type(room)
    return vars(holder).items()
