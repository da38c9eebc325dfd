using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Pipeline.Delivery.Api;
using Pipeline.Testing;

namespace Pipeline.Delivery.Tests;

/// <summary>One canary's fate, by a clock of the test's own.</summary>
public sealed class CanaryFlightTests
{
    private readonly CountingTime _time = new();
    private readonly List<Guid> _appended = [];
    private readonly CanaryState _state;
    private readonly CanaryFlight _flight;
    private TaskCompletionSource<long> _append = new();

    public CanaryFlightTests()
    {
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        _state = new CanaryState(
            Options.Create(new DeliveryOptions { Canary = TimeSpan.FromSeconds(5) }), new CanaryMetrics(meters), _time, new CanaryLog());
        _flight = new CanaryFlight(
            (id, _) =>
            {
                _appended.Add(id);
                return _append.Task;
            },
            _state,
            _time);
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Its_latency_is_from_the_commit_to_the_arrival()
    {
        var flight = _flight.FlyAsync(Stop);
        _time.Advance(TimeSpan.FromSeconds(1));
        await CommitAsync(41);
        _time.Advance(TimeSpan.FromMilliseconds(700));
        _flight.Arrived(Guid.CreateVersion7());
        Assert.False(flight.IsCompleted);
        _flight.Arrived(_appended[0]);

        Assert.Equal(41, await flight);
        Assert.Equal((true, TimeSpan.FromMilliseconds(700)), (_state.Read()!.IsOk, _state.Read()!.Latency));
    }

    [Fact]
    public async Task What_came_before_its_append_returned_took_no_time()
    {
        var flight = _flight.FlyAsync(Stop);
        _flight.Arrived(_appended[0]);
        _time.Advance(TimeSpan.FromSeconds(1));
        _append.SetResult(1);

        await flight;
        Assert.Equal((true, TimeSpan.Zero), (_state.Read()!.IsOk, _state.Read()!.Latency));
    }

    [Fact]
    public async Task One_that_was_committed_and_does_not_come_in_two_seconds_is_lost_whatever_comes_later()
    {
        var flight = _flight.FlyAsync(Stop);
        await CommitAsync(7);
        await Eventually.HoldsAsync("the canary is missed", () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return flight.IsCompleted;
        });
        _flight.Arrived(_appended[0]);

        Assert.Equal(7, await flight);
        Assert.Equal((false, "delivery"), (_state.Read()!.IsOk, _state.Read()!.Reason));
    }

    [Fact]
    public async Task While_an_append_is_under_way_there_is_no_second_and_a_late_one_counts_as_missed()
    {
        var flight = _flight.FlyAsync(Stop);
        await Eventually.HoldsAsync("the append is late", () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return _state.Read()!.Reason == "append";
        });
        Assert.False(flight.IsCompleted);
        _append.SetResult(3);
        _flight.Arrived(_appended[0]);

        Assert.Equal(3, await flight);
        Assert.Equal("append", _state.Read()!.Reason);
        Assert.Single(_appended);
    }

    [Fact]
    public async Task A_refused_append_counts_as_missed_and_the_next_may_come()
    {
        _append.SetException(new TimeoutException("locked"));
        Assert.Null(await _flight.FlyAsync(Stop));
        Assert.Equal("append", _state.Read()!.Reason);

        _append = new TaskCompletionSource<long>();
        var flight = _flight.FlyAsync(Stop);
        await CommitAsync(2);
        _flight.Arrived(_appended[1]);
        Assert.Equal(2, await flight);
        Assert.True(_state.Read()!.IsOk);
    }

    /// <summary>The append returns, and the flight has taken the time of that and waits for the arrival.</summary>
    private async Task CommitAsync(long position)
    {
        var timers = _time.Timers;
        _append.SetResult(position);
        await Eventually.HoldsAsync("the arrival is waited for", () => _time.Timers > timers);
    }
}
