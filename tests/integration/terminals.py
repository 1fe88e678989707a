"""A real terminal for tests: what a person sits at, and what runs in it."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def get_size(fd):
    return struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8))[:2]


def with_terminal(bundle):
    """Gives a bundle a devpts and its process a terminal."""
    bundle.config["mounts"].append(
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]})
    bundle.config["process"]["terminal"] = True
    bundle.save()
    return bundle


class Screen:
    """A pseudo terminal; start() runs a program in a session of its own in front of it."""

    def __init__(self, rows=40, columns=100):
        self.master, self.slave = pty.openpty()
        set_size(self.slave, rows, columns)
        self.mode = termios.tcgetattr(self.slave)
        self.seen = b""
        self.process = None

    def start(self, command, environment, **streams):
        def take():
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        streams = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave, **streams}
        self.process = subprocess.Popen(command, env=environment, preexec_fn=take,
                                        pass_fds=[self.slave], **streams)
        return self.process

    def type(self, text):
        os.write(self.master, text)

    def read(self, seconds):
        """What the screen shows next; nothing when there is nothing for so long."""
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            return os.read(self.master, 65536)
        except OSError:
            return b""

    def expect(self, text, seconds=20):
        """Waits until the screen has shown `text`."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"{text} did not come, but {self.seen[-2000:]}"
            self.seen += self.read(left)
        return self.seen

    def wait(self, seconds=30):
        """The exit code, with all that came until then in `seen`."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end; it showed {self.seen[-2000:]}"
            self.seen += self.read(0.02)
        while more := self.read(0):
            self.seen += more
        return self.process.returncode

    def values(self):
        """The witness's report."""
        return dict(line.split("=", 1) for line in self.seen.decode().replace("\r", "").split("\n")
                    if "=" in line)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.mode

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
