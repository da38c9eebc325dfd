using Pipeline.Contracts;

namespace Pipeline.Client;

/// <summary>One connection, from its opening to its end: takes in its frames, tells acks, renews its token.</summary>
internal sealed class Session(Reading reading, Opening opening) : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AckBound = TimeSpan.FromSeconds(2);

    private readonly Patience _patience = new(reading.Time);
    private volatile bool _wasReady;

    /// <summary>Whether the service let the reader in.</summary>
    public bool WasReady => _wasReady;

    /// <summary>The one in use.</summary>
    public string Token { get; private set; } = opening.Token;

    /// <summary>Reads until the connection ends; says how it did.</summary>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public async Task<Ending> RunAsync(CancellationToken stop)
    {
        try
        {
            await ReadAsync(await OpenAsync(stop), stop);
            return _patience.Ending;
        }
        catch (Exception exception) when (stop.IsCancellationRequested || _patience.IsOver || Ending.Of(exception) is not null)
        {
            // What was cancelled may fail in any way.
            stop.ThrowIfCancellationRequested();
            return _patience.IsOver ? _patience.Ending : Ending.Of(exception)!;
        }
    }

    public void Dispose() => _patience.Dispose();

    private async Task<IConnection> OpenAsync(CancellationToken stop)
    {
        await using var stopping = stop.UnsafeRegister(static patience => ((Patience)patience!).Leave("reading was stopped"), _patience);
        return await reading.Open(opening, _patience.Token);
    }

    private async Task ReadAsync(IConnection connection, CancellationToken stop)
    {
        using var end = new CancellationTokenSource();
        var upkeep = KeepUpAsync(connection, end.Token);
        var receiving = Task.CompletedTask;
        try
        {
            while (!_patience.IsOver)
            {
                _patience.Begin();
                var next = connection.ReceiveAsync();
                receiving = next;

                // Not cancelled by the stop, which would break the connection off before its last ack.
                var frame = await next.WaitAsync(stop);
                _patience.Pause();
                await TakeAsync(frame, stop);
            }
        }
        finally
        {
            await end.CancelAsync();
            await upkeep;
            if (stop.IsCancellationRequested)
            {
                await AckAsync(connection, CancellationToken.None);
            }

            await connection.DisposeAsync();
            await receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async ValueTask TakeAsync(Frame frame, CancellationToken stop)
    {
        var advance = reading.Continuity.Take(frame);
        if (frame.Type == FrameTypes.Ready)
        {
            Admit(frame);
        }
        else if (frame.Type == FrameTypes.Status)
        {
            reading.Board.Degraded(frame.Degraded ?? []);
        }

        await PassOnAsync(advance, stop);
        if (frame.Type == FrameTypes.Live || (frame.Type == FrameTypes.Ready && frame.Resume == ResumeKinds.Live))
        {
            reading.Policy.Live();
            reading.Board.Live();
        }
    }

    private void Admit(Frame ready)
    {
        if (ready.Heartbeat is > 0 and var heartbeat)
        {
            _patience.Expect(heartbeat);
        }

        reading.Policy.Ready();
        reading.Ladder.Ready();
        _wasReady = true;
        reading.Board.Ready(ready.Head, ready.Degraded ?? []);
    }

    private async ValueTask PassOnAsync(Advance advance, CancellationToken stop)
    {
        if (advance.Kind == AdvanceKind.Gap)
        {
            throw new ConnectionEndedException(new Ending(Ending.Lost, $"events behind {reading.Continuity.At} are missing"));
        }

        if (advance.Began is { } began)
        {
            await reading.Ahead.WriteAsync(new ReadItem(began), stop);
        }

        if (advance.Reset is { } reset)
        {
            reading.Board.Restarted();
            await reading.Ahead.WriteAsync(new ReadItem(reading.Continuity.At!.Value) { Reset = reset }, stop);
        }

        foreach (var received in advance.Events)
        {
            var item = new ReadItem(received.Cursor) { Event = received.Event, Bytes = received.Bytes };
            await reading.Ahead.WriteAsync(item, stop);
        }

        if (advance.Events.Count > 0)
        {
            reading.Board.Received(advance.Events[^1].Cursor);
        }
    }

    /// <summary>What is due beside reading, while the connection lasts.</summary>
    private async Task KeepUpAsync(IConnection connection, CancellationToken end)
    {
        var ackedAt = reading.Time.GetTimestamp();
        using var ticks = new PeriodicTimer(Tick, reading.Time);
        try
        {
            while (await ticks.WaitForNextTickAsync(end))
            {
                if (reading.Time.GetElapsedTime(ackedAt) >= connection.AckInterval)
                {
                    ackedAt = reading.Time.GetTimestamp();
                    await AckAsync(connection, end);
                }

                await RenewAsync(connection, end);
                if (_wasReady && reading.Ladder.IsBetterDue)
                {
                    _patience.Leave("a better transport is tried");
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The connection ended.
        }
    }

    private async Task AckAsync(IConnection connection, CancellationToken cancellationToken)
    {
        if (reading.Acks?.Due is not { } cursor)
        {
            return;
        }

        using var bound = new CancellationTokenSource(AckBound, reading.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, bound.Token);
        try
        {
            await connection.AckAsync(cursor, either.Token);
            reading.Acks.Sent(cursor);
        }
        catch (Exception exception) when (Ending.Of(exception) is not null
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // It goes with the next one.
        }
    }

    private async Task RenewAsync(IConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            var token = await reading.Tokens.GetAsync(cancellationToken);
            if (token == Token)
            {
                return;
            }

            if (await connection.RenewAsync(token, cancellationToken))
            {
                Token = token;
            }
            else
            {
                _patience.Leave("the token is renewed");
            }
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // No other token, or no connection: the one there is serves until the service refuses it.
        }
    }
}
