using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Pipeline.Testing;

namespace Pipeline.Messaging.Tests;

public sealed class ConfirmedPublisherTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly CountingTime _time = new();
    private readonly BusHealth _health;
    private readonly ConfirmedPublisher _publisher;

    public ConfirmedPublisherTests()
    {
        _health = new BusHealth(_time);
        _publisher = new ConfirmedPublisher(_health, _time, NullLogger<ConfirmedPublisher>.Instance);
    }

    [Fact]
    public async Task A_refused_publish_is_tried_again_after_a_pause_and_says_nothing_of_the_broker()
    {
        var page = new Publish();
        var publishing = UntilConfirmed(page);

        page.Attempts[0].SetException(new InvalidOperationException("refused"));
        await Eventually.HoldsAsync("it is tried again", () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(250));
            return page.Attempts.Count == 2;
        });
        Assert.True(_health.CanPublish);
        page.Attempts[1].SetResult();
        await publishing.WaitAsync(Bound, TestContext.Current.CancellationToken);

        Assert.Equal(_time.GetUtcNow(), _health.LastConfirm);
    }

    [Fact]
    public async Task A_publish_that_is_never_confirmed_times_out_and_is_tried_again()
    {
        var page = new Publish();
        var publishing = UntilConfirmed(page);

        await Eventually.HoldsAsync("it is tried again", () =>
        {
            _time.Advance(TimeSpan.FromSeconds(10));
            return page.Attempts.Count >= 2;
        });
        page.Attempts[^1].SetResult();
        await Eventually.HoldsAsync("it is confirmed", () => publishing.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task What_two_beacons_overtook_is_begun_anew()
    {
        var page = new Publish();
        var publishing = UntilConfirmed(page);

        await BeaconAsync();
        await BeaconAsync();
        await Eventually.HoldsAsync("it is begun anew", () => page.Attempts.Count == 2);
        page.Attempts[1].SetResult();
        await publishing.WaitAsync(Bound, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task What_one_beacon_overtook_is_left_alone_for_confirms_come_in_any_order()
    {
        await BeaconAsync();
        await BeaconAsync();
        var page = new Publish();
        var publishing = UntilConfirmed(page);

        await BeaconAsync();
        page.Attempts[0].SetResult();
        await publishing.WaitAsync(Bound, TestContext.Current.CancellationToken);

        Assert.Single(page.Attempts);
    }

    [Fact]
    public async Task What_runs_is_not_begun_anew_because_the_broker_confirms_again()
    {
        var (page, typed) = (new Publish(), new Publish());
        Task[] publishing = [UntilConfirmed(page), UntilConfirmed(typed, asBeacons: false)];
        await FailBeaconAsync();

        await BeaconAsync();
        Assert.True(_health.CanPublish);
        page.Attempts[0].SetResult();
        typed.Attempts[0].SetResult();
        await Task.WhenAll(publishing).WaitAsync(Bound, TestContext.Current.CancellationToken);

        Assert.Single(page.Attempts);
        Assert.Single(typed.Attempts);
    }

    [Fact]
    public async Task While_the_broker_does_not_confirm_nothing_is_attempted_but_beacons()
    {
        await FailBeaconAsync();
        var page = new Publish();
        var publishing = UntilConfirmed(page);

        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Empty(page.Attempts);
        await BeaconAsync();
        await Eventually.HoldsAsync("it is begun", () => page.Attempts.Count == 1);
        page.Attempts[0].SetResult();
        await publishing.WaitAsync(Bound, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task What_pauses_goes_on_when_the_broker_confirms_again()
    {
        var page = new Publish();
        var publishing = UntilConfirmed(page);
        page.Attempts[0].SetException(new InvalidOperationException("away"));
        await FailBeaconAsync();

        await BeaconAsync();
        await Eventually.HoldsAsync("it is tried again", () => page.Attempts.Count == 2);
        page.Attempts[1].SetResult();
        await publishing.WaitAsync(Bound, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_beacon_that_waits_behind_pages_is_waited_for_and_its_failure_is_no_loss()
    {
        var beacon = new Publish();
        var probing = ProbeAsync(beacon);
        for (var i = 0; i < 4; i++)
        {
            var page = new Publish();
            var publishing = UntilConfirmed(page);
            page.Attempts[0].SetResult();
            await publishing.WaitAsync(Bound, TestContext.Current.CancellationToken);
            var timers = _time.Timers;
            _time.Advance(Patience);
            await Eventually.HoldsAsync("it is waited for again", () => _time.Timers > timers);
        }

        beacon.Attempts[0].SetException(new InvalidOperationException("the channel was closed"));
        Assert.False(await probing);
        Assert.True(_health.CanPublish);
    }

    [Fact]
    public async Task A_beacon_without_any_confirm_meanwhile_is_a_loss()
    {
        var probing = ProbeAsync(new Publish());
        Assert.True(_health.CanPublish);

        await Eventually.HoldsAsync("it is given up", () =>
        {
            _time.Advance(Patience);
            return probing.IsCompleted;
        });

        Assert.False(_health.CanPublish);
    }

    [Fact]
    public async Task Trouble_is_an_error_once_however_often_it_is_tried()
    {
        var errors = new RecordedErrors();
        var publisher = new ConfirmedPublisher(_health, _time, errors);
        using var stop = new CancellationTokenSource();
        var attempts = 0;
        var publishing = publisher.UntilConfirmedAsync(
            Terms(asBeacons: false), _ => ++attempts > 0 ? throw new InvalidOperationException("refused") : Task.CompletedTask, stop.Token);

        await Eventually.HoldsAsync("it was tried ten times", () =>
        {
            _time.Advance(TimeSpan.FromSeconds(5));
            return attempts >= 10;
        });
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => publishing);

        Assert.Equal(2032, Assert.Single(errors.Ids));
    }

    [Fact]
    public async Task A_stop_ends_it_whatever_the_broker_does()
    {
        using var stop = new CancellationTokenSource();
        var publishing = _publisher.UntilConfirmedAsync(Terms(), _ => new TaskCompletionSource().Task, stop.Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => publishing);
        Assert.True(_health.CanPublish);
    }

    [Fact]
    public void Health_tells_of_changes_only()
    {
        var changes = 0;
        _health.Changed += () => changes++;

        _health.Confirmed();
        Assert.Equal(0, changes);
        _health.PublishFailed();
        _health.PublishFailed();
        Assert.Equal(1, changes);
        _health.Consumes("pages", ready: false);
        _health.Consumes("commands", ready: false);
        _health.Consumes("pages", ready: true);
        Assert.False(_health.CanConsume);
        _health.Consumes("commands", ready: true);
        Assert.True(_health.CanConsume);
        Assert.Equal(3, changes);
    }

    private static PublishTerms Terms(bool asBeacons = true) => new("page", TimeSpan.FromSeconds(10), asBeacons);

    private Task UntilConfirmed(Publish publish, bool asBeacons = true) =>
        _publisher.UntilConfirmedAsync(Terms(asBeacons), publish.BeginAsync, CancellationToken.None);

    private Task<bool> ProbeAsync(Publish publish) =>
        _publisher.ProbeAsync(Terms(), publish.BeginAsync, Patience, CancellationToken.None);

    private async Task BeaconAsync() =>
        Assert.True(await _publisher.ProbeAsync(Terms(), _ => Task.CompletedTask, Patience, CancellationToken.None));

    private async Task FailBeaconAsync()
    {
        Assert.False(await _publisher.ProbeAsync(
            Terms(), _ => Task.FromException(new InvalidOperationException("away")), Patience, CancellationToken.None));
        Assert.False(_health.CanPublish);
    }

    /// <summary>Attempts that the test ends.</summary>
    private sealed class Publish
    {
        private readonly List<TaskCompletionSource> _attempts = [];

        public IReadOnlyList<TaskCompletionSource> Attempts
        {
            get
            {
                lock (_attempts)
                {
                    return [.. _attempts];
                }
            }
        }

        public Task BeginAsync(CancellationToken cancellationToken)
        {
            var attempt = new TaskCompletionSource();
            lock (_attempts)
            {
                _attempts.Add(attempt);
            }

            return attempt.Task;
        }
    }

    private sealed class RecordedErrors : ILogger<ConfirmedPublisher>
    {
        public ConcurrentQueue<int> Ids { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Ids.Enqueue(eventId.Id);
    }
}
