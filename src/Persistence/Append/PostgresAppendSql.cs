namespace Pipeline.Persistence;

/// <summary>
/// The statements of an append, sent as one batch in this order. Each has its own snapshot (READ COMMITTED), so that
/// <see cref="Append"/> sees whatever was committed by those it waited for in <see cref="Lock"/>.
/// </summary>
internal static class PostgresAppendSql
{
    /// <summary>
    /// The generation and what it was set on. $1 lock, $2 statement, $3 idle timeout, in milliseconds. <see cref="Append"/> is
    /// made for one plan: making a new one for each array of parameters would cost more than running it.
    /// </summary>
    public const string BeginOwn = $"""
        select g.generation, g.system_id, g.timeline, {Identity},
               set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true),
               set_config('idle_in_transaction_session_timeout', $3, true),
               set_config('plan_cache_mode', 'force_generic_plan', true)
        from pipeline.log_generation g where g.id = 1
        """;

    /// <summary>The same without touching the settings of a transaction that is someone else's.</summary>
    public const string BeginForeign = $"""
        select g.generation, g.system_id, g.timeline, {Identity}
        from pipeline.log_generation g where g.id = 1
        """;

    /// <summary>
    /// Bounds lock waits and statements in someone else's transaction, where its own bounds are none or longer. $1 lock, $2
    /// statement timeout, in milliseconds.
    /// </summary>
    public const string Bound = """
        select set_config('pipeline.lock_timeout', current_setting('lock_timeout'), true),
               set_config('pipeline.statement_timeout', current_setting('statement_timeout'), true),
               set_config('lock_timeout', least($1::bigint, nullif(
                 extract(epoch from current_setting('lock_timeout')::interval) * 1000, 0)::bigint)::text, true),
               set_config('statement_timeout', least($2::bigint, nullif(
                 extract(epoch from current_setting('statement_timeout')::interval) * 1000, 0)::bigint)::text, true)
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
    /// What is known of an event travels along one row, without joins whose size a generic plan would misjudge; bodies stay
    /// in their array until they are stored.
    /// </summary>
    public const string Append = """
        with heads as materialized (
          select l.stream, h.incarnation, h.head
          from unnest(current_setting('pipeline.locked')::text[]) as l(stream)
          cross join lateral (
            select h.incarnation, h.head from pipeline.stream_head h where h.stream = l.stream limit 1) h
        ), input as (
          select i.*, h.incarnation, h.head, k.position as known_position, k.sequence as known_sequence, k.hash as known_hash,
                 k.position is null as is_fresh, r.status, r.attempt as run_attempt, r.thread as run_thread,
                 coalesce(r.last_sequence, 0) as last_sequence,
                 case i.type when 'agent_completed' then 2 when 'agent_failed' then 3 when 'agent_cancelled' then 4 end as ending
          from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) with ordinality
            as i(unit, stream, id, type, thread, run, sequence, attempt, occurred_at, lease, n)
          left join heads h on h.stream = i.stream
          left join lateral (
            select e.position, e.sequence, e.hash from pipeline.event_log e
            where e.stream = i.stream and e.event_id = i.id limit 1) k on true
          left join lateral (
            select r.status, r.attempt, r.last_sequence, r.thread from pipeline.agent_run r
            where r.stream = i.stream and r.run = i.run limit 1) r on true
        ), counted as (
          select i.*, i.last_sequence + count(*) filter (where i.is_fresh) over run as next_sequence,
                 coalesce(i.run_thread, first_value(i.thread) over run) as own_thread,
                 coalesce(bool_or(i.is_fresh and i.ending is not null) over before, false) as is_behind_end
          from input i
          window run as (partition by i.unit, i.stream, i.run order by i.n),
                 before as (run rows between unbounded preceding and 1 preceding)
        ), judged as (
          select c.*, case
            when c.head is null then 100
            when not c.is_fresh then case when c.known_hash = ($11)[c.n] then 0 else 1 end
            when c.status >= 2 or c.is_behind_end then 3
            when c.attempt <> coalesce(c.run_attempt, 0) then 4
            when c.thread <> c.own_thread then 5
            when c.sequence not in (0, c.next_sequence) then 2
            else 0 end as verdict
          from counted c
        ), settled as (
          select j.*, j.is_fresh and not bool_or(j.verdict <> 0) over (partition by j.unit) as is_accepted from judged j
        ), placed as materialized (
          select s.*, s.head + count(*) filter (where s.is_accepted) over (partition by s.stream order by s.n) as position
          from settled s
        ), stored as (
          insert into pipeline.event_log (stream, position, event_id, type, thread, run, sequence, occurred_at, hash, body)
          select p.stream, p.position, p.id, p.type, p.thread, p.run, p.next_sequence, p.occurred_at, ($11)[p.n],
                 case when p.sequence = 0
                      then ('{"sequence":' || p.next_sequence || ',' || substr(($12)[p.n]::text, 2))::json
                      else ($12)[p.n] end
          from placed p where p.is_accepted
        ), ranges as materialized (
          select p.stream, min(p.position) as first, max(p.position) as last from placed p where p.is_accepted group by p.stream
        ), moved as (
          insert into pipeline.stream_head (stream, head) select g.stream, g.last from ranges g
          on conflict (stream) do update set head = excluded.head
        ), runs as (
          insert into pipeline.agent_run as r (
            stream, run, thread, agent, status, attempt, lease_counter, lease_seconds, last_sequence, cancel_requested,
            input, requested_at, started_at, ended_at)
          select p.stream, p.run, min(p.own_thread), '', coalesce(max(p.ending), 1), 0, 1, max(p.lease),
                 max(p.next_sequence), false, '', $14,
                 case when bool_or(p.type = 'agent_started') then $14 end, case when max(p.ending) is not null then $14 end
          from placed p where p.is_accepted group by p.stream, p.run order by p.stream collate "C", p.run collate "C"
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
        select p.verdict, coalesce(p.known_position, p.position, 0), coalesce(p.known_sequence, p.next_sequence),
               not p.is_fresh, coalesce(p.incarnation, 0), p.own_thread, p.run_attempt, (select box.id from box)
        from placed p order by p.n
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
