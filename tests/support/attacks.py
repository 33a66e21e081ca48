"""What an attacker tries on a host, as a list; `taken` does it in the place of an application."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from testinfra.host import Host

from tests.support.processes import main_process, main_process_of
from tests.support.visitor import Visitor, address

SHELL = "a shell"

DENIED = "Permission denied|Read-only file system|Operation not permitted"
# Outside the application's own view of the system.
HIDDEN = f"{DENIED}|No such file|No such process"
# How the service manager says no to who is not root.
UNASKED = "Access denied|authentication|connect"
CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
SIGNAL = "import os, sys; os.kill(int(sys.argv[1]), 0)"
MEMORY = "import sys; open(f'/proc/{sys.argv[1]}/mem', 'rb')"
TRACE = "import ctypes, os, sys; l = ctypes.CDLL(None, use_errno=True); s = l.ptrace(16, int(sys.argv[1]), 0, 0);\
 s and sys.exit(os.strerror(ctypes.get_errno())); l.ptrace(17, int(sys.argv[1]), 0, 0)"


def python(program: str, *arguments: str) -> str:
    """Return the command that runs a program of one line."""
    return f'python3 -c "{program}" {" ".join(arguments)}'


@dataclass(frozen=True)
class Attack:
    """A command with names of `targets` in braces, the words in which it is refused, and who can do it."""

    command: str
    refusal: str
    owner: str = "root"

    def of(self, targets: t.Mapping[str, str]) -> str:
        """Return the command with the names filled in."""
        command = self.command
        for name, value in targets.items():
            command = command.replace(f"{{{name}}}", value)
        return command


# What, the command, and the words in which it is refused. Root, whom nothing stops, does each of them without a fault,
# or the account that is named.
READ = {
    "code": ("cat {release}/code/probe.py", DENIED),
    "the folder of the releases": ("ls /srv/pyhost/victim/releases", DENIED),
    "the venv": ("ls {release}/venv", DENIED),
    "private files": ("cat {release}/public/private/bill.txt", DENIED),
    "environment": ("cat /etc/pyhost/victim.env", DENIED),
    "environment of flup": ("cat /etc/pyhost/victim-flup.env", DENIED),
    "environment of mod_wsgi": ("cat /etc/pyhost/mod_wsgi/victim-apache.wsgi", DENIED),
    "environment of the process": ("cat /proc/{victim.pid}/environ", HIDDEN),
    "environment of the Apache": ("cat /proc/{victim-apache.pid}/environ", HIDDEN),
    "memory of the process": (python(MEMORY, "{victim.pid}"), HIDDEN, "victim"),
    "files that the process has open": ("ls /proc/{victim-flup.pid}/fd", HIDDEN),
    "data": ("ls /var/lib/pyhost/victim", DENIED),
    "a file of its data": ("cat /var/lib/pyhost/victim/requests", DENIED),
    "the cache of its builds": ("ls /var/cache/pyhost/victim", DENIED),
    "temporary files": ("ls /proc/{victim.pid}/root/tmp", HIDDEN, "victim"),
    "manifests": ("ls /var/lib/pyhost/.manifest", DENIED),
    "keys of TLS": ("ls /etc/pyhost/tls", DENIED),
    "access log": ("cat /var/log/{server}/victim.example.access.log", DENIED),
    "journal": (
        "journalctl --no-pager --quiet --boot --unit pyhost-victim.service | grep .",
        "insufficient permissions|No journal files",
    ),
    "passwords of the host": ("cat /etc/shadow", DENIED),
}
CONTROL = {
    "endpoint": (python(CONNECT, "/run/pyhost/victim.sock"), DENIED),
    "endpoint of flup": (python(CONNECT, "/run/pyhost/victim-flup.sock"), DENIED),
    "endpoint of mod_wsgi": (python(CONNECT, "/run/pyhost/victim-apache.sock"), DENIED),
    "socket beside the endpoint": ("touch /run/pyhost/x.sock && rm /run/pyhost/x.sock", DENIED),
    "socket in its place": ("cd /run/pyhost && mv victim.sock x && mv x victim.sock", DENIED),
    "signal": (python(SIGNAL, "{victim.pid}"), HIDDEN),
    "signal to the front end": (python(SIGNAL, "{server.pid}"), HIDDEN),
    "ptrace": (python(TRACE, "{victim-flup.pid}"), HIDDEN, "victim-flup"),
    "its unit": ("systemctl --no-ask-password kill --signal CONT pyhost-victim.service", UNASKED),
    "a unit of one's own": ("systemd-run --no-ask-password --wait true", UNASKED),
}
WRITE = {
    "code": ("touch {release}/code/x && rm {release}/code/x", DENIED),
    "release in service": ("touch /srv/pyhost/victim/x && rm /srv/pyhost/victim/x", DENIED),
    "static files": ("touch {release}/public/static/x && rm {release}/public/static/x", DENIED),
    "own code": ("touch {own}/code/x && rm {own}/code/x", DENIED),
    "own venv": ("touch {own}/venv/x && rm {own}/venv/x", DENIED),
    "own release": ("touch /srv/pyhost/attacker/x && rm /srv/pyhost/attacker/x", DENIED),
    "own static files": ("touch {own}/public/static/x && rm {own}/public/static/x", DENIED),
    "own unit": ("touch -a /etc/systemd/system/pyhost-attacker.service", DENIED),
    "own WSGI script": ("touch -a /etc/pyhost/mod_wsgi/attacker-apache.wsgi", DENIED),
    "a unit": ("touch /run/systemd/system/x.service && rm /run/systemd/system/x.service", HIDDEN),
    "sites": ("touch /etc/{server}/pyhost/sites/x.conf && rm /etc/{server}/pyhost/sites/x.conf", DENIED),
}
ATTACKS = {
    f"{verb}: {what}": Attack(*attack)
    for verb, attacks in {"read": READ, "control": CONTROL, "write": WRITE}.items()
    for what, attack in attacks.items()
}


def taken(host: Host, attacker: str, script: str) -> tuple[int, str]:
    """Let the attacker run the script, as a shell of the account `attacker` or inside an application; return its status
    and its output."""
    if attacker == SHELL:
        done = host.run("cd / && exec runuser -u attacker -- sh -c %s", script)
        return done.rc, done.stdout + done.stderr
    answer = Visitor(address(host), f"{attacker}.example").ask("/", "POST", script.encode()).json()
    return answer["rc"], answer["output"]


def targets(host: Host, server: str) -> dict[str, str]:
    """Return what attacks name: the victims' processes, the front end and its process, the release in service."""
    return {
        **{f"{app}.pid": main_process(host, app) for app in ("victim", "victim-flup", "victim-apache")},
        "server": server,
        "server.pid": main_process_of(host, f"{server}.service"),
        "own": "/srv/pyhost/attacker/current",
        "release": host.check_output("readlink -f /srv/pyhost/victim/current"),
    }
