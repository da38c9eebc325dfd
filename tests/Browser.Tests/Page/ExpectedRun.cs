using System.Text.Json;

namespace Pipeline.Browser.Tests;

/// <summary>What becomes of a run with each of its events (PROTOCOL.md, section 4).</summary>
internal sealed class ExpectedRun
{
    private int _attempts;

    public string Status { get; private set; } = "queued";

    public string? Request { get; private set; }

    public List<ShownStep> Steps { get; } = [];

    public void Take(string type, JsonElement data)
    {
        Status = type switch
        {
            "run_requested" => Status,
            "agent_completed" or "agent_failed" or "agent_cancelled" => type["agent_".Length..],
            _ => "running",
        };
        switch (type)
        {
            case "run_requested":
                Request = Text(data, "input");
                break;
            case "agent_started" when _attempts++ > 0:
                Steps.RemoveAll(step => step.State == "streaming");
                Interrupt();
                Steps.Add(new ShownStep { Kind = "resumed", Text = $"Another worker went on from here (attempt {_attempts})" });
                break;
            case "agent_thinking" or "agent_message":
                Write(type["agent_".Length..], Text(data, "text"), data.TryGetProperty("delta", out var delta) && delta.GetBoolean());
                break;
            case "tool_executing":
                Steps.Add(new ShownStep { Kind = "tool", State = "running", Text = Text(data, "tool"), Blocks = Block(data, "arguments") });
                break;
            case "tool_completed":
                var call = Steps.Last(step => step is { Kind: "tool", State: "running" });
                var succeeded = data.GetProperty("succeeded").GetBoolean();
                call.State = succeeded ? "succeeded" : "failed";
                call.Blocks = [.. call.Blocks, .. Block(data, succeeded ? "result" : "error")];
                break;
            case "agent_completed" or "agent_failed" or "agent_cancelled":
                Interrupt();
                Conclude(data);
                break;
            default:
                break;
        }
    }

    private void Write(string kind, string text, bool isPiece)
    {
        var open = Steps.LastOrDefault(step => step.Kind == kind && step.State == "streaming");
        if (open is null)
        {
            Steps.Add(open = new ShownStep { Kind = kind });
        }

        open.Text = isPiece ? open.Text + text : text;
        open.State = isPiece ? "streaming" : "done";
    }

    private void Interrupt()
    {
        foreach (var step in Steps)
        {
            step.State = step.State switch { "running" => "interrupted", "streaming" => "done", var state => state };
        }
    }

    /// <summary>A result that was not said yet is said.</summary>
    private void Conclude(JsonElement data)
    {
        if (data.TryGetProperty("result", out var result) && result.ValueKind == JsonValueKind.String
            && Steps.LastOrDefault(step => step.Kind == "message")?.Text != result.GetString())
        {
            Write("message", result.GetString()!, isPiece: false);
        }
    }

    private static string Text(JsonElement owner, string name) => owner.GetProperty(name).GetString()!;

    private static string[] Block(JsonElement data, string name) =>
        !data.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? []
        : [value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText()];
}
