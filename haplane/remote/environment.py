"""What every command of ours on a host has for its environment, whatever the login, sudo or /etc/environment set."""

from __future__ import annotations

from haplane.config.model import Host, Ssh
from haplane.host_programs import parts, program
from haplane.login_shell import MARK, for_any_shell

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The bundle's programs are in /usr/local/bin, which sudo's secure_path leaves out on some distributions."""

ENVIRONMENT = ("env", "-i", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", "sh", "-c", 'umask 022; exec "$@"', "sh")
"""Nothing is inherited: kubeadm copies every variable that ends in _proxy into static pods and kube-proxy, kubectl
would send the API's traffic through them, and what systemctl prints would be in the login's language. With a umask of
077 daemons that are not root could not read what is theirs."""
BEFORE = f'PATH="${{PATH:+$PATH:}}{PATH}" LC_ALL=C; export PATH LC_ALL;'
"""Up to there: sudo is found, and its words, which tell what it lacks, are in English."""

WANTS_TERMINAL = b"must have a tty"
"""What sudo writes where sudoers has requiretty."""
IN_A_TERMINAL = program(*parts("remote", "in_a_terminal"))

_in_terminals: set[tuple[object, ...]] = set()


def at_login(command: str) -> str:
    """What the host's login shell, whichever that is, is given to run one command: quoted words, with no operators.

    MARK is before its output and before its errors.
    """
    mark = MARK.decode().strip()
    return for_any_shell(f"{BEFORE} echo {mark}; echo {mark} >&2; exec {command}")


def give_terminal(ssh: Ssh) -> None:
    """From now on sudo on that host has a terminal."""
    _in_terminals.add((ssh.hostname, ssh.port, ssh.user))


def root_words(ssh: Ssh) -> tuple[str, ...]:
    """What comes before a command that is to run as root."""
    if ssh.doas:
        return ("doas", "-n")
    if not ssh.sudo:
        return ()
    terminal = (ssh.hostname, ssh.port, ssh.user) in _in_terminals
    return (*(("python3", "-I", "-c", IN_A_TERMINAL) if terminal else ()), "sudo", "-n")


def as_root(host: Host) -> tuple[str, ...]:
    """What comes before a command's own words."""
    return (*root_words(host.ssh), *ENVIRONMENT)


def shell_of(host: Host) -> tuple[str, ...]:
    """The words of the shell that runs a command as root: the one of a run that holds the lock, or ``sh``."""
    return (*as_root(host), *(host.ssh.shell or "sh").split())
