using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Pipeline.Contracts.Tests;

public sealed class AgentEventJsonTests
{
    private static readonly EventEnvelope Envelope = new()
    {
        Id = Guid.Parse("0199c7a8-0000-7000-8000-000000000001"),
        Type = EventTypes.ToolCompleted,
        Tenant = "default",
        User = "alice",
        Thread = "t-1",
        Run = "r-1",
        Sequence = 7,
        Time = new DateTimeOffset(2026, 11, 23, 3, 8, 0, TimeSpan.Zero),
        Position = 42,
    };

    [Fact]
    public void Data_holds_what_the_type_adds_and_nothing_of_the_envelope()
    {
        var data = AgentEventJson.SerializeData(new ToolCompleted
        {
            Tenant = "default",
            User = "alice",
            Thread = "t-1",
            Run = "r-1",
            ToolCallId = "c1",
            Tool = "search",
            Succeeded = true,
            Result = JsonSerializer.SerializeToElement(new { hits = 2 }),
        });

        Assert.Equal("""{"toolCallId":"c1","tool":"search","succeeded":true,"result":{"hits":2}}""", Encoding.UTF8.GetString(data));
    }

    [Fact]
    public void Text_of_any_language_stays_as_it_is()
    {
        var data = AgentEventJson.SerializeData(new AgentMessage { Text = "größer als 七 – \"<ok>\"" });

        Assert.Equal("""{"text":"größer als 七 – \"<ok>\"","delta":false}""", Encoding.UTF8.GetString(data));
    }

    [Fact]
    public void A_typed_record_takes_its_owner_from_the_envelope_whatever_the_data_says()
    {
        var data = """{"toolCallId":"c1","tool":"search","succeeded":true,"user":"mallory","position":1}"""u8;

        var typed = Assert.IsType<ToolCompleted>(AgentEventJson.Materialize(Envelope, data));

        Assert.Equal("alice", typed.User);
        Assert.Equal(42, typed.Position);
        Assert.Equal("c1", typed.ToolCallId);
    }

    [Fact]
    public void Data_that_lacks_a_required_field_is_refused() =>
        Assert.Throws<JsonException>(() => AgentEventJson.Materialize(Envelope, """{"tool":"search"}"""u8));

    [Fact]
    public void A_type_the_pipeline_does_not_know_has_no_record() =>
        Assert.Null(AgentEventJson.Materialize(Envelope with { Type = "plan_revised" }, "{}"u8));

    [Fact]
    public void Every_known_type_has_a_record_that_says_its_name() =>
        Assert.All(EventTypes.All, type =>
        {
            // What a record says of itself does not depend on its fields.
            var record = (AgentEvent)RuntimeHelpers.GetUninitializedObject(EventTypes.RecordOf(type)!);
            Assert.Equal(type, record.Type);
        });
}
