"""RunService: starts, lists, watches, resumes and cancels runs. The arrows of this service share its `Service`."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

from ucoder.errors import Conflict, NotFound
from ucoder.runs.admission import Admission
from ucoder.runs.dashboard import serve_dashboard
from ucoder.runs.dashboard.views import DashboardViews
from ucoder.runs.deletion import Deletion
from ucoder.runs.housekeeping import Housekeeping
from ucoder.runs.requeueing import requeue
from ucoder.runs.run_config import refuse_shared_tasks
from ucoder.runs.run_status import StatusReader
from ucoder.runtime.authentication import CALLER
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.bus_gauges import BusGauges
from ucoder.runtime.messaging.progress_events import TrainingsInProgress
from ucoder.runtime.messaging.run_states import DELETING
from ucoder.runtime.storage.artifacts import FORMAT
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import runs_pb2, runs_pb2_grpc

NAME = runs_pb2.DESCRIPTOR.services_by_name["RunService"].full_name
REGISTER = runs_pb2_grpc.add_RunServiceServicer_to_server
WATCH_SECONDS = 0.5
"""Time between two reads of a run that a caller watches."""


class Service(runs_pb2_grpc.RunServiceServicer):
    """The gRPC service for runs. A run that belongs to another caller is answered as if it did not exist."""

    def __init__(self, context: ServiceContext, trainings: TrainingsInProgress) -> None:
        self.artifacts = context.artifacts
        self.states = context.states
        self._bus = context.bus
        self._trainings = trainings
        self.counts, self.admission = context.counts, Admission(context.bus, context.counts)
        self._reader = StatusReader(context.artifacts, context.counts)
        self._deletion = Deletion(context.bus, context.states, context.counts, context.artifacts.store)
        self._known: dict[str, pb.Run] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: ServiceContext) -> AsyncIterator["Service"]:
        """Opens the service with its dashboard and its housekeeping while the block runs."""
        await context.bus.drop_acknowledged()
        service = cls(context, await TrainingsInProgress.listen(context.bus))
        housekeeping = Housekeeping(
            service.artifacts, context.bus, service.states, service.counts, service._deletion,
            context.settings.retention_days, context.settings.retention_runs,
        )  # fmt: skip
        gauges = BusGauges(context.bus, context.metrics)
        tasks = [asyncio.create_task(regular.run()) for regular in (housekeeping, gauges)]
        try:
            async with serve_dashboard(
                context.settings, DashboardViews(context.artifacts, service.status, service.statuses)
            ) as context.web:
                yield service
        finally:
            while running := [task for task in tasks if not task.done()]:
                for task in running:  # again and again, because a call of the bus can swallow a cancellation
                    task.cancel()
                await asyncio.wait(running, timeout=1)

    async def CreateRun(self, request: runs_pb2.CreateRunRequest, context: object) -> runs_pb2.CreateRunResponse:
        """Starts a run, or returns the one of the same id and configuration.

        FAILED_PRECONDITION when the run of that id has another configuration or belongs to another caller.
        """
        refuse_shared_tasks(request.config)
        name = request.id or f"run-{secrets.token_hex(4)}"
        await self._deletion.refuse_deleted(name)
        run = pb.Run(id=name, config=request.config, format=FORMAT, owner=CALLER.get())
        run.created.GetCurrentTime()
        ref = await self.artifacts.save(run.id, run)
        stored = await self.artifacts.get(pb.Run, run.id, "000")
        if stored.owner != run.owner:
            raise Conflict(f"run {run.id} exists and belongs to another caller; choose another id.")
        if stored.config != run.config:
            raise Conflict(f"run {run.id} exists with another configuration; choose another id or folder.")
        await self.states.begin(run.id)
        await self._bus.publish(ref)
        return runs_pb2.CreateRunResponse(status=await self.status(run.id))

    async def GetRun(self, request: runs_pb2.GetRunRequest, context: object) -> runs_pb2.GetRunResponse:
        """Returns how far a run is."""
        return runs_pb2.GetRunResponse(status=await self.status(request.id))

    async def ListRuns(self, request: runs_pb2.ListRunsRequest, context: object) -> runs_pb2.ListRunsResponse:
        """Returns every run that the caller may see."""
        return runs_pb2.ListRunsResponse(runs=await self.statuses())

    async def WatchRun(
        self, request: runs_pb2.WatchRunRequest, context: object
    ) -> AsyncIterator[runs_pb2.WatchRunResponse]:
        """Yields the status whenever it has changed, until the run has ended."""
        last = None
        while True:
            status = await self.status(request.id)
            if status != last:
                last = status
                yield runs_pb2.WatchRunResponse(status=status)
            if status.state != runs_pb2.RUN_STATE_RUNNING:
                return
            await asyncio.sleep(WATCH_SECONDS)

    async def ResumeRun(self, request: runs_pb2.ResumeRunRequest, context: object) -> runs_pb2.ResumeRunResponse:
        """Goes on with a run from what the store holds, and reopens it if it had failed or was cancelled."""
        await self._stored(request.id)
        await self.states.begin(request.id)
        await self.states.reopen(request.id)
        count = await requeue(request.id, self.artifacts, self.counts, self._bus)
        return runs_pb2.ResumeRunResponse(status=await self.status(request.id), requeued=count)

    async def CancelRun(self, request: runs_pb2.CancelRunRequest, context: object) -> runs_pb2.CancelRunResponse:
        """Cancels a run that is under way."""
        await self.status(request.id)
        await self.states.end(request.id, "cancelled", request.reason or "cancelled by a caller")
        return runs_pb2.CancelRunResponse(status=await self.status(request.id))

    async def DeleteRun(self, request: runs_pb2.DeleteRunRequest, context: object) -> runs_pb2.DeleteRunResponse:
        """Removes a run that has ended, or counts what would be removed."""
        await self.status(request.id)
        if request.dry_run:
            return runs_pb2.DeleteRunResponse(keys=await self._deletion.count_keys(request.id))
        return runs_pb2.DeleteRunResponse(keys=await self._deletion.delete(request.id))

    async def statuses(self) -> list[runs_pb2.RunStatus]:
        """Returns the status of every run that the caller may see."""
        statuses = []
        for name in await self.states.all():
            with contextlib.suppress(NotFound):
                statuses.append(await self.status(name))
        return statuses

    async def status(self, run: str) -> runs_pb2.RunStatus:
        """Returns how far a run is. Raises NotFound when there is no such run, or when it belongs to another caller."""
        state = await self.states.get(run)
        if state.state == DELETING:
            raise NotFound(f"run {run} was deleted.")
        stored = await self._stored(run)
        status = await self._reader.read(stored, state)
        if status.state == runs_pb2.RUN_STATE_RUNNING:
            status.trainings.extend(self._trainings.of_run(run))
        return status

    async def _stored(self, run: str) -> pb.Run:
        """Returns the run as it was created. Raises NotFound for callers who do not own it."""
        stored = self._known.get(run) or await self.artifacts.get(pb.Run, run, "000")
        self._known[run] = stored
        if stored.owner not in ("", CALLER.get()):
            raise NotFound(f"no run {run}; `ucoder runs list` names them.")
        return stored
