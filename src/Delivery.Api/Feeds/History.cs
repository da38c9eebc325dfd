namespace Pipeline.Delivery.Api;

/// <summary>Which history of a stream: the database's generation first, then the stream's incarnation.</summary>
internal readonly record struct History(long Generation, long Incarnation) : IComparable<History>
{
    /// <inheritdoc/>
    public int CompareTo(History other) =>
        Generation != other.Generation ? Generation.CompareTo(other.Generation) : Incarnation.CompareTo(other.Incarnation);
}

/// <summary>Most events and bytes of bodies that a tail keeps.</summary>
internal readonly record struct FeedBounds(int Events, long Bytes);

/// <summary>What a tail knows of its stream beside the events.</summary>
internal readonly record struct TailKnowledge(History? History, bool HeadKnown, long Head, long Trimmed);

/// <summary>What became of a page's part.</summary>
internal enum Offered
{
    /// <summary>Nothing new: doubled, late, or of a former history.</summary>
    Stale,

    /// <summary>The tail or the head moved.</summary>
    Moved,

    /// <summary>It is of a newer history: the log must tell.</summary>
    HeadNeeded,
}
