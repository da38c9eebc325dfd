namespace Pipeline.Messaging;

/// <summary>How something is published.</summary>
/// <param name="What">Its name in logs; trouble is logged once a name.</param>
/// <param name="Timeout">Bound on one attempt.</param>
/// <param name="AsBeacons">It goes where beacons go: its confirm tells of the broker's health, and beacons can overtake it.</param>
internal sealed record PublishTerms(string What, TimeSpan Timeout, bool AsBeacons)
{
    /// <summary>Bound on the pause between attempts.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(5);
}
