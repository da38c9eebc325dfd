/*
 * From the log to the screens: pages, beacons, the feed, heads, cursors, resume. One stream, two relays, one node.
 *
 * append.pml shows what this model begins with: positions without holes, and every committed event published, under a history
 * that nodes still take. Here pages are lost, doubled, late and reordered at will, the history changes, a relay dies or is held
 * up, and screens leave and come back, with whatever cursor another node has led them to. The pass over all heads every 15 s
 * and the heartbeat, which mend everything in time, are left out: nothing here needs them. README.md says what else is.
 */
#ifndef EVENTS
#define EVENTS 2                       /* committed at most */
#endif
#ifndef SCREENS
#define SCREENS 1
#endif
#ifndef FAULTS
#define FAULTS 1                       /* in one history; a page may be lost beyond them */
#endif
#define PAGES 2                        /* on their way at a time */
#define TAIL 1                         /* events that the feed keeps: FeedBounds */

/* Where a committed event is. */
#define ROW 1                          /* in the outbox alone */
#define HELD 2                         /* in a relay's memory */
#define STUCK 3                        /* in relay 0's, and the broker does not take it */
#define LATE 4                         /* the same, and a beacon has skipped a number since */
#define DONE 5                         /* published, and its row deleted */

/* A cursor's history, where there is none: from now on, and after=0. */
#define NOW 0
#define OLDEST 9

/* --- The log, and what the relays owe ------------------------------------------------------------------------------------- */
byte history = 1, head, before;        /* before: the last position that anybody can know of the first history */
bool erased;                           /* it ended by an erasure; else the generation was raised, and its events stay */
byte commits, faults = FAULTS;
byte position[EVENTS], place[EVENTS], relay[EVENTS];
byte claimed[EVENTS], real[EVENTS];    /* the history that an event is to be published under, and that its body is of */

/* --- The bus -------------------------------------------------------------------------------------------------------------- */
typedef Page { bool way; byte relay, number, history, real, from, to }
Page page[PAGES];                      /* way: it is on its way to the node */
byte number[2];
bool dead;                             /* relay 0 */

hidden byte c, i, h, p, q, f, t, b, news, taken, fresh, judges;        /* scratch, of one step */

#if SCREENS == 1
#define ANY_SCREEN(what) what(0)
#else
#define ANY_SCREEN(what) (what(0) || what(1))
#endif
#if EVENTS == 2
#define ANY_EVENT(what) (what(0) || what(1))
#else
#define ANY_EVENT(what) (what(0) || what(1) || what(2))
#endif
#define ANY_PAGE(what) (what(0) || what(1))

#include "node.pml"
#include "subscription.pml"

/* --- Relays --------------------------------------------------------------------------------------------------------------- */

#define IS_STUCK(e) (place[e] == STUCK)
#define IS_FREE(k) (!page[k].way)

/* PageStream.Start: the next number. */
inline publish(e, upTo) {
    i = (page[0].way -> 1 : 0);
    number[relay[e]]++;
    page[i].way = true; page[i].relay = relay[e]; page[i].number = number[relay[e]];
    page[i].history = claimed[e]; page[i].real = real[e]; page[i].from = position[e]; page[i].to = upTo;
    printf("relay %d publishes page %d: %d..%d of history %d\n", relay[e], number[relay[e]], position[e], upTo, claimed[e])
}

/* OutboxStore.DeleteAsync: under a raised generation the row stays, and is swept. */
inline delete(e) {
    place[e] = (claimed[e] == history || erased -> DONE : ROW);
    claimed[e] = 0; real[e] = 0; relay[e] = 0
}

/* OutboxBodies: bodies and history are of one snapshot. Of an erased event nothing is left, or what has its position now. */
inline sweep(e) {
    printf("event %d is swept\n", e);
    if
    :: position[e] <= head ->
        place[e] = HELD; relay[e] = 1; real[e] = history;
#ifndef BUG_SWEEP_IN_TWO_SNAPSHOTS
        claimed[e] = history
#endif
    :: else -> place[e] = DONE
    fi
}

#define RELAY(e) \
    :: d_step { place[e] == HELD && claimed[e] && ANY_PAGE(IS_FREE) -> publish(e, position[e]); delete(e) } \
    :: d_step { place[e] == ROW -> sweep(e) } \
    :: d_step { place[e] == HELD && !relay[e] && faults -> faults--; place[e] = STUCK; printf("event %d is stuck\n", e) } \
    SECOND_SNAPSHOT(e)
#ifdef BUG_SWEEP_IN_TWO_SNAPSHOTS
#define SECOND_SNAPSHOT(e) :: d_step { place[e] == HELD && !claimed[e] -> claimed[e] = history }
#else
#define SECOND_SNAPSHOT(e)
#endif

/* Contiguous events share a page. */
#define ONE_PAGE(e, x) \
    :: d_step { place[e] == HELD && place[x] == HELD && relay[e] == relay[x] && claimed[e] && claimed[e] == claimed[x] && \
        position[x] == position[e] + 1 && ANY_PAGE(IS_FREE) -> publish(e, position[x]); delete(e); delete(x) }

proctype Relays() {
end: do
    RELAY(0) RELAY(1) ONE_PAGE(0, 1)
#if EVENTS == 3
    RELAY(2) ONE_PAGE(1, 2)
#endif
#ifndef BUG_LATE_BEACON_REPEATS
    /* PageStream.BeaconAsync, IsLate */
    :: d_step { ANY_EVENT(IS_STUCK) -> number[0]++; printf("relay 0 is late: its beacon skips to %d\n", number[0]);
        for (i : 0 .. EVENTS - 1) { if :: IS_STUCK(i) -> place[i] = LATE :: else fi };
        skip }
#endif
    od
}

/* --- The log -------------------------------------------------------------------------------------------------------------- */

inline commit(as, under) {
    head++; printf("event %d is committed: %d of history %d\n", commits, head, history);
    position[commits] = head; place[commits] = as; claimed[commits] = under; real[commits] = under; commits++
}

/* Relay 0's memory is lost. */
inline crash() {
    dead = true; printf("relay 0 dies\n");
    for (i : 0 .. EVENTS - 1) {
        if
        :: place[i] == STUCK || place[i] == LATE || (place[i] == HELD && !relay[i]) -> place[i] = ROW; claimed[i] = 0; real[i] = 0
        :: else
        fi
    };
    skip
}

inline newHistory(byErasure) {
    history = 2; before = head; erased = byErasure; head = (erased -> 0 : head); printf("history 2 begins at %d\n", head)
}

active proctype Log() {
    atomic { run Node(); run Relays(); for (i : 0 .. SCREENS - 1) { run Client(i) } };
end: do
    :: d_step { commits < EVENTS -> commit((dead -> ROW : HELD), (dead -> 0 : history)) }
#ifdef RAISE
    /* LogAdmin.BeginEpochAsync, PostgresLog.RaiseGenerationAsync; an append may have read the generation just before. */
    :: d_step { faults && history == 1 -> faults--; newHistory(false) }
    :: d_step { commits < EVENTS && history == 2 && before == head && !dead -> commit(HELD, 1); before = head }
#else
    /* The hand-over is full, or the reply to COMMIT was lost; LogAdmin.EraseAsync. */
    :: d_step { commits < EVENTS -> commit(ROW, 0) }
    :: d_step { faults && history == 1 -> faults--; newHistory(true) }
#endif
    :: d_step { faults && !dead -> faults--; crash() }
    od
}

/* --- Delivery: where everybody waits for what need not happen, every screen stands at the head ---------------------------- */

#define IS_ON_ITS_WAY(k) page[k].way
#define IS_OWED(e) (place[e] == ROW || place[e] == HELD || NEEDS_SKIP(e))
#define IS_BUSY(s) (!screen[s].here || screen[s].pulse || reader[s].on)
#ifdef BUG_LATE_BEACON_REPEATS
#define NEEDS_SKIP(e) false
#else
#define NEEDS_SKIP(e) IS_STUCK(e)
#endif
#define QUIET (!ANY_PAGE(IS_ON_ITS_WAY) && !ANY_EVENT(IS_OWED) && !BEACON_TELLS(0) && !BEACON_TELLS(1) && !IS_SILENT && \
    !wanted && !poller.on && !ANY_SCREEN(IS_BUSY))

/* In the former history it may stand only as long as the present one has nothing that is new to it. */
#define IS_BEHIND(s) ((screen[s].history != history || screen[s].position != head) && \
    (screen[s].history != 1 || history != 2 || (erased -> head : screen[s].position != head)))

active proctype Quiet() {
    if
    :: QUIET && ANY_SCREEN(IS_BEHIND) -> assert(false)        /* never */
    :: timeout -> assert(QUIET)
    fi
}
