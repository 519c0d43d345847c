"""Commands of the package in processes of their own, without the seconds that imports take.

`Commands` starts one process that imports everything and then forks for each
command line: the child is a real process that can be killed, limited and sent
signals, and starts in milliseconds. Run as a program, this file is that process.
"""

import contextlib
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
"""Whose package is meant, whichever is installed."""

PREPARED = (
    *("jax", "pandas", "seaborn", "toymono.frames.classifiers", "toymono.frames.parts"),
    *("toymono.frames.autoencoders", "toymono.torch_io.files", "toymono.torch_io.saelens"),
    *("toymono.store.runs", "toymono.sweep.progress", "toymono.plots.gallery"),
    *("toymono.sweep.classifier_tables", "toymono.plots.pages", "toymono.plots.registry"),
    *("toymono.papers.paper", "toymono.papers.jermyn2022.paper", "toymono.papers.wright2022.paper"),
)


class Command:
    """A command that was started."""

    def __init__(self, folder: Path, pid: int):
        self.folder, self.pid = folder, pid

    @property
    def out(self) -> str:
        return self._read("out")

    @property
    def err(self) -> str:
        return self._read("err")

    def _read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    @property
    def code(self) -> int | None:
        """Its exit code, minus the signal that ended it, or None while it runs."""
        path = self.folder / "code"
        return int(path.read_text()) if path.exists() else None

    def wait(self, timeout: float = 120) -> "Command":
        """Returns when it has ended."""
        self.until(lambda: self.code is not None, timeout)
        return self

    def until(self, condition, timeout: float = 120) -> None:
        """Returns when the condition holds; kills the command and fails if it takes too long."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                self.send(9)
                raise AssertionError(f"it runs on after {timeout} s: {self.out}\n{self.err}")
            time.sleep(0.005)

    def send(self, signum: int) -> None:
        """Sends a signal, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signum)

    def stop(self, signum: int) -> None:
        """Sends a signal once it trains; fails if it does not stop as promised."""
        self.until(lambda: "0%" in self.err)
        self.send(signum)
        self.wait()
        assert self.code == 130, self.err
        assert "stopped; the same command continues from here" in self.out
        assert "Traceback" not in self.err


class Session:
    """One process in which one command runs as often as it is called, each time in-process.

    So a line costs milliseconds, and flags of other commands are not in the way.
    """

    def __init__(self, commands: "Commands", name: str, cwd: Path):
        folder = commands.folder / f"{name}{commands.count}"
        folder.mkdir(parents=True)
        for pipe in ("ask", "answer"):
            os.mkfifo(folder / pipe)
        self.command = commands.start(name, cwd=cwd, session=str(folder))
        self.ask, self.answer = (folder / "ask").open("w"), (folder / "answer").open()

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code (70 for a traceback), stdout and stderr of the command."""
        self.ask.write(json.dumps(arguments) + "\n")
        self.ask.flush()
        answer = self.answer.readline()
        assert answer, f"it died of {arguments}: {self.command.wait().err}"
        return tuple(json.loads(answer))

    def close(self) -> None:
        self.ask.close()
        self.answer.close()
        self.command.wait()


class Commands:
    """Starts commands; `close` ends the process behind them."""

    def __init__(self, folder: Path):
        self.folder, self.count = Path(folder), 0
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": ROOT},
        )

    def start(self, *arguments: str, cwd: Path | None = None, **limits) -> Command:
        """Starts `toymono ARGUMENTS`.

        Args:
          arguments: The command's name, then its flags.
          cwd: Where it runs; a new folder by default.
          limits: `fsize`, the most bytes of a file; `memory`, the bytes that it may take beyond
            those of the process it is forked from; `user`, the number of a user to become;
            `env`, variables to set; `terminal`, the name of one to run in.
        """
        folder = self.folder / str(self.count)
        self.count += 1
        folder.mkdir(parents=True)
        if cwd is None:
            (cwd := folder / "cwd").mkdir()
        order = {"folder": str(folder), "cwd": str(cwd), "arguments": arguments, **limits}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return Command(folder, int(self.process.stdout.readline()))

    def run(self, *arguments: str, timeout: float = 120, **options) -> Command:
        """Starts a command and waits for its end."""
        return self.start(*arguments, **options).wait(timeout)

    def session(self, name: str, cwd: Path) -> Session:
        """A process in which one command runs as often as it is called."""
        return Session(self, name, cwd)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def _serve() -> None:
    import importlib

    for name in PREPARED:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # of a child before it is a command
    for line in sys.stdin:
        order = json.loads(line)
        read, write = os.pipe()
        if os.fork() == 0:
            _supervise(order, write)
        os.close(write)
        with os.fdopen(read) as pipe:
            print(pipe.read(), flush=True)
        while _reap():
            pass


def _reap() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _supervise(order: dict, write: int) -> None:
    """Runs in a child: forks the command, says its process number, and notes how it ends."""
    pid = os.fork()
    if pid == 0:
        os.close(write)
        _become(order)
    os.write(write, str(pid).encode())
    os.close(write)
    os.close(1)
    os.close(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = Path(order["folder"], "code")
    code.with_suffix(".new").write_text(str(status))
    code.with_suffix(".new").rename(code)
    os._exit(0)


def _become(order: dict) -> None:
    """Runs in a grandchild: the command itself, as `python -m toymono.COMMAND` runs it."""
    from toymono import signals

    folder = order["folder"]
    name, *flags = order["arguments"]
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests run under nohup
    signals.end_at_once()  # as when the package is imported anew
    try:
        for descriptor, path, mode in (
            (0, "/dev/null", os.O_RDONLY),
            (1, f"{folder}/out", os.O_WRONLY | os.O_CREAT),
            (2, f"{folder}/err", os.O_WRONLY | os.O_CREAT),
        ):
            os.dup2(os.open(path, mode), descriptor)
        os.environ.update(order.get("env", {}))
        os.chdir(order["cwd"])
        if "terminal" in order:
            os.setsid()
            terminal = os.open(order["terminal"], os.O_RDWR)  # becomes the controlling one
            for descriptor in range(3):
                os.dup2(terminal, descriptor)
            os.close(terminal)
        if "fsize" in order:
            # JAX would leave broken entries in its cache of programs.
            import jax

            jax.config.update("jax_persistent_cache_min_compile_time_secs", 1e9)
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["fsize"],) * 2)
        if "memory" in order:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + order["memory"]
            resource.setrlimit(resource.RLIMIT_AS, (most,) * 2)
        if "user" in order:
            os.setgroups([])
            os.setgid(order["user"])
            os.setuid(order["user"])
        if "session" in order:
            _serve_session(name, Path(order["session"]))
            os._exit(0)
        sys.argv = [f"toymono.{name}", *flags]
        runpy.run_module(f"toymono.{name}", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def _serve_session(name: str, folder: Path) -> None:
    import importlib

    from absl import app

    command = importlib.import_module(f"toymono.{name}.__main__")
    app.define_help_flags()  # or they are lost with the flags of a line
    with (folder / "ask").open() as lines, (folder / "answer").open("w") as answers:
        for line in lines:
            answers.write(json.dumps(_run_line(command, name, json.loads(line))) + "\n")
            answers.flush()


def _run_line(command, name: str, arguments: list[str]) -> tuple[int, str, str]:
    import io
    import warnings

    from absl.testing import flagsaver

    from toymono import cli

    sys.argv = [f"toymono.{name}.__main__", *arguments]
    out, err, code = io.StringIO(), io.StringIO(), None
    with (
        flagsaver.flagsaver(),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        warnings.simplefilter("default")
        try:
            cli.run(command.main, operands=name == "torch_io")
        except SystemExit as error:
            code = error.code
        except BaseException:
            traceback.print_exc()
            code = 70
    return code or 0, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    _serve()
