namespace Pipeline.Persistence;

/// <summary>
/// The statements of an append. One round trip locks and, each with its own later snapshot (READ COMMITTED), looks up;
/// another stores. Lookups are lateral with a limit and heads and runs are upserted: always by index, also in a generic plan
/// made while tables were empty.
/// </summary>
internal static class PostgresAppendSql
{
    /// <summary>
    /// The generation, what it was set on, an id for the outbox row and the transaction's own; bounds the transaction. $1 lock, $2 statement, $3 idle
    /// timeout, in milliseconds. One plan serves every append: arrays of another length are no reason for another.
    /// </summary>
    public const string BeginOwn = $"""
        select {Generation},
               set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true),
               set_config('idle_in_transaction_session_timeout', $3, true),
               set_config('plan_cache_mode', 'force_generic_plan', true)
        from pipeline.log_generation g where g.id = 1
        """;

    /// <summary>
    /// The same in someone else's transaction, whose own bounds are kept where they are narrower, and noted for
    /// <see cref="EndForeign"/>. $1 lock, $2 statement timeout.
    /// </summary>
    public const string BeginForeign = $"""
        select {Generation},
               set_config('pipeline.lock_timeout',
                 coalesce(nullif(current_setting('pipeline.lock_timeout', true), ''), current_setting('lock_timeout')), true),
               set_config('pipeline.statement_timeout',
                 coalesce(nullif(current_setting('pipeline.statement_timeout', true), ''), current_setting('statement_timeout')), true),
               set_config('lock_timeout', least($1::bigint, nullif(
                 extract(epoch from current_setting('lock_timeout')::interval) * 1000, 0)::bigint)::text, true),
               set_config('statement_timeout', least($2::bigint, nullif(
                 extract(epoch from current_setting('statement_timeout')::interval) * 1000, 0)::bigint)::text, true)
        from pipeline.log_generation g where g.id = 1
        """;

    /// <summary>Gives someone else's transaction its bounds back.</summary>
    public const string EndForeign = """
        select set_config('lock_timeout', current_setting('pipeline.lock_timeout'), true),
               set_config('statement_timeout', current_setting('pipeline.statement_timeout'), true),
               set_config('pipeline.lock_timeout', '', true), set_config('pipeline.statement_timeout', '', true)
        """;

    /// <summary>Heads that are missing. $1 streams.</summary>
    public const string CreateHeads = """
        insert into pipeline.stream_head (stream)
        select s.stream from unnest($1) as s(stream) order by s.stream collate "C"
        on conflict (stream) do nothing
        """;

    /// <summary>Locks in one order for everybody. $1 streams.</summary>
    public const string Lock = $"{Heads} for update) h";

    /// <summary>Locks those that are there and free. $1 streams.</summary>
    public const string LockFree = $"{Heads} for update skip locked) h";

    /// <summary>Which ids are stored already. $1 streams, $2 ids.</summary>
    public const string FindEvents = """
        select i.n, e.position, e.sequence, e.hash
        from unnest($1, $2) with ordinality as i(stream, id, n)
        cross join lateral (
          select e.position, e.sequence, e.hash from pipeline.event_log e
          where e.stream = i.stream and e.event_id = i.id limit 1) e
        """;

    /// <summary>How the runs stand. $1 streams, $2 runs.</summary>
    public const string FindRuns = """
        select i.n, r.thread, r.status, r.attempt, r.last_sequence
        from unnest($1, $2) with ordinality as i(stream, run, n)
        cross join lateral (
          select r.thread, r.status, r.attempt, r.last_sequence from pipeline.agent_run r
          where r.stream = i.stream and r.run = i.run limit 1) r
        """;

    /// <summary>$1 streams, $2 positions, $3 ids, $4 types, $5 threads, $6 runs, $7 sequences, $8 times, $9 hashes, $10 bodies.</summary>
    public const string InsertEvents = """
        insert into pipeline.event_log (stream, position, event_id, type, thread, run, sequence, occurred_at, hash, body)
        select unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8), unnest($9), unnest($10)
        """;

    /// <summary>$1 streams, $2 heads.</summary>
    public const string AdvanceHeads = """
        insert into pipeline.stream_head (stream, head) select unnest($1), unnest($2)
        on conflict (stream) do update set head = excluded.head
        """;

    /// <summary>
    /// $1 streams, $2 runs, $3 threads, $4 endings (null: it goes on), $5 leases, $6 last sequences, $7 whether it has
    /// started, $8 first positions, $9 now.
    /// </summary>
    public const string AdvanceRuns = """
        insert into pipeline.agent_run as r (
          stream, run, thread, agent, status, attempt, lease_counter, lease_seconds, last_sequence, cancel_requested,
          input, first_position, requested_at, started_at, ended_at)
        select i.stream, i.run, i.thread, '', coalesce(i.ending, 1), 0, 1, i.lease, i.last_sequence, false,
               '', i.first_position, $9, case when i.has_started then $9 end, case when i.ending is not null then $9 end
        from (select unnest($1) as stream, unnest($2) as run, unnest($3) as thread, unnest($4) as ending, unnest($5) as lease,
                     unnest($6) as last_sequence, unnest($7) as has_started, unnest($8) as first_position) i
        on conflict (stream, run) do update set
          last_sequence = excluded.last_sequence,
          status = case when excluded.ended_at is null then r.status else excluded.status end,
          lease_counter = r.lease_counter + 1,
          lease_seconds = coalesce(excluded.lease_seconds, r.lease_seconds),
          started_at = coalesce(r.started_at, excluded.started_at),
          ended_at = excluded.ended_at
        """;

    /// <summary>$1 id, $2 owner, $3 payload.</summary>
    public const string InsertOutbox = "insert into pipeline.outbox (id, owner, kind, payload) values ($1, $2, 0, $3)";

    public const string Commit = "COMMIT";

    /// <summary>First append ever: remembers what the generation holds for. $1 system id, $2 timeline.</summary>
    public const string RecordIdentity =
        "update pipeline.log_generation set system_id = $1, timeline = $2 where id = 1 and system_id = ''";

    /// <summary>Commits may be lost. $1 system id, $2 timeline, $3 now in Unix milliseconds.</summary>
    public const string RaiseGeneration = """
        update pipeline.log_generation set generation = greatest(generation + 1, $3), system_id = $1, timeline = $2
        where id = 1 and (system_id, timeline) is distinct from ($1, $2)
        """;

    /// <summary>Null: so long ago that nobody knows. $1 transaction of this server and timeline that is over.</summary>
    public const string WasCommitted = "select pg_xact_status($1) = 'committed'";

    private const string Generation = """
        g.generation, g.system_id, g.timeline, (select c.system_identifier::text from pg_control_system() c),
               substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), nextval('pipeline.outbox_id_seq'), pg_current_xact_id()
        """;

    private const string Heads = """
        select s.n, h.incarnation, h.head, h.trimmed
        from (select s.stream, s.n from unnest($1) with ordinality as s(stream, n) order by s.stream collate "C") s
        cross join lateral (
          select h.incarnation, h.head, h.trimmed from pipeline.stream_head h where h.stream = s.stream limit 1
        """;
}
