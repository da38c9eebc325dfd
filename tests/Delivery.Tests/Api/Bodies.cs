using System.Text.Json.Nodes;

namespace Pipeline.Delivery.Tests;

/// <summary>Request bodies: right ones, to be made wrong in one place.</summary>
internal static class Bodies
{
    public static JsonObject Event(
        string run = "r-1", long sequence = 1, string type = "note", Guid? id = null, object? data = null) => new()
        {
            ["id"] = (id ?? Guid.CreateVersion7()).ToString(),
            ["type"] = type,
            ["thread"] = "t-1",
            ["run"] = run,
            ["sequence"] = sequence,
            ["data"] = System.Text.Json.JsonSerializer.SerializeToNode(data ?? new { text = "hello" }),
        };

    public static JsonObject Append(string user, params JsonNode[] events) =>
        new() { ["user"] = user, ["events"] = new JsonArray(events) };
}
