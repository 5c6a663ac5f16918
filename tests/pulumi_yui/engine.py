"""What Pulumi's engine does with a program and the dynamic provider's own process, over their gRPC.

A program is run by the SDK's runtime against a resource monitor, which asks the plugin that ships with the
SDK (`python -m pulumi.dynamic`) to check, compare, make, change and remove, and keeps a state between runs.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pulumi
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import Settings, configure
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

DYNAMIC = "pulumi-python:dynamic/"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 — a mark, and public
"""How Pulumi marks a secret on its way between a program and the engine (sdk/go/common/resource/sig)."""


class ProgramFailed(Exception):
    """What the engine would print of it."""


@dataclass
class Kept:
    """One resource of a state."""

    id: str
    inputs: struct_pb2.Struct
    outputs: struct_pb2.Struct
    sealed: frozenset[str] = frozenset()
    """The properties that are encrypted in a state's file."""
    leans: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The resources that each property comes from."""
    on: frozenset[str] = frozenset()
    """Those that it has to come after."""


@dataclass
class Ran:
    """What was done or, in a preview, would be: `create`, `update`, `replace`, `delete`, `same` by name."""

    steps: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    differs: dict[str, set[str]] = field(default_factory=dict)
    """By name: what a program says otherwise than the state."""
    replaced: set[str] = field(default_factory=set)
    """Gone already, for the sake of what they lean on."""


@dataclass
class Engine:
    provider: provider_pb2_grpc.ResourceProviderStub
    state: dict[str, Kept] = field(default_factory=dict)

    def preview(self, program: Callable[[], None]) -> Ran:
        return self._run(program, preview=True)

    def up(self, program: Callable[[], None]) -> Ran:
        return self._run(program, preview=False)

    def destroy(self) -> Ran:
        return self.up(lambda: None)

    def refresh(self) -> None:
        """State as things are."""
        for urn, kept in list(self.state.items()):
            read = self.provider.Read(
                provider_pb2.ReadRequest(
                    id=kept.id, urn=urn, properties=kept.outputs, inputs=kept.inputs
                )
            )
            if not read.id:
                del self.state[urn]
            else:
                self.state[urn] = replace(
                    kept, id=read.id, inputs=read.inputs, outputs=read.properties
                )

    def as_text(self) -> str:
        """What Pulumi would write into a state's file."""
        return "\n".join(
            f"{urn} {kept.id} {json_format.MessageToJson(_without(part, kept.sealed))}"
            for urn, kept in self.state.items()
            for part in (kept.inputs, kept.outputs)
        )

    def _run(self, program: Callable[[], None], *, preview: bool) -> Ran:
        ran = Ran()
        server = grpc.server(futures.ThreadPoolExecutor(16))
        monitor = Monitor(self, ran, preview)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
        engine_pb2_grpc.add_EngineServicer_to_server(Log(ran), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        address = f"127.0.0.1:{port}"
        try:
            configure(
                Settings(
                    project="town",
                    stack="test",
                    monitor=address,
                    engine=address,
                    dry_run=preview,
                    organization="org",
                )
            )
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(pulumi.runtime.run_in_stack(program))
            except Exception as error:
                if not ran.failures:
                    ran.failures.append(str(error))
            finally:
                loop.close()
        finally:
            server.stop(0)
        if ran.failures:
            raise ProgramFailed("\n".join(ran.failures))
        self._remove_others(monitor.seen, ran, preview)
        return ran

    def _remove_others(self, seen: set[str], ran: Ran, preview: bool) -> None:
        left = [urn for urn in self.state if urn not in seen]
        while left:
            urn = next(urn for urn in reversed(left) if not self._leant_on(urn, left))
            left.remove(urn)
            ran.steps[urn.rpartition("::")[2]] = "delete"
            if not preview:
                kept = self.state[urn]
                self._asked(
                    ran,
                    lambda urn=urn, kept=kept: self.provider.Delete(
                        provider_pb2.DeleteRequest(id=kept.id, urn=urn, properties=kept.outputs)
                    ),
                )
                del self.state[urn]

    def _leant_on(self, urn: str, left: list[str]) -> bool:
        return any(urn in self.state[other].on for other in left if other in self.state)

    def step(
        self, urn: str, inputs: struct_pb2.Struct, ran: Ran, preview: bool
    ) -> tuple[str, struct_pb2.Struct]:
        """What the engine does with one resource: its id and outputs."""
        kept = self.state.get(urn)
        checked = self.provider.Check(
            provider_pb2.CheckRequest(
                urn=urn, olds=None if kept is None else kept.inputs, news=inputs
            )
        )
        if checked.failures:
            raise ProgramFailed(" ".join(each.reason for each in checked.failures))
        name = urn.rpartition("::")[2]
        how = self._how(urn, kept, checked.inputs)
        if kept is not None and how != "same":
            was, said = (json_format.MessageToDict(each) for each in (kept.inputs, checked.inputs))
            ran.differs[name] = {k for k in was | said if was.get(k) != said.get(k)}
        ran.steps[name] = "replace" if urn in ran.replaced else how
        if how == "same":
            assert kept is not None
            self.state[urn] = Kept(kept.id, checked.inputs, kept.outputs)
            return kept.id, kept.outputs
        if preview:
            known = struct_pb2.Struct()
            known.CopyFrom(checked.inputs)
            for key in [k for k, v in known.items() if v is None]:
                del known[key]
            return "" if kept is None or how == "replace" else kept.id, known
        if how == "update":
            assert kept is not None
            updated = self.provider.Update(
                provider_pb2.UpdateRequest(
                    id=kept.id, urn=urn, olds=kept.outputs, news=checked.inputs
                )
            )
            self.state[urn] = Kept(kept.id, checked.inputs, updated.properties)
            return kept.id, updated.properties
        if kept is not None:
            self._remove_replaced(urn, ran)
        made = self.provider.Create(provider_pb2.CreateRequest(urn=urn, properties=checked.inputs))
        self.state[urn] = Kept(made.id, checked.inputs, made.properties)
        return made.id, made.properties

    def _remove_replaced(self, urn: str, ran: Ran) -> None:
        """Before its successor is made, and first whatever is replaced for its sake."""
        for other, kept in reversed(list(self.state.items())):
            leaning = [key for key, on in kept.leans.items() if urn in on]
            if not leaning:
                continue
            inputs = struct_pb2.Struct()
            inputs.CopyFrom(kept.inputs)
            for key in leaning:
                inputs[key] = _UNKNOWN
            if self._how(other, kept, inputs) == "replace":
                self._remove_replaced(other, ran)
                ran.replaced.add(other)
        kept = self.state[urn]
        self.provider.Delete(
            provider_pb2.DeleteRequest(id=kept.id, urn=urn, properties=kept.outputs)
        )
        del self.state[urn]

    def _how(self, urn: str, kept: Kept | None, inputs: struct_pb2.Struct) -> str:
        if kept is None:
            return "create"
        differs = self.provider.Diff(
            provider_pb2.DiffRequest(id=kept.id, urn=urn, olds=kept.outputs, news=inputs)
        )
        if differs.changes == provider_pb2.DiffResponse.DIFF_NONE:
            return "same"
        return "replace" if differs.replaces else "update"

    @staticmethod
    def _asked(ran: Ran, ask: Callable[[], object]) -> None:
        try:
            ask()
        except grpc.RpcError as error:
            ran.failures.append(str(error.details()))
            raise ProgramFailed(str(error.details())) from None


def _opened(said: struct_pb2.Struct) -> tuple[struct_pb2.Struct, frozenset[str]]:
    """As plugins get it, and what of it came as a secret."""
    plain, sealed = struct_pb2.Struct(), set()
    for key, value in json_format.MessageToDict(said).items():
        if isinstance(value, dict) and value.get(_SIGNATURE) == _SECRET:
            sealed.add(key)
            plain[key] = value["value"]
        else:
            plain[key] = value
    return plain, frozenset(sealed)


def _without(part: struct_pb2.Struct, sealed: frozenset[str]) -> struct_pb2.Struct:
    plain = struct_pb2.Struct()
    plain.CopyFrom(part)
    for key in sealed & set(plain):
        plain[key] = "[secret]"
    return plain


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    def __init__(self, engine: Engine, ran: Ran, preview: bool) -> None:
        self._engine, self._ran, self._preview = engine, ran, preview
        self.seen: set[str] = set()

    def SupportsFeature(self, request: Any, _: Any) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id == "secrets")

    def RegisterResource(self, request: Any, context: Any) -> Any:
        urn = f"urn:pulumi:test::town::{request.type}::{request.name}"
        if not request.type.startswith(DYNAMIC):
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        self.seen.add(urn)
        for alias in request.aliasURNs:
            if alias in self._engine.state:
                self._engine.state[urn] = self._engine.state.pop(alias)
        try:
            inputs, marked = _opened(request.object)
            id, outputs = self._engine.step(urn, inputs, self._ran, self._preview)
        except (ProgramFailed, grpc.RpcError) as error:
            said = error.details() if isinstance(error, grpc.RpcError) else str(error)
            self._ran.failures.append(said)
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, said)
        kept = self._engine.state.get(urn)
        if kept is not None:
            # A plugin that takes no secrets gives none back: the engine seals what came sealed.
            kept.sealed = marked | frozenset(request.additionalSecretOutputs)
            kept.on = frozenset(request.dependencies)
            kept.leans = {
                key: frozenset(each.urns) for key, each in request.propertyDependencies.items()
            }
        return resource_pb2.RegisterResourceResponse(urn=urn, id=id, object=outputs)

    def RegisterResourceOutputs(self, request: Any, _: Any) -> Any:
        if "pulumi:pulumi:Stack" in request.urn:
            self._ran.outputs.update(json_format.MessageToDict(request.outputs))
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, *_: Any) -> Any:
        return empty_pb2.Empty()


class Log(engine_pb2_grpc.EngineServicer):
    def __init__(self, ran: Ran) -> None:
        self._ran, self._root = ran, ""

    def Log(self, *_: Any) -> Any:
        return empty_pb2.Empty()

    def GetRootResource(self, *_: Any) -> Any:
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, _: Any) -> Any:
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()


@contextmanager
def dynamic_provider(
    environment: Mapping[str, str],
) -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    """The plugin as Pulumi starts it."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.dynamic"],
        env={**os.environ, "PULUMI_PROJECT": "town", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
