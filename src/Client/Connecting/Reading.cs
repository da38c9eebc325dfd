namespace Pipeline.Client;

/// <summary>Opens a connection, which breaks off when its life is cancelled.</summary>
internal delegate Task<IConnection> OpenConnection(Opening opening, CancellationToken life);

/// <summary>
/// Reads for one enumeration: keeps a connection open, opens the next one where the last ended, and puts what comes into the
/// read-ahead.
/// </summary>
internal sealed class Reading
{
    /// <summary>Least time from one attempt to the next, whatever the policy says.</summary>
    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(250);

    public required OpenConnection Open { get; init; }

    public required Continuity Continuity { get; init; }

    public required ReadAhead Ahead { get; init; }

    public required TokenSource Tokens { get; init; }

    public required TransportLadder Ladder { get; init; }

    public required ReconnectPolicy Policy { get; init; }

    public required StateBoard Board { get; init; }

    /// <summary>Null for a reader without a name, whose acks nobody keeps.</summary>
    public required Acks? Acks { get; init; }

    public required TimeProvider Time { get; init; }

    /// <summary>Reads until it is stopped or given up, which the read-ahead tells behind what came before.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await ConnectAsync(stop);
            }
        }
        catch (Exception exception)
        {
            Ahead.Complete(exception);
            Board.Closed((exception as AgentEventsClosedException)?.Reason);
        }
    }

    private async Task ConnectAsync(CancellationToken stop)
    {
        if (Ladder.IsBetterDue)
        {
            Ladder.TryBetter();
        }

        var (transport, began) = (Ladder.Current, Time.GetTimestamp());
        Board.Connecting(transport);
        var ending = await GetTokenAsync(stop) is { } token
            ? await ReadAsync(new Opening(transport, token, Continuity.At?.ToString()) { IsOnly = Ladder.IsOnly }, stop)
            : new Ending(Ending.Lost, "the token provider failed");
        var verdict = Policy.Judge(ending);
        if (verdict.GivesUp is { } reason)
        {
            throw new AgentEventsClosedException(reason, ending.What, ending.Cause);
        }

        await WaitAsync(ending, transport, Later(verdict.Wait, Spacing - Time.GetElapsedTime(began)), stop);
    }

    private async Task<Ending> ReadAsync(Opening opening, CancellationToken stop)
    {
        using var session = new Session(this, opening);
        var ending = await session.RunAsync(stop);
        if (!session.WasReady && ending.IsTheTransports)
        {
            Ladder.Failed();
        }

        return ending.Code == Contracts.CloseCodes.Unauthorized && !Tokens.Refuse(session.Token)
            ? ending with { TokenMayHaveEnded = true }
            : ending;
    }

    /// <summary>Null: not this time.</summary>
    private async Task<string?> GetTokenAsync(CancellationToken stop)
    {
        try
        {
            return await Tokens.GetAsync(stop);
        }
        catch (TokenUnavailableException exception)
        {
            throw new AgentEventsClosedException(ClosedReasons.Token, exception.Message, exception);
        }
        catch (Exception) when (!stop.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task WaitAsync(Ending ending, Transports transport, TimeSpan wait, CancellationToken stop)
    {
        if (ending.Code != Ending.Left)
        {
            Board.Offline(ending.What, Time.GetUtcNow() + Later(wait, TimeSpan.Zero), transport);
        }

        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, Time, stop);
        }
    }

    private static TimeSpan Later(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
