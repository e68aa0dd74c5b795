"""An engine in its own process, which runs only while it is asked something.

Between turns the process is stopped (SIGSTOP), threads that wait actively included, so
that the engines do not disturb each other. Needs Linux.
"""

import ctypes
import os
import select
import signal
import subprocess
import tempfile
import time


class EngineError(Exception):
    """Why an engine cannot be compared; the text is for people."""


def _before_exec(cores):
    """Settings of the child: its cores; it dies with its parent."""
    libc = ctypes.CDLL(None)  # loaded before the fork

    def apply():
        pr_set_pdeathsig = 1
        libc.prctl(pr_set_pdeathsig, signal.SIGKILL)
        os.sched_setaffinity(0, cores)

    return apply


class EngineProcess:
    """Starts `command`, which answers the lines described in worker.py."""

    def __init__(self, command, cores, environment, timeout):
        self.timeout = timeout
        self.version = self.how = ""
        self.used = 0.0
        self.errors = tempfile.TemporaryFile()
        self.pending = b""
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                env={**os.environ, **environment},
                start_new_session=True,
                preexec_fn=_before_exec(cores),
            )
        except OSError as error:
            self.errors.close()
            name = os.path.basename(command[0])
            raise EngineError(f"{name} cannot be started: {error.strerror}") from error
        try:
            ready = self._answer().split("\t")
            if ready[0] != "ready" or len(ready) != 3:
                raise EngineError(f"unexpected answer {ready}")
        except BaseException:
            self.close()
            raise
        self.version, self.how = ready[1], ready[2]
        self._signal(signal.SIGSTOP)

    def ask(self, line):
        """Lets the process run, sends the line, returns the answer, stops the process."""
        self._signal(signal.SIGCONT)
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        answer = self._answer()
        self._signal(signal.SIGSTOP)
        return answer

    def run(self, count):
        """Times of `count` inferences in milliseconds, after one that is not timed."""
        word, *times = self.ask(f"run {count + 1}").split()
        if word != "times" or len(times) != count + 1:
            raise EngineError(f"unexpected answer to run {count + 1}")
        return [float(t) for t in times[1:]]

    def processor_seconds(self):
        """Processor time used so far; of a process that has ended, what was last known."""
        try:
            with open(f"/proc/{self.process.pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            self.used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            pass
        return self.used

    def close(self):
        """Ends the process; harmless when it has ended."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except BrokenPipeError:
                pass
        self.errors.close()

    def _signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def _answer(self):
        deadline = time.monotonic() + self.timeout
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise EngineError(f"no answer within {self.timeout:g} s")
            read = os.read(descriptor, 65536)
            if not read:
                raise EngineError(self._how_it_ended())
            self.pending += read
        line, _, self.pending = self.pending.partition(b"\n")
        answer = line.decode(errors="replace")
        if answer.startswith("error\t"):
            raise EngineError(answer.partition("\t")[2])
        return answer

    def _how_it_ended(self):
        status = self.process.wait()
        how = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return f"{how}: {lines[-1].strip()}" if lines else how
