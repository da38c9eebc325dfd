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
        _time.Advance(TimeSpan.FromMilliseconds(250));
        await publishing.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

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
        _time.Advance(TimeSpan.FromMilliseconds(250));
        await publishing.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal(2, attempts);
    }

    [Fact]
    public async Task The_first_confirm_after_an_outage_starts_waiting_attempts_at_once()
    {
        var isBack = false;
        var attempts = 0;
        var publishing = UntilConfirmed(token =>
        {
            attempts++;
            return isBack ? Task.CompletedTask : Task.Delay(Timeout.Infinite, token);
        });
        _time.Advance(TimeSpan.FromSeconds(10));
        await Eventually.HoldsAsync("the timeout is known", () => !_health.CanPublish);

        isBack = true;
        await _publisher.TryOnceAsync(_ => Task.CompletedTask, TimeSpan.FromSeconds(1), CancellationToken.None);
        await publishing.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal(2, attempts);
    }

    [Fact]
    public async Task A_stop_ends_it_whatever_the_broker_does()
    {
        using var stop = new CancellationTokenSource();
        var publishing = _publisher.UntilConfirmedAsync(
            "page", _ => new TaskCompletionSource().Task, tellsHealth: true, stop.Token);

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
        _publisher.UntilConfirmedAsync("page", publish, tellsHealth: true, CancellationToken.None);
}
