using System.Text.Json;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>
/// A frame from a client (PROTOCOL.md, "Client frames"): an ack, a token, a reason to close, or, with none of them, a
/// frame of a type that this version does not know.
/// </summary>
internal readonly record struct ClientFrame(Cursor? Ack, string? Token, Close? Violation)
{
    /// <summary>Most bytes of a client frame; a token is the longest thing in one.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <summary>Reads a text frame.</summary>
    public static ClientFrame Read(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var reader = new Utf8JsonReader(utf8);
            using var document = JsonDocument.ParseValue(ref reader);
            return reader.BytesConsumed == utf8.Length || IsBlank(utf8[(int)reader.BytesConsumed..])
                ? Read(document.RootElement)
                : Malformed();
        }
        catch (JsonException)
        {
            return Malformed();
        }
        catch (InvalidOperationException)
        {
            // A string with half of a surrogate pair: JSON, but no text.
            return Malformed();
        }
    }

    private static ClientFrame Read(JsonElement frame)
    {
        if (frame.ValueKind != JsonValueKind.Object)
        {
            return Malformed();
        }

        return Text(frame, "type") switch
        {
            null => Wrong("type is missing or no string"),
            FrameTypes.Ack => Cursor.TryParse(Text(frame, "cursor"), out var cursor)
                ? new ClientFrame(cursor, null, null)
                : Wrong("ack.cursor is no cursor"),
            FrameTypes.Auth => Text(frame, "token") is { Length: > 0 } token
                ? new ClientFrame(null, token, null)
                : Wrong("auth.token is missing or no string"),
            _ => default,
        };
    }

    private static string? Text(JsonElement frame, string name) =>
        frame.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool IsBlank(ReadOnlySpan<byte> rest) => rest.IndexOfAnyExcept(" \t\r\n"u8) < 0;

    private static ClientFrame Malformed() => new(null, null, new Close(CloseCodes.InvalidPayload, "a frame is no JSON object in UTF-8"));

    private static ClientFrame Wrong(string what) => new(null, null, new Close(CloseCodes.PolicyViolation, what));
}
