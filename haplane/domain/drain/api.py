"""API objects as the API server returns them, what all kinds have in common. Untrusted: validated and bounded.

The shapes are those of the API, pruned by ``operations/on_host/node_api.py`` to the fields named here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from haplane.domain.reported import MOST, Count

QUANTITY = re.compile(r"^([+-]?[0-9]{1,30}(?:\.[0-9]{0,12})?)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,2}))?$")
FACTORS = {"": Fraction(1), "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000)}
FACTORS |= {suffix: Fraction(1000) ** place for place, suffix in enumerate("kMGTPE", 1)}
FACTORS |= {f"{suffix}i": Fraction(1024) ** place for place, suffix in enumerate("KMGTPE", 1)}

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.:-]{0,251}[a-z0-9])?$")]
Uid = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
OBJECT_BYTES = 4 << 20
"""No object is larger, nor a text or list in one: etcd takes requests of 1.5 MiB. Whatever the API takes of users has
to be read, or the owner of one pod keeps every node from being drained.
"""
Text = Annotated[str, Field(max_length=OBJECT_BYTES)]
Entries = Field(max_length=OBJECT_BYTES)
Labels = Annotated[dict[Text, Text], Entries]


def thousandths(text: str) -> int:
    """A resource quantity such as ``100m``, ``1.5Gi`` or ``12e6`` in thousandths, rounded up; MOST at most.

    Raises ValueError for what is no quantity.
    """
    found = QUANTITY.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a quantity")
    number, suffix, exponent = found.groups()
    factor = Fraction(10) ** int(exponent) if exponent else FACTORS[suffix or ""]
    return max(-MOST, min(MOST, -int(-Fraction(number) * factor * 1000 // 1)))


def _quantities(value: Any) -> Any:  # noqa: ANN401 - whatever the API server sent
    return {key: thousandths(str(each)) for key, each in value.items()} if isinstance(value, dict) else value


Quantities = Annotated[dict[Text, Count], Entries, BeforeValidator(_quantities)]
"""By resource, in thousandths."""


class ApiObject(BaseModel):
    """Frozen; a field that is null or absent has its default, what is not named here is ignored."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the API server sent
        return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value


class OwnerReference(ApiObject):
    """``controller``: this one creates a replacement. Kinds of one name are in several groups."""

    api_version: Text = ""
    kind: Text
    name: Text
    uid: Text
    controller: bool = False

    @property
    def group(self) -> str:
        """The API group; empty for the core's."""
        return self.api_version.rpartition("/")[0]


class Metadata(ApiObject):
    """``deletion_timestamp`` is when the grace period ends, as the API has it."""

    name: Name
    namespace: Name = "default"
    uid: Uid = "0"
    generation: Count = 0
    labels: Labels = Field(default_factory=dict)
    annotations: Annotated[dict[Text, Text], Entries] = Field(default_factory=dict)
    finalizers: Annotated[tuple[Text, ...], Entries] = ()
    owner_references: Annotated[tuple[OwnerReference, ...], Entries] = ()
    deletion_timestamp: AwareDatetime | None = None

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that replaces it."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class Object(ApiObject):
    """Anything with metadata."""

    metadata: Metadata

    @property
    def name(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.metadata.namespace}/{self.metadata.name}"


class Requirement(ApiObject):
    """One of ``In``, ``NotIn``, ``Exists``, ``DoesNotExist``, ``Gt``, ``Lt``; others match nothing."""

    key: Text
    operator: Text
    values: Annotated[tuple[Text, ...], Entries] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels, or fields by their path, satisfy it."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return self._compares(value)
        return False

    def _compares(self, value: str | None) -> bool:
        try:
            have, limit = int(value or ""), int(self.values[0])
        except (ValueError, IndexError):
            return False
        return have > limit if self.operator == "Gt" else have < limit


Requirements = Annotated[tuple[Requirement, ...], Entries]


class Selector(ApiObject):
    """Of labels; an empty one matches all."""

    match_labels: Labels = Field(default_factory=dict)
    match_expressions: Requirements = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are selected."""
        return self.match_labels.items() <= labels.items() and all(
            one.holds(labels) for one in self.match_expressions
        )


class NodeTerm(ApiObject):
    """All of these; one without any matches nothing."""

    match_expressions: Requirements = ()
    match_fields: Requirements = ()


class NodeSelector(ApiObject):
    """Any of these."""

    node_selector_terms: Annotated[tuple[NodeTerm, ...], Entries] = ()


class NodeAffinity(ApiObject):
    """Of a pod under the long name, of a PersistentVolume under ``required``."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    required: NodeSelector | None = None


class Toleration(ApiObject):
    """A pod's: which taints it tolerates; empty fields match all."""

    key: Text = ""
    operator: Text = "Equal"
    value: Text = ""
    effect: Text = ""


class Taint(ApiObject):
    """A node's: it keeps pods away that do not tolerate it."""

    key: Text
    value: Text = ""
    effect: Text = ""

    def tolerated_by(self, tolerations: tuple[Toleration, ...]) -> bool:
        """Whether one of them covers it."""
        return any(
            one.effect in ("", self.effect)
            and (one.key == self.key or (not one.key and one.operator == "Exists"))
            and (one.operator == "Exists" or one.value == self.value)
            for one in tolerations
        )
