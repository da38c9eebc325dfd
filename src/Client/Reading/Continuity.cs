using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>
/// Where a reader stands, and what a frame means to one who stands there: what to hand on, once and in order, and whether
/// something is missing (PROTOCOL.md, sections 2 and 6). Pure.
/// </summary>
/// <param name="at">The last cursor received; null for none, where the service says where reading starts.</param>
internal sealed class Continuity(Cursor? at)
{
    /// <summary>The last cursor received; null while none is known.</summary>
    public Cursor? At { get; private set; } = at;

    /// <exception cref="JsonException">The frame breaks the protocol.</exception>
    public Advance Take(Frame frame) => frame.Type switch
    {
        FrameTypes.Ready when frame.Resume == ResumeKinds.Reset => Restart(frame),
        FrameTypes.Reset => Restart(frame),
        FrameTypes.Ready or FrameTypes.Live or FrameTypes.Heartbeat => Compare(frame.Cursor),
        FrameTypes.Events => Follow(frame.Events ?? []),
        _ => Advance.Nothing,
    };

    private Advance Restart(Frame frame)
    {
        var cursor = frame.Cursor is null ? Cursor.Oldest : Parse(frame.Cursor);
        At = cursor;
        return new Advance(AdvanceKind.Reset) { Reset = new StreamReset(frame.Reason ?? ResetReasons.Epoch, cursor.ToString()) };
    }

    /// <summary>The service says how far it has sent; further than what came means that frames were lost.</summary>
    private Advance Compare(string? told)
    {
        if (told is null)
        {
            return Advance.Nothing;
        }

        var cursor = Parse(told);
        switch (At)
        {
            case null:
                At = cursor;
                return new Advance(AdvanceKind.Began) { Began = cursor };
            case { IsOldest: true }:
                At = cursor;
                return Advance.Nothing;
            case { } here:
                return cursor.Epoch == here.Epoch && cursor.Position <= here.Position ? Advance.Nothing : Advance.Gap;
        }
    }

    private Advance Follow(IReadOnlyList<WireEvent> wire)
    {
        if (wire.Count == 0)
        {
            return Advance.Nothing;
        }

        var events = Read(wire);
        var before = events[0].Cursor with { Position = events[0].Cursor.Position - 1 };
        if (!AreContiguous(events) || (At is { IsOldest: false } here && (here.Epoch != before.Epoch || here.Position < before.Position)))
        {
            return Advance.Gap;
        }

        var began = At is null ? before : (Cursor?)null;
        var known = At is { IsOldest: false } at ? (int)Math.Min(at.Position - before.Position, events.Count) : 0;
        At = known == events.Count ? At : events[^1].Cursor;
        return new Advance(AdvanceKind.Deliver) { Began = began, Events = known == 0 ? events : events[known..] };
    }

    private static List<ReceivedEvent> Read(IReadOnlyList<WireEvent> wire)
    {
        var events = new List<ReceivedEvent>(wire.Count);
        foreach (var item in wire)
        {
            var cursor = Parse(item.Cursor);
            events.Add(cursor.Position > 0
                ? new ReceivedEvent(cursor, item.Materialize(cursor.Position), item.Bytes)
                : throw new JsonException($"an event is at '{item.Cursor}'; positions begin with 1"));
        }

        return events;
    }

    private static bool AreContiguous(List<ReceivedEvent> events)
    {
        for (var i = 1; i < events.Count; i++)
        {
            if (events[i].Cursor != (events[i - 1].Cursor with { Position = events[i - 1].Cursor.Position + 1 }))
            {
                return false;
            }
        }

        return true;
    }

    private static Cursor Parse(string text) =>
        Cursor.TryParse(text, out var cursor) ? cursor : throw new JsonException($"'{text}' is no cursor");
}

/// <summary>What a frame means.</summary>
internal sealed record Advance(AdvanceKind Kind)
{
    public static Advance Nothing { get; } = new(AdvanceKind.Nothing);

    public static Advance Gap { get; } = new(AdvanceKind.Gap);

    /// <summary>To hand on; may be empty where all of them came before.</summary>
    public IReadOnlyList<ReceivedEvent> Events { get; init; } = [];

    /// <summary>Where reading starts, in the frame from which that is known; else null.</summary>
    public Cursor? Began { get; init; }

    public StreamReset? Reset { get; init; }
}

internal enum AdvanceKind
{
    /// <summary>Nothing to do.</summary>
    Nothing,

    /// <summary>It is known where reading starts.</summary>
    Began,

    /// <summary>There are events.</summary>
    Deliver,

    /// <summary>Something is missing: read again from the cursor.</summary>
    Gap,

    /// <summary>The history is another one.</summary>
    Reset,
}

/// <param name="Cursor">Just after it.</param>
/// <param name="Bytes">About how many it has.</param>
internal sealed record ReceivedEvent(Cursor Cursor, AgentEvent Event, int Bytes);
