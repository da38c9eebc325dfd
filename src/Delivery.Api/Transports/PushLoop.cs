using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Delivery.Api;

/// <summary>Writes frames to one client. A write that is not taken in within the write timeout throws.</summary>
internal interface IFrameSink
{
    string Transport { get; }

    Task SendEventsAsync(Step step, CancellationToken cancellationToken);

    Task SendAsync<T>(string type, string? cursor, T frame, JsonTypeInfo<T> json, CancellationToken cancellationToken);
}

/// <summary>What every push transport does, from the first frame until there is a reason to close.</summary>
internal sealed class PushLoop(
    Degradation degradation, IOptions<FeedOptions> options, IOptions<AuthOptions> auth,
    DeliveryMetrics metrics, TimeProvider time)
{
    private readonly FeedOptions _options = options.Value;

    /// <summary>Sends until the connection is to close; says why.</summary>
    public async Task<Close> RunAsync(
        Connection connection, Subscription subscription, IFrameSink sink, CancellationToken cancellationToken)
    {
        metrics.Connected(sink.Transport, 1);
        await using var gone = cancellationToken.UnsafeRegister(static signal => ((Signal)signal!).Pulse(), connection.Signal);
        try
        {
            await SettleAsync(connection, subscription, cancellationToken);
            var degraded = await SendReadyAsync(subscription, sink, cancellationToken);
            var heartbeatAt = time.After(_options.Heartbeat);
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (WhyClose(connection) is { } close)
                {
                    return close;
                }

                if (!ReferenceEquals(degraded, degradation.Current))
                {
                    degraded = await SendStatusAsync(sink, degraded, cancellationToken);
                }

                if (heartbeatAt <= time.GetTimestamp())
                {
                    heartbeatAt = time.After(_options.Heartbeat);
                    await SendHeartbeatAsync(subscription, sink, cancellationToken);
                }

                if (!await SendNextAsync(subscription, sink, cancellationToken))
                {
                    await connection.Signal.WaitAsync(Earliest(heartbeatAt, subscription.RetryAt, connection));
                }
            }
        }
        finally
        {
            metrics.Connected(sink.Transport, -1);
        }
    }

    // A head comes within milliseconds when all is well, and the first frame says more with it.
    private async Task SettleAsync(Connection connection, Subscription subscription, CancellationToken cancellationToken)
    {
        var until = time.After(_options.ReadyWait);
        while (!subscription.TrySettle() && time.GetTimestamp() < until && connection.Closing is null)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await connection.Signal.WaitAsync(until);
        }
    }

    /// <returns>What it said is degraded.</returns>
    private async Task<IReadOnlyList<string>> SendReadyAsync(Subscription subscription, IFrameSink sink, CancellationToken cancellationToken)
    {
        var ready = subscription.Ready((int)_options.Heartbeat.TotalSeconds);
        await sink.SendAsync(FrameTypes.Ready, ready.Cursor, ready, AgentEventJsonContext.Default.ReadyFrame, cancellationToken);
        return ready.Degraded;
    }

    private async Task<bool> SendNextAsync(Subscription subscription, IFrameSink sink, CancellationToken cancellationToken)
    {
        var step = subscription.Poll(Limits.PageEvents, _options.FrameBytes);
        switch (step.Kind)
        {
            case StepKind.Events:
                subscription.ReadAhead(Limits.PageEvents, _options.FrameBytes);
                await sink.SendEventsAsync(step, cancellationToken);
                metrics.Sent(sink.Transport, step.Bodies.Count);
                return true;
            case StepKind.Live:
                await SendLiveAsync(step.Cursor.ToString(), sink, cancellationToken);
                return true;
            case StepKind.Reset:
                await SendResetAsync(step.Reason!, step.Cursor.ToString(), sink, cancellationToken);
                return true;
            default:
                return false;
        }
    }

    private static Task SendLiveAsync(string cursor, IFrameSink sink, CancellationToken cancellationToken) => sink.SendAsync(
        FrameTypes.Live, cursor, new LiveFrame { Cursor = cursor }, AgentEventJsonContext.Default.LiveFrame, cancellationToken);

    private static Task SendResetAsync(string reason, string cursor, IFrameSink sink, CancellationToken cancellationToken) => sink.SendAsync(
        FrameTypes.Reset, cursor, new ResetFrame { Reason = reason, Cursor = cursor }, AgentEventJsonContext.Default.ResetFrame, cancellationToken);

    private async Task<IReadOnlyList<string>> SendStatusAsync(
        IFrameSink sink, IReadOnlyList<string> sent, CancellationToken cancellationToken)
    {
        var current = degradation.Current;
        if (!current.SequenceEqual(sent))
        {
            await sink.SendAsync(
                FrameTypes.Status, null, new StatusFrame { Degraded = current }, AgentEventJsonContext.Default.StatusFrame, cancellationToken);
        }

        return current;
    }

    private static Task SendHeartbeatAsync(Subscription subscription, IFrameSink sink, CancellationToken cancellationToken)
    {
        var cursor = subscription.Told?.ToString();
        return sink.SendAsync(
            FrameTypes.Heartbeat, cursor, new HeartbeatFrame { Cursor = cursor }, AgentEventJsonContext.Default.HeartbeatFrame, cancellationToken);
    }

    private Close? WhyClose(Connection connection)
    {
        if (connection.Closing is { } close)
        {
            return close;
        }

        if (connection.DrainAt <= time.GetTimestamp())
        {
            return new Close(CloseCodes.Restart, "this node restarts");
        }

        return connection.Expires <= time.GetUtcNow() - auth.Value.ClockSkew
            ? new Close(CloseCodes.Unauthorized, "the token has expired")
            : null;
    }

    private long Earliest(long heartbeatAt, long retryAt, Connection connection)
    {
        var due = Math.Min(Math.Min(heartbeatAt, retryAt), connection.DrainAt);
        if (connection.Expires is { } expires && expires - (time.GetUtcNow() - auth.Value.ClockSkew) is var left && left < _options.Heartbeat)
        {
            due = Math.Min(due, time.After(left));
        }

        return due;
    }
}
