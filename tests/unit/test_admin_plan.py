"""The plan of a new cluster: pure, so no sockets here."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shardkv_cli.address import Address
from shardkv_cli.plan import Member, Plan, PlanError, plan
from shardkv_cli.view import BUS_OFFSET, SLOTS


def member(number: int, host: str, bus_offset: int = BUS_OFFSET) -> Member:
    """A member whose id is readable: ``n3`` listens on port 7003."""
    return Member(f"n{number}", Address(host, 7000 + number), 7000 + number + bus_offset)


def members_on(*hosts: str) -> list[Member]:
    return [member(number, host) for number, host in enumerate(hosts)]


def allowed_by_hosts(hosts: list[str], count: int, replicas: int) -> bool:
    """Whether some choice of ``count`` primaries lets every replica find one on another host (no spare nodes)."""

    def most(nodes: int) -> int:
        fits = [own for own in range(nodes + 1) if (count - own) * replicas >= nodes - own]
        return max(fits, default=-SLOTS)

    return sum(most(nodes) for nodes in Counter(hosts).values()) >= count


def shape(made: Plan) -> list[tuple[str, int, int, list[str]]]:
    return [(p.member.id, p.first, p.last, [replica.id for replica in p.replicas]) for p in made.primaries]


def test_three_nodes_share_the_slots_as_redis_cli_cuts_them() -> None:
    assert shape(plan(members_on("10.0.0.1", "10.0.0.2", "10.0.0.3"), 0)) == [
        ("n0", 0, 5460, []),
        ("n1", 5461, 10922, []),
        ("n2", 10923, 16383, []),
    ]


def test_six_nodes_of_one_host_keep_their_order_and_own_up_to_sharing_a_host() -> None:
    made = plan(members_on(*["127.0.0.1"] * 6), 1)
    assert shape(made) == [("n0", 0, 5460, ["n3"]), ("n1", 5461, 10922, ["n4"]), ("n2", 10923, 16383, ["n5"])]
    assert len(made.conflicts) == 3


def test_replicas_stand_on_other_hosts_than_their_primaries() -> None:
    made = plan(members_on("a", "a", "b", "b", "c", "c"), 1)
    assert made.conflicts == ()
    assert sorted(primary.member.host for primary in made.primaries) == ["a", "b", "c"]


def test_a_crowded_host_gets_fewer_primaries_so_that_its_replicas_find_foreign_ones() -> None:
    made = plan(members_on("a", "a", "a", "a", "a", "b", "b", "b", "b"), 2)
    assert made.conflicts == ()
    assert [primary.member.host for primary in made.primaries].count("a") == 1


def test_the_replicas_of_one_primary_stand_on_different_hosts() -> None:
    made = plan(members_on(*"abcabcabc"), 2)
    assert made.conflicts == ()
    assert all(len({replica.host for replica in primary.replicas}) == 2 for primary in made.primaries)


def test_a_node_too_many_becomes_one_more_replica() -> None:
    made = plan(members_on(*"abcabca"), 1)
    assert sorted(len(primary.replicas) for primary in made.primaries) == [1, 1, 2]


@pytest.mark.parametrize(("nodes", "replicas"), [(2, 0), (5, 1), (8, 2), (0, 0)])
def test_fewer_than_three_primaries_are_refused(nodes: int, replicas: int) -> None:
    with pytest.raises(PlanError, match="at least 3 primaries"):
        plan(members_on(*["a"] * nodes), replicas)


def test_steps_are_commands_that_a_person_can_read_and_send() -> None:
    made = plan([member(number, "10.0.0.1", 20000 if number == 0 else BUS_OFFSET) for number in range(4)], 0)
    assert [str(step) for step in made.steps][:5] == [
        "10.0.0.1:7000> CLUSTER ADDSLOTSRANGE 0 4095",
        "10.0.0.1:7001> CLUSTER ADDSLOTSRANGE 4096 8191",
        "10.0.0.1:7002> CLUSTER ADDSLOTSRANGE 8192 12287",
        "10.0.0.1:7003> CLUSTER ADDSLOTSRANGE 12288 16383",
        "10.0.0.1:7000> CLUSTER SET-CONFIG-EPOCH 1",
    ]
    # The bus of the first node is not where it would be looked for, so it must be said.
    assert str(made.meetings()[0]) == "10.0.0.1:7001> CLUSTER MEET 10.0.0.1 7000 27000"


@given(
    st.lists(st.sampled_from("abcde"), min_size=3, max_size=60),
    st.integers(0, 4),
)
def test_a_plan_covers_every_slot_once_and_uses_every_node_once(hosts: list[str], replicas: int) -> None:
    if len(hosts) // (replicas + 1) < 3:
        return
    made = plan(members_on(*hosts), replicas)
    covered = [slot for primary in made.primaries for slot in range(primary.first, primary.last + 1)]
    assert covered == list(range(SLOTS))
    sizes = {primary.last - primary.first + 1 for primary in made.primaries}
    assert max(sizes) - min(sizes) <= 1
    assert sorted(node.id for node in made.members) == sorted(f"n{number}" for number in range(len(hosts)))
    assert all(len(primary.replicas) >= replicas for primary in made.primaries)
    copies = [len(primary.replicas) for primary in made.primaries]
    assert max(copies) - min(copies) <= 1
    epochs = [step.words[2] for step in made.claims() if step.words[1] == "SET-CONFIG-EPOCH"]
    assert epochs == [str(number) for number in range(1, len(hosts) + 1)]


@given(st.data())
def test_no_replica_shares_the_host_of_its_primary_when_the_hosts_allow(data: st.DataObject) -> None:
    replicas = data.draw(st.integers(1, 3))
    count = data.draw(st.integers(3, 8))
    size = count * (replicas + 1)
    hosts = data.draw(st.lists(st.sampled_from("abcd"), min_size=size, max_size=size))
    made = plan(members_on(*hosts), replicas)
    if allowed_by_hosts(hosts, count, replicas):
        assert made.conflicts == ()
    else:
        assert made.conflicts
