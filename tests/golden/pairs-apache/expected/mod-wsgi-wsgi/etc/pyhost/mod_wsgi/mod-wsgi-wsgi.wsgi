# Managed by Ansible (pyhost.web): changes here are lost
"""Load application mod-wsgi-wsgi from the release that is live when the process starts."""

import importlib
import operator
import os
import sys

# The relay's word to Apache; the application has no use for it.
os.environ.pop("RELAY", None)
os.environ['HOME'] = '/var/lib/pyhost/mod-wsgi-wsgi'
os.environ['LANG'] = 'C.UTF-8'
os.environ['STATE_DIRECTORY'] = '/var/lib/pyhost/mod-wsgi-wsgi'

# Resolved once: a process that lives on while the next release takes over keeps importing from its own.
named, venv = "/srv/pyhost/mod-wsgi-wsgi/current/venv", os.path.realpath("/srv/pyhost/mod-wsgi-wsgi/current/venv")
sys.path[:] = [venv + entry.removeprefix(named) if entry.startswith(named) else entry for entry in sys.path]
# mod_wsgi puts the folder there in which the process started.
sys.path[:] = [entry for entry in sys.path if entry != "/"]
sys.prefix = sys.exec_prefix = venv
sys.executable = venv + "/bin/python"
code = os.path.realpath("/srv/pyhost/mod-wsgi-wsgi/current/code")
sys.path.insert(0, code)
os.chdir(code)
application = operator.attrgetter("app")(importlib.import_module("m"))

if __name__ == "__main__":
    # It was only tried; a thread that the application has begun would keep it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
