/*
 * From a producer's call to the broker's confirm: append, outbox, relay and sweep, for one stream.
 *
 * Two processes, three events: SHARED is posted to both (a client's retry went to the other one), ENDING is how process 1's
 * worker ends its run, LOST how process 2, which takes that worker for dead, ends the same run. One step is one statement of
 * a transaction, one message, or what a process does in memory between two awaits. README.md says what is left out.
 */
#ifndef FAULTS
#define FAULTS 2                       /* of any kind, in one history */
#endif
#ifndef JOBS
#define JOBS 3                         /* 1: the posted event; 2: the run; 3: both */
#endif

#define SHARED 0
#define ENDING 1
#define LOST   2

/* The event that comes with changes of the caller's own. TWO_CALLERS: the one that is posted to both, in one generation. */
#if defined(TWO_CALLERS) || defined(LIMIT_ID_OF_TWO_CALLERS)
#define OWN SHARED
#define OWN_ATTEMPT 0
#else
#define OWN ENDING
#define OWN_ATTEMPT 1
#endif

#define NONE   0                       /* owner of a row that is not there */
#define NOBODY 3                       /* owner of a row that any relay takes */

/* --- PostgreSQL: log_generation, stream_head and its row lock, event_log, outbox, agent_run ------------------------------ */
byte generation = 1, head, lock;
byte position[3];                      /* by event id; 0: not stored */
byte owner[3];                         /* of the outbox row that points at the event */
byte attempt = 1;                      /* of the run; 0: it has ended */
byte changes;                          /* how often the caller's own changes were committed */

/* --- The processes, and what the bus is owed ------------------------------------------------------------------------------ */
bool alive[3] = true, expired[3];      /* expired: the other process has seen its lease expire */
byte owed[3];                          /* the oldest generation under which a page of the event is of use, that of its commit;
                                          0 once the broker has such a page */
byte faults = FAULTS;

#include "outbox.pml"

/* --- PostgresAppend.LookUpAsync ------------------------------------------------------------------------------------------- */

inline findEvents(e) { known = position[e] }                           /* PostgresAppendSql.FindEvents */
inline findRuns(e, a) { fenced = (e != SHARED && attempt != a) }       /* FindRuns, RunState.Judge */

/* Reads the generation, locks the head, and looks up with snapshots from after the lock. */
inline begin(p, e, a) {
    atomic {
        g = generation; at = 0; known = 0; fenced = false;
#ifdef BUG_DEDUPE_IN_LOCK_STATEMENT
        findEvents(e);                 /* the snapshot of a statement that waits is from before it waits */
#endif
#ifdef BUG_FENCE_BEFORE_LOCK
        findRuns(e, a);
#endif
        printf("process %d begins to append event %d under generation %d\n", p, e, g)
    }
    atomic {
        !lock -> lock = p; at = head + 1;
#ifndef BUG_DEDUPE_IN_LOCK_STATEMENT
        findEvents(e);
#endif
#ifndef BUG_FENCE_BEFORE_LOCK
        findRuns(e, a);
#endif
        printf("process %d has the lock; event %d is at %d (0: nowhere)\n", p, e, known)
    }
}

/* AppendJudge: ids come before fences. */
#define IS_NEW (!known && !fenced)
#ifdef BUG_FENCE_BEFORE_IDS
#define IS_DUPLICATE (known && !fenced)
#define IS_REFUSED fenced
#else
#define IS_DUPLICATE known
#define IS_REFUSED (!known && fenced)
#endif

/* PostgresAppend.StoreAsync with COMMIT in it: all or nothing, and the lock is free. */
inline store(e, a, own) {
    assert(!position[e]);              /* one id, one position */
    assert(at == head + 1);            /* no hole, no position twice */
    head = at; position[e] = at; owner[e] = own; owed[e] = generation; lock = 0;
    if
    :: e != SHARED -> assert(attempt == a); attempt = 0        /* never for SHARED: one ending, by the run's present attempt */
    :: else
    fi;
    printf("event %d is committed at %d\n", e, at)
}
inline rollBack() { lock = 0; printf("that is rolled back\n") }

/* The reply to COMMIT is lost, and with it what became of it. */
#define CUT (IS_NEW && faults)
inline cut() { faults--; unsettledAt = at; unsettledIn = g; printf("the connection is cut at COMMIT\n") }

#define BY_IDS (IS_DUPLICATE && known == unsettledAt)
#ifdef BUG_SETTLED_BY_IDS
#define WENT BY_IDS
#else
#define WENT ((g == unsettledIn && went) || (g != unsettledIn && BY_IDS))
#endif

/* --- Producers ------------------------------------------------------------------------------------------------------------ */

active proctype Process1() {
    byte g, at, known, unsettledAt, unsettledIn;
    bool fenced, went;                 /* went: what pg_xact_status says of the COMMIT without reply */
    {
        skip;
#if (JOBS & 1) && OWN != SHARED
        /* AppendRunner.AppendAsync: after a COMMIT without reply the next try finds the id, or stores it; or it gives up. */
shared: begin(1, SHARED, 0);
        if
        :: atomic { known -> rollBack(); assert(known == position[SHARED]);
            if :: known == unsettledAt -> offer(1, SHARED, unsettledIn) :: else fi }
        :: atomic { IS_NEW -> store(SHARED, 0, 1); offer(1, SHARED, g) }
        :: atomic { CUT -> cut(); if :: store(SHARED, 0, 1) :: rollBack() fi };
            if :: goto shared :: skip fi
        fi;
        unsettledAt = 0; unsettledIn = 0;
#endif
#if (JOBS & 2) || OWN == SHARED
        /* CallerCommit: the caller's changes and the event are one. */
ending: begin(1, OWN, OWN_ATTEMPT);
        if
        :: atomic { IS_REFUSED -> rollBack(); assert(!position[OWN] && !changes); goto done }
        :: atomic { IS_DUPLICATE -> lock = 0; changes++; goto told }   /* never its own: the outcome is settled first */
        :: atomic { IS_NEW -> store(OWN, OWN_ATTEMPT, 1); changes++; offer(1, OWN, g); goto told }
        :: atomic { CUT -> cut(); if :: store(OWN, OWN_ATTEMPT, 1); changes++; went = true :: rollBack(); went = false fi }
        fi;
        if
        :: goto done                   /* the log can't be asked: CommitOutcomeUnknownException */
        :: skip
        fi;
#ifndef BUG_REPEAT_UNSETTLED
        /* SettleAsync: an append, which is rolled back, waits for the lock and finds the ids. The database knows what became of
           the transaction, but of another generation only the ids can tell. */
        begin(1, OWN, OWN_ATTEMPT);
        if
        :: atomic { WENT -> rollBack(); offer(1, OWN, unsettledIn); goto told }
        :: atomic { else -> rollBack() }
        fi;
#endif
        goto ending;
told:   assert(position[OWN] && changes == 1);
done:   skip
#endif
    } unless { !alive[1] };
    atomic { g = 0; at = 0; known = 0; fenced = false; went = false; unsettledAt = 0; unsettledIn = 0 }
}

active proctype Process2() {
    byte g, at, known, mine = 1, unsettledAt, unsettledIn;
    bool fenced;
    {
        skip;
#if JOBS & 1
        /* EventLog.AppendAsync(transaction): the caller's transaction, and a row that nobody owns. */
        begin(2, SHARED, 0);
        if
        :: atomic { known -> rollBack(); assert(known == position[SHARED]) }
        :: atomic { IS_NEW -> store(SHARED, 0, NOBODY) }
        :: atomic { rollBack() }
        fi;
#endif
#if JOBS & 2
        /* LostRuns ends the run at its attempt; or RunClaims takes it over, and the new attempt ends it. */
        if
        :: atomic { !lock && attempt -> attempt = 2; mine = 2; printf("process 2 claims the run\n") }
        :: skip
        fi;
        begin(2, LOST, mine);
        if
        :: atomic { !IS_NEW -> rollBack() }
        :: atomic { IS_NEW -> store(LOST, mine, 2); offer(2, LOST, g) }
        :: atomic { CUT -> cut(); if :: store(LOST, mine, 2) :: rollBack() fi }
        fi
#endif
    } unless { !alive[2] };
    atomic { g = 0; at = 0; known = 0; fenced = false; mine = 0; unsettledAt = 0; unsettledIn = 0 }
}

/* --- What happens to them ------------------------------------------------------------------------------------------------- */

/* Memory is lost with a process, its open transaction is rolled back, and its lease expires: ProcessLease. */
inline crash(p) {
    faults--; alive[p] = false; expired[p] = true; printf("process %d dies\n", p);
    if :: lock == p -> lock = 0 :: else fi;
    for (i : 0 .. 5) { stage[(p) * 6 - 6 + i] = FREE };
    i = 0
}

/* One that is only held up is taken for dead for a while. */
inline pause(p) { faults--; expired[p] = true; printf("process %d is taken for dead\n", p) }

active proctype Faults() {
    byte i;
    atomic { run Relay(1); run Relay(2) };
end: do
    :: atomic { faults && alive[1] && alive[2] -> crash(1) }
    :: atomic { faults && alive[1] && alive[2] -> crash(2) }
    :: atomic { faults && !expired[1] && !expired[2] -> pause(1) }
    :: atomic { faults && !expired[1] && !expired[2] -> pause(2) }
    :: atomic { alive[1] && expired[1] -> expired[1] = false }
    :: atomic { alive[2] && expired[2] -> expired[2] = false }
    /* LogAdmin.BeginEpochAsync, PostgresLog.RaiseGenerationAsync */
#ifndef TWO_CALLERS
    :: atomic { faults && generation == 1 -> faults--; generation = 2; printf("the generation is raised\n") }
#endif
    :: faults -> faults = 0            /* no more of them */
    od
}

/* When nothing moves any more, what is committed was published, the outbox is empty, and nothing is held. */
active proctype Quiet() {
    byte e;
    atomic {
        timeout ->
        assert(!lock);
        for (e : 0 .. 2) { assert(!owed[e] && owner[e] == NONE) };
        for (e : 0 .. 11) { assert(stage[e] == FREE) }
    }
}
