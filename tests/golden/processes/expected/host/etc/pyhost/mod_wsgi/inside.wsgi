# Managed by Ansible (pyhost.web): changes here are lost
"""Load application inside from the release that is live when the process starts."""

import importlib
import operator
import os
import sys

# The relay's word to Apache; the application has no use for it.
os.environ.pop("RELAY", None)
os.environ['EMPTY'] = ''
os.environ['HARD'] = 'a "b" \'c\' $HOME `d` \\e %s {{ ü # ; ='
os.environ['HOME'] = '/var/lib/pyhost/inside'
os.environ['LANG'] = 'de_DE.UTF-8'
os.environ['PATH'] = '/srv/bin:/usr/bin'
os.environ['PLAIN'] = 'value'
os.environ['STATE_DIRECTORY'] = '/var/lib/pyhost/inside'

# Resolved once: a process that lives on while the next release takes over keeps importing from its own.
named, venv = "/srv/pyhost/inside/current/venv", os.path.realpath("/srv/pyhost/inside/current/venv")
sys.path[:] = [venv + entry.removeprefix(named) if entry.startswith(named) else entry for entry in sys.path]
# mod_wsgi puts the folder there in which the process started.
sys.path[:] = [entry for entry in sys.path if entry != "/"]
sys.prefix = sys.exec_prefix = venv
sys.executable = venv + "/bin/python"
code = os.path.realpath("/srv/pyhost/inside/current/code")
sys.path.insert(0, code)
os.chdir(code)
application = operator.attrgetter("make.app")(importlib.import_module("package.module"))

if __name__ == "__main__":
    # It was only tried; a thread that the application has begun would keep it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
