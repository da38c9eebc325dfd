namespace Pipeline.Persistence;

/// <summary>
/// The statements of an append, sent as one batch in this order. Each has its own snapshot (READ COMMITTED), so that
/// <see cref="Append"/> sees whatever was committed by those it waited for in <see cref="Lock"/>.
/// </summary>
internal static class PostgresAppendSql
{
    /// <summary>The generation and what it was set on. $1 lock, $2 statement, $3 idle timeout, in milliseconds.</summary>
    public const string BeginOwn = $"""
        select g.generation, g.system_id, g.timeline, {Identity},
               set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true),
               set_config('idle_in_transaction_session_timeout', $3, true)
        from pipeline.log_generation g where g.id = 1
        """;

    /// <summary>The same without touching the settings of a transaction that is someone else's.</summary>
    public const string BeginForeign = $"""
        select g.generation, g.system_id, g.timeline, {Identity}
        from pipeline.log_generation g where g.id = 1
        """;

    /// <summary>Bounds lock waits and statements in someone else's transaction. $1 lock, $2 statement timeout.</summary>
    public const string Bound = """
        select set_config('pipeline.lock_timeout', current_setting('lock_timeout'), true),
               set_config('pipeline.statement_timeout', current_setting('statement_timeout'), true),
               set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)
        """;

    /// <summary>Undoes <see cref="Bound"/>.</summary>
    public const string Unbound = """
        select set_config('lock_timeout', current_setting('pipeline.lock_timeout'), true),
               set_config('statement_timeout', current_setting('pipeline.statement_timeout'), true)
        """;

    /// <summary>Heads that are missing. $1 streams.</summary>
    public const string CreateHeads = """
        insert into pipeline.stream_head (stream)
        select s.stream from unnest($1) as s(stream) order by s.stream collate "C"
        on conflict (stream) do nothing
        """;

    /// <summary>Locks in one order for everybody, and notes for <see cref="Append"/> which heads are locked. $1 streams.</summary>
    public const string Lock = $"select {Note} from (select h.stream {Heads} for update) as l";

    /// <summary>The same without waiting.</summary>
    public const string LockFree = $"select {Note} from (select h.stream {Heads} for update skip locked) as l";

    /// <summary>The locked head, for who wants no append. $1 stream.</summary>
    public const string ReadLocked = """
        select h.incarnation, h.head, h.trimmed from pipeline.stream_head h
        where h.stream = $1 and h.stream = any (current_setting('pipeline.locked')::text[])
        """;

    /// <summary>
    /// Looks up ids, then fences, then stores the accepted units and says what became of each event. $1 units, $2 streams,
    /// $3 ids, $4 types, $5 threads, $6 runs, $7 sequences, $8 attempts, $9 times, $10 leases, $11 hashes, $12 bodies,
    /// $13 owner, $14 now. Lookups are lateral with a limit: always by index, also in a plan made while tables were empty.
    /// </summary>
    public const string Append = """
        with input as materialized (
          select i.*, k.position as known_position, k.sequence as known_sequence, k.hash as known_hash
          from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) with ordinality
            as i(unit, stream, id, type, thread, run, sequence, attempt, occurred_at, lease, hash, body, n)
          left join lateral (
            select e.position, e.sequence, e.hash from pipeline.event_log e
            where e.stream = i.stream and e.event_id = i.id limit 1) k on true
        ), heads as materialized (
          select l.stream, h.incarnation, h.head
          from unnest(current_setting('pipeline.locked')::text[]) as l(stream)
          cross join lateral (
            select h.incarnation, h.head from pipeline.stream_head h where h.stream = l.stream limit 1) h
        ), fresh as materialized (
          select i.*, r.status, r.attempt as run_attempt, coalesce(r.last_sequence, 0) as last_sequence,
                 case i.type when 'agent_completed' then 2 when 'agent_failed' then 3 when 'agent_cancelled' then 4 end as ending,
                 row_number() over run as k,
                 coalesce(r.thread, first_value(i.thread) over run) as run_thread,
                 coalesce(bool_or(i.type in ('agent_completed', 'agent_failed', 'agent_cancelled')) over before, false) as is_behind_end
          from input i
          left join lateral (
            select r.status, r.attempt, r.last_sequence, r.thread from pipeline.agent_run r
            where r.stream = i.stream and r.run = i.run limit 1) r on true
          where i.known_position is null
          window run as (partition by i.unit, i.stream, i.run order by i.n),
                 before as (run rows between unbounded preceding and 1 preceding)
        ), judged as materialized (
          select i.n, i.unit, case
            when h.stream is null then 100
            when i.known_position is not null then case when i.known_hash = i.hash then 0 else 1 end
            when f.status >= 2 or f.is_behind_end then 3
            when f.attempt <> coalesce(f.run_attempt, 0) then 4
            when f.thread <> f.run_thread then 5
            when f.sequence not in (0, f.last_sequence + f.k) then 2
            else 0 end as verdict
          from input i left join fresh f on f.n = i.n left join heads h on h.stream = i.stream
        ), accepted as materialized (
          select f.*, f.last_sequence + f.k as stored_sequence,
                 h.head + row_number() over (partition by f.stream order by f.n) as position
          from fresh f join heads h on h.stream = f.stream
          where f.unit not in (select j.unit from judged j where j.verdict <> 0)
        ), stored as (
          insert into pipeline.event_log (stream, position, event_id, type, thread, run, sequence, occurred_at, hash, body)
          select a.stream, a.position, a.id, a.type, a.thread, a.run, a.stored_sequence, a.occurred_at, a.hash,
                 case when a.sequence = 0
                      then ('{"sequence":' || a.stored_sequence || ',' || substr(a.body::text, 2))::json
                      else a.body end
          from accepted a
        ), ranges as materialized (
          select a.stream, min(a.position) as first, max(a.position) as last from accepted a group by a.stream
        ), moved as (
          insert into pipeline.stream_head (stream, head) select g.stream, g.last from ranges g
          on conflict (stream) do update set head = excluded.head
        ), runs as (
          insert into pipeline.agent_run as r (
            stream, run, thread, agent, status, attempt, lease_counter, lease_seconds, last_sequence, cancel_requested,
            input, requested_at, started_at, ended_at)
          select a.stream, a.run, min(a.run_thread), '', coalesce(max(a.ending), 1), 0, 1, max(a.lease),
                 max(a.stored_sequence), false, '', $14,
                 case when bool_or(a.type = 'agent_started') then $14 end, case when max(a.ending) is not null then $14 end
          from accepted a group by a.stream, a.run order by a.stream collate "C", a.run collate "C"
          on conflict (stream, run) do update set
            last_sequence = excluded.last_sequence,
            status = case when excluded.ended_at is null then r.status else excluded.status end,
            lease_counter = r.lease_counter + 1,
            lease_seconds = coalesce(excluded.lease_seconds, r.lease_seconds),
            started_at = coalesce(r.started_at, excluded.started_at),
            ended_at = excluded.ended_at
        ), box as (
          insert into pipeline.outbox (owner, kind, payload)
          select $13, 0, json_agg(json_build_object('stream', g.stream, 'first', g.first, 'last', g.last))
          from ranges g having count(*) > 0
          returning id
        )
        select j.verdict,
               coalesce(i.known_position, a.position, 0) as position,
               coalesce(i.known_sequence, f.last_sequence + f.k, 0) as sequence,
               i.known_position is not null as duplicate,
               coalesce(h.incarnation, 0) as incarnation,
               f.run_thread, f.run_attempt, (select box.id from box) as outbox_id
        from input i
        join judged j on j.n = i.n
        left join fresh f on f.n = i.n
        left join accepted a on a.n = i.n
        left join heads h on h.stream = i.stream
        order by i.n
        """;

    /// <summary>First append ever: remembers what the generation holds for. $1 system id, $2 timeline.</summary>
    public const string RecordIdentity =
        "update pipeline.log_generation set system_id = $1, timeline = $2 where id = 1 and system_id = ''";

    /// <summary>Commits may be lost. $1 system id, $2 timeline, $3 now in Unix milliseconds.</summary>
    public const string RaiseGeneration = """
        update pipeline.log_generation set generation = greatest(generation + 1, $3), system_id = $1, timeline = $2
        where id = 1 and (system_id, timeline) is distinct from ($1, $2)
        """;

    private const string Identity =
        "(select c.system_identifier::text from pg_control_system() c), substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";

    private const string Note = "set_config('pipeline.locked', coalesce(array_agg(l.stream), '{}')::text, true)";

    private const string Heads = "from pipeline.stream_head h where h.stream = any ($1) order by h.stream";
}
