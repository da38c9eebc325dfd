using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>What follows the end of a connection: when to try again, or never (PROTOCOL.md, section 8).</summary>
internal sealed class ReconnectPolicy(Jitter jitter, TimeProvider time)
{
    /// <summary>A service that lets readers catch up and drops them at once is not well yet.</summary>
    private static readonly TimeSpan Sound = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Cap = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan OverloadCap = TimeSpan.FromSeconds(30);
    private int _failures;
    private long? _liveSince;
    private bool _tokenRefused;

    /// <summary>The service let the reader in.</summary>
    public void Ready() => _tokenRefused = false;

    /// <summary>The reader caught up: a connection that merely opens proves little.</summary>
    public void Live() => _liveSince ??= time.GetTimestamp();

    public Verdict Judge(Ending ending)
    {
        if (_liveSince is { } since && time.GetElapsedTime(since) >= Sound)
        {
            _failures = 0;
        }

        _liveSince = null;
        return Follow(ending);
    }

    private Verdict Follow(Ending ending) => ending.Code switch
    {
        Ending.Left => new Verdict(TimeSpan.Zero),
        CloseCodes.Unauthorized => ending.TokenMayHaveEnded ? new Verdict(TimeSpan.Zero) : JudgeRefusal(),
        CloseCodes.Forbidden or CloseCodes.NotFound => Verdict.Close(ClosedReasons.Refused),
        CloseCodes.Replaced => Verdict.Close(ClosedReasons.Replaced),
        CloseCodes.InvalidPayload or CloseCodes.PolicyViolation or CloseCodes.TooBig => Verdict.Close(ClosedReasons.Defect),
        CloseCodes.Overload => Retry(OverloadCap, ending.RetryAfter),
        _ => Retry(Cap, ending.RetryAfter),
    };

    /// <summary>The first fresh token that is refused is worth another one at once; a second in a row is not.</summary>
    private Verdict JudgeRefusal()
    {
        var again = _tokenRefused;
        _tokenRefused = !again;
        return again ? Verdict.Close(ClosedReasons.Token) : new Verdict(TimeSpan.Zero);
    }

    private Verdict Retry(TimeSpan cap, TimeSpan? atLeast)
    {
        var wait = jitter.Next(_failures++, cap);
        return new Verdict(atLeast > wait ? atLeast.Value : wait);
    }
}

/// <param name="Wait">Before the next attempt.</param>
internal readonly record struct Verdict(TimeSpan Wait)
{
    /// <summary>One of <see cref="ClosedReasons"/>; null: there is a next attempt.</summary>
    public string? GivesUp { get; init; }

    public static Verdict Close(string reason) => new(TimeSpan.Zero) { GivesUp = reason };
}
