/* Part of append.pml: OutboxHandover, Relay, OutboxCleaner and Sweeper of a process. */

#define FREE   0                       /* OutboxHandover: not held */
#define QUEUED 1                       /* held, on its way to the broker */
#define SENT   2                       /* held, the broker has it */

byte stage[12];                        /* a batch's, by process, event and generation: OutboxHandover.Key */
#define STAGE(p, e, g) stage[(p) * 6 + (e) * 2 + (g) - 7]

/* OutboxHandover.TryOffer, by AppendRunner.HandOver; it is refused when it is full. */
inline offer(p, e, gen) {
    if
    :: STAGE(p, e, gen) == FREE -> STAGE(p, e, gen) = QUEUED
    :: true -> printf("the hand-over is full\n")
    fi
}

/* OutboxStore.DeleteAsync: only its own row, and only under the generation of the batch. */
inline delete(p, e, g) {
    if
#ifdef BUG_DELETE_ANY_GENERATION
    :: owner[e] == p -> owner[e] = NONE
#else
    :: owner[e] == p && generation == g ->
        assert(!owed[e]);              /* a row is gone only after its events were confirmed */
        owner[e] = NONE
#endif
    :: else
    fi
}

#ifdef BUG_DELETE_BEFORE_CONFIRM
#define DELETE_EARLY(p, e, g) delete(p, e, g);
#else
#define DELETE_EARLY(p, e, g)
#endif

/* ConfirmedPublisher, OutboxCleaner: what was not confirmed is sent again, and a DELETE that failed is repeated; neither changes
   anything here. */
#define RELAY(e, g) \
    :: atomic { STAGE(p, e, g) == QUEUED -> printf("process %d publishes event %d under generation %d\n", p, e, g); \
        DELETE_EARLY(p, e, g) \
        if :: g >= owed[e] -> owed[e] = 0 :: else fi; \
        STAGE(p, e, g) = SENT } \
    :: atomic { STAGE(p, e, g) == SENT -> printf("process %d deletes the row of event %d and lets go of it\n", p, e); \
        delete(p, e, g); STAGE(p, e, g) = FREE }

#ifdef BUG_SWEEP_DELETES
#define HANDED_OVER(e) owner[e] = NONE
#else
#define HANDED_OVER(e) skip
#endif
#ifdef BUG_OWN_ROWS_UNSWEPT
#define IS_SWEPT(e) taken[e]
#define MARK(e, what) taken[e] = what
#else
#define IS_SWEPT(e) true
#define MARK(e, what) skip
#endif

/* OutboxStore.TakeUnownedAsync and TakeAbandonedAsync mark the rows of nobody and of the dead; they are then own rows that
   are not held, as are those that Sweeper.SweepOwnAsync finds. */
#define SWEEP(e) \
    :: atomic { owner[e] == NOBODY || (owner[e] == 3 - p && expired[3 - p]) -> \
        printf("process %d takes the row of event %d\n", p, e); \
        owner[e] = p; MARK(e, true) } \
    :: atomic { owner[e] == p && IS_SWEPT(e) && STAGE(p, e, generation) == FREE -> \
        printf("process %d reads the row of event %d and hands it over\n", p, e); \
        STAGE(p, e, generation) = QUEUED; MARK(e, false); HANDED_OVER(e) }

proctype Relay(byte p) {
#ifdef BUG_OWN_ROWS_UNSWEPT
    bool taken[3];
#endif
    {
end:    do
        RELAY(SHARED, 1) RELAY(SHARED, 2)
        RELAY(ENDING, 1) RELAY(ENDING, 2)
        RELAY(LOST, 1) RELAY(LOST, 2)
        SWEEP(SHARED) SWEEP(ENDING) SWEEP(LOST)
        od
    } unless { !alive[p] }
}
