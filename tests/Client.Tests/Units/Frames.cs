using System.Text;
using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Client.Tests;

/// <summary>Frames as a service sends them, of a stream whose epoch is <c>epoch1</c> unless a test says otherwise.</summary>
internal static class Frames
{
    public const string Epoch = "epoch1";

    public static string At(long position, string epoch = Epoch) => $"{epoch}_{position}";

    public static Frame Ready(string? cursor, string resume = ResumeKinds.Replaying, string? head = null, int heartbeat = 15) => new()
    {
        Type = FrameTypes.Ready, Cursor = cursor, Resume = resume, Head = head, Degraded = [], Heartbeat = heartbeat,
    };

    public static Frame Live(string cursor) => new() { Type = FrameTypes.Live, Cursor = cursor };

    public static Frame Heartbeat(string? cursor) => new() { Type = FrameTypes.Heartbeat, Cursor = cursor };

    public static Frame Reset(string reason, string cursor) => new() { Type = FrameTypes.Reset, Reason = reason, Cursor = cursor };

    /// <summary>The events at these positions, in this order.</summary>
    public static Frame Events(params int[] positions) => Events(Epoch, positions);

    public static Frame Events(string epoch, params int[] positions) => new()
    {
        Type = FrameTypes.Events,
        After = At(positions[0] - 1, epoch),
        Events = [.. positions.Select(position => Event(At(position, epoch)))],
        Cursor = At(positions[^1], epoch),
    };

    public static WireEvent Event(string cursor, string type = EventTypes.AgentMessage, string data = """{"text":"hello","delta":false}""") =>
        JsonSerializer.Deserialize(
            Encoding.UTF8.GetBytes($$"""
                {"cursor":"{{cursor}}","id":"0199c7a8-5d0e-7c3a-9d55-0c6a5a0f6a11","type":"{{type}}","time":"2026-11-23T03:08:00.123Z",
                 "thread":"t-1","run":"r-1","sequence":7,"unknown":true,"data":{{data}}}
                """),
            ClientJson.Default.WireEvent)!;
}
