namespace Pipeline.Messaging;

/// <summary>What this process knows of the bus. Thread-safe.</summary>
public sealed class BusHealth(TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly HashSet<object> _deaf = [];
    private bool _canPublish = true;
    private bool _canConsume = true;
    private long _lastConfirm;
    private long _confirmedAt;

    /// <summary>
    /// The consuming connection is up, the queue is bound, and what this process publishes comes through it; true where the
    /// host consumes nothing.
    /// </summary>
    public bool CanConsume => Volatile.Read(ref _canConsume);

    /// <summary>The last publish was confirmed, or none was tried since the publishing connection came up.</summary>
    public bool CanPublish => Volatile.Read(ref _canPublish);

    /// <summary>When the broker last confirmed a publish; null for never.</summary>
    public DateTimeOffset? LastConfirm =>
        Interlocked.Read(ref _lastConfirm) is var ticks and not 0 ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;

    /// <summary>Raised when one of the above booleans changed.</summary>
    public event Action? Changed;

    /// <summary>Whether the broker confirmed a publish no longer ago than that.</summary>
    internal bool HasConfirmedWithin(TimeSpan age) =>
        CanPublish && Interlocked.Read(ref _lastConfirm) != 0 && time.GetElapsedTime(Interlocked.Read(ref _confirmedAt)) < age;

    /// <summary>Returns whether this ended a time without confirms.</summary>
    internal bool Confirmed()
    {
        Interlocked.Exchange(ref _confirmedAt, time.GetTimestamp());
        Interlocked.Exchange(ref _lastConfirm, time.GetUtcNow().UtcTicks);
        return SetCanPublish(true);
    }

    /// <summary>Returns whether this began a time without confirms.</summary>
    internal bool PublishFailed() => SetCanPublish(false);

    /// <summary>Notes whether one of the process's queues is consumed.</summary>
    internal void Consumes(object endpoint, bool ready)
    {
        bool isNew;
        lock (_lock)
        {
            _ = ready ? _deaf.Remove(endpoint) : _deaf.Add(endpoint);
            isNew = Set(ref _canConsume, _deaf.Count == 0);
        }

        Tell(isNew);
    }

    private bool SetCanPublish(bool value)
    {
        bool isNew;
        lock (_lock)
        {
            isNew = Set(ref _canPublish, value);
        }

        return Tell(isNew);
    }

    private static bool Set(ref bool field, bool value)
    {
        var isNew = field != value;
        field = value;
        return isNew;
    }

    private bool Tell(bool isNew)
    {
        if (isNew)
        {
            Changed?.Invoke();
        }

        return isNew;
    }
}
