"""What watches a training from the inside. Its class derives from transformers', and so is made where that is loaded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from practicum.training.trainer import Course, Watch


def make_watcher(course: Course, watch: Watch, tokens: int, *, minutes: float | None) -> Any:
    """Return a callback that keeps the course up to date and stops a training whose time is over.

    Args:
        course: Written to.
        watch: Told of each change.
        tokens: Of one epoch, padding left out.
        minutes: How long it may take; None: as long as it wants.
    """
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            course.steps, course.step = state.max_steps, state.global_step
            self._begun, self._first = time.monotonic(), state.global_step
            # A training that goes on brings its curve along.
            course.losses = [(entry["step"], entry["loss"]) for entry in state.log_history if "loss" in entry]
            course.held_out = [(entry["step"], entry["eval_loss"]) for entry in state.log_history if "eval_loss" in entry]
            watch(course)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                course.losses.append((state.global_step, float(logs["loss"])))

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
            if metrics and "eval_loss" in metrics:
                course.held_out.append((state.global_step, float(metrics["eval_loss"])))
                watch(course)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            course.step = state.global_step
            course.seconds = time.monotonic() - self._begun
            course.tokens = int(tokens * max(0.0, (state.epoch or 0.0)))
            if minutes is not None and course.seconds > 60 * minutes and state.global_step < state.max_steps:
                course.stopped = f"its {minutes:g} minutes were over"
                control.should_evaluate = control.should_save = control.should_training_stop = True
            watch(course)
            return control

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step < state.max_steps and not course.stopped:
                course.stopped = "the held-out loss no longer fell"

    return Watcher()
