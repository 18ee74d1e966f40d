"""How long a script may wait at most: the deadlines that its text names, one after the other.

Of what is tried until a deadline the last try begins just before it, and has its own. A loop over words or the
script's list counts once for each of them, any other loop once; of an `if` the longer branch. Not counted: commands
without a deadline in the script (kubeadm, systemctl, files), and the requests of one kubectl after its first.
"""

import re

from haplane.operations.on_host.control_plane import BACK_OFF_SECONDS
from haplane.scripts import DIRECTORY

DEADLINES = {
    "api": r"(\d+)",
    "persistent_api": r"(\d+)",
    "local_etcdctl": r"(\d+)",
    "local_apiserver": r"\S+ (\d+)",
    "apiserver_answers": r"(\d+)",
    "control_plane": r"\w+ (\d+)",
    "wait_for": r"(\d+)",
}
"""Where each function has its seconds."""
[PERSISTENT_SECONDS] = map(int, re.findall(r"%s\) \+ (\d+)", (DIRECTORY / "functions/persistent_api.sh").read_text()))
DELAYED = ("control_plane start", "control_plane ready")
ADDED = {"persistent_api": PERSISTENT_SECONDS, **dict.fromkeys(DELAYED, BACK_OFF_SECONDS)}
FUNCTION = re.compile(r"^(\w+)\(\) (?:[{(]\n(.*?)^[})]|\{ ([^\n]*) \})$", re.M | re.S)
COMMAND = re.compile(r"(?:^|[;&|({!]\s*|\b(?:if|until|then|do) )(?!(?:if|until|then|do) )(\w+)\b(?![=(])")
LOOP = re.compile(r"(?:^|\| )(for|while|until) ")


def longest_wait(text: str) -> int:
    """Seconds, of a script as a host runs it."""
    words = re.search(r"^set -- (.*)$", text, re.M)
    text = _commands(text)
    bodies = {name: many or one for name, many, one in FUNCTION.findall(text)}
    return _block(FUNCTION.sub("", text), bodies, len(words[1].split()) if words else 1)


def _commands(text: str) -> str:
    """A command a line: numbers in the place of their variables, no programs, and what is waited for by itself."""
    for name, number in re.findall(r"^(\w+)='(\d+)'$", text, re.M):
        text = re.sub(rf'"?\${{?{name}\b}}?"?', number, text)
    text = re.sub(r"(^\w+=|-c )'(?:[^']|'\\'')*'", r"\1", text, flags=re.M)
    text = re.sub(r"^ *#.*$", "", text, flags=re.M).replace("\\\n", " ")
    return re.sub(r'wait_for (\d+) "[^"]*" ', r"wait_for \1; ", text)


def _block(text: str, bodies: dict[str, str], words: int) -> int:
    outer: list[tuple[int, list[int]]] = []  # of each compound around a line: how often it runs, its branches' sums
    times, branches = 1, [0]
    for line in map(str.strip, text.splitlines()):
        opens = LOOP.search(line) or line.startswith("if ")
        if line.startswith("if "):
            branches[-1] += _line(line, bodies, words)  # whichever branch follows
        if opens and not re.search(r"; (?:fi|done)\b", line):
            outer.append((times, branches))
            times, branches = _times(line, words), [0]
        if line.startswith(("else", "elif ")):
            branches = [*branches, 0]
        if not line.startswith("if "):
            branches[-1] += _line(line, bodies, words)
        if re.match(r"(?:fi|done)\b", line):
            longest = times * max(branches)
            times, branches = outer.pop()
            branches[-1] += longest
    assert not outer
    return branches[0]


def _times(line: str, words: int) -> int:
    if '"$@"' in line or "while read" in line:
        return words
    named = re.match(r"for \w+ in ([\w -]+);", line)
    return len(named[1].split()) if named else 1


def _line(line: str, bodies: dict[str, str], words: int) -> int:
    total = sum(map(int, re.findall(r"date \+%s\) \+ (\d+)", line)))
    for found in COMMAND.finditer(line):
        name, rest = found[1], line[found.end() :]
        if name in DEADLINES:
            given = re.match(rf" {DEADLINES[name]}", rest)
            assert given, f"no deadline: {line}"
            own = re.match(r"[^|;&]*--timeout=(\d+)s", rest)
            added = (more for command, more in ADDED.items() if f"{name}{rest}".startswith(f"{command} "))
            total += int((own or given)[1]) + sum(added)
        elif name in bodies:
            others = {other: body for other, body in bodies.items() if other != name}
            total += _block(bodies[name], others, words)
    return total
