"""On somebody's Citus (HOOKS_ENGINE=citus): what no stand-in can show."""

import psycopg
import pytest

from harness.dba import Month, add_event, fill, partitions

pytestmark = pytest.mark.citus_cluster("asks other nodes")


def by_another_node(database):
    places = database.server.nodes
    return psycopg.connect(database.server.url_of(database.name, *(places[-1] if places else ())), autocommit=True)


def test_a_reader_by_another_node_delays_months_and_no_event(database):
    late = Month(-9)
    with by_another_node(database) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM hook_events")
        assert database.query(f"SELECT * FROM ensure_partitions(0, '{late.day}')") == [(late.name, "busy")]
        with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
            database.query(f"SELECT create_monthly_partition({late.args})")
        assert f"pid {reader.info.backend_pid} of " in caught.value.diag.message_detail
        for month in (late, Month(0)):
            add_event(database, month)
    assert database.query(f"SELECT * FROM ensure_partitions(0, '{late.day}')") == [(late.name, "created")]
    assert partitions(database)[late.name] == 1


def test_rows_are_on_the_workers_alone(database):
    late = Month(-9)
    for _ in range(100):
        add_event(database, late)
    fill(database, late, 1000)
    rows, size, here = database.query(
        "SELECT row_count, total_bytes, pg_relation_size(partition_name::regclass) FROM get_partition_stats()"
        f" WHERE partition_name = '{late.name}'")[0]
    assert (rows, here == 0 or not database.server.nodes) == (1100, True)
    assert size > 1000 * 200


def test_another_node_serves_as_well(database):
    fill(database, Month(-2))
    with by_another_node(database) as node:
        assert node.execute("SELECT count(*) FROM hook_events").fetchone() == (50,)
        assert node.execute("SELECT DISTINCT outcome FROM ensure_partitions(3)").fetchall() == [("exists",)]
        made = f"SELECT success FROM run_command_on_coordinator('SELECT create_monthly_partition({Month(-9).args})')"
        assert node.execute(made).fetchone() == (True,)
    assert Month(-9).name in partitions(database)
