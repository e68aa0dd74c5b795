"""What the figures were measured on, and who else used the processor meanwhile."""

import os
import time


def description(cores):
    """Processor, cores in use of those there are, widest vector instructions."""
    model, flags = "unknown processor", set()
    with open("/proc/cpuinfo") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() == "flags":
                flags = set(value.split())
                break
    isa = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "SSE"
    return f"{model}, {len(cores)} of {os.cpu_count()} cores, {isa}"


def _processor_seconds():
    """(busy, stolen) of all processors since start-up."""
    with open("/proc/stat") as file:
        fields = [int(x) for x in file.readline().split()[1:9]]
    user, nice, system, _, _, irq, softirq, steal = fields
    hertz = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / hertz, steal / hertz


class Watch:
    """From its creation to `finish`: the share of one processor that others had."""

    def __init__(self, engines):
        self.engines = engines
        self.wall = time.monotonic()
        self.busy, self.stolen = _processor_seconds()
        self.own = self._own()

    def _own(self):
        own = sum(os.times()[:2])
        return own + sum(engine.processor_seconds() for engine in self.engines)

    def finish(self):
        """(percent used by other programs, percent stolen by other guests)."""
        wall = max(time.monotonic() - self.wall, 1e-9)
        busy, stolen = _processor_seconds()
        other = busy - self.busy - (self._own() - self.own)
        return max(0.0, 100 * other / wall), 100 * (stolen - self.stolen) / wall
