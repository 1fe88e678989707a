"""One run of the virtual machine: QEMU with two disks, a console and a channel for what happened."""

import json
import os
import pathlib
import shutil
import subprocess
import time

CPUS, MEMORY = 2, "2G"
PROBE_SECONDS = 20  # a guest on real hardware reaches its first program in one
CONSOLE_LINES = 25
QEMU = "qemu-system-x86_64"


def qemu(folder, accelerator, initrd, console, words, *more):
    """QEMU's command line. It dies with us, however we end: setpriv asks the kernel for that."""
    cpu = "host" if accelerator == "kvm" else "max"
    accel = "kvm" if accelerator == "kvm" else "tcg,thread=multi,tb-size=256"
    return ["setpriv", "--pdeathsig", "KILL", QEMU, "-M", "q35", "-accel", accel, "-cpu", cpu,
            "-smp", str(CPUS), "-m", MEMORY, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-nic", "none", "-serial", f"file:{console}",
            "-kernel", str(folder / "vmlinuz"), "-initrd", str(initrd),
            "-append", f"console=ttyS0 quiet panic=-1 cryptomgr.notests mitigations=off no_timer_check {words}", *more]


def last_lines(path):
    text = path.read_bytes().decode(errors="replace") if path.exists() else ""
    return "\n".join(text.replace("\r", "").splitlines()[-CONSOLE_LINES:])


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()


def host_signature():
    """What the answer to "does KVM work" depends on."""
    cpu = [line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
           if line.startswith("model name")]
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    return [pathlib.Path("/proc/version").read_text().strip(), *cpu[:1], version]


def probe_kvm(folder, initrd, work):
    """Whether a guest on /dev/kvm comes as far as its first program: a file there is no proof."""
    console = work / "probe.log"
    process = subprocess.Popen(
        qemu(folder, "kvm", initrd, console, "knarr_probe=first-program-runs"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        end(process)
    return "first-program-runs" in last_lines(console)


def accelerator(folder, initrd, work, cache):
    """"kvm" or "tcg", said aloud."""
    works, how = False, "there is no /dev/kvm for us"
    if pathlib.Path("/dev/kvm").exists() and os.access("/dev/kvm", os.R_OK | os.W_OK):
        known, signature = cache / "v2lane-kvm.json", host_signature()
        try:
            remembered = json.loads(known.read_text())
        except (OSError, ValueError):
            remembered = {}
        if remembered.get("host") == signature:
            works, how = remembered["works"], f"remembered in {known}"
        else:
            works, how = probe_kvm(folder, initrd, work), f"probed for {PROBE_SECONDS} s"
            known.write_text(json.dumps({"host": signature, "works": works}))
    if works:
        print(f"KVM: the virtual machine runs on the hardware ({how})", flush=True)
        return "kvm"
    print(f"NO KVM HERE: the virtual machine is emulated and slow (TCG; {how})", flush=True)
    return "tcg"


class Machine:
    """A started virtual machine; use with `with`: whatever happens, no QEMU is left."""

    def __init__(self, folder, accelerator_name, initrd, project_disk, work, console, words=""):
        self.console, self.channel, self.read = console, work / "channel", 0
        self.channel.touch()
        self.started = time.monotonic()
        disks = []
        for disk in (folder / "disk", project_disk):  # what is written goes to a temporary file
            disks += ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe"]
        # QEMU's temporary files go where ours are.
        self.log = (work / "qemu.log").open("wb")
        self.process = subprocess.Popen(
            qemu(folder, accelerator_name, initrd, console, f"systemd.show_status=0 {words}", *disks,
                 "-device", "virtio-serial-pci", "-chardev", f"file,id=channel,path={self.channel}",
                 "-device", "virtserialport,chardev=channel,name=knarr",
                 "-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, "TMPDIR": str(work)})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.log.close()

    def events(self, seconds):
        """What the guest reports, a value for each line, until it is off or `seconds` are over."""
        deadline, rest = self.started + seconds, b""
        while True:
            over = self.process.poll() is not None
            with self.channel.open("rb") as file:
                file.seek(self.read)
                data = file.read()
            self.read += len(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield json.loads(line)
            if over:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the virtual machine was ended after {seconds} s")
            try:
                self.process.wait(0.3)
            except subprocess.TimeoutExpired:
                pass
