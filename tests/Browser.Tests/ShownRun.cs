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
        .. Steps.Select(step =>
            $"{step.Kind} {step.State}: {string.Join(" | ", [step.Text, .. step.Blocks.Select(Canonical)])}"),
    ];

    /// <summary>What the page should show of these events of one run, worked out anew and in another way than the page does.</summary>
    public static IEnumerable<string> Expected(IReadOnlyList<JsonElement> events)
    {
        var status = "queued";
        var steps = new List<string>();
        var tools = new Dictionary<string, int>();
        var open = new Dictionary<string, (int At, string Text)>();
        foreach (var @event in events)
        {
            var data = @event.GetProperty("data");
            var type = @event.GetProperty("type").GetString()!;
            status = type switch
            {
                "run_requested" => status,
                "agent_completed" => "completed",
                "agent_failed" => "failed",
                "agent_cancelled" => "cancelled",
                _ => "running",
            };
            switch (type)
            {
                case "agent_thinking" or "agent_message":
                    var kind = type["agent_".Length..];
                    var isPiece = data.TryGetProperty("delta", out var delta) && delta.GetBoolean();
                    var (place, before) = open.Remove(kind, out var known) ? known : (AddLine(steps), "");
                    var text = isPiece ? before + Text(data, "text") : Text(data, "text");
                    steps[place] = $"{kind} {(isPiece ? "streaming" : "whole")}: {text}";
                    if (isPiece)
                    {
                        open[kind] = (place, text);
                    }

                    break;
                case "tool_executing":
                    tools[Text(data, "toolCallId")] = steps.Count;
                    steps.Add($"tool running: {Text(data, "tool")}{Block(data, "arguments")}");
                    break;
                case "tool_completed":
                    var at = tools[Text(data, "toolCallId")];
                    var succeeded = data.GetProperty("succeeded").GetBoolean();
                    steps[at] = steps[at].Replace("tool running", succeeded ? "tool succeeded" : "tool failed", StringComparison.Ordinal)
                        + Block(data, succeeded ? "result" : "error");
                    break;
                case "agent_cancelled" or "agent_failed":
                    steps = [.. steps.Select(step => step
                        .Replace("tool running:", "tool unfinished:", StringComparison.Ordinal)
                        .Replace("thinking streaming:", "thinking unfinished:", StringComparison.Ordinal)
                        .Replace("message streaming:", "message unfinished:", StringComparison.Ordinal))];
                    break;
                default:
                    break;
            }
        }

        var run = Text(events[0], "run");
        var last = events[^1].GetProperty("sequence").GetInt64();
        return
        [
            Invariant($"run {run}: {status}, {events.Count} events up to {last}"),
            $"request: {Text(events[0].GetProperty("data"), "input")}",
            .. steps,
        ];
    }

    private static int AddLine(List<string> steps)
    {
        steps.Add("");
        return steps.Count - 1;
    }

    private static string Text(JsonElement owner, string name) => owner.GetProperty(name).GetString()!;

    private static string Block(JsonElement data, string name) =>
        data.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? $" | {Canonical(value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText())}"
            : "";

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

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A step of a run as the page shows it; <see cref="Blocks"/> are arguments and result of a tool call.</summary>
public sealed record ShownStep
{
    public string Kind { get; set; } = "";

    public string State { get; set; } = "";

    public string Text { get; set; } = "";

    public string[] Blocks { get; set; } = [];
}
