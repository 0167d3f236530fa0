# SPDX-License-Identifier: Apache-2.0
"""Settings of a daemon: one frozen model per program, from a TOML file and the environment.

A variable `A6HUB_<NAME>` overrides the member of that name. Unknown members are errors. Whatever is
secret stands in a file of its own, named here: the database URL, the broker URL, the key password.
A model says whose settings it takes: each verb reads them by it, so none acts on the database of
another program.
The docstrings of the members are the manual; `docs/operating.md` is held to them.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Self, TypeVar

from pydantic import Field, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from runtime.desk import roles_of
from runtime.errors import LocalProtocolError, in_one_line
from runtime.orders import Operator
from runtime.program import Program
from runtime.second_person import LIFETIME_SECONDS, SecondPerson, check_entries, key_id
from schemas.identifiers import Actor, Participant
from schemas.limits import MESSAGES_MAX

__all__ = ["DaemonSettings", "load_settings", "secret"]


class DaemonSettings(BaseSettings):
    """What every daemon needs; durations in seconds."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="A6HUB_", use_attribute_docstrings=True
    )
    program: ClassVar[type[Program]]

    participant: Participant
    """The participant that this program speaks for, such as GHA01."""
    actors: Annotated[list[Actor], Field(min_length=1)]
    """Its actors; the first one speaks for the program as a whole."""
    database_file: Path
    """File with the database URL: sqlite:///… or postgresql+asyncpg://…"""
    broker_file: Path
    """File with the broker URL: amqp://… or amqps://…"""
    keys: Path
    """Folder with the private keys: one per actor, and witness.pem."""
    key_password_file: Path | None = None
    """File with the password of the private keys, if they have one."""
    genesis: Path | None = None
    """The genesis act, with which the log must begin; every program but the hub needs it."""
    operators: list[Operator] = []
    """Who may give commands: name, role (viewer, operator, administrator, entity), public key; for
    an authorized entity also its name, and the accounts whose units it may move."""
    second_person: list[str] | None = None
    """Commands that a second person has to confirm: names such as `close-year`, or `propose ADM`
    for what the section ADM proposes. If it is left away, none; at the mechanism registry `issue`,
    what else its administrators alone may command, and `propose ADM`."""
    second_person_seconds: Annotated[float, Field(ge=60, le=30 * 24 * 3600)] = LIFETIME_SECONDS
    """How long such a command waits; then it is refused."""
    http_host: str = "127.0.0.1"
    """Where /healthz, /readyz and /metrics are served."""
    http_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Their port; 0 serves nothing."""
    log_level: Annotated[str, Field(pattern="^(?:debug|info|warning|error)$")] = "info"
    """What is logged at least."""
    batch_max: Annotated[int, Field(ge=1, le=1000)] = 200
    """Envelopes in one batch."""
    bundle_max: Annotated[int, Field(ge=1, le=MESSAGES_MAX)] = MESSAGES_MAX
    """Messages in one envelope that is sent."""
    tick_seconds: Annotated[float, Field(gt=0, le=10)] = 0.25
    """How often deadlines, checkpoints and the desk are looked at."""
    sweep_seconds: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """From what age on an unconfirmed envelope is sent again."""
    hold_seconds: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """How long an envelope of an unknown sender or key waits for the directory."""
    drain_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    """How long a stopping program tries to send what it has sealed."""

    @model_validator(mode="after")
    def _actors_of_its_own(self) -> Self:
        for actor in self.actors:
            if actor.participant != self.participant:
                raise ValueError(f"actors: {actor} is no actor of {self.participant}")
        if len(set(self.actors)) != len(self.actors):
            raise ValueError("actors: one of them stands twice")
        return self

    @model_validator(mode="after")
    def _operators_apart(self) -> Self:
        names: dict[str, str] = {}
        for operator in self.operators:
            other = names.setdefault(key_id(operator), operator.name)
            if other != operator.name:
                raise ValueError(
                    f"operators: {other} and {operator.name} have one key; make one for each person"
                )
        if len(names) != len(self.operators) or len(set(names.values())) != len(names):
            raise ValueError("operators: one of them stands twice; a person has one name and key")
        return self

    @model_validator(mode="after")
    def _second_person_known(self) -> Self:
        program = getattr(self, "program", None)  # what reads any program's settings has none
        if program is not None:
            check_entries(self.second_person or [], roles_of(program), self.actors)
        return self

    def dual_control(self) -> SecondPerson:
        """Which commands need a second person here, and how long they wait."""
        chosen = self.second_person
        commands = self.program.second_person if chosen is None else tuple(chosen)
        return SecondPerson(commands, self.second_person_seconds)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file, and nothing else."""
        path = settings_cls.model_config.get("toml_file")
        return env_settings, TomlConfigSettingsSource(settings_cls, path)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a TOML file and the environment."""

        class FromFile(cls):  # type: ignore[valid-type,misc]
            model_config = SettingsConfigDict(toml_file=path)

        settings: Self = FromFile()
        return settings


S = TypeVar("S", bound=DaemonSettings)


def load_settings(model: type[S], path: Path) -> S:
    """A program's settings; `LocalProtocolError` names the member that is wrong."""
    if not path.is_file():
        raise LocalProtocolError(f"{path}: no such settings file")
    try:
        return model.from_file(path)
    except ValueError as error:
        raise LocalProtocolError(f"{path}: {in_one_line(error)}") from None


def secret(path: Path) -> str:
    """The one line of a secret's file."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LocalProtocolError(in_one_line(error)) from None
