"""Runs a plan: finished steps are found by key, the others run in order; a kill costs at most the current step."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from zoo import commandline, stages
from zoo.errors import AGAIN, MORE_MEMORY, Again, DamagedStep, OutOfMemory, ZooError, is_no_memory
from zoo.machine.processor import here
from zoo.plan.plan import Plan, Step
from zoo.plan.store import Workspace
from zoo.progress import Reporter, record
from zoo.settings import Settings
from zoo.stages.artifact import Artifact
from zoo.stages.table import capability

_Result = TypeVar("_Result")

RUNNING = "running"
"""A note in the folder in which a step grows."""

Judge = Callable[[Mapping[str, Artifact]], None]
"""Sees the artifacts so far by step id, and may raise."""


@dataclass(frozen=True)
class Built:
    """Artifacts by step id, and the ids of the steps that ran now."""

    artifacts: Mapping[str, Artifact]
    made: tuple[str, ...]


def status(plan: Plan, workspace: Workspace) -> dict[str, str]:
    """Step id -> "reuse", or "run: " and the reason."""
    return {step.id: _reason(step, workspace) for step in plan.steps}


def run(plan: Plan, settings: Settings, report: Reporter) -> Built:
    """Find or run every step of the plan. Raises the ZooError of the stage that failed."""
    return run_and(plan, settings, report, lambda built: built)


def run_and(
    plan: Plan,
    settings: Settings,
    report: Reporter,
    use: Callable[[Built], _Result],
    judge: Judge | None = None,
) -> _Result:
    """Find or run every step of the plan, then ``use`` them. ``judge`` sees all artifacts after each step, the newest
    last, and may stop the run.

    A finished step that turns out to be damaged is made again, and so are the steps that depend on it if its bytes
    differ. Raises the ZooError of the stage that failed, DamagedStep for a step that is damaged twice.
    """
    workspace = Workspace(settings.work)
    before: dict[str, Artifact | None] = {}
    while True:
        try:
            return use(_run(plan, workspace, before, settings, report, judge))
        except DamagedStep as damage:
            if damage.key in before:
                damage.again = None
                damage.remedy = (
                    "It was made again and is damaged again: the disk may be failing. Check the disk"
                )
                raise
            id_ = next((step.id for step in plan.steps if step.key == damage.key), damage.kind)
            report.warn(f"step {id_} is damaged on disk: {damage.why}. It is made again")
            before[damage.key] = workspace.finished(damage.key)
            workspace.discard(damage.key)


def _run(
    plan: Plan,
    workspace: Workspace,
    before: Mapping[str, Artifact | None],
    settings: Settings,
    report: Reporter,
    judge: Judge | None,
) -> Built:
    artifacts: dict[str, Artifact] = {}
    made: list[str] = []
    other: set[str] = set()
    if not before and (words := elsewhere(plan)):
        report.say(words)
    for number, step in enumerate(plan.steps, 1):
        found = workspace.finished(step.key)
        if found is not None and other & set(step.inputs.values()):
            report.warn(f"{step.id} is also made again, because its inputs have changed")
            workspace.discard(step.key)
            found, other = None, other | {step.id}
        if found is not None:
            workspace.sweep(step.key)
        else:
            with _announced(step, (number, len(plan.steps)), workspace, report):
                found = _make(step, workspace, artifacts, settings, report)
            made.append(step.id)
            old = before.get(step.key)
            if old is not None and old.files != found.files:
                other.add(step.id)
        artifacts[step.id] = found
        if judge:
            judge(artifacts)
    return Built(artifacts, tuple(made))


def run_step(plan: Plan, id_: str, settings: Settings, report: Reporter, judge: Judge) -> bool:
    """Find or make one step of the plan, whose inputs are finished. Returns whether it was made now.

    ``judge`` sees all finished artifacts of the plan, this step's last, and may raise. Raises ZooError for an input
    that is not finished, DamagedStep for one that is damaged and has been deleted now, and the ZooError of the stage.
    """
    workspace, step = Workspace(settings.work), plan.step(id_)
    found = {one.id: there for one in plan.steps if (there := workspace.finished(one.key))}
    is_new = id_ not in found
    if is_new:
        if missing := [maker for maker in step.inputs.values() if maker not in found]:
            raise ZooError(
                f"step {id_} of {plan.name} needs {' and '.join(missing)}, which "
                f"{'is' if len(missing) == 1 else 'are'} not finished",
                safe="Finished steps are kept.",
                remedy=f"Make it first: {commandline.line(settings, 'build', plan.name, '--step', missing[0])}",
            )
        number = plan.steps.index(step) + 1
        try:
            with _announced(step, (number, len(plan.steps)), workspace, report):
                found[id_] = _make(step, workspace, found, settings, report)
        except DamagedStep as damage:
            workspace.discard(damage.key)
            raise
    judge({**{key: one for key, one in found.items() if key != id_}, id_: found[id_]})
    return is_new


@contextmanager
def _announced(step: Step, place: tuple[int, int], workspace: Workspace, report: Reporter) -> Iterator[None]:
    """Report when a step begins and ends. place: its number, and how many there are."""
    number, of = place
    report.say(f"[{number}/{of}] {step.id}")
    started = time.monotonic()
    facts = {"step": step.id, "key": step.key, "number": number, "of": of}
    record("step_begin", **facts, reason=_reason(step, workspace))
    yield
    record("step_end", **facts, seconds=round(time.monotonic() - started, 3))
    report.say(f"[{number}/{of}] {step.id} done in {time.monotonic() - started:.1f} s")


def _make(
    step: Step, workspace: Workspace, artifacts: Mapping[str, Artifact], settings: Settings, report: Reporter
) -> Artifact:
    def waiting() -> None:
        report.say(f"another zoo is making {step.id}; waiting for it")

    if not _is_ours(step):
        raise ZooError(
            f"step {step.id} was finished on another processor, and has been deleted or was damaged since",
            safe="The other finished steps are kept.",
            again=Again(note="it then makes the step here"),
        )
    try:
        with workspace.growing(step.key, waiting):
            found = workspace.finished(step.key)
            if found is not None:
                return found
            partial = workspace.partial(step.key)
            out, scratch = partial / "out", partial / "scratch"
            # What a killed run left in ``out`` may be incomplete; what it can resume from is in ``scratch``.
            if out.exists():
                shutil.rmtree(out)
            out.mkdir()
            scratch.mkdir(exist_ok=True)
            context = stages.Context(
                spec=step.spec,
                inputs={role: artifacts[maker] for role, maker in step.inputs.items()},
                out=out,
                scratch=scratch,
                root=settings.root,
                work=settings.work,
                threads=settings.threads,
                device=settings.device,
                report=report,
                teacher=settings.teacher,
                redaction_key=settings.redaction_key,
                vllm=settings.vllm,
                meeting=settings.meeting,
            )
            try:
                facts = _facts(step, context)
            except ZooError:
                workspace.leave(step.key)
                raise
            if step.processor is not None:
                workspace.remember(step.processor)
            return workspace.finish(step.key, step.stage, out, facts, step.spec)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        raise ZooError(
            f"step {step.id} could not write: {error.strerror}",
            where=settings.shown(settings.work),
            safe="Finished steps are complete and will be reused.",
            remedy="Free some space or fix the permissions",
            again=AGAIN,
        ) from error


def _facts(step: Step, context: stages.Context) -> stages.Facts:
    """Run the stage. While it runs there is a note next to its output, which only a killed process leaves behind."""
    running = context.out.with_name(RUNNING)
    if running.exists():
        context.report.warn(
            f"an earlier run was killed in {step.id}. If you did it, there is nothing to do. If memory ran out: "
            f"{MORE_MEMORY[0].lower()}{MORE_MEMORY[1:]}"
        )
    running.touch()
    try:
        return stages.stage(step.stage)(context)
    except OutOfMemory as error:
        error.where = f"step {step.id}"  # not the folder of a model that another step made
        raise
    except Exception as error:
        if not is_no_memory(error):
            raise
        where = error.where if isinstance(error, ZooError) else ""
        raise OutOfMemory(f"step {step.id}", where=where, detail=str(error)) from error
    finally:
        running.unlink(missing_ok=True)


def elsewhere(plan: Plan) -> str:
    """A sentence about the steps that another processor finished; empty if there are none."""
    found = {step.id: step.processor for step in plan.steps if step.processor and not _is_ours(step)}
    if not found:
        return ""
    makers = " and ".join(dict.fromkeys(one.words for one in found.values()))
    return f"finished on another processor ({makers}) and used as they are: {', '.join(found)}"


def _is_ours(step: Step) -> bool:
    """Whether this processor makes the same bytes as the one in the step's key."""
    return step.processor is None or capability(step.stage, step.processor) == capability(step.stage, here())


def _reason(step: Step, workspace: Workspace) -> str:
    if workspace.finished(step.key) is not None:
        return "reuse"
    if (workspace.folder / step.key).exists():
        return "run: the earlier result is damaged"
    if (workspace.folder / "partial" / step.key).exists():
        return "run: resumes an interrupted run"
    return "run: not made yet"
