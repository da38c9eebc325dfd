using System.Diagnostics;

namespace Pipeline.Benchmarks;

/// <summary>How fast events become durable; nobody reads them.</summary>
internal static class AppendScenarios
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(8);

    /// <summary>32 writers, each with a stream of its own, one transaction after the other.</summary>
    public static async Task RunAsync(Producer producer)
    {
        foreach (var size in new[] { 1, 10, 50 })
        {
            var rate = await RateAsync(32, async (writer, clock, counted) =>
            {
                var sequence = 1L;
                while (clock.Elapsed < WarmUp + Length)
                {
                    await producer.Log.AppendAsync(
                        producer.Encode($"append-{size}-{writer}", "run", sequence, size), CancellationToken.None);
                    sequence += size;
                    counted(size);
                }
            });
            Report.Line($"append, {size} events a transaction, 32 writers", rate, "events/s");
        }
    }

    /// <summary>500 runs, each emitting one event after the other, grouped into few transactions.</summary>
    public static async Task RunGroupAsync(Producer producer)
    {
        var latencies = new List<double>();
        var rate = await RateAsync(500, async (run, clock, counted) =>
        {
            var own = new List<double>();
            for (var sequence = 1L; clock.Elapsed < WarmUp + Length; sequence++)
            {
                var started = clock.Elapsed;
                var unit = producer.Encode($"group-{run}", "run", sequence, 1);
                await producer.Log.AppendAsync(unit, CancellationToken.None);
                own.Add((clock.Elapsed - started).TotalMilliseconds);
                counted(1);
            }

            lock (latencies)
            {
                latencies.AddRange(own);
            }
        });
        Report.Line("group append, 500 runs, 1 event at a time", rate, "events/s");
        Report.Percentiles("group append, time to durable", latencies);
    }

    private static async Task<double> RateAsync(int writers, Func<int, Stopwatch, Action<int>, Task> write)
    {
        var clock = Stopwatch.StartNew();
        var events = 0L;
        await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(() => write(
            writer,
            clock,
            count =>
            {
                if (clock.Elapsed > WarmUp)
                {
                    Interlocked.Add(ref events, count);
                }
            }))));
        return events / (clock.Elapsed - WarmUp).TotalSeconds;
    }
}
