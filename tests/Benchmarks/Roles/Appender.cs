using System.Diagnostics;

namespace Pipeline.Benchmarks;

/// <summary>Appends units of events to streams <c>PREFIX-0</c> and up, each a run of its own.</summary>
/// <param name="Writers">So many units are under way at once, each of another stream; not used with <paramref name="PerSecond"/>.</param>
/// <param name="Unit">Events in a unit.</param>
/// <param name="Seconds">For how long.</param>
/// <param name="PerSecond">Events a second, due at even intervals whatever becomes of those before; null: as fast as it goes.</param>
/// <param name="Head">Events that each stream has already, not of this producer.</param>
internal sealed record AppendLoad(
    string Prefix, int Streams, int Writers, int Unit, double Seconds, double? PerSecond = null, long Head = 0) : Request;

/// <param name="Heads">Events acknowledged so far, by stream.</param>
/// <param name="Events">Of this load.</param>
/// <param name="Durable">From the call to the acknowledgement of a unit.</param>
internal sealed record Appended(long[] Heads, long Events, long Began, double Seconds, Latency Durable)
{
    public double Rate => Events / Seconds;
}

/// <summary>Events of one user, one behind the other.</summary>
/// <param name="FirstSequence">Of the user's events, from 1 on.</param>
/// <param name="Text">Of each. It begins with the moment of the call, and makes an event of about 300 bytes.</param>
internal readonly record struct AppendUnit(string User, long FirstSequence, int Events, string Text);

/// <summary>Calls what appends a unit in the shape that a load asks for.</summary>
internal sealed class Appender(Func<AppendUnit, Task> append)
{
    private static readonly string Padding = new('x', 100);
    private readonly Dictionary<string, long[]> _heads = [];

    public async Task<Appended> RunAsync(AppendLoad load)
    {
        if (!_heads.TryGetValue(load.Prefix, out var heads))
        {
            _heads[load.Prefix] = heads = [.. Enumerable.Repeat(load.Head, load.Streams)];
        }

        var began = Stopwatch.GetTimestamp();
        var before = heads.Sum();
        var durable = load.PerSecond is { } rate
            ? await AppendPacedAsync(load, heads, rate)
            : await AppendAsFastAsItGoesAsync(load, heads);
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        return new Appended(heads, heads.Sum() - before, began, seconds, Latency.Of(durable));
    }

    private async Task<float[]> AppendAsFastAsItGoesAsync(AppendLoad load, long[] heads)
    {
        var began = Stopwatch.GetTimestamp();
        var durable = await Task.WhenAll(Enumerable.Range(0, load.Writers).Select(writer => Task.Run(async () =>
        {
            var own = new List<float>();
            for (var stream = writer; Stopwatch.GetElapsedTime(began).TotalSeconds < load.Seconds; stream = Next(stream, writer, load))
            {
                own.Add(await AppendAsync(load, stream, heads[stream] + 1));
                heads[stream] += load.Unit;
            }

            return own;
        })));
        return [.. durable.SelectMany(own => own)];
    }

    // A writer has every so many-th stream to itself.
    private static int Next(int stream, int writer, AppendLoad load) =>
        stream + load.Writers < load.Streams ? stream + load.Writers : writer;

    private async Task<float[]> AppendPacedAsync(AppendLoad load, long[] heads, double rate)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        var began = Stopwatch.GetTimestamp();
        var durable = new float[(int)Math.Ceiling(load.Seconds * rate / load.Unit)];
        var underWay = new Queue<Task>();
        var next = (long[])heads.Clone();
        for (var n = 0; n < durable.Length; n++)
        {
            while (Stopwatch.GetElapsedTime(began).TotalSeconds * rate < n * load.Unit)
            {
                await tick.WaitForNextTickAsync();
            }

            // What went well is let go: garbage collections of this process are in the figures.
            while (underWay.TryPeek(out var oldest) && oldest.IsCompletedSuccessfully)
            {
                _ = underWay.Dequeue();
            }

            var stream = n % load.Streams;
            underWay.Enqueue(AppendToAsync(stream, next[stream] + 1, n));
            next[stream] += load.Unit;
        }

        await Task.WhenAll(underWay);
        next.CopyTo(heads, 0);
        return durable;

        async Task AppendToAsync(int stream, long firstSequence, int n) => durable[n] = await AppendAsync(load, stream, firstSequence);
    }

    private async Task<float> AppendAsync(AppendLoad load, int stream, long firstSequence)
    {
        var called = Stopwatch.GetTimestamp();
        await append(new AppendUnit($"{load.Prefix}-{stream}", firstSequence, load.Unit, $"{called:D19} {Padding}"));
        return (float)Stopwatch.GetElapsedTime(called).TotalMilliseconds;
    }
}
