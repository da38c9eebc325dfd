/* Part of delivery.pml: RelayWatch, FeedHub, HeadPoller, Feed and FeedTail, for the one stream and its readers. */

byte seen[2];                          /* RelayWatch: a relay's last number */
bool mourned;                          /* IsAnySilent has noticed the dead relay */
bool fed, wanted, awaited;             /* there is a feed; FeedHub._wanted or _allWanted; Feed._headWanted */
byte feedHistory, feedHead, first, next, start;        /* start: FirstSeen + 1 */
bool headKnown;

/* A read of the log that is under way. fresh: nothing was learned since it began (began > _learned); judges: the screens that
   had come when it began (AsOf > _arrived); asked, to: of a reader's page, the history it was asked for and its last event. */
typedef Read { bool on, fresh; byte history, head, judges, asked, to }
Read poller, reader[SCREENS];

/* Subscription and SubscriptionCursor. told: its client has a cursor. */
typedef Screen { bool here, told, judged, pulse; byte history, position, nowHistory, nowPosition }
Screen screen[SCREENS];

#define IS_HERE(s) screen[s].here
#define NEEDS_START(s) (screen[s].here && screen[s].history == NOW && !screen[s].nowHistory)

/* --- FeedTail and Feed, told by a page or by the log, of history h ---------------------------------------------------------- */

inline pulseReaders() { for (c : 0 .. SCREENS - 1) { screen[c].pulse = screen[c].here }; skip }

inline learned() { poller.fresh = false; for (c : 0 .. SCREENS - 1) { reader[c].fresh = false }; skip }

inline become() { if :: !feedHistory -> feedHistory = h; learned() :: else fi }

inline forget() { feedHistory = 0; feedHead = 0; first = 1; next = 1; start = 0 }

inline startAt(x) { if :: ANY_SCREEN(NEEDS_START) && (!start || x + 1 < start) -> start = x + 1 :: else fi }

/* Keep: events f to t, whose bodies are of history b, continue the tail, or replace it as a newer run. */
inline keep() {
    if
    :: t >= next ->
        assert(b == feedHistory || !erased);           /* a body of one history is never taken for another's */
        f = (f > next -> f : next);
        f = (t + 1 - f > TAIL -> t + 1 - TAIL : f);
        if :: f > next -> first = f :: else fi;
        next = t + 1;
        if :: next - first > TAIL -> first = next - TAIL :: else fi;
        news = true
    :: else
    fi
}

/* Offer: a page is a hint; it never changes the history that the log has told. */
inline offer() {
    news = false;
    if
#ifndef BUG_OLD_HISTORY_PAGE
    :: feedHistory && h < feedHistory                  /* Offered.Stale */
#endif
    :: feedHistory && h > feedHistory && headKnown -> wantHead()       /* Offered.HeadNeeded */
    :: else ->
        if :: feedHistory && h > feedHistory -> forget() :: else fi;
        become();
        if :: !headKnown -> startAt(f - 1) :: else fi;
        if :: t > feedHead -> feedHead = t; news = true; learned() :: else fi;
        keep();
        if :: news -> pulseReaders() :: else fi
    fi
}

/* Announce: the log's head was t, says a read that is fresh or not. */
inline announce() {
    news = false; taken = true;
    if
    :: feedHistory && h != feedHistory ->
        if
        :: h < feedHistory && !fresh -> taken = false
        :: else ->
            assert(h > feedHistory);                   /* this log never goes back */
            q = (headKnown -> 0 : t);
            forget(); become(); feedHead = t; startAt(q); news = true
        fi
    :: else ->
        if :: !feedHistory -> news = true :: else fi;
        become();
        if :: !headKnown -> startAt(t) :: else fi;
        if
        :: t > feedHead -> feedHead = t; news = true; learned()
#ifdef BUG_STALE_HEAD_TAKEN
        :: t < feedHead -> feedHead = t; first = t + 1; next = t + 1; news = true; learned()
#else
        :: t < feedHead -> assert(!fresh)
#endif
        :: else
        fi
    fi;
    if
    :: taken ->
        if :: !headKnown -> headKnown = true; news = true :: else fi;
        for (c : 0 .. SCREENS - 1) { if :: judges & (1 << c) -> screen[c].judged = true :: else fi }
    :: else
    fi;
    pulseIfTold()
}

inline pulseIfTold() {
#ifdef BUG_PULSE_ONLY_ON_NEWS
    if :: news -> pulseReaders() :: else fi
#else
    if :: news || awaited -> awaited = false; pulseReaders() :: else fi
#endif
}

/* --- FeedHub and RelayWatch ------------------------------------------------------------------------------------------------ */

inline wantHead() { awaited = true; wanted = true }

/* One statement. Its tick is taken before it: who comes later is not judged by it. */
inline ask(read) {
    read.on = true; read.fresh = true; read.history = history; read.head = head;
    for (c : 0 .. SCREENS - 1) { if :: screen[c].here -> read.judges = read.judges | (1 << c) :: else fi };
    skip
}

inline answer(read) { h = read.history; t = read.head; fresh = read.fresh; judges = read.judges; announce() }

inline over(read) {
    read.on = false; read.fresh = false; read.history = 0; read.head = 0; read.judges = 0; read.asked = 0; read.to = 0
}

/* RelayWatch.Observe, FeedHub.OnPage. */
inline receive(k) {
    if :: page[k].number > seen[page[k].relay] + 1 -> wanted = true :: else fi;
    if :: page[k].number > seen[page[k].relay] -> seen[page[k].relay] = page[k].number :: else fi;
    h = page[k].history; f = page[k].from; t = page[k].to; b = page[k].real; offer()
}

#define ON_ITS_WAY(k) (page[k].way && page[k].relay == i)

/* Numbers that the node does not lack any more begin anew: it is their difference that counts. */
inline settle() {
    for (i : 0 .. 1) {
        if
        :: (!fed || seen[i] == number[i]) && !ANY_PAGE(ON_ITS_WAY) -> number[i] = 0; seen[i] = 0
        :: else
        fi
    };
    skip
}

inline gone(k) {
    page[k].way = false; page[k].relay = 0; page[k].number = 0; page[k].history = 0;
    page[k].real = 0; page[k].from = 0; page[k].to = 0;
    settle()
}

/* A page arrives, arrives and comes again, or is lost. Without a feed it is skipped: FeedHub.Wants. */
#define ARRIVAL(k) \
    :: d_step { page[k].way && fed -> printf("page %d of relay %d arrives\n", page[k].number, page[k].relay); \
        receive(k); gone(k) } \
    :: d_step { page[k].way && fed && faults -> printf("page %d of relay %d arrives twice\n", page[k].number, page[k].relay); \
        faults--; receive(k) } \
    :: d_step { page[k].way && fed -> printf("page %d of relay %d is lost\n", page[k].number, page[k].relay); gone(k) } \
    :: d_step { page[k].way && !fed -> printf("page %d of relay %d is skipped\n", page[k].number, page[k].relay); gone(k) }

/* A beacon that says nothing new changes nothing; the next one comes in a second. */
#ifdef BUG_BEACON_COUNTED_AS_PAGE
#define BEACON_TELLS(r) (fed && number[r] > seen[r] + 1 && !(dead && r == 0))
#else
#define BEACON_TELLS(r) (fed && number[r] > seen[r] && !(dead && r == 0))
#endif
#define BEACON(r) \
    :: d_step { BEACON_TELLS(r) -> printf("beacon %d of relay %d: pages were missed\n", number[r], r); \
        seen[r] = number[r]; wanted = true; settle() }
#ifdef BUG_FORGOTTEN_BEFORE_SILENT
#define IS_SILENT false
#else
#define IS_SILENT (fed && dead && !mourned)
#endif

proctype Node() {
end: do
    ARRIVAL(0) ARRIVAL(1) BEACON(0) BEACON(1)
    :: d_step { IS_SILENT -> printf("relay 0 is silent\n"); mourned = true; wanted = true }

    /* HeadPoller.LookAsync */
    :: d_step { wanted && !poller.on -> printf("the poller asks: head %d of history %d\n", head, history);
        wanted = false; ask(poller) }
    :: d_step { fed && poller.on -> printf("the poller is told: head %d of history %d\n", poller.head, poller.history);
        answer(poller); over(poller) }

    /* FeedHub.CloseIdle */
    :: d_step { fed && !ANY_SCREEN(IS_HERE) -> printf("the feed is closed\n");
        fed = false; wanted = false; awaited = false; headKnown = false; mourned = false;
        forget(); first = 0; next = 0; over(poller); settle() }
    od
}
