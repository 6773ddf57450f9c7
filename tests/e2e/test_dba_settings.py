"""
The functions for DBAs under unusual settings of a server, database, role or session, and beside foreign partitions.
"""

import re

import psycopg
import pytest

from harness.dba import Month, add_event, apply_schema, copy_of, fill, partitions

pytestmark = pytest.mark.unsanitized("tests SQL only")

# Records the text of each DDL statement of the functions. Citus passes these texts on to nodes, whose DateStyle may
# differ.
RECORDER = """
CREATE TABLE said (words text);
CREATE FUNCTION record() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE context text;
BEGIN
	GET DIAGNOSTICS context = PG_CONTEXT;
	INSERT INTO said VALUES (context);
END $$;
CREATE EVENT TRIGGER record ON ddl_command_start EXECUTE FUNCTION record();"""


@pytest.fixture(scope="module")
def template(postgres_server):
    """Three past months with 50 events each."""
    postgres_server.start()
    database = postgres_server.new_database()
    apply_schema(database)
    for back in (1, 2, 3):
        fill(database, Month(-back))
    yield database
    postgres_server.start()
    database.drop()


@pytest.fixture
def store(template):
    with copy_of(template) as database:
        yield database


def session_with(database, *settings):
    return psycopg.connect(database.url, autocommit=True, options=" ".join(f"-c {setting}" for setting in settings))


def all_of_them(session):
    """Calls every changing function once."""
    old, older = Month(-2), Month(-3)
    archived = session.execute("SELECT partition_name, row_count FROM archive_old_partitions(1)").fetchall()
    assert archived == [(older.name, 50), (old.name, 50)]
    session.execute(f"SELECT create_monthly_partition({older.args})")
    assert session.execute("SELECT outcome FROM archive_old_partitions(2)").fetchall() == [("added to the archive",)]
    for month in (old, older):
        assert session.execute(f"SELECT restore_archived_partition({month.args})").fetchone() == (month.name,)
    ensured = session.execute("SELECT outcome FROM ensure_partitions(4)").fetchall()
    assert [row[0] for row in ensured] == ["exists"] * 4 + ["created"]
    for call in ("build_analytics_indexes", "drop_analytics_indexes"):
        assert len(session.execute(f"SELECT * FROM {call}({old.args})").fetchall()) == 3
    assert len(session.execute("SELECT * FROM archive_old_partitions(2)").fetchall()) == 1
    dropped = session.execute(f"SELECT partition_name FROM drop_archived_partitions(2, 'drop months before {old.text}')")
    assert dropped.fetchall() == [(older.name,)]


@pytest.mark.parametrize("settings", [
    ["datestyle=German"],
    ["datestyle=SQL,DMY", "timezone=Pacific/Auckland"],
    ["datestyle=Postgres,MDY", "timezone=America/Anchorage"],
    ["standard_conforming_strings=off", "escape_string_warning=off"],
    ["intervalstyle=sql_standard", "quote_all_identifiers=on", "extra_float_digits=0"],
    ["search_path=pg_catalog,public", "check_function_bodies=off", "lock_timeout=5s", "statement_timeout=1min"],
], ids=lambda settings: settings[0])
def test_all_functions_work_under_unusual_settings(store, settings):
    with session_with(store, *settings) as session:
        all_of_them(session)
        stats = session.execute("SELECT partition_name, range_from IS NULL FROM get_partition_stats()").fetchall()
    assert stats[-1] == ("hook_events_default", True) and not any(null for _, null in stats[:-1])
    assert store.count() == 100
    assert Month(4).name in partitions(store)


@pytest.mark.parametrize("datestyle", ["ISO,YMD", "German", "SQL,DMY", "SQL,MDY", "Postgres,DMY"])
def test_ddl_statements_have_dates_that_every_datestyle_reads_alike(store, datestyle):
    store.query(RECORDER)
    with session_with(store, f"datestyle={datestyle}") as session:
        all_of_them(session)
    said = "\n".join(row[0] for row in store.query("SELECT words FROM said"))
    literals = re.findall(r"[<>(=]+ ?'([^']*)'", "\n".join(re.findall(r'SQL statement ".*"', said)))
    dates = [literal for literal in literals if re.match(r"\w+[-./ ]\d", literal)]
    assert len(dates) > 10
    assert [date for date in dates if not re.fullmatch(r"\d{4}-\d\d-\d\d", date)] == []


@pytest.mark.plain_postgres("Citus cannot quote such names")
def test_functions_work_in_a_schema_with_an_odd_name(empty_database):
    """A schema's name with capitals, a space and a quotation mark, and a search_path to another schema."""
    schema = '"Hook ""store"" 1"'
    empty_database.query(f"CREATE SCHEMA {schema}")
    apply_schema(empty_database, schema=schema)
    with session_with(empty_database) as session:
        session.execute(f"SET search_path = {schema}")
        for back in (1, 2, 3):
            session.execute(f"SELECT create_monthly_partition({Month(-back).args})")
            session.execute("INSERT INTO hook_events (event_id, timestamp, created_date, event_type, session_id) SELECT"
                            " gen_random_uuid(), now(), %s::date + n %% 28, 'a', 's' FROM generate_series(1, 50) AS n", (Month(-back).day,))
        all_of_them(session)
        stats = session.execute("SELECT sum(row_count) FROM get_partition_stats()").fetchone()
    assert stats == (100,)
    assert empty_database.query("SELECT relname FROM pg_class WHERE relname ~ '^hook_' AND relnamespace = 'public'::regnamespace") == []


# Transactions and policies that hide rows


def test_months_do_not_move_while_rows_may_be_hidden(store):
    """Rows that came after the snapshot would be dropped with the month."""
    old = Month(-3)
    store.query("SELECT * FROM archive_old_partitions(2)")
    store.query(f"SELECT create_monthly_partition({old.args})")
    with session_with(store) as session:
        for level in ("REPEATABLE READ", "SERIALIZABLE"):
            with pytest.raises(psycopg.Error) as caught, session.transaction():
                session.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
                session.execute("SELECT 1")
                add_event(store, old)
                session.execute("SELECT * FROM archive_old_partitions(2)")
            assert caught.value.diag.sqlstate == "25000"
            assert f"READ COMMITTED: this one is {level}" in caught.value.diag.message_primary
            assert "default_transaction_isolation" in caught.value.diag.message_hint
    assert partitions(store)[old.name] == 2
    store.query("SELECT * FROM archive_old_partitions(2)")
    assert store.value(f"SELECT count(*) FROM hooks_archive.{old.name}") == 52


def test_a_policy_that_hides_rows_leaves_no_row_behind(store):
    """With FORCE the policy also binds the owner. Then a month moves whole or not at all."""
    old = Month(-3)
    store.query("SELECT * FROM archive_old_partitions(2)")
    store.query(f"SELECT create_monthly_partition({old.args})")
    for day in (14, 15):
        add_event(store, old, day=day)
    store.query("CREATE ROLE owner_under_policy LOGIN SUPERUSER")
    try:
        store.query(f"ALTER TABLE {old.name} ENABLE ROW LEVEL SECURITY")
        store.query(f"ALTER TABLE {old.name} FORCE ROW LEVEL SECURITY")
        store.query(f"CREATE POLICY few ON {old.name} USING (created_date < '{old.text}-15')")
        for table, in store.query("SELECT oid::regclass::text FROM pg_class WHERE relname ~ '^hook_events' AND relkind IN ('r', 'p')"):
            store.query(f"ALTER TABLE {table} OWNER TO owner_under_policy")
        store.query("ALTER SCHEMA hooks_archive OWNER TO owner_under_policy")
        store.query("ALTER ROLE owner_under_policy NOSUPERUSER; GRANT CREATE ON SCHEMA public TO owner_under_policy;"
                    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO owner_under_policy")
        with session_with(store) as session:
            session.execute("SET ROLE owner_under_policy")
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                session.execute("SELECT * FROM archive_old_partitions(2)")
        assert store.value(f"SELECT count(*) FROM {old.name}") == 2
        store.query(f"ALTER TABLE {old.name} NO FORCE ROW LEVEL SECURITY")
        with session_with(store) as session:
            session.execute("SET ROLE owner_under_policy")
            session.execute("SELECT * FROM archive_old_partitions(2)")
        assert store.value(f"SELECT count(*) FROM hooks_archive.{old.name}") == 52
    finally:
        store.query("DROP OWNED BY owner_under_policy CASCADE; DROP ROLE owner_under_policy")


def test_an_interrupted_call_has_changed_nothing(store):
    before = partitions(store)
    with store.server.connect(store.name) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM hook_events")
        with session_with(store, "statement_timeout=300ms") as session:
            for call in ("archive_old_partitions(1)", f"create_monthly_partition({Month(-9).args})"):
                with pytest.raises(psycopg.errors.QueryCanceled):
                    session.execute(f"SELECT * FROM {call}")
        assert store.value("SELECT count(*) FROM pg_locks WHERE relation = 'hook_events'::regclass AND mode <> 'AccessShareLock'") == 0
    assert partitions(store) == before


# Partitions that other tools made or changed


def test_partitions_without_bounds_leave_other_months_alone(store):
    first, gap = Month(-20), Month(-10)
    store.query(f"CREATE TABLE history PARTITION OF hook_events FOR VALUES FROM (MINVALUE) TO ('{first.day}')")
    store.query(f"CREATE TABLE future PARTITION OF hook_events FOR VALUES FROM ('{Month(40).day}') TO (MAXVALUE)")
    add_event(store, Month(-30))
    for month, outcome in ((Month(-30), "exists"), (first, "created"), (gap, "created"), (Month(50), "exists")):
        assert store.query(f"SELECT * FROM ensure_partitions(0, '{month.day}')") == [(month.name, outcome)]
    assert store.value(f"SELECT create_monthly_partition({Month(-30).args})") == "history"
    rows = store.query("SELECT partition_name, row_count, range_from::text, range_to::text FROM get_partition_stats()")
    assert rows[0] == ("history", 1, "-infinity", first.day)
    assert rows[-2] == ("future", 0, Month(40).day, "infinity")
    assert "history" not in {row[0] for row in store.query("SELECT partition_name FROM archive_old_partitions(0)")}


def test_a_month_under_another_name_counts_as_existing(store):
    old = Month(-2)
    store.query(f"ALTER TABLE {old.name} RENAME TO \"Renamed\"")
    assert store.query(f"SELECT * FROM ensure_partitions(0, '{old.day}')") == [(old.name, "exists")]
    assert store.value(f"SELECT create_monthly_partition({old.args})") == "Renamed"
    assert partitions(store)["Renamed"] == 50
    assert [row[0] for row in store.query("SELECT partition_name FROM archive_old_partitions(0)")] == [Month(-3).name, Month(-1).name]


def test_a_partition_of_a_part_of_a_month_is_reported(store):
    month = Month(-9)
    store.query(f"CREATE TABLE half PARTITION OF hook_events FOR VALUES FROM ('{month.day}') TO ('{month.text}-15')")
    assert store.query(f"SELECT * FROM ensure_partitions(0, '{month.day}')") == [(month.name, "exists")]
    with pytest.raises(psycopg.Error, match=f"{month.name} cannot be made: some of its days belong to half") as caught:
        store.query(f"SELECT create_monthly_partition({month.args})")
    assert caught.value.diag.sqlstate == "42P17"


@pytest.mark.plain_postgres("partitions of partitions are refused on distributed tables")
def test_sizes_of_a_subpartitioned_month_include_its_parts(store):
    store.query("CREATE TABLE cut PARTITION OF hook_events FOR VALUES FROM ('2019-01-01') TO ('2019-02-01') PARTITION BY HASH (event_id)")
    for number in (0, 1):
        store.query(f"CREATE TABLE cut_{number} PARTITION OF cut FOR VALUES WITH (MODULUS 2, REMAINDER {number})")
    store.query("INSERT INTO hook_events (event_id, timestamp, created_date, event_type, session_id)"
                " SELECT gen_random_uuid(), '2019-01-01', '2019-01-01', 'a', 's' FROM generate_series(1, 100)")
    for exact in ("true", "false"):
        row, = store.query(f"SELECT row_count, total_bytes, index_bytes FROM get_partition_stats({exact}) WHERE partition_name = 'cut'")
        parts, = store.query("SELECT sum(pg_total_relation_size(relid)), sum(pg_indexes_size(relid)) FROM pg_partition_tree('cut')")
        assert row == (100, *parts)


def test_a_new_month_uses_its_parents_tablespace_and_access_method(store):
    month = Month(-9)
    store.query(f"CREATE TABLESPACE months LOCATION '{store.server.new_directory('months')}'")
    try:
        store.query("ALTER TABLE hook_events SET TABLESPACE months")
        store.query(f"SELECT create_monthly_partition({month.args})")
        places = "SELECT spcname FROM pg_class JOIN pg_tablespace s ON s.oid = reltablespace WHERE pg_class.oid = %s::regclass"
        assert store.query(places, month.name) == [("months",)]
        if store.value("SELECT current_setting('server_version_num')::int >= 170000"):  # older: refused
            store.query("CREATE ACCESS METHOD pile TYPE TABLE HANDLER heap_tableam_handler")
            store.query("ALTER TABLE hook_events SET ACCESS METHOD pile")
            other = Month(-10)
            store.query(f"SELECT create_monthly_partition({other.args})")
            assert store.value("SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = %s", other.name) == "pile"
            store.query(f"DROP TABLE {other.name}")
    finally:
        store.query(f"ALTER TABLE hook_events SET TABLESPACE pg_default; DROP TABLE {month.name}")
        store.query("DROP TABLESPACE months")


def test_two_installations_do_not_share_the_archive(store):
    store.query("SELECT * FROM archive_old_partitions(2)")
    store.query("CREATE SCHEMA second")
    apply_schema(store, schema="second")
    store.query(f"SELECT second.create_monthly_partition({Month(-3).args})")
    for call in ("public.archive_old_partitions(0)", "second.archive_old_partitions(0)", "second.drop_archived_partitions(0)",
                 f"second.restore_archived_partition({Month(-3).args})"):
        with pytest.raises(psycopg.Error, match="the schemas public, second have tables of events each") as caught:
            store.query(f"SELECT * FROM {call}")
        assert caught.value.diag.sqlstate == "55000"
    store.query("DROP SCHEMA second CASCADE")
    assert store.value(f"SELECT restore_archived_partition({Month(-3).args})") == Month(-3).name
