using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Messaging.Tests;

/// <summary>When a queue counts as consumed and when it is connected anew, by a clock of the test's own.</summary>
public sealed class ConsumeEndpointTests : IAsyncLifetime
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly IOptions<BusOptions> Memory = Options.Create(new BusOptions { Transport = BusOptions.Memory });

    private readonly ProcessIdentity _identity = new(Guid.CreateVersion7(), "host", "test");
    private readonly CountingTime _time = new();
    private readonly BusHealth _health;
    private readonly BusConnections _connections;
    private readonly RecordedPages _pages = new();

    public ConsumeEndpointTests()
    {
        _health = new BusHealth(_time);
        _connections = new BusConnections(
            new BusName("test"), _identity, Memory, NullLoggerFactory.Instance, NullLogger<BusConnections>.Instance);
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _connections.StopAsync(CancellationToken.None);
        _connections.Dispose();
    }

    [Fact]
    public async Task A_first_connect_that_has_not_failed_is_given_fifteen_seconds()
    {
        await _connections.StartAsync(Stop);
        var endpoint = new Endpoint(_connections, _health, _time, new UnderWay());
        using var watch = new ConsumeWatch([endpoint], _health, _time, NullLogger<ConsumeWatch>.Instance);
        await watch.StartAsync(Stop);
        await Eventually.HoldsAsync("the watch has its timer", () => _time.Timers == 1);
        Assert.Equal("test-1", endpoint.Queue);

        await WatchAsync(endpoint, looks: 15);
        Assert.Equal("test-1", endpoint.Queue);
        Assert.False(endpoint.IsReady);
        _health.Confirmed();
        _time.Advance(Second);
        await Eventually.HoldsAsync("it is connected anew", () => endpoint.Queue == "test-2");
        await watch.StopAsync(Stop);
    }

    [Fact]
    public async Task A_connect_that_broke_off_is_given_three()
    {
        await _connections.StartAsync(Stop);
        var endpoint = new Endpoint(_connections, _health, _time);
        endpoint.Connect();
        await Eventually.HoldsAsync("the queue is consumed", () => _health.CanConsume);
        await Eventually.HoldsAsync("it is no longer consumed", async () =>
        {
            // Does nothing until the start has run to its end.
            await _connections.Consume.StopAsync(Stop);
            return !_health.CanConsume;
        });

        _time.Advance(3 * Second);
        Assert.False(endpoint.IsStuck);
        _time.Advance(Second);
        Assert.True(endpoint.IsStuck);
    }

    [Fact]
    public async Task A_queue_through_which_nothing_of_its_own_comes_counts_as_not_consumed_though_others_pages_come()
    {
        await _connections.StartAsync(Stop);
        var endpoint = Pages();
        endpoint.Connect();
        await Eventually.HoldsAsync("the queue is consumed", () => _health.CanConsume);
        await ReceiveAsync(_identity.Id);

        _time.Advance(2 * Second);
        await ReceiveAsync(Guid.CreateVersion7());
        _time.Advance(2 * Second);
        Assert.True(endpoint.IsUnheard);
        Assert.False(endpoint.IsStuck);
        Assert.True(endpoint.NoteUnheard());
        Assert.False(endpoint.NoteUnheard());
        Assert.False(_health.CanConsume);

        await ReceiveAsync(Guid.CreateVersion7());
        Assert.False(_health.CanConsume);
        await ReceiveAsync(_identity.Id);
        Assert.True(_health.CanConsume);
        Assert.False(endpoint.IsUnheard);
    }

    [Fact]
    public async Task A_silent_queue_that_was_declared_anew_counts_as_consumed_once_something_came_through_it()
    {
        await _connections.StartAsync(Stop);
        var endpoint = Pages();
        endpoint.Connect();
        await Eventually.HoldsAsync("the queue is consumed", () => _health.CanConsume);
        _time.Advance(4 * Second);
        Assert.True(endpoint.IsUnheard);
        Assert.True(endpoint.IsStuck);
        endpoint.NoteUnheard();

        await endpoint.DisconnectAsync(Stop);
        endpoint.Connect();
        await Eventually.HoldsAsync("the new queue is there", () => endpoint.IsReady);
        Assert.False(_health.CanConsume);
        await ReceiveAsync(_identity.Id);
        Assert.True(_health.CanConsume);
    }

    /// <summary>Lets the watch look so many times, a second apart, while the broker confirms.</summary>
    private async Task WatchAsync(Endpoint endpoint, int looks)
    {
        for (var look = 1; look <= looks; look++)
        {
            _health.Confirmed();
            _time.Advance(Second);
            var expected = look;
            await Eventually.HoldsAsync($"look {look}", () => endpoint.Looks == expected);
        }
    }

    /// <summary>Publishes a relay's beacon and waits until it came through the queue.</summary>
    private async Task ReceiveAsync(Guid relay)
    {
        var before = _pages.Beacons.Count;
        await new BusPublisher(_connections, Memory).PublishPageAsync(PageWriter.Write(new PageHeader(relay, 0, Goodbye: false, 0), []), Stop);
        await Eventually.HoldsAsync("the beacon is here", () => _pages.Beacons.Count > before);
    }

    private PageEndpoint Pages()
    {
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>();
        return new PageEndpoint(
            _connections, _health, _time, _identity, Memory, new MessagingMetrics(meters), _pages, NullLogger<ConsumeEndpoint>.Instance);
    }

    /// <summary>Keeps a connect from coming to its end, for good or ill.</summary>
    private sealed class UnderWay : MassTransit.Transports.IReceiveEndpointDependency
    {
        public Task Ready { get; } = new TaskCompletionSource().Task;
    }

    private sealed class Endpoint(BusConnections connections, BusHealth health, TimeProvider time, UnderWay? waitsFor = null)
        : ConsumeEndpoint(connections, health, time, NullLogger<ConsumeEndpoint>.Instance)
    {
        private int _looks;

        /// <summary>How often it was asked whether it is stuck.</summary>
        public int Looks => Volatile.Read(ref _looks);

        public override bool IsStuck
        {
            get
            {
                var isStuck = base.IsStuck;
                Interlocked.Increment(ref _looks);
                return isStuck;
            }
        }

        protected override string NameQueue(int connect) => $"test-{connect}";

        protected override void Configure(IReceiveEndpointConfigurator endpoint)
        {
            if (waitsFor is not null)
            {
                endpoint.AddDependency(waitsFor);
            }
        }
    }
}
