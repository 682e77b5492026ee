"""A guest in QEMU that is stopped, saved, loaded and migrated while it runs.

    with Machine(options="window=2s") as machine:
        machine.wait_for(b"Measuring")
        machine.stop()
        machine.cont()
        run = machine.finish()

Every wait is for an event of QEMU or for bytes that the guest has written, and bounded. COM1, COM2 and
the debug console go to files, so that nothing is lost when nobody reads.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Optional

import records
from qemu import RESULTS, Run, check, collect, hypertick_qemu, start

TIMEOUT_SECONDS = 180
POLL_SECONDS = 0.005
SNAPSHOT = "snapshot"


class QmpError(AssertionError):
    """QEMU refused a command, or an expected event did not come."""


class Qmp:
    """QEMU's machine protocol on a Unix socket: docs/interop/qmp-spec.txt of QEMU."""

    def __init__(self, path: Path, process: subprocess.Popen) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT_SECONDS)
        self._pending = b""
        self.events: deque[dict] = deque()
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self._socket.connect_ex(str(path)) != 0:
            if process.poll() is not None:
                raise QmpError(f"QEMU ended: {process.stderr.read().decode(errors='replace')}")
            if time.monotonic() > deadline:
                raise QmpError("QEMU's QMP socket does not answer")
            time.sleep(POLL_SECONDS)
        if "QMP" not in self._receive():
            raise QmpError("this is no QMP")
        self.ask("qmp_capabilities")

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> dict:
        while b"\n" not in self._pending:
            data = self._socket.recv(65536)
            if not data:
                raise QmpError("QEMU closed its QMP socket")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return json.loads(line)

    def ask(self, command: str, **arguments):
        """What the command gives back; the events that came meanwhile are kept."""
        request = {"execute": command, "arguments": arguments} if arguments else {"execute": command}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._receive()
            if "error" in answer:
                raise QmpError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
            self.events.append(answer)

    def wait(self, name: str, **data) -> dict:
        """The first event of that name, with that data, from now on or among those that were kept."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            while self.events:
                event = self.events.popleft()
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    return event
            if time.monotonic() > deadline:
                raise QmpError(f"no event {name} {data} in {TIMEOUT_SECONDS} s")
            self.events.append(self._receive())


class Machine:
    """One machine, in one QEMU after another. Its files lie in a directory of its own.

    `flags` are those of qemu.start. A snapshot needs a disk that can hold it: `disk=True`.
    """

    def __init__(self, disk=False, **flags) -> None:
        self._flags = flags
        self._disk = disk
        self._temporary = tempfile.TemporaryDirectory()
        self.directory = Path(self._temporary.name)
        self._process: Optional[subprocess.Popen] = None
        self.qmp: Optional[Qmp] = None
        self._generation = 0

    def __enter__(self) -> "Machine":
        try:
            if self._disk:
                subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", self.directory / "disk",
                                "256M"], check=True)  # fmt: skip
            self._process, self.qmp = self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if self.qmp:
            self.qmp.close()
        if self._process:
            self._process.kill()
            self._process.communicate()
        self._temporary.cleanup()

    def _start(self, *more: str) -> tuple[subprocess.Popen, Qmp]:
        self._generation += 1
        path = self.directory / f"qmp{self._generation}"
        extra = [*self._flags.get("extra", ()), "-qmp", f"unix:{path},server=on,wait=off", *more]
        if self._disk:
            drive = str(self.directory / "disk").replace(",", ",,")
            extra += ["-drive", f"if=none,id=disk,format=qcow2,file={drive}"]
        line = start(self.directory, **{**self._flags, "extra": extra})
        # What is written goes behind what is there, whichever machine has left it.
        line = [f"{word},append=on" if word.startswith("file,") else word for word in line]
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)  # fmt: skip
        try:
            return process, Qmp(path, process)
        except BaseException:
            process.kill()
            process.communicate()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def output(self, port="com2") -> bytes:
        path = self.directory / port
        return path.read_bytes() if path.exists() else b""

    def wait_for(self, what: bytes, count=1, port="com2", beyond=0) -> int:
        """Waits until the port has shown `what` that often beyond a position; gives its length then."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (output := self.output(port)).count(what, beyond) < count:
            if self._process.poll() is not None and self.output(port) == output:
                raise AssertionError(f"QEMU ended before {what!r} came {count} times: {output[-200:]!r}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{what!r} did not come {count} times: {output[-200:]!r}")
            time.sleep(POLL_SECONDS)
        return len(output)

    def hmp(self, line: str) -> str:
        """A command of QEMU's human monitor, for what QMP has not; what it prints is an error."""
        answer = self.qmp.ask("human-monitor-command", **{"command-line": line})
        if answer.strip():
            raise QmpError(f"{line}: {answer}")
        return answer

    def stop(self) -> None:
        self.qmp.ask("stop")
        self.qmp.wait("STOP")

    def cont(self) -> None:
        self.qmp.ask("cont")
        self.qmp.wait("RESUME")

    def save(self) -> None:
        """Only while it is stopped."""
        self.hmp(f"savevm {SNAPSHOT}")

    def load(self) -> None:
        """Back to what was saved, while it is stopped: what the ports have shown since is taken back."""
        self.hmp(f"loadvm {SNAPSHOT}")

    def take_back(self, lengths: dict[str, int]) -> None:
        """What the ports have shown beyond these lengths has not been. While it is stopped."""
        for port, length in lengths.items():
            os.truncate(self.directory / port, length)

    def migrate(self) -> float:
        """To a second QEMU on this machine; the first one ends. Gives the downtime in seconds."""
        path = self.directory / f"migration{self._generation}"
        process, qmp = self._start("-incoming", f"unix:{path}")
        try:
            self.qmp.ask("migrate-set-capabilities",
                         capabilities=[{"capability": "events", "state": True}])  # fmt: skip
            self.qmp.ask("migrate", uri=f"unix:{path}")
            while (event := self.qmp.wait("MIGRATION"))["data"]["status"] != "completed":
                if event["data"]["status"] in ("failed", "cancelled"):
                    raise QmpError(f"migration {event['data']['status']}")
            downtime_ms = self.qmp.ask("query-migrate")["downtime"]
            qmp.wait("RESUME")
        except BaseException:
            qmp.close()
            process.kill()
            process.communicate()
            raise
        self.qmp.ask("quit")
        self.qmp.close()
        self._process.communicate(timeout=TIMEOUT_SECONDS)
        self._process, self.qmp = process, qmp
        return downtime_ms / 1000

    def finish(self, timeout=TIMEOUT_SECONDS, door="multiboot1") -> Run:
        """Waits for the guest's end and checks the run as `boot` does."""
        _, stderr = self._process.communicate(timeout=timeout)
        run = collect(self.directory, self._process.returncode, stderr.decode(errors="replace"))
        assert run.status in RESULTS, f"status {run.status}: {run.stderr}{run.com1!r}"
        run.records = records.load(run.com2.decode("ascii"), "com2")
        check(run, door, False)
        return run
