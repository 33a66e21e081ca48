# Managed by Ansible (pyhost.web): changes here are lost
"""Load application kept from the release that is in service when the worker starts; let the worker end."""

import contextlib
import importlib
import operator
import os
import select
import signal
import sys
import threading
import time
import traceback

import uwsgi


def withdraw():
    """Make uWSGI's threads stop accepting; return how many of them did."""
    threads = 0
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{descriptor}") == "anon_inode:[eventpoll]":
                with select.epoll.fromfd(os.dup(int(descriptor))) as queue:
                    for listener in uwsgi.sockets:
                        queue.unregister(listener)
                threads += 1
    return threads


def end():
    """Wait until uWSGI wants this worker to end, and let it do so when no request is in flight."""
    signal.sigwait([signal.SIGHUP])
    withdrawn = 0
    while withdrawn < uwsgi.cores or uwsgi.workers()[uwsgi.worker_id() - 1]["status"] == b"busy":
        withdrawn += withdraw()
        # By then a connection that was just being accepted counts as a request.
        time.sleep(0.1)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)


# uWSGI ends a worker from within a signal handler: it drops a connection that is accepted but not read yet, and before
# 2.0.25 it waits there for the other threads, which wait for the interpreter's lock if Python is what it interrupted.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
threading.Thread(target=end, daemon=True).start()

def answering(application):
    """Return the application with an answer where it raises: uWSGI would close the connection instead, and a front end
    take that for the end of the server, ask another one, and no more of them for a while."""

    def answer(environ, start_response):
        try:
            # As it is: uWSGI sends files from wsgi.file_wrapper itself.
            return application(environ, start_response)
        except Exception:
            traceback.print_exc()
            # It takes the place of what the application may have begun, unless that is on its way.
            start_response("500 Internal Server Error", [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return [b""]

    return answer


# Resolved once: a worker that lives on while the next release takes over keeps importing from its own.
code = os.path.realpath("/srv/pyhost/kept/current/code")
os.chdir(code)

import site

# What python itself does at its start, told that it is the venv's: pyvenv.cfg, site-packages and .pth files.
sys.executable = os.path.realpath("/srv/pyhost/kept/current/venv") + "/bin/python"
site.main()
sys.path.insert(0, code)
application = answering(operator.attrgetter("app")(importlib.import_module("m")))
