"""Tasks of many recipes: each missing step once, in an order that holds, within what the machine has."""

from __future__ import annotations

import time
from pathlib import Path

import manyplans
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.jobs.tasks import Room, Schedule, Task, union
from zoo.plan.prepare import Planned


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Planned]:
    return manyplans.plans_of(manyplans.zoo_of(tmp_path_factory.mktemp("tasks") / "zoo", ("aa", "bb", "cc", "dd")))


def test_every_missing_step_is_one_task_and_needs_come_first(plans: dict[str, Planned]) -> None:
    tasks = union(plans)
    keys = {planned.plan.step(id_).key for planned in plans.values() for id_ in planned.to_run}
    assert {task.key for task in tasks} == keys
    assert len(tasks) == len(keys) < sum(len(planned.to_run) for planned in plans.values())
    place = {task.key: number for number, task in enumerate(tasks)}
    assert all(place[need] < place[task.key] for task in tasks for need in task.needs)
    training = next(task for task in tasks if task.stage == "distill")
    assert training.users == ("bb", "dd")
    planned = plans["bb"]
    assert training.memory_bytes == planned.costs.step_memory_bytes["distill"]
    assert planned.costs.memory_bytes == max(planned.costs.step_memory_bytes.values())
    assert [task.stage for task in tasks if task.alone] == ["benchmark"] * sum(t.stage == "benchmark" for t in tasks)


def test_a_training_on_gpus_says_how_many(tmp_path: Path) -> None:
    zoo = manyplans.zoo_of(tmp_path / "zoo", ("aa", "bb"))
    tasks = union(manyplans.plans_of(zoo, ZOO_DEVICE="cuda", ZOO_PROCESSES="4"))
    assert {task.stage: task.gpus for task in tasks}["distill"] == 4
    assert {task.gpus for task in tasks if task.stage == "quantize"} == {0}


@st.composite
def works(draw: st.DrawFn) -> tuple[list[Task], Room, set[str]]:
    """Tasks of up to four recipes, a machine, and the keys of those that will fail."""
    recipes = [f"r{number}" for number in range(draw(st.integers(1, 4)))]
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, 14))):
        # Whoever needs a step also needs what comes before it.
        users = draw(st.lists(st.sampled_from(recipes), min_size=1, unique=True))
        before = [one.key for one in tasks if {*users} <= {*one.users}]
        needs = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
        stage = "benchmark" if draw(st.booleans()) and draw(st.booleans()) else "export"
        memory = draw(st.one_of(st.none(), st.integers(1, 10)))
        gpus = draw(st.sampled_from((0, 0, 1)))
        tasks.append(Task(f"k{number}", users[0], "s", stage, tuple(needs), memory, gpus, tuple(users)))
    room = Room(draw(st.integers(1, 4)), draw(st.one_of(st.none(), st.integers(1, 20))))
    return tasks, room, set(draw(st.lists(st.sampled_from([task.key for task in tasks]))))


@settings(max_examples=40)
@given(work=works(), data=st.data())
def test_any_order_of_ends_makes_what_can_be_made_once(
    work: tuple[list[Task], Room, set[str]], data: st.DataObject
) -> None:
    tasks, room, failing = work
    schedule, running, started, done = Schedule(tasks, room), list[Task](), list[str](), set[str]()
    while True:
        while task := schedule.start():
            assert {*task.needs} <= done and task.recipe not in schedule.failed
            started.append(task.key)
            running.append(task)
            assert len(running) <= room.jobs
            assert len(running) == 1 or not any(one.alone for one in running)
            assert sum(one.gpus for one in running) <= 1
            assert room.memory_bytes is None or len(running) == 1 or (
                sum(one.memory_bytes or 0 for one in running) <= room.memory_bytes
            )  # fmt: skip
        if not running:
            break
        task = running.pop(data.draw(st.integers(0, len(running) - 1)))
        schedule.end(task, "broken" if task.key in failing else "", finished=False)
        done |= {task.key} - failing
    assert len(started) == len(set(started))
    lost = {user for task in tasks if task.key in started and task.key in failing for user in task.users}
    assert schedule.failed.keys() == lost
    assert done >= {task.key for task in tasks if not {*task.users} <= lost}


def test_a_gate_that_one_recipe_misses_leaves_the_step_to_the_others() -> None:
    first = Task("k1", "a", "label", "label", (), None, 0, ("a", "b"))
    then = Task("k2", "a", "export", "export", ("k1",), None, 0, ("a", "b"))
    schedule = Schedule([first, then], Room(2, None))
    schedule.end(schedule.start() or first, "a gate", finished=True)
    left = schedule.start()
    assert schedule.failed == {"a": "label"} and left and (left.key, left.recipe) == ("k2", "b")


@pytest.mark.long
def test_two_hundred_recipes_are_planned_in_five_seconds(tmp_path: Path) -> None:
    zoo = manyplans.zoo_of(tmp_path / "zoo", tuple(f"m{number:03}" for number in range(200)))
    began = time.process_time()  # other work on the machine does not count
    tasks = union(manyplans.plans_of(zoo))
    assert time.process_time() - began <= 5 and len(tasks) > 2000
