"""Keeps what Python compiles of an archive: Ansible sends each module as one, which would be compiled each time.

That is half of the processor time of most modules, and a scenario runs the same ones hundreds of times. Only runs of
the tests have it, not those of molecule itself.
"""

import _imp
import contextlib
import hashlib
import marshal
import os
import sys
import zipimport

FOLDER = "/root/.cache/pyhost-compiled"

# What the module starts has the usual Python.
del os.environ["PYTHONPATH"]
sys.path.remove(os.path.dirname(__file__))


def _compile_once(pathname, source, compile_source=zipimport._compile_source):
    digest = hashlib.blake2b(pathname.rpartition("/")[2].encode() + b"\0" + source, digest_size=16)
    kept = f"{FOLDER}/{digest.hexdigest()}"
    # An account of its own has no place to keep anything.
    with contextlib.suppress(OSError), open(kept, "rb") as file:
        code = marshal.load(file)
        # The archive is another one each time.
        _imp._fix_co_filename(code, pathname)
        return code
    code = compile_source(pathname, source)
    with contextlib.suppress(OSError):
        os.makedirs(FOLDER, exist_ok=True)
        with open(f"{kept}.{os.getpid()}", "wb") as file:
            marshal.dump(code, file)
        os.rename(file.name, kept)
    return code


zipimport._compile_source = _compile_once
