"""The first command over a connection: what the login lacks is found before anything is sent that it could misuse."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from haplane.config.model import Host, Ssh
from haplane.login_shell import MARK
from haplane.remote.environment import WANTS_TERMINAL, as_root, at_login, give_terminal
from haplane.remote.ssh_failures import NoConnection, own_words
from haplane.remote.target import login, options, session, target
from haplane.streams import Completed, capture, last_line

SECONDS = 45
"""Long when sudo looks the user up in a directory that does not respond. An emulated machine that started every pod
at once took over 30 s."""
MOST_BYTES = 1 << 18
SUDOERS = "/etc/sudoers.d/haplane on that host"
NO_SESSION_CODE = 255
"""ssh's own."""
REFUSED_CODE = 1
"""What sudo and doas end with by themselves."""
LONG = "x" * 4200
"""An argument longer than a page, as our programs are. Where sudo logs or checks what commands start, sudo 1.9.13
takes a command with one for another one: it prints both and kills it."""
OUTPUT = "readlink /proc/self/fd/1"
"""Prints where its standard output goes."""


def run_a_first_command(host: Host, shared: Sequence[str]) -> None:
    """``shared``: the words that make ssh use the host's connection.

    Where sudo wants a terminal (requiretty) it gets one from now on, and where it logs what commands print: without
    one, sudo 1.9.13 loses the end of what a reader does not take at once, with exit status 0. Raises NoConnection if
    the login runs no commands, or sudo or doas needs a password: that would be on the host's command lines.
    """
    done = _attempt(host, shared)
    if host.ssh.sudo and (WANTS_TERMINAL in done.stderr if done.code != 0 else _comes_through_sudo(done.stdout)):
        give_terminal(host.ssh)
        done = _attempt(host, shared)
    words = last_line(own_words(done.stderr.rpartition(MARK)[2].decode(errors="replace")))
    if MARK not in done.stdout:
        if done.code == NO_SESSION_CODE:
            raise NoConnection(words or "the connection has ended")
        words = words or last_line(done.stdout) or "it ran something else"
        raise NoConnection(f"its login runs no commands ({words}): `ssh {host.ssh} echo hello` has to print hello")
    if done.code != 0:
        raise NoConnection(_not_as_root(host.ssh, done, words))


def _attempt(host: Host, shared: Sequence[str]) -> Completed:
    as_user = ("sh", "-c", f'{OUTPUT}; exec "$@"', "sh")
    command = at_login(shlex.join((*as_user, *as_root(host), "sh", "-c", OUTPUT, "sh", LONG)))
    words = [*session(host), *shared, *options(host), *target(host.ssh), command]
    try:
        return capture(words, b"", deadline_seconds=SECONDS, most=MOST_BYTES)
    except TimeoutError:
        late = " or ".join(("its login", *_program(host.ssh)))
        raise NoConnection(f"{late} did not answer within {SECONDS} s") from None


def _comes_through_sudo(printed: bytes) -> bool:
    """Whether what root prints goes to sudo, which passes it on."""
    return len(set(printed.rpartition(MARK)[2].split())) > 1


def _program(ssh: Ssh) -> tuple[str, ...]:
    """What makes root of the user who logs in."""
    return ("sudo",) if ssh.sudo else ("doas",) if ssh.doas else ()


def _not_as_root(ssh: Ssh, done: Completed, words: str) -> str:
    program = " ".join(_program(ssh))
    user = re.sub(r"([\\ @!=:,()])", r"\\\1", login(ssh))
    if LONG.encode() in done.stderr:
        why = "under log_subcmds or intercept it takes one with a long argument for another"
        return f"sudo kills our commands ({why}): add `Defaults:{user} !log_subcmds, !intercept` to {SUDOERS}"
    if not program or done.code != REFUSED_CODE:
        tried = " ".join((*(f"{each} -n" for each in _program(ssh)), "env true"))
        return f"{program or 'its login'} runs no commands ({words or done.code}): `ssh {ssh} {tried}` has to work"
    if ssh.sudo:
        remedy = f"add `{user} ALL=(ALL) NOPASSWD: ALL` to {SUDOERS}"
    else:
        remedy = f"add `permit nopass {login(ssh)}` to /etc/doas.conf on that host"
    return f"{program} needs a password ({words}): {remedy}"
