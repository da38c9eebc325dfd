using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>A frame to the service (PROTOCOL.md, section 7).</summary>
internal sealed record ClientFrame(string Type, string? Cursor, string? Token)
{
    public static ClientFrame Ack(string cursor) => new(FrameTypes.Ack, cursor, null);

    public static ClientFrame Auth(string token) => new(FrameTypes.Auth, null, token);
}
