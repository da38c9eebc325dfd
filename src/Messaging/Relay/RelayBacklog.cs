using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>What this process's relay has not got confirmed yet. Thread-safe; nothing is reckoned before it is asked.</summary>
public sealed class RelayBacklog
{
    private readonly PageStream _pages;
    private readonly OutboxHandover _handover;

    internal RelayBacklog(PageStream pages, OutboxHandover handover) => (_pages, _handover) = (pages, handover);

    /// <summary>How long the oldest event that was handed over has waited for its page to be confirmed; zero when none waits.</summary>
    public TimeSpan Lag => _pages.Lag;

    /// <summary>Batches in memory: not confirmed, or confirmed a moment ago and their outbox rows not deleted yet.</summary>
    public int Batches => _handover.Count;

    /// <summary>About how many bytes those take; <c>Persistence:HandoverBytes</c> is their bound.</summary>
    public long Bytes => _handover.Bytes;
}
