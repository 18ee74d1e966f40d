"""Words that haplane's text does not use: another one is the field's, or only people do that.

Some words are right elsewhere (`part`, `stage`, `leave`, `machine` for the one that haplane runs on): their patterns
have what stands beside them. `stored`, `questions` and a bare `restore` are left to editors.
"""

import re
from dataclasses import dataclass

HOST_ROLES = r"(api )?servers?|hosts?|members?|masters?|kubelets?|etcd"


@dataclass(frozen=True)
class Row:
    """``pattern`` finds each of ``examples``; ``instead`` is what is written."""

    pattern: str
    instead: str
    examples: tuple[str, ...]

    def found_in(self, text):
        """Each place in a text, with the words around it."""
        for match in re.finditer(rf"\b(?:{self.pattern})\b", text, re.IGNORECASE):
            around = text[max(match.start() - 40, 0) : match.end() + 40]
            yield f"{match.group()!r} -> {self.instead}: ...{around}..."


WORDS = (
    Row(r"mend(s|ed|ing)?|cure[sd]?|curing", "fix, recovery", ("mend the cause", "cures it")),
    Row(r"strangers?|foreign", "not in this inventory", ("a stranger's packet", "a foreign host")),
    Row(r"aside(?!-)", "moved to PATH", ("put aside", "moved aside by hand")),
    Row(
        r"answers? no more|no longer answers?|(un)?silen(t|tly|ce|ced)|(gone|went|goes|fell) quiet",
        "stopped responding, unreachable",
        ("m1 answers no more", "a silent host", "it has gone quiet"),
    ),
    Row(
        r"(?<!second run is )told|tells?|says?|said|saying"
        rf"|({HOST_ROLES}) (is|are|was|were) (not )?asked|asks? (the|its|each|every|all|most) (\S+ )?({HOST_ROLES})",
        "reported, returned, queried",
        ("the host told us", "its log says why", "etcd said no", "the API server is asked", "it asks every host"),
    ),
    Row(r"(?<![-@_])authorit(y|ies)(?![-_])", "CA", ("a certificate authority",)),
    Row(r"leaf", "certificate (server, client)", ("the leaf",)),
    Row(r"stamp(s|ed)?|moments?", "timestamp, time", ("its stamp", "at that moment")),
    Row(
        r"(?<!virtual )machines|(each|every|same) machine",
        "host",
        ("etcd on machines of its own", "the same machine"),
    ),
    Row(r"str(ike|ikes|iking|uck)", "remove from, hit", ("strike it out of the inventory", "struck out")),
    Row(r"(take[ns]?|took|taking)( \w+)? off", "reset", ("taken off the hosts", "take haplane off this machine")),
    Row(
        r"leav(e|es|ing) (the|its) cluster|left (the|its) cluster"
        r"|leaving (hosts?|masters?|members?|nodes?|workers?)|leavers?",
        "decommission",
        ("hosts that leave the cluster", "it has left its cluster", "a leaving host"),
    ),
    Row(r"good-?byes?|clients? part|lets? \w+ part", "GOAWAY, drain", ("a good-bye", "let clients part")),
    Row(r"complain\w*|doubt\w*|troubles?", "warning, unverified, problem", ("a complaint", "in doubt", "trouble")),
    Row(r"condemn\w*", "data to discard", ("condemned data",)),
    Row(r"comings", "membership steps", ("the comings of m1",)),
    Row(r"tellers?", "any healthy voter", ("a teller",)),
    Row(
        r"shel(f|ves)|wish(es|ed)?|believ\w+", "catalog, request, verified", ("on the shelf", "a wish", "is believed")
    ),
    Row(r"judg\w+|surveys?", "evaluation, host facts", ("judges", "a survey of the host")),
    Row(
        r"drill('s|s')? (stor(y|ies)|stages?)|scenes?",
        "drill, scenario, drill context",
        ("a drill's story", "the scene"),
    ),
    Row(r"wires", "links", ("cut the wires",)),
    Row(
        r"back into service|restor\w+ (a|the|its) (drained )?servers?",
        "undrain",
        ("put a server back into service", "restore the drained server"),
    ),
    Row(r"(last|latest|newest|a|no) good (one|copy|snapshot)", "verified", ("the last good snapshot", "no good one")),
    Row(
        r"(un)?sound|unfit|(is|are|was|were|be|been|not|once it is) (whole|fit)|do(es)? not fit",
        "healthy, complete, meets the requirements",
        ("a sound member", "an unfit host", "once it is whole", "hosts that do not fit"),
    ),
    Row(r"what has to be done", "Plan", ("What has to be done:",)),
    Row(r"what exists once", "cluster-wide objects", ("apply what exists once in the cluster",)),
    Row(r"none (hold|holds|cannot)", "0 have data, 0 unreachable", ("none hold data, none cannot be reached",)),
    Row(r"need not be lost", "can be recovered without losing data", ("would destroy what need not be lost",)),
    Row(r"carr(y|ies) on from", "completed steps are not repeated", ("run it again: it carries on from here",)),
    Row(r"gone when its", "is released when the run ends or dies", ("gone when its holder is",)),
    Row(r"whose (it is|they are)", "its owner, who holds it", ("tells the second run whose it is",)),
    Row(r"(is|was|are|were) noticed", "clients were affected, detected", ("see how long it was noticed",)),
    Row(r"1 anything else", "unexpected failure", ("exit code 1 anything else",)),
)


def private_words(text):
    """Every word of the table in this text."""
    return [found for row in WORDS for found in row.found_in(text)]
