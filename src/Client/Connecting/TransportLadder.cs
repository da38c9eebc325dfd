namespace Pipeline.Client;

/// <summary>
/// Which transport to use: the best that works. Two attempts in a row that failed by the transport lead to the next one; after a
/// while, which grows each time it was in vain, the best is tried again, and one failure leads back. Used by one thread at a time.
/// </summary>
internal sealed class TransportLadder(Transports allowed, TimeProvider time)
{
    private const int Tries = 2;
    private static readonly TimeSpan FirstWhile = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestWhile = TimeSpan.FromHours(1);

    private readonly Transports[] _rungs =
        [.. new[] { Transports.WebSocket, Transports.Sse, Transports.Poll }.Where(rung => allowed.HasFlag(rung))];
    private TimeSpan _while = FirstWhile;
    private long _since;
    private int _rung;
    private int _failures;
    private int _floor;

    public Transports Current => _rungs[_rung];

    /// <summary>Whether no other one is left.</summary>
    public bool IsOnly => _rungs.Length == 1;

    /// <summary>Whether it is time to try a better one.</summary>
    public bool IsBetterDue => _rung > 0 && time.GetElapsedTime(_since) >= _while;

    /// <summary>The current one works.</summary>
    public void Ready()
    {
        (_failures, _floor) = (0, _rung);
        if (_rung == 0)
        {
            _while = FirstWhile;
        }
    }

    /// <summary>An attempt with the current one failed, and by the transport.</summary>
    public void Failed()
    {
        // Above the one that worked last, it is a trial.
        if (++_failures < (_rung < _floor ? 1 : Tries) || _rung == _rungs.Length - 1)
        {
            return;
        }

        (_failures, _since) = (0, time.GetTimestamp());
        _rung++;
    }

    /// <summary>The next attempt is with the best.</summary>
    public void TryBetter()
    {
        (_rung, _failures) = (0, 0);
        _while = _while * 2 < LongestWhile ? _while * 2 : LongestWhile;
    }
}
