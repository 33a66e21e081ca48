# Managed by Ansible (pyhost.web): changes here are lost
"""Load application shop from the release that is live when the worker starts; let the worker end."""

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
    """Return the application as PEP 3333 has it: uWSGI does not keep to it where an application fails, and where it
    leaves a request body unread."""

    def answer(environ, start_response):
        body = environ["wsgi.input"] if environ.get("CONTENT_LENGTH") else None

        def begin(status, headers, exc_info=None):
            try:
                # With the third argument uWSGI would raise the exception that is being answered.
                return start_response(status, headers)
            except OSError as error:
                # The other answer is on its way already.
                raise exc_info[1].with_traceback(exc_info[2]) if exc_info else error from None

        try:
            result = application(environ, begin)
        except Exception as error:
            result = failed(error, start_response)
        if hasattr(result, "read"):
            # As it is: uWSGI sends files from wsgi.file_wrapper itself.
            read_to_the_end(body)
            return result
        return pieces([result] if isinstance(result, bytes) else result, start_response, body)

    return answer


def pieces(result, start_response, body):
    """Yield an answer, or what takes its place where the application raises before its first piece is sent."""
    try:
        yield from result
    except Exception as error:
        yield from failed(error, start_response)
    finally:
        try:
            if hasattr(result, "close"):
                result.close()
        finally:
            read_to_the_end(body)


def failed(error, start_response):
    """Answer for an application that raises: uWSGI would close the connection instead, and a front end take that for the
    end of the server, ask another one, and no more of them for a while."""
    try:
        # It takes the place of what the application may have begun.
        start_response("500 Internal Server Error", [("Content-Type", "text/plain"), ("Content-Length", "0")])
    except OSError:
        # That is on its way, so its end is all that uWSGI can do, which prints this.
        raise error from None
    traceback.print_exception(error)
    return [b""]


def read_to_the_end(body):
    """Read what an application has left of a request body: a connection that is closed before all of it is sent is an
    error to a front end, whatever the answer was."""
    # The front end may have gone.
    with contextlib.suppress(OSError):
        while body and body.read(65536):
            pass


# Resolved once: a worker that lives on while the next release takes over keeps importing from its own.
code = os.path.realpath("/srv/pyhost/shop/current/code")
os.chdir(code)

import site

# What python itself does at its start, told that it is the venv's: pyvenv.cfg, site-packages and .pth files.
sys.executable = os.path.realpath("/srv/pyhost/shop/current/venv") + "/bin/python"
site.main()
sys.path.insert(0, code)
application = answering(operator.attrgetter("make.app")(importlib.import_module("package.module")))
