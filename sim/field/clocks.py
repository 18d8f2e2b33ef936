"""The clock inside a device: its own zero, its own pace, and now and then a step."""

from __future__ import annotations

from dataclasses import dataclass, replace

PPM = 1e-6


@dataclass(frozen=True, slots=True)
class ClockStep:
    """Somebody set the clock: from `at_host_ns` on it reads `step_ns` more (or less)."""

    at_host_ns: int
    step_ns: int


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """What a device's clock reads at a moment of the host's monotonic clock.

    zero_host_ns, zero_device_ns: one moment, on both clocks.
    drift_ppm: how much faster than the host's clock it runs, parts per million.
    """

    zero_host_ns: int
    zero_device_ns: int
    drift_ppm: float = 0.0
    steps: tuple[ClockStep, ...] = ()

    def device_ns(self, host_ns: int) -> int:
        """The reading at host monotonic time `host_ns`."""
        elapsed_ns = host_ns - self.zero_host_ns
        drifted_ns = round(elapsed_ns * self.drift_ppm * PPM)
        stepped_ns = sum(step.step_ns for step in self.steps if step.at_host_ns <= host_ns)
        return self.zero_device_ns + elapsed_ns + drifted_ns + stepped_ns

    def stepped(self, at_host_ns: int, step_ns: int) -> DeviceClock:
        """The same clock, set by `step_ns` at `at_host_ns`."""
        return replace(self, steps=(*self.steps, ClockStep(at_host_ns, step_ns)))
