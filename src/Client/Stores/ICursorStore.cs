namespace Pipeline.Client;

/// <summary>Keeps a cursor where the next process finds it. Used by one enumeration at a time.</summary>
public interface ICursorStore
{
    /// <summary>The cursor saved last; null when there was none yet.</summary>
    ValueTask<string?> LoadAsync(CancellationToken cancellationToken);

    /// <summary>Everything up to the cursor was processed. Awaited before the next event is handed out.</summary>
    ValueTask SaveAsync(string cursor, CancellationToken cancellationToken);
}
