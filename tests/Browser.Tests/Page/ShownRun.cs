using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Pipeline.Browser.Tests;

/// <summary>A run as the page shows it.</summary>
public sealed record ShownRun
{
    public string Run { get; set; } = "";

    public string Status { get; set; } = "";

    /// <summary>Sequence of the last event that the page took.</summary>
    public long Sequence { get; set; }

    /// <summary>How many events the page took.</summary>
    public int Count { get; set; }

    public string Request { get; set; } = "";

    public ShownStep[] Steps { get; set; } = [];

    /// <summary>One line for each thing a person sees, comparable with <see cref="Expected"/>.</summary>
    public IEnumerable<string> Lines() =>
    [
        Invariant($"run {Run}: {Status}, {Count} events up to {Sequence}"),
        $"request: {Request}",
        .. Steps.Select(step => step.Line()),
    ];

    /// <summary>What the page should show of these events of one run, worked out anew and in another way than the page does.</summary>
    public static IEnumerable<string> Expected(IReadOnlyList<JsonElement> events)
    {
        var run = new ExpectedRun();
        foreach (var @event in events)
        {
            run.Take(@event.GetProperty("type").GetString()!, @event.GetProperty("data"));
        }

        var id = events[0].GetProperty("run").GetString()!;
        return
        [
            Invariant($"run {id}: {run.Status}, {events.Count} events up to {events[^1].GetProperty("sequence").GetInt64()}"),
            $"request: {run.Request ?? $"Run {id}"}",
            .. run.Steps.Select(step => step.Line()),
        ];
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A step of a run as the page shows it.</summary>
public sealed record ShownStep
{
    public string Kind { get; set; } = "";

    public string State { get; set; } = "";

    public string Text { get; set; } = "";

    /// <summary>Arguments, result or error of a tool call.</summary>
    public string[] Blocks { get; set; } = [];

    public string Line() => $"{Kind} {State}: {string.Join(" | ", [Text, .. Blocks.Select(Canonical)])}";

    /// <summary>JSON without its white space; other text as it is.</summary>
    private static string Canonical(string text)
    {
        try
        {
            return JsonNode.Parse(text)?.ToJsonString() ?? "null";
        }
        catch (JsonException)
        {
            return text;
        }
    }
}
