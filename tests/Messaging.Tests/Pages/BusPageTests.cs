using System.Text;
using System.Text.Json;

namespace Pipeline.Messaging.Tests;

public sealed class BusPageTests
{
    private static readonly PageHeader Header = new(Guid.CreateVersion7(), Number: 4, Goodbye: false, Generation: 9);

    [Fact]
    public void A_beacon_has_a_number_and_no_streams()
    {
        var page = BusPage.Read(PageWriter.Write(Header with { Goodbye = true }, []));

        Assert.Equal((4, 9, true), (page.Number, page.Generation, page.Goodbye));
        Assert.Empty(page.Streams);
    }

    [Fact]
    public void An_event_too_large_for_the_bus_travels_as_its_position()
    {
        var planner = new PagePlanner(pageBytes: 100);
        planner.Add(Batches.Pending(Batches.Of(1, Batches.Range(Batches.Stream("alice"), 5, "\"a\"", $"\"{new string('x', 100)}\"", "\"c\""))));

        var read = new List<BusPageStream>();
        while (planner.TryTake(out var draft))
        {
            read.AddRange(BusPage.Read(PageWriter.Write(Header, draft.Streams)).Streams);
        }

        Assert.Equal([(5, 1), (6, 0), (7, 1)], read.Select(stream => (stream.First, stream.Bodies.Count)));
    }

    [Fact]
    public void Bodies_are_sliced_and_not_parsed()
    {
        var draft = new PageDraft(generation: 9, limit: 1_000);
        draft.TryAdd(Batches.Pending(Batches.Of(1)), Batches.Stream("alice"), incarnation: 2, position: 1, "no JSON, ] nor }"u8.ToArray());

        var stream = Assert.Single(BusPage.Read(PageWriter.Write(Header, draft.Streams)).Streams);

        Assert.Equal("no JSON, ] nor }", Batches.Text(Assert.Single(stream.Bodies)));
    }

    [Theory]
    [InlineData("", "JSON")]
    [InlineData("[]", "envelope")]
    [InlineData("{}", "message")]
    [InlineData("""{"message":{"number":1}}""", "events")]
    [InlineData("""{"message":{"relay":"x","number":1,"generation":1,"streams":[],"events":[]}}""", "wrong type")]
    [InlineData("""{"message":{"number":"1"}}""", "wrong type")]
    [InlineData("""{"message":{"relay":"0199d1d0-0000-7000-8000-000000000000","number":1,"generation":1,"events":[]}}""", "streams")]
    [InlineData("""{"message":{"relay":"0199d1d0-0000-7000-8000-000000000000","number":1,"generation":1,"streams":[{"stream":"s","incarnation":1,"first":1,"lengths":[9]}],"events":[1]}}""", "length")]
    [InlineData("""{"message":{"relay":"0199d1d0-0000-7000-8000-000000000000","number":1,"generation":1,"streams":[{"stream":"s","incarnation":1,"first":1,"lengths":[9999]}],"events":[1]}}""", "outside")]
    [InlineData("""{"message":{"relay":"0199d1d0-0000-7000-8000-000000000000","number":1,"generation":1,"streams":[{"stream":"s","incarnation":1,"first":1,"lengths":[-1]}],"events":[1]}}""", "outside")]
    public void What_is_no_page_is_refused_with_a_reason(string text, string reason)
    {
        var exception = Assert.ThrowsAny<JsonException>(() => BusPage.Read(Encoding.UTF8.GetBytes(text)));

        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fields_of_a_later_version_are_ignored()
    {
        const string Page = """
            {"sentTime":{"a":[1]},"message":{"new":[{}],"relay":"0199d1d0-0000-7000-8000-000000000000","number":3,"generation":1,
            "streams":[{"later":{"x":1},"stream":"s","incarnation":1,"first":8,"lengths":[2]}],"events":[42],"more":1}}
            """;

        var stream = Assert.Single(BusPage.Read(Encoding.UTF8.GetBytes(Page)).Streams);

        Assert.Equal("42", Batches.Text(Assert.Single(stream.Bodies)));
    }
}
