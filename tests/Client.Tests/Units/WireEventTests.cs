using System.Text;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Client.Tests;

/// <summary>PROTOCOL.md, sections 3 and 4.</summary>
public sealed class WireEventTests
{
    [Fact]
    public void A_known_type_comes_as_its_record_with_its_envelope()
    {
        var data = """{"toolCallId":"c1","tool":"search","succeeded":true,"result":{"hits":3},"newer":1}""";
        var completed = Assert.IsType<ToolCompleted>(Frames.Event(Frames.At(42), EventTypes.ToolCompleted, data).Materialize(42));

        Assert.Equal(("c1", "search", true, 3), (completed.ToolCallId, completed.Tool, completed.Succeeded, completed.Result!.Value.GetProperty("hits").GetInt32()));
        Assert.Equal(("t-1", "r-1", 7, 42), (completed.Thread, completed.Run, completed.Sequence, completed.Position));
        Assert.Equal(Guid.Parse("0199c7a8-5d0e-7c3a-9d55-0c6a5a0f6a11"), completed.Id);
        Assert.Equal(new DateTimeOffset(2026, 11, 23, 3, 8, 0, 123, TimeSpan.Zero), completed.Time);
        Assert.Equal(("", ""), (completed.Tenant, completed.User));
    }

    [Theory]
    [InlineData("plan_revised", """{"steps":["größer ✓"]}""")]
    [InlineData(EventTypes.AgentMessage, """{"words":1}""")]
    [InlineData(EventTypes.ToolExecuting, """{"toolCallId":"c1","tool":"\ud800"}""")]
    public void An_unknown_type_or_data_that_does_not_fit_a_known_one_passes_through_untouched(string type, string data)
    {
        var custom = Assert.IsType<CustomAgentEvent>(Frames.Event(Frames.At(3), type, data).Materialize(3));
        Assert.Equal((type, data, 3), (custom.Type, custom.Data.GetRawText(), custom.Position));
    }

    [Theory]
    [InlineData("""{"type":"events","events":[{"cursor":"epoch1_1","type":"agent_message"}]}""")]
    [InlineData("""{"type":null}""")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("<html>")]
    public void What_has_not_the_shape_of_a_frame_is_none(string text) =>
        Assert.Throws<JsonException>(() => Frame.Read(Encoding.UTF8.GetBytes(text)));
}
