"""Runs on a host: a command with a terminal of its own, which is all that sudo's requiretty asks for.

    python3 -I -c THIS COMMAND...

Its pipes stay as they are. Ends with the command's exit status.
"""

import fcntl
import os
import sys
import termios

ours, its = os.openpty()
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(its, termios.TIOCSCTTY, 0)
    os.close(ours)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - no shell is wanted
os.close(its)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
