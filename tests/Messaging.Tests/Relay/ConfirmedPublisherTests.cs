using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Testing;

namespace Pipeline.Messaging.Tests;

public sealed class ConfirmedPublisherTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly BusHealth _health;
    private readonly ConfirmedPublisher _publisher;

    public ConfirmedPublisherTests()
    {
        _health = new BusHealth(_time);
        _publisher = new ConfirmedPublisher(
            Options.Create(new BusOptions()), _health, _time, NullLogger<ConfirmedPublisher>.Instance);
    }

    [Fact]
    public async Task A_refused_publish_is_tried_again_after_a_pause()
    {
        var attempts = 0;
        var publishing = UntilConfirmed(_ => ++attempts == 1 ? throw new InvalidOperationException("refused") : Task.CompletedTask);

        await Eventually.HoldsAsync("the failure is known", () => !_health.CanPublish);
        Assert.Equal(1, attempts);
        await Eventually.HoldsAsync("it is tried again", () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(250));
            return publishing.IsCompletedSuccessfully;
        });

        Assert.Equal(2, attempts);
        Assert.True(_health.CanPublish);
        Assert.Equal(_time.GetUtcNow(), _health.LastConfirm);
    }

    [Fact]
    public async Task A_publish_that_is_never_confirmed_times_out_and_is_tried_again()
    {
        var attempts = 0;
        var publishing = UntilConfirmed(token => ++attempts == 1 ? Task.Delay(Timeout.Infinite, token) : Task.CompletedTask);

        _time.Advance(TimeSpan.FromSeconds(10));
        await Eventually.HoldsAsync("the timeout is known", () => !_health.CanPublish);
        await Eventually.HoldsAsync("it is tried again", () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(250));
            return publishing.IsCompletedSuccessfully;
        });

        Assert.Equal(2, attempts);
    }

    [Fact]
    public async Task What_a_confirmed_probe_overtook_is_begun_anew_at_once()
    {
        var attempts = 0;
        var publishing = UntilConfirmed(token => ++attempts == 1 ? Task.Delay(Timeout.Infinite, token) : Task.CompletedTask);

        await _publisher.ProbeAsync(_ => Task.CompletedTask, TimeSpan.FromSeconds(1), CancellationToken.None);
        await publishing.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal(2, attempts);
        Assert.True(_health.CanPublish);
    }

    [Fact]
    public async Task What_waits_for_its_next_attempt_is_begun_when_a_probe_is_confirmed()
    {
        var attempts = 0;
        var publishing = UntilConfirmed(_ => ++attempts == 1 ? throw new InvalidOperationException("refused") : Task.CompletedTask);
        await Eventually.HoldsAsync("the failure is known", () => !_health.CanPublish);

        await _publisher.ProbeAsync(_ => Task.CompletedTask, TimeSpan.FromSeconds(1), CancellationToken.None);
        await publishing.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal(2, attempts);
    }

    [Fact]
    public async Task What_goes_elsewhere_is_not_overtaken_by_probes_but_begun_anew_after_an_outage()
    {
        var attempts = 0;
        var publishing = _publisher.UntilConfirmedAsync(
            "AgentCompleted",
            token => ++attempts == 1 ? Task.Delay(Timeout.Infinite, token) : Task.CompletedTask,
            asBeacons: false,
            CancellationToken.None);

        await _publisher.ProbeAsync(_ => Task.CompletedTask, TimeSpan.FromSeconds(1), CancellationToken.None);
        Assert.Equal(1, attempts);
        await _publisher.ProbeAsync(_ => throw new InvalidOperationException("away"), TimeSpan.FromSeconds(1), CancellationToken.None);
        await _publisher.ProbeAsync(_ => Task.CompletedTask, TimeSpan.FromSeconds(1), CancellationToken.None);
        await publishing.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal(2, attempts);
    }

    [Fact]
    public async Task What_was_begun_after_a_probe_is_left_alone_by_it()
    {
        var confirm = new TaskCompletionSource();
        var probing = _publisher.ProbeAsync(_ => confirm.Task, TimeSpan.FromSeconds(1), CancellationToken.None);
        var attempts = 0;
        var mine = new TaskCompletionSource();
        var publishing = UntilConfirmed(_ => ++attempts == 1 ? mine.Task : Task.CompletedTask);

        confirm.SetResult();
        Assert.True(await probing);
        mine.SetResult();
        await publishing.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal(1, attempts);
    }

    [Fact]
    public async Task A_stop_ends_it_whatever_the_broker_does()
    {
        using var stop = new CancellationTokenSource();
        var publishing = _publisher.UntilConfirmedAsync(
            "page", _ => new TaskCompletionSource().Task, asBeacons: true, stop.Token);

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

    private Task UntilConfirmed(Func<CancellationToken, Task> publish) =>
        _publisher.UntilConfirmedAsync("page", publish, asBeacons: true, CancellationToken.None);
}
