using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Messaging.Tests;

public sealed class TypedEventsTests
{
    [Theory]
    [InlineData("none", 0)]
    [InlineData("lifecycle", 2)]
    [InlineData("all", 3)]
    public void The_setting_says_which_events_are_typed_messages(string setting, int expected)
    {
        var batch = Batch(
            Batches.Event(EventTypes.AgentStarted, """{"agent":"demo"}"""),
            Batches.Event(EventTypes.AgentThinking, """{"text":"hm"}"""),
            Batches.Event("weather_changed", """{"sun":true}"""),
            Batches.Event(EventTypes.AgentCompleted, """{"result":"42"}"""));

        var typed = All(setting, batch).ToList();

        Assert.Equal(expected, typed.Count);
    }

    [Fact]
    public void A_typed_event_carries_its_envelope_its_user_and_its_position()
    {
        var completed = Assert.IsType<AgentCompleted>(All("lifecycle", Batch(
            Batches.Event(EventTypes.AgentThinking, """{"text":"hm"}"""),
            Batches.Event(EventTypes.AgentCompleted, """{"result":"42","user":"mallory"}""", sequence: 9))).Single());

        Assert.Equal(("default", "alice", "t-1", "r-1", 9, 12, "42"), (
            completed.Tenant, completed.User, completed.Thread, completed.Run, completed.Sequence, completed.Position, completed.Result));
        Assert.Equal(new DateTimeOffset(2026, 11, 23, 3, 8, 0, 123, TimeSpan.Zero), completed.Time);
    }

    [Theory]
    [InlineData("""{"agent":5}""")]
    [InlineData("[]")]
    public void An_event_that_does_not_fit_its_contract_is_left_out(string data)
    {
        var batch = Batch(Batches.Event(EventTypes.AgentStarted, data), Batches.Event(EventTypes.AgentCompleted, "{}"));

        Assert.IsType<AgentCompleted>(All("all", batch).Single());
    }

    [Fact]
    public void A_command_is_read_from_its_row()
    {
        var batch = new CommittedBatch(1, 1, [], new CommittedCommand("StartRun", """{"tenant":"default","user":"alice","run":"r-1"}"""));

        var start = Assert.IsType<StartRun>(All("none", batch).Single());

        Assert.Equal(("default", "alice", "r-1"), (start.Tenant, start.User, start.Run));
    }

    [Theory]
    [InlineData("StartRun", "{}")]
    [InlineData("StartRun", "null")]
    [InlineData("Dance", "{}")]
    public void A_command_that_cannot_be_read_is_left_out(string type, string message) =>
        Assert.Empty(All("none", new CommittedBatch(1, 1, [], new CommittedCommand(type, message))));

    private static CommittedBatch Batch(params CommittedEvent[] events) =>
        Batches.Of(1, new CommittedRange(Batches.Stream("alice"), Incarnation: 1, First: 11, events));

    private static IEnumerable<object> All(string setting, CommittedBatch batch)
    {
        var typed = Typed(setting);
        return typed.TypesIn(batch).SelectMany(type => typed.Of(batch, type));
    }

    private static TypedEvents Typed(string setting) =>
        new(Options.Create(new BusOptions { TypedEvents = setting }), NullLogger<TypedEvents>.Instance);
}
