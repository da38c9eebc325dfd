namespace Pipeline.Client;

/// <summary>What was processed and the service was not told of yet. One thread processes, one tells.</summary>
internal sealed class Acks
{
    private string? _processed;
    private string? _sent;

    /// <summary>The cursor to tell; null for none.</summary>
    public string? Due => Volatile.Read(ref _processed) is { } cursor && cursor != Volatile.Read(ref _sent) ? cursor : null;

    /// <summary>Everything up to the cursor is behind the reader.</summary>
    public void Processed(string cursor) => Volatile.Write(ref _processed, cursor);

    public void Sent(string cursor) => Volatile.Write(ref _sent, cursor);
}
