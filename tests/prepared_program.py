"""Imports the modules that it is given, then runs the first one's ``main`` in a copy of itself for every line read.

    python prepared_program.py MODULE...

A line is JSON: words, environment, directory, stdout and stderr (paths), the seconds after which SIGALRM ends it. The
answer is its exit code.
Nothing else is imported here: ``haplane`` patches before it imports anything.
"""

import importlib
import json
import os
import signal
import sys


def main(first, *others):
    program = importlib.import_module(first)
    for name in others:
        importlib.import_module(name)
    for line in sys.stdin:
        copy = os.fork()
        if not copy:
            become(json.loads(line))
            return program.main()
        print(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]), flush=True)
    return None


def become(request):
    """The process that was asked for."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["directory"])
    sys.argv[1:] = request["words"]
    signal.alarm(request["seconds"])
    new = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path, how in (0, os.devnull, os.O_RDONLY), (1, request["stdout"], new), (2, request["stderr"], new):
        opened = os.open(path, how)
        os.dup2(opened, number)
        os.close(opened)


if __name__ == "__main__":
    main(*sys.argv[1:])
