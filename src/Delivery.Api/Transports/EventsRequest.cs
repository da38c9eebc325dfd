using System.Globalization;
using Microsoft.Extensions.Primitives;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>What a reader asked for (PROTOCOL.md, "Cursors", "Reading").</summary>
/// <param name="Start">From <c>Last-Event-ID</c>, else <c>after</c>; null for none.</param>
internal sealed record EventsRequest(Cursor? Start, string? Client, int Limit, TimeSpan Wait)
{
    private const string LastEventId = "Last-Event-ID";
    private const int MostWait = 25;

    /// <exception cref="RejectedRequestException">A parameter is wrong; the problem names it.</exception>
    public static EventsRequest Read(HttpRequest request)
    {
        var query = request.Query;
        var after = CursorIn("after", query["after"]);
        return new EventsRequest(
            CursorIn(LastEventId, request.Headers[LastEventId]) ?? after,
            ClientIn(query["client"]),
            NumberIn("limit", query["limit"], 1, Limits.PageEvents, Limits.PageEvents),
            TimeSpan.FromSeconds(NumberIn("wait", query["wait"], 0, MostWait, 0)));
    }

    private static Cursor? CursorIn(string name, StringValues values)
    {
        if (Single(name, values) is not { } text)
        {
            return null;
        }

        return Cursor.TryParse(text, out var cursor)
            ? cursor
            : throw Wrong(name, $"{name} is '{Shortened(text)}', which is no cursor; give one as it was received, 0 for the oldest kept event, or leave it out");
    }

    private static string? ClientIn(StringValues values)
    {
        var client = Single("client", values);
        return client is not null && Limits.DescribeInvalidId(client) is { } problem ? throw Wrong("client", $"client {problem}") : client;
    }

    private static int NumberIn(string name, StringValues values, int least, int most, int otherwise)
    {
        if (Single(name, values) is not { } text)
        {
            return otherwise;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw Wrong(name, $"{name} is '{Shortened(text)}'; give a whole number from {least} to {most}");
    }

    private static string? Single(string name, StringValues values) => values.Count switch
    {
        0 => null,
        1 => values[0] ?? "",
        _ => throw Wrong(name, $"{name} is there {values.Count} times; give it once"),
    };

    private static RejectedRequestException Wrong(string field, string detail) => new(Problem.BadRequest(field, detail));

    private static string Shortened(string text) => text.Length <= 64 ? text : $"{text[..64]}…";
}
