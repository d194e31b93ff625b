"""RunService, and what its three arrows share."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

from ucoder.errors import Conflict, NotFound
from ucoder.runs.dashboard import serve_dashboard
from ucoder.runs.dashboard.views import DashboardViews
from ucoder.runs.requeueing import requeue
from ucoder.runs.run_config import separate_splits
from ucoder.runs.run_status import Endings, status_of
from ucoder.runtime.authentication import CALLER
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.progress_events import TrainingEvents
from ucoder.runtime.storage.artifacts import FORMAT
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2, runs_pb2_grpc

NAME = runs_pb2.DESCRIPTOR.services_by_name["RunService"].full_name
REGISTER = runs_pb2_grpc.add_RunServiceServicer_to_server
WATCH_SECONDS = 0.5


class Service(runs_pb2_grpc.RunServiceServicer):
    """Runs."""

    def __init__(self, context: ServiceContext, trainings: TrainingEvents) -> None:
        self.artifacts = context.artifacts
        self.states = context.states
        self._bus = context.bus
        self._trainings = trainings
        self._endings = Endings(context.artifacts)
        self._known: dict[str, pb.Run] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: ServiceContext) -> AsyncIterator["Service"]:
        """The service and its dashboard for as long as the block runs."""
        service = cls(context, await TrainingEvents.listen(context.bus))
        async with serve_dashboard(
            context.settings, DashboardViews(context.artifacts, service.status, service.statuses)
        ) as context.web:
            yield service

    async def CreateRun(  # noqa: N802
        self, request: runs_pb2.CreateRunRequest, context: object
    ) -> runs_pb2.CreateRunResponse:
        """Starts a run, or answers the one of the same id and config; FAILED_PRECONDITION on another config."""
        separate_splits(request.config)
        name = request.id or f"run-{secrets.token_hex(4)}"
        run = pb.Run(id=name, config=request.config, format=FORMAT, owner=CALLER.get())
        run.created.GetCurrentTime()
        ref = await self.artifacts.save(run.id, run)
        stored = await self.artifacts.get(pb.Run, run.id, "000")
        if stored.owner != run.owner:
            raise Conflict(f"run {run.id} exists and is another caller's; choose another id.")
        if stored.config != run.config:
            raise Conflict(f"run {run.id} exists with another configuration; choose another id or folder.")
        await self.states.begin(run.id)
        await self._bus.publish(ref)
        return runs_pb2.CreateRunResponse(status=await self.status(run.id))

    async def GetRun(  # noqa: N802
        self, request: runs_pb2.GetRunRequest, context: object
    ) -> runs_pb2.GetRunResponse:
        """How far a run is."""
        return runs_pb2.GetRunResponse(status=await self.status(request.id))

    async def ListRuns(  # noqa: N802
        self, request: runs_pb2.ListRunsRequest, context: object
    ) -> runs_pb2.ListRunsResponse:
        """Every run that the caller may see."""
        return runs_pb2.ListRunsResponse(runs=await self.statuses())

    async def WatchRun(  # noqa: N802
        self, request: runs_pb2.WatchRunRequest, context: object
    ) -> AsyncIterator[runs_pb2.WatchRunResponse]:
        """The status whenever it has changed, until the run has ended."""
        last = None
        while True:
            status = await self.status(request.id)
            if status != last:
                last = status
                yield runs_pb2.WatchRunResponse(status=status)
            if status.state != runs_pb2.RUN_STATE_RUNNING:
                return
            await asyncio.sleep(WATCH_SECONDS)

    async def ResumeRun(  # noqa: N802
        self, request: runs_pb2.ResumeRunRequest, context: object
    ) -> runs_pb2.ResumeRunResponse:
        """Goes on with a run from what the store holds."""
        await self._stored(request.id)
        await self.states.begin(request.id)
        await self.states.reopen(request.id)
        count = await requeue(request.id, self.artifacts, self._bus)
        return runs_pb2.ResumeRunResponse(status=await self.status(request.id), requeued=count)

    async def CancelRun(  # noqa: N802
        self, request: runs_pb2.CancelRunRequest, context: object
    ) -> runs_pb2.CancelRunResponse:
        """Ends a run where it stands."""
        await self.status(request.id)
        await self.states.end(request.id, "cancelled", request.reason or "cancelled by a caller")
        return runs_pb2.CancelRunResponse(status=await self.status(request.id))

    async def statuses(self) -> list[runs_pb2.RunStatus]:
        """The status of every run that the caller may see."""
        found = []
        for name in await self.states.all():
            with contextlib.suppress(NotFound):
                found.append(await self.status(name))
        return found

    async def status(self, run: str) -> runs_pb2.RunStatus:
        """How far a run is; NotFound for one nobody began, or that is another caller's."""
        state = await self.states.get(run)
        stored = await self._stored(run)
        status = await status_of(run, state, stored.created, self.artifacts, self._bus, self._endings)
        if status.state == runs_pb2.RUN_STATE_RUNNING:
            status.trainings.extend(self._trainings.of(run))
        return status

    async def _stored(self, run: str) -> pb.Run:
        """The run as it was created. To others than its owner it does not exist."""
        stored = self._known.get(run) or await self.artifacts.get(pb.Run, run, "000")
        self._known[run] = stored
        if stored.owner not in ("", CALLER.get()):
            raise NotFound(f"no run {run}; `ucoder runs list` names them.")
        return stored
