namespace Pipeline.Messaging.Tests;

public sealed class BusHealthTests
{
    private readonly BusHealth _health = new(TimeProvider.System);

    [Fact]
    public void Two_queues_that_are_bound_at_the_same_time_are_both_seen()
    {
        for (var round = 0; round < 100_000; round++)
        {
            _health.Consumes("one", ready: false);
            _health.Consumes("other", ready: false);
            Parallel.Invoke(() => _health.Consumes("one", ready: true), () => _health.Consumes("other", ready: true));
            Assert.True(_health.CanConsume, $"round {round}");
        }
    }

    [Fact]
    public void Only_what_changed_is_told()
    {
        var told = 0;
        _health.Changed += () => told++;
        _health.Consumes("one", ready: false);
        _health.Consumes("other", ready: false);
        _health.Consumes("one", ready: true);
        _health.Consumes("other", ready: true);
        Assert.True(_health.CanConsume);
        Assert.True(_health.PublishFailed());
        Assert.False(_health.PublishFailed());
        Assert.True(_health.Confirmed());
        Assert.False(_health.Confirmed());
        Assert.Equal(4, told);
    }
}
