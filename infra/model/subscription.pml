/* Part of delivery.pml: Subscription and SubscriptionCursor, and the client at the other end. */

/* --- Coming and going ------------------------------------------------------------------------------------------------------ */

/* A node that had no feed has nothing to have missed: it reads the head. */
inline register() { fed = true; first = 1; next = 1; seen[0] = number[0]; seen[1] = number[1]; mourned = dead }

/* FeedHub.Enter: the feed is registered, and only then its head is asked for. */
inline enter(s) {
    printf("screen %d comes, at %d of history %d\n", s, screen[s].position, screen[s].history);
    if :: !fed -> register(); wantHead() :: else fi;
    screen[s].here = true; screen[s].pulse = true;
    if :: screen[s].history == NOW -> screen[s].nowHistory = feedHistory; screen[s].nowPosition = feedHead :: else fi;
    promise(s)
}

/* ready is sent before the head is known, the log being away: whatever is committed from now on would have to be shown. */
#ifdef LIMIT_READY_BEFORE_HEAD
byte promised;
inline promise(s) { promised = head + 1 }
inline keepPromise(s) { assert(feedHistory != 1 || history != 1 || screen[s].position < promised) }
#else
inline promise(s) { skip }
inline keepPromise(s) { skip }
#endif

inline dropStart() { if :: ANY_SCREEN(NEEDS_START) -> skip :: else -> start = 0 fi }

inline leave(s) {
    printf("screen %d is cut off\n", s);
    screen[s].here = false; screen[s].judged = false; screen[s].pulse = false;
    screen[s].nowHistory = 0; screen[s].nowPosition = 0;
    if :: !screen[s].told && screen[s].history != OLDEST -> screen[s].history = NOW; screen[s].position = 0 :: else fi;
    dropStart();
    over(reader[s]);
    poller.judges = poller.judges & (255 - (1 << s));
    for (c : 0 .. SCREENS - 1) { reader[c].judges = reader[c].judges & (255 - (1 << s)) };
    skip
}

/* Another node has led the client on, to any event of the present history. */
inline elsewhere(s) {
    if :: screen[s].history != history -> screen[s].history = history; screen[s].position = 0 :: else fi;
    screen[s].told = true;
    do
    :: screen[s].position < head -> screen[s].position++
    :: break
    od
}

/* --- What a client is sent ------------------------------------------------------------------------------------------------- */

inline tell(s) { screen[s].told = true; screen[s].history = h; screen[s].position = q }

/* Events p + 1 to q of history h: they are committed, and the client sees previous + 1. What is lost with its connection
   counts as not sent. */
inline send(s) {
    assert(p <= q && q <= (h == history -> head : before));
    assert(!screen[s].told || (screen[s].history == h && screen[s].position == p));
    tell(s)
}

inline needHead(s) { wantHead(); screen[s].pulse = false }

/* Discontinue: what the node knew before the cursor came may be older than the cursor. */
inline discontinue(s) {
    if
#ifdef BUG_JUDGED_BY_AN_OLD_HEAD
    :: headKnown ->
#else
    :: screen[s].judged ->
#endif
        assert(h < history);           /* no needless reset */
        printf("screen %d is reset to history %d\n", s, feedHistory);
        h = feedHistory; q = 0; tell(s)
    :: else -> needHead(s)
    fi
}

/* StartOf. */
inline startOf(s) {
    if
    :: NEEDS_START(s) && headKnown ->
        screen[s].history = feedHistory; screen[s].position = start - 1; dropStart(); keepPromise(s)
    :: screen[s].history == NOW && screen[s].nowHistory ->
        screen[s].history = screen[s].nowHistory; screen[s].position = screen[s].nowPosition;
        screen[s].nowHistory = 0; screen[s].nowPosition = 0
    :: else
    fi;
    h = screen[s].history; p = screen[s].position;
    if :: h == OLDEST && headKnown -> h = feedHistory :: else fi
}

#define IS_OPEN (h == NOW || h == OLDEST)
#define IS_SAME (!IS_OPEN && h == feedHistory)
#define HOLDS_AFTER (p + 1 >= first && p + 1 < next)
#define BEHIND_TAIL (IS_SAME && !HOLDS_AFTER && p <= feedHead)

/* Judge and Do. most: events of a frame or of a read. */
inline poll(s, most) {
    startOf(s);
    if
    :: IS_OPEN || (BEHIND_TAIL && !headKnown) -> needHead(s)
    :: !IS_OPEN && (!IS_SAME || (!HOLDS_AFTER && p > feedHead)) -> discontinue(s)
    :: IS_SAME && HOLDS_AFTER ->
        q = (p + most < next -> p + most : next - 1);
        printf("screen %d gets %d..%d of history %d from the feed\n", s, p + 1, q, h);
        send(s)
    :: BEHIND_TAIL && headKnown && p == feedHead ->
        if
        :: !screen[s].told -> q = p; printf("screen %d is live at %d of history %d\n", s, p, h); send(s)
        :: else -> screen[s].pulse = false
        fi
    :: BEHIND_TAIL && headKnown && p < feedHead ->
        printf("screen %d asks the log for what follows %d of history %d\n", s, p, h);
        screen[s].pulse = false; ask(reader[s]); reader[s].asked = h; reader[s].to = (p + most < head -> p + most : head)
    fi
}

/* TakeAnswer: Announce, and where the page ends at the head the feed keeps it; then Take. */
inline takeAnswer(s) {
    printf("the log answers screen %d: head %d of history %d\n", s, reader[s].head, reader[s].history);
    p = (screen[s].history == OLDEST -> 0 : screen[s].position);
    answer(reader[s]);
    if :: taken && reader[s].to > p && reader[s].to == t -> f = p + 1; b = h; keep() :: else fi;
    if
#ifdef BUG_ANSWER_OF_ANOTHER_HISTORY
    :: reader[s].to > p ->
#else
    :: reader[s].to > p && h == feedHistory && h == reader[s].asked ->
#endif
        assert(h == reader[s].asked);  /* nothing of one history under a cursor of another */
        q = reader[s].to;
        printf("screen %d gets %d..%d of history %d from the log\n", s, p + 1, q, h);
        send(s)
    :: else
    fi;
    screen[s].pulse = true;
    over(reader[s])
}

proctype Client(byte s) {
    if
    :: s == 0 -> screen[s].history = NOW
    :: s == SCREENS - 1 -> screen[s].history = OLDEST
    fi;
away:
    if
    :: skip
    :: atomic { printf("screen %d reads at another node\n", s); elsewhere(s) }
    fi;
#ifdef BUG_HEAD_BEFORE_FEED
    if
    :: d_step { !fed -> printf("the head is read before there is a feed: %d of history %d\n", head, history); ask(poller); skip };
        d_step { register(); enter(s); poller.judges = 1 << s }
    :: d_step { fed -> enter(s) }
    fi;
#else
    d_step { enter(s) };
#endif
end: do
    :: d_step { reader[s].on -> takeAnswer(s) }
    :: d_step { screen[s].pulse && !reader[s].on -> poll(s, EVENTS) }
    :: d_step { screen[s].pulse && !reader[s].on && screen[s].position + 1 < head -> poll(s, 1) }
    :: d_step { faults -> faults--; leave(s) };
        goto away
    od
}
