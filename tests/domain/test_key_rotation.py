"""No API server meets a Secret that it cannot read, wherever a rotation is interrupted."""

from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.key_rotation import Action, MasterKeys, Stage, next_action, order_of

MASTERS = ("m1", "m2", "m3")


class Cluster:
    """Files and what API servers run with, and the keys that Secrets are stored under."""

    def __init__(self) -> None:
        self.files = dict.fromkeys(MASTERS, ("old",))
        self.running = dict.fromkeys(MASTERS, ("old",))
        self.stamped = dict.fromkeys(MASTERS, False)
        self.stored = {"old"}

    def writes(self, writer: int) -> None:
        """A client's write, through any API server, read through every other."""
        self.stored.add(self.running[MASTERS[writer]][0])
        for name, keys in self.running.items():
            assert self.stored <= set(keys), f"{name} reads {keys}, stored are {self.stored}"

    def states(self) -> dict[str, MasterKeys]:
        return {name: MasterKeys(self.files[name], self.stamped[name]) for name in MASTERS}

    def do(self, action: Action, steps: int) -> None:
        """As far as so many steps: write the file, restart, note it."""
        if action.master is None:
            self.stored = {"new"}
            return
        name = action.master
        wanted = order_of(action.stage, self.files[name], "new")
        if steps >= 1 and wanted != self.files[name]:
            self.files[name], self.stamped[name] = wanted, False
        if steps >= 2:
            self.running[name] = self.files[name]
        if steps >= 3:
            self.stamped[name] = True


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=30))
def test_what_one_writes_every_other_reads_and_the_old_key_goes_at_last(interruptions: list[tuple[int, int]]) -> None:
    cluster = Cluster()
    for steps, writer in interruptions + [(3, number % 3) for number in range(12)]:
        cluster.writes(writer)
        action = next_action("new", cluster.states(), lambda: cluster.stored == {"new"})
        if action is not None:
            cluster.do(action, steps)
        cluster.writes(writer)
    assert next_action("new", cluster.states(), lambda: True) is None
    assert cluster.running == dict.fromkeys(MASTERS, ("new",))
    assert cluster.stored == {"new"}


def test_an_old_key_stays_while_a_secret_needs_it() -> None:
    both = dict.fromkeys(MASTERS, MasterKeys(("new", "old"), served=True))
    assert next_action("new", both, lambda: False) == Action(Stage.REWRITE)
    assert next_action("new", both, lambda: True) == Action(Stage.DROP, "m1")
    assert next_action("new", both | {"m2": MasterKeys(("new", "old"), served=False)}, lambda: True) == Action(
        Stage.READ, "m2"
    )
