using System.Globalization;
using System.Text;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Messaging.Tests;

/// <summary>Batches as the log hands them over.</summary>
internal static class Batches
{
    public static StreamKey Stream(string user) => StreamKey.Of("default", user);

    public static CommittedBatch Of(long id, params CommittedRange[] ranges) => new(id, Generation: 7, ranges, Command: null);

    public static CommittedRange Range(StreamKey stream, long first, params string[] bodies) =>
        new(stream, Incarnation: 1, first, [.. bodies.Select(body => new CommittedEvent(EventTypes.AgentThinking, Encoding.UTF8.GetBytes(body)))]);

    public static CommittedEvent Event(string type, string data, long sequence = 1) =>
        new(type, Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"id":"{{Guid.CreateVersion7()}}","type":"{{type}}","time":"2026-11-23T03:08:00.123Z","thread":"t-1","run":"r-1","sequence":{{sequence}},"data":{{data}}}""")));

    public static PendingBatch Pending(CommittedBatch batch, Action<CommittedBatch>? confirmed = null) => new(batch, since: 0, pending => confirmed?.Invoke(pending.Batch));

    public static string Text(ReadOnlyMemory<byte> body) => Encoding.UTF8.GetString(body.Span);
}
