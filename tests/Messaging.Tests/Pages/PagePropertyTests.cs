using System.Globalization;
using System.Text.Json;
using CsCheck;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Messaging.Tests;

public sealed class PagePropertyTests
{
    private const int PageBytes = 2_000;

    private static readonly Gen<string> Body =
        from text in Gen.String[0, 300]
        from padding in Gen.Int[0, 20]
        select $"{new string(' ', padding)}{{\"text\":{JsonSerializer.Serialize(text)}}}";

    private static readonly Gen<string> LargeBody = Gen.Int[PageBytes - 20, PageBytes * 2].Select(length => $"\"{new string('x', length)}\"");

    private static readonly Gen<(string User, string[] Bodies, int Gap)> Range = Gen.Select(
        Gen.OneOf(new[] { "alice", "bøb", "c:a\"r\\ol", "d" }.Select(Gen.Const).ToArray()),
        Gen.Frequency((9, Body), (1, LargeBody)).Array[1, 12],
        Gen.Frequency((4, Gen.Const(0)), (1, Gen.Int[1, 3])));

    // Positions rise in each stream, as the log gives them, with gaps where retention removed some before a sweep read
    // them; now and then the generation changes.
    private static readonly Gen<List<CommittedBatch>> Log =
        Gen.Select(Gen.Bool, Range.Array[0, 4]).Array[1, 12].Select(transactions =>
        {
            var heads = new Dictionary<string, long>();
            var generation = 1L;
            return transactions.Select((transaction, i) =>
            {
                generation += transaction.Item1 && i % 3 == 0 ? 1 : 0;
                return new CommittedBatch(i, generation, [.. transaction.Item2.Select(range => Next(heads, range))], Command: null);
            }).ToList();
        });

    [Fact]
    public void What_is_written_is_read_again() => Log.Sample(log =>
    {
        foreach (var (header, draft) in Pages(log))
        {
            var page = BusPage.Read(PageWriter.Write(header, draft.Streams));

            Assert.Equal((header.Relay, header.Number, header.Goodbye, header.Generation), (page.Relay, page.Number, page.Goodbye, page.Generation));
            Assert.Equal(
                draft.Streams.Select(s => (KeyOf(s), s.Incarnation, s.First, Join(s.Bodies))),
                page.Streams.Select(s => (s.Stream, s.Incarnation, s.First, Join(s.Bodies))));
        }
    });

    [Fact]
    public void What_is_not_wanted_is_left_out_and_the_rest_is_the_same() => Log.Sample(log =>
    {
        foreach (var (header, draft) in Pages(log))
        {
            var body = PageWriter.Write(header, draft.Streams);
            var (all, some) = (BusPage.Read(body), BusPage.Read(body, stream => !stream.EndsWith("e"u8) && !stream.EndsWith("d"u8)));

            Assert.Equal(
                all.Streams.Where(s => !s.Stream.EndsWith('e') && !s.Stream.EndsWith('d')).Select(s => (s.Stream, s.First, Join(s.Bodies))),
                some.Streams.Select(s => (s.Stream, s.First, Join(s.Bodies))));
            Assert.Equal(all.Streams.Count, some.Streams.Count + some.Unwanted);
            Assert.False(some.IsBeacon);
        }
    });

    [Fact]
    public void A_stock_JSON_reader_reads_the_same() => Log.Sample(log =>
    {
        foreach (var (header, draft) in Pages(log))
        {
            using var envelope = JsonDocument.Parse(PageWriter.Write(header, draft.Streams));
            var page = envelope.RootElement.GetProperty("message").Deserialize<AgentEventPage>(AgentEventJson.Full)!;

            Assert.Equal(header.Number, page.Number);
            Assert.Equal(
                draft.Streams.Select(s => (KeyOf(s), s.First, s.Bodies.Count)),
                page.Streams.Select(s => (s.Stream, s.First, s.Lengths.Count)));
            Assert.Equal(
                draft.Streams.SelectMany(s => s.Bodies).Select(body => Batches.Text(body).Trim()),
                page.Events.Select(e => e.GetRawText()));
        }
    });

    [Fact]
    public void Every_event_goes_into_exactly_one_page_in_the_order_of_its_stream() => Log.Sample(log =>
    {
        var published = Pages(log).SelectMany(page => page.Draft.Streams.SelectMany(stream => Flatten(page.Draft, stream)));
        var committed = log.SelectMany(batch => batch.Ranges.SelectMany(range => Flatten(batch, range)));

        Assert.Equal(ByStream(committed), ByStream(published));
    });

    [Fact]
    public void A_page_keeps_its_limit_or_holds_one_event() => Log.Sample(log =>
    {
        foreach (var (header, draft) in Pages(log))
        {
            var bytes = PageWriter.Write(header with { Number = long.MaxValue, Generation = long.MaxValue }, draft.Streams).Length;
            Assert.True(bytes <= PageBytes || draft.Events == 1, $"{bytes} bytes in a page of {PageBytes} with {draft.Events} events");
            Assert.InRange(draft.Events, 1, int.MaxValue);
        }
    });

    [Fact]
    public void A_batch_is_confirmed_when_the_last_of_its_pages_is() => Log.Sample(log =>
    {
        var confirmed = new List<long>();
        var planner = Planner(log, confirmed);
        var pages = Drain(planner);
        var last = pages.SelectMany((page, i) => page.Batches.Select(batch => (batch.Batch.OutboxId, i)))
            .GroupBy(x => x.OutboxId).ToDictionary(g => g.Key, g => g.Max(x => x.i));

        Assert.Equal(log.Select(b => b.OutboxId).Where(id => !last.ContainsKey(id)), confirmed.Order());
        for (var i = 0; i < pages.Count; i++)
        {
            foreach (var batch in pages[i].Batches)
            {
                batch.Done();
            }

            Assert.All(last, entry => Assert.Equal(entry.Value <= i, confirmed.Contains(entry.Key)));
        }

        Assert.Equal(confirmed.Distinct().Count(), confirmed.Count);
    });

    [Fact]
    public void Damaged_bytes_are_refused_or_read_as_a_page_but_never_crash() =>
        Gen.Select(Log, Gen.Int[0, 5_000], Gen.Byte, Gen.Bool).Sample((log, at, with, cut) =>
        {
            var page = Pages(log).Select(p => PageWriter.Write(p.Header, p.Draft.Streams)).FirstOrDefault() ?? "{}"u8.ToArray();
            at %= page.Length;
            page[at] = with;
            try
            {
                BusPage.Read(cut ? page.AsMemory(0, at) : page);
            }
            catch (JsonException)
            {
                // Refused.
            }
        });

    private static CommittedRange Next(Dictionary<string, long> heads, (string User, string[] Bodies, int Gap) range)
    {
        var first = heads.GetValueOrDefault(range.User) + 1 + range.Gap;
        heads[range.User] = first + range.Bodies.Length - 1;
        return Batches.Range(Batches.Stream(range.User), first, range.Bodies);
    }

    private static PagePlanner Planner(List<CommittedBatch> log, List<long>? confirmed = null)
    {
        var planner = new PagePlanner(PageBytes);
        foreach (var committed in log)
        {
            var batch = Batches.Pending(committed, done => confirmed?.Add(done.OutboxId));
            planner.Add(batch);
            batch.Done();
        }

        return planner;
    }

    private static List<PageDraft> Drain(PagePlanner planner)
    {
        var pages = new List<PageDraft>();
        while (planner.TryTake(out var page))
        {
            pages.Add(page);
        }

        Assert.True(planner.IsEmpty);
        Assert.Equal(0, planner.WaitingBytes);
        return pages;
    }

    private static List<(PageHeader Header, PageDraft Draft)> Pages(List<CommittedBatch> log) =>
        [.. Drain(Planner(log)).Select((draft, i) => (new PageHeader(Guid.CreateVersion7(), i + 1, i % 2 == 0, draft.Generation), draft))];

    private static IEnumerable<string> ByStream(IEnumerable<(string Stream, string Event)> events) =>
        events.GroupBy(e => e.Stream).OrderBy(g => g.Key, StringComparer.Ordinal).SelectMany(g => g.Select(e => e.Event));

    private static IEnumerable<(string Stream, string Event)> Flatten(CommittedBatch batch, CommittedRange range) =>
        range.Events.Select((e, i) => Describe(batch.Generation, range.Stream, range.First + i, e.Body.Length > PageBytes ? (ReadOnlyMemory<byte>?)null : e.Body));

    private static IEnumerable<(string Stream, string Event)> Flatten(PageDraft page, PageDraftStream stream) =>
        stream.Bodies.Count == 0
            ? [Describe(page.Generation, StreamKey.Parse(KeyOf(stream)), stream.First, null)]
            : stream.Bodies.Select((body, i) => Describe(page.Generation, StreamKey.Parse(KeyOf(stream)), stream.First + i, body));

    private static (string Stream, string Event) Describe(long generation, StreamKey stream, long position, ReadOnlyMemory<byte>? body) =>
        (stream.Value, string.Create(CultureInfo.InvariantCulture, $"{generation} {stream} {position} {(body is { } bytes ? Batches.Text(bytes) : "by position")}"));

    private static string KeyOf(PageDraftStream stream) => JsonSerializer.Deserialize<string>($"\"{stream.Key.Value}\"")!;

    private static string Join(IEnumerable<ReadOnlyMemory<byte>> bodies) => string.Join('\u0001', bodies.Select(Batches.Text));
}
