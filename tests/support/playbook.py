"""Run the scenario's playbook again, with other variables, on some of its hosts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from pathlib import Path

from testinfra.host import Host

# Colours would stand between the words that tests look for. Which interpreter Ansible finds is seen by the runs of
# molecule itself; to look for it in every run costs two commands a host. This one is the host's own, and keeps what it
# compiles: see .config/molecule/python.
PLAIN = {
    **os.environ,
    "ANSIBLE_FORCE_COLOR": "0",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_PYTHON_INTERPRETER": "/usr/local/lib/pyhost-test/python",
}


def command(hosts: t.Sequence[Host], variables: t.Mapping[str, t.Any], name: str = "converge.yml") -> list[str]:
    """Return the command line that runs a playbook of the scenario with the variables laid over the inventory's."""
    playbook = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], name)
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    words = ["ansible-playbook", "--inventory", inventory, "--limit", ",".join(host.backend.hostname for host in hosts)]
    return [*words, "--extra-vars", json.dumps(variables), str(playbook)]


def run(*hosts: Host, **variables: t.Any) -> tuple[int, str]:
    """Run it; return its exit code and all its output."""
    done = subprocess.run(
        command(hosts, variables), capture_output=True, text=True, check=False, timeout=600, env=PLAIN
    )
    return done.returncode, done.stdout + done.stderr


def failures_by_host(output: str) -> dict[str, str]:
    """Return the whole message of each host that could not do its task.

    Ansible prints it above the result, which has only the first line, and once for all hosts with the same message.
    """
    whole = re.findall(r"(?ms)^\[ERROR\]: Task failed: (?:Module failed: )?(.*?)\nOrigin: ", output)
    found = re.findall(r"^fatal: \[(\S+)\]: FAILED! => ({.*})$", output, re.MULTILINE)
    lines = {host: str(json.loads(result)["msg"]) for host, result in found}
    return {host: next((text for text in whole if text.startswith(line)), line) for host, line in lines.items()}


def messages(output: str) -> list[str]:
    """Return the messages of all hosts that could not do their task."""
    return list(failures_by_host(output).values())


def converge(*hosts: Host, **variables: t.Any) -> str:
    """Run it to a good end; return its output."""
    code, output = run(*hosts, **variables)
    assert code == 0, output
    return output


def would(*hosts: Host, options: t.Sequence[str] = (), **variables: t.Any) -> str:
    """Let it tell what it would do; return its output."""
    done = subprocess.run(
        [*command(hosts, variables), "--check", *options],
        capture_output=True, text=True, check=False, timeout=600, env=PLAIN,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told(output: str, host: Host) -> dict[str, list[str]]:
    """Return what the summary says of a host, by application: the change, the answer (not of a dry run), the URL."""
    rows = (re.split(" {2,}", line[3:]) for line in output.splitlines())
    return {
        what: cells for name, what, *cells in (row for row in rows if len(row) > 1) if name == host.backend.hostname
    }


def removed(output: str, host: Host) -> set[str]:
    """Return what the summary says has gone from a host, or would go."""
    lines = re.findall(rf"^- {host.backend.hostname}: (\S+|user \S+)(?: \(.*\))?$", output, re.MULTILINE)
    return set(lines)


def changes(output: str, host: Host) -> tuple[dict[str, str], set[str]]:
    """Return what the summary says of a host, that of a dry run as that of a run: the changes, and what has gone."""
    # Below it are seconds.
    rows = {what: cells[0] for what, cells in told(output, host).items() if not re.fullmatch(r"[0-9.]+", what)}
    return rows, removed(output, host)


def foretold(*hosts: Host, **variables: t.Any) -> str:
    """Run it to a good end, as a dry run has said before; return the output of the run."""
    dry, done = would(*hosts, options=["--diff"], **variables), converge(*hosts, **variables)
    assert [changes(dry, host) for host in hosts] == [changes(done, host) for host in hosts]
    return done
