using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Delivery.Api;

namespace Pipeline.Delivery.Tests;

public sealed class CanaryStateTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly DateTimeOffset _start;
    private readonly CanaryLog _log = new();
    private readonly CanaryState _state;

    public CanaryStateTests()
    {
        _start = _time.GetUtcNow();
        _state = State(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void Before_the_first_has_come_it_is_degraded()
    {
        Assert.Equal(new CanaryReport(false, "starting", _start, null, null), _state.Read());
        Assert.Empty(_log.Entries);
    }

    [Fact]
    public void It_is_ok_from_the_first_that_came_in_time_and_tells_the_latest()
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        _state.Arrived(TimeSpan.FromMilliseconds(30));
        _time.Advance(TimeSpan.FromSeconds(5));
        _state.Arrived(TimeSpan.FromMilliseconds(20));

        Assert.Equal(new CanaryReport(true, null, _start.AddSeconds(1), TimeSpan.FromMilliseconds(20), _start.AddSeconds(6)), _state.Read());
        Assert.Empty(_log.Entries);
    }

    [Theory]
    [InlineData("append", 4141)]
    [InlineData("delivery", 4140)]
    public void One_that_did_not_come_makes_it_degraded_and_is_logged_once_until_one_comes_again(string reason, int logId)
    {
        _state.Arrived(TimeSpan.FromMilliseconds(20));
        for (var i = 0; i < 3; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            _state.Missed(reason);
        }

        Assert.Equal(new CanaryReport(false, reason, _start.AddSeconds(1), TimeSpan.FromMilliseconds(20), _start), _state.Read());
        Assert.Equal([logId], _log.Entries);
        _state.Arrived(TimeSpan.FromMilliseconds(10));
        Assert.Equal(new CanaryReport(true, null, _start.AddSeconds(3), TimeSpan.FromMilliseconds(10), _start.AddSeconds(3)), _state.Read());
        Assert.Equal([logId, 4142], _log.Entries);
    }

    [Fact]
    public void An_arrival_vouches_for_a_while_only()
    {
        _state.Arrived(TimeSpan.FromMilliseconds(20));
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.True(_state.Read()!.IsOk);
        _time.Advance(TimeSpan.FromSeconds(60));

        Assert.Equal(new CanaryReport(false, "overdue", _start.AddSeconds(11), TimeSpan.FromMilliseconds(20), _start), _state.Read());
        _state.Arrived(TimeSpan.FromMilliseconds(10));
        Assert.Equal(_start.AddSeconds(71), _state.Read()!.Since);
    }

    [Fact]
    public void Where_there_is_no_canary_there_is_nothing_to_tell() => Assert.Null(State(TimeSpan.Zero).Read());

    [Theory]
    [InlineData(5, 0, 5)]
    [InlineData(5, 1, 10)]
    [InlineData(5, 2, 20)]
    [InlineData(5, 40, 30)]
    [InlineData(1, 40, 30)]
    [InlineData(60, 3, 60)]
    public void Who_cannot_append_asks_more_rarely(int interval, int failures, int pause) =>
        Assert.Equal(TimeSpan.FromSeconds(pause), Api.Canary.Pause(TimeSpan.FromSeconds(interval), failures));

    private CanaryState State(TimeSpan interval)
    {
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        return new CanaryState(Options.Create(new DeliveryOptions { Canary = interval }), new CanaryMetrics(meters), _time, _log);
    }
}
