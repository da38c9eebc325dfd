using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Pipeline.Testing;

namespace Pipeline.Faults.Tests;

/// <summary>
/// A running system under a seeded mix of faults, one after the other and now and then two at once, with a calm in between
/// that is long enough for everything to be in time again. Drained and judged at the end.
/// </summary>
internal sealed class Storm
{
    // Real time, as everything here: events are due ten seconds after a healing, and within two from then on.
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(14);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Random _random;
    private readonly Action<string> _print;
    private readonly PipelineCluster _cluster;
    private readonly FaultCatalogue _faults;
    private readonly History _history = new();

    private Storm(PipelineCluster cluster, FaultCatalogue faults, int seed, Action<string> print)
    {
        (_cluster, _faults, _random, _print) = (cluster, faults, new Random(seed), print);
    }

    /// <param name="print">Takes the timeline, a line at a time.</param>
    public static async Task<Verdict> RunAsync(TimeSpan length, int seed, Action<string> print)
    {
        await using var postgres = await PostgresServer.StartPrivateAsync();
        await using var rabbit = await RabbitServer.StartPrivateAsync();
        await using var cluster = await PipelineCluster.StartAsync(
            nodes: 2, workers: 2, postgres, rabbit, linked: true, settings: SharedCluster.Settings);
        var storm = new Storm(cluster, new FaultCatalogue(cluster, postgres, rabbit), seed, print);
        return await storm.RunAsync(length);
    }

    private async Task<Verdict> RunAsync(TimeSpan length)
    {
        using var stop = new CancellationTokenSource();
        await using var workload = await Workload.StartAsync(_cluster, _history);
        var watching = StormWatch.RunAsync(_cluster, _faults, _history, stop.Token);
        await Eventually.HoldsAsync("every client shows something", () => _history.Clients.All(client => client.Position > 0));
        while (_clock.Elapsed < length)
        {
            await EpisodeAsync();
        }

        Say("everything is healed; draining");
        await workload.StopProducingAsync();
        var logs = await DrainAsync(workload);
        await stop.CancelAsync();
        await watching;
        await workload.StopReadingAsync();
        Say($"{workload.Retries} appends were repeated, clients reconnected {_history.Clients.Sum(client => client.Ends)} times");
        return Checker.Judge(_history, logs);
    }

    /// <summary>One fault, or two at once, healed after a while.</summary>
    private async Task EpisodeAsync()
    {
        var broken = new List<(Fault Fault, IDisposable Span)>();
        var count = _random.Next(4) == 0 ? 2 : 1;
        var duration = TimeSpan.FromMilliseconds(_random.Next(500, 9_000));
        for (var i = 0; i < count; i++)
        {
            var fault = _faults.Pick(_random);
            Say(string.Create(CultureInfo.InvariantCulture, $"{fault.What}, for {duration.TotalSeconds:0.0} s"));
            broken.Add((fault, _history.Break(fault.What)));
            await TryAsync(fault);
        }

        await Task.Delay(duration);
        await HealAsync(broken);
        Say("healed");
        await Task.Delay(Calm);
    }

    /// <summary>Where one fault is in the way of another's mending, that one is mended first.</summary>
    private static async Task HealAsync(List<(Fault Fault, IDisposable Span)> broken)
    {
        var left = new Queue<(Fault Fault, IDisposable Span)>(broken);
        for (var inTheWay = 0; left.TryDequeue(out var next);)
        {
            try
            {
                await next.Fault.Heal();
                next.Span.Dispose();
                inTheWay = 0;
            }
            catch (Exception exception) when (
                exception is NpgsqlException or InvalidOperationException or TimeoutException && ++inTheWay <= left.Count)
            {
                left.Enqueue(next);
            }
        }
    }

    /// <summary>Of two faults at once the second may be impossible: a server that sleeps closes no connections.</summary>
    private async Task TryAsync(Fault fault)
    {
        try
        {
            await fault.Begin();
        }
        catch (Exception exception) when (exception is NpgsqlException or InvalidOperationException or TimeoutException)
        {
            Say($"not possible now: {exception.Message.Split('\n')[0]}");
        }
    }

    private async Task<Dictionary<string, CommittedLog>> DrainAsync(Workload workload)
    {
        var logs = new Dictionary<string, CommittedLog>();
        try
        {
            await Eventually.HoldsAsync(
                "runs have ended, the outbox is empty and every client is at its user's head",
                async () =>
                {
                    // Before the logs are read: what a run appends afterwards would be missing there.
                    var running = await _cluster.ScalarAsync<long>("select count(*) from pipeline.agent_run where status < 2");
                    foreach (var user in workload.Users)
                    {
                        logs[user] = await _cluster.CommittedAsync(user);
                    }

                    return running == 0
                        && await _cluster.ScalarAsync<long>("select count(*) from pipeline.outbox where created_at < now() - interval '5 seconds'") == 0
                        && _history.Clients.All(client => client.Position >= logs[client.User].Head);
                },
                TimeSpan.FromSeconds(120));
        }
        catch (TimeoutException exception)
        {
            // Judged as it is: what lacks is in the verdict.
            _history.Violate("I1", exception.Message);
        }

        return logs;
    }

    private void Say(string what) => _print(string.Create(CultureInfo.InvariantCulture, $"{_clock.Elapsed.TotalSeconds,8:0.0} s  {what}"));
}
