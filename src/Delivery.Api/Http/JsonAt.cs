using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>A value of a request's JSON and where it stands, so that what is wrong with it can be said by name.</summary>
/// <param name="Path">For example <c>events[3].id</c>; <c>body</c> for the root.</param>
internal readonly record struct JsonAt(JsonElement Element, string Path)
{
    public static JsonAt Root(JsonDocument document) => new(document.RootElement, "body");

    /// <summary>Requires an object. Names that are not asked for are ignored: the protocol grows by adding.</summary>
    public JsonAt AsObject()
    {
        Require(JsonValueKind.Object, "an object");
        return this;
    }

    /// <summary>The items of an array.</summary>
    public IReadOnlyList<JsonAt> AsArray(int min, int max)
    {
        Require(JsonValueKind.Array, "an array");
        var length = Element.GetArrayLength();
        if (length < min || length > max)
        {
            throw Wrong($"has {length} items; give {min} to {max} at once");
        }

        var path = Path;
        return [.. Element.EnumerateArray().Select((item, index) => new JsonAt(item, $"{path}[{index}]"))];
    }

    /// <summary>A property that must be there.</summary>
    public JsonAt Get(string name) => Find(name) ?? throw Child(name).Wrong("is missing; it is required");

    /// <summary>A property, or null where it is absent or null.</summary>
    public JsonAt? Find(string name) =>
        Element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? new JsonAt(value, ChildPath(name))
            : null;

    public string AsString()
    {
        Require(JsonValueKind.String, "a string");
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Wrong("holds an unpaired surrogate; use valid Unicode");
        }
    }

    /// <summary>1 to 128 bytes without control characters.</summary>
    public string AsId()
    {
        var id = AsString();
        return Limits.DescribeInvalidId(id) is { } problem ? throw Wrong(problem) : id;
    }

    public Guid AsUuid()
    {
        _ = AsString();
        return Element.TryGetGuid(out var uuid) && uuid != Guid.Empty
            ? uuid
            : throw Wrong("is no UUID; give one like 01990000-0000-7000-8000-000000000001, and keep it when you repeat the request");
    }

    /// <summary>A whole number from 1.</summary>
    public long AsCount()
    {
        Require(JsonValueKind.Number, "a whole number from 1");
        return Element.TryGetInt64(out var number) && number >= 1
            ? number
            : throw Wrong("is no whole number from 1 to 9223372036854775807");
    }

    /// <summary>ISO 8601 with its offset: without one, the instant would depend on this host's time zone.</summary>
    public DateTimeOffset AsTime()
    {
        var text = AsString();
        var zone = text.IndexOf('T', StringComparison.Ordinal) is > 0 and var t ? text.AsSpan(t) : "";
        return zone.ContainsAny('Z', '+', '-') && Element.TryGetDateTimeOffset(out var time)
            ? time.ToUniversalTime()
            : throw Wrong("is no time; give ISO 8601 with an offset, like 2026-11-23T03:08:00.123Z");
    }

    /// <summary>The answer to a wrong value: its path, and <paramref name="problem"/> as the end of the sentence.</summary>
    public RejectedRequestException Wrong(string problem) => new(Problem.BadRequest(Path, $"{Path} {problem}"));

    private void Require(JsonValueKind kind, string expected)
    {
        if (Element.ValueKind != kind)
        {
            throw Wrong($"is a JSON {Element.ValueKind.ToString().ToLowerInvariant()}; give {expected}");
        }
    }

    private JsonAt Child(string name) => new(default, ChildPath(name));

    private string ChildPath(string name) => Path == "body" ? name : $"{Path}.{name}";
}
