using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>What is refused whatever the log holds, and what makes two events the same.</summary>
public sealed class EventEncoderTests
{
    private static readonly EventEnvelope Good = new()
    {
        Id = Guid.Parse("0199d2a4-0000-7000-8000-000000000001"), Type = "custom", Tenant = "default", User = "alice",
        Thread = "t-1", Run = "r-1", Sequence = 0, Time = null, Position = 0,
    };

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-23T03:08:00.123Z", null));

    [Fact]
    public void A_body_has_the_order_of_the_wire_and_no_cursor()
    {
        var numbered = Encode(Events.Thinking() with { Id = Good.Id, Sequence = 7 });
        var unnumbered = Encode(Events.Thinking() with { Id = Good.Id });

        Assert.Equal(
            """{"id":"0199d2a4-0000-7000-8000-000000000001","type":"agent_thinking","time":"2026-11-23T03:08:00.123Z","thread":"t-1","run":"r-1","sequence":7,"data":{"text":"hm","delta":false}}""",
            Encoding.UTF8.GetString(numbered.Body.Span));
        Assert.DoesNotContain("sequence", Encoding.UTF8.GetString(unnumbered.Body.Span), StringComparison.Ordinal);
    }

    public static TheoryData<EventEnvelope, string> WrongEnvelopes => new()
    {
        { Good with { Id = Guid.Empty }, "id" },
        { Good with { Type = "" }, "type" },
        { Good with { Type = new string('x', 129) }, "type" },
        { Good with { Tenant = "a\nb" }, "tenant" },
        { Good with { User = "" }, "user" },
        { Good with { Thread = "a\0b" }, "thread" },
        { Good with { Run = new string('é', 65) }, "run" },
        { Good with { Run = "\uD800" }, "run" },
        { Good with { Sequence = -1 }, "sequence" },
        { Good with { Position = 3 }, "position" },
    };

    [Theory]
    [MemberData(nameof(WrongEnvelopes))]
    public void A_wrong_field_is_named(EventEnvelope envelope, string field) =>
        Assert.Equal(field, Assert.Throws<InvalidEventException>(() => Encode(envelope, "{}")).Field);

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("{} {}")]
    [InlineData("{'a':1}")]
    [InlineData("{\"a\":\"\0\"}")]
    public void Data_must_be_one_JSON_object(string data) =>
        Assert.Equal("data", Assert.Throws<InvalidEventException>(() => Encode(Good, data)).Field);

    [Fact]
    public void Data_must_be_valid_UTF8()
    {
        byte[] data = [.. "{\"a\":\""u8, 0xFF, .. "\"}"u8];

        Assert.Contains("UTF-8", Assert.Throws<InvalidEventException>(() => Encoder().Encode(Good, data)).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Data_may_nest_only_as_deep_as_readers_can_follow()
    {
        static string Nested(int depth) => $"{{\"a\":{new string('[', depth - 1)}{new string(']', depth - 1)}}}";

        Encode(Good, Nested(EventEncoder.MaxDataDepth));
        Assert.Throws<InvalidEventException>(() => Encode(Good, Nested(EventEncoder.MaxDataDepth + 1)));
    }

    [Theory]
    [InlineData(EventTypes.ToolCompleted, "{}")]
    [InlineData(EventTypes.AgentThinking, """{"text":null}""")]
    [InlineData(EventTypes.AgentThinking, """{"text":5}""")]
    [InlineData(EventTypes.AgentThinking, """{"text":"\uD800"}""")]
    [InlineData(EventTypes.AgentStarted, """{"agent":"a","lease":4}""")]
    [InlineData(EventTypes.AgentStarted, """{"agent":"a","lease":86401}""")]
    public void Data_of_a_known_type_must_fit_its_contract(string type, string data) =>
        Assert.Equal("data", Assert.Throws<InvalidEventException>(() => Encode(Good with { Type = type }, data)).Field);

    [Fact]
    public void A_record_without_what_its_contract_requires_is_refused() => Assert.Contains(
        "has no text", Assert.Throws<InvalidEventException>(() => Encode(Events.Thinking(text: null!))).Problem, StringComparison.Ordinal);

    [Fact]
    public void Data_may_use_the_names_of_the_envelope_for_its_own()
    {
        const string Data = """{"text":"hm","id":[],"sequence":"first","user":{"name":"eve"},"type":7}""";

        var encoded = Encode(Good with { Type = EventTypes.AgentThinking }, Data);

        Assert.EndsWith($",\"data\":{Data}}}", Encoding.UTF8.GetString(encoded.Body.Span), StringComparison.Ordinal);
        Assert.Equal("7:default:alice", encoded.Stream.Value);
    }

    [Fact]
    public void An_oversized_event_is_refused_with_its_size_and_the_limit()
    {
        var refused = Assert.Throws<InvalidEventException>(() => Encode(Good, $$"""{"a":"{{new string('x', 2_000)}}"}"""));

        Assert.Equal(1024, refused.TooLarge!.Value.Limit);
        Assert.True(refused.TooLarge.Value.Size > 2_000);
        Assert.Contains($"{refused.TooLarge.Value.Size} bytes", refused.Message, StringComparison.Ordinal);
        Assert.Contains("1024", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_limit_is_on_the_whole_body()
    {
        var frame = Encode(Good, """{"a":""}""").Body.Length;

        Assert.Equal(1024, Encode(Good, $$"""{"a":"{{new string('x', 1024 - frame)}}"}""").Body.Length);
        Assert.Throws<InvalidEventException>(() => Encode(Good, $$"""{"a":"{{new string('x', 1025 - frame)}}"}"""));
    }

    [Fact]
    public void A_custom_event_can_not_pretend_to_be_a_known_type_and_needs_data()
    {
        var custom = Events.Of(new CustomAgentEvent { EventType = "mine", Data = JsonElement.Parse("{}") });

        Assert.Equal("mine", Encode(custom).Type);
        Assert.Equal("type", Assert.Throws<InvalidEventException>(() => Encode(custom with { EventType = EventTypes.AgentFailed })).Field);
        Assert.Equal("data", Assert.Throws<InvalidEventException>(() => Encode(custom with { Data = default })).Field);
        Assert.Equal("data", Assert.Throws<InvalidEventException>(() => Encode(custom with { Data = JsonElement.Parse("[]") })).Field);
    }

    [Fact]
    public void What_the_pipeline_fills_in_does_not_make_another_event()
    {
        var thought = Events.Thinking();
        var first = Encode(thought);
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(first.Hash, Encode(thought).Hash);
        Assert.Equal(first.Hash, Encode(thought with { Attempt = 3 }).Hash);
        Assert.Equal(16, first.Hash.Length);
    }

    public static TheoryData<EventEnvelope, string> Others => new()
    {
        { Good with { Type = "other" }, "{}" },
        { Good with { Thread = "t-2" }, "{}" },
        { Good with { Run = "r-2" }, "{}" },
        { Good with { Sequence = 1 }, "{}" },
        { Good with { Time = DateTimeOffset.UnixEpoch }, "{}" },
        { Good with { Thread = "t-1r", Run = "-1" }, "{}" },
        { Good, "{ }" },
    };

    [Theory]
    [MemberData(nameof(Others))]
    public void What_the_producer_sent_does(EventEnvelope other, string data) =>
        Assert.NotEqual(Encode(Good, "{}").Hash, Encode(other, data).Hash);

    [Fact]
    public void Only_a_run_without_a_worker_asks_for_a_lease()
    {
        Assert.Equal(30, Encode(Events.Started(lease: 30)).LeaseSeconds);
        Assert.Null(Encode(Events.Started(lease: 30) with { Attempt = 1 }).LeaseSeconds);
        Assert.Null(Encode(Events.Started()).LeaseSeconds);
    }

    private EventEncoder Encoder() => new(Options.Create(new PersistenceOptions { MaxEventBytes = 1024 }), _time);

    private NewEvent Encode(AgentEvent @event) => Encoder().Encode(@event);

    private NewEvent Encode(EventEnvelope envelope, string data) => Encoder().Encode(envelope, Encoding.UTF8.GetBytes(data));
}
