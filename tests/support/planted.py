"""Links that the front end's account plants where root works, so that root writes through them."""

from __future__ import annotations

from testinfra.host import Host

COPIES = "/run/lighttpd-tls"
"""The copies of keys that lighttpd reads as www-data."""
FOLDERS = (COPIES, "/var/lib/pyhost/.acme", "/etc/pyhost/tls")
TARGET = "/etc/pyhost-target"


def target(host: Host) -> str:
    """Return owner, mode and content of the file of root to which the links lead."""
    return host.check_output(f"stat --format '%U:%G %a' {TARGET} && cat {TARGET}")


def plant(host: Host) -> str:
    """Make a file of root, and as www-data a link to it at every name at which root might write; return `target`.

    Where www-data may not, there is no link, which is just as well.
    """
    host.check_output(f"rm -f {TARGET} && echo untouched >{TARGET} && chmod 0600 {TARGET}")
    sites = host.check_output("ls /etc/pyhost/tls").split()
    names = [f"{site}{end}" for site in sites for end in ("", ".pem", ".pem.new", ".new")]
    script = (
        f"for folder in {' '.join(FOLDERS)}; do for name in {' '.join(names)}; do"
        f" rm -f $folder/$name; ln -s {TARGET} $folder/$name; done; done; mv {COPIES} {COPIES}.gone"
    )
    host.run("cd / && exec runuser -u www-data -- sh -c %s", script)
    return target(host)
