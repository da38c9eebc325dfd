using Pipeline.Contracts;
using Pipeline.Testing;

namespace Pipeline.Client.Tests;

/// <summary>What the application's loop does to reading.</summary>
public sealed class ConsumerTests(Service service) : IClassFixture<Service>, IDisposable
{
    private readonly string _user = $"user-{Guid.CreateVersion7():n}";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pipeline-client-");

    [Fact]
    public async Task A_body_that_throws_or_breaks_sees_the_same_event_again()
    {
        await service.AppendAsync(_user, 3);
        await using var client = new AgentEventsClient(Loop.Options(service.Url, _user));
        var seen = new List<long>();
        await Assert.ThrowsAsync<InvalidOperationException>(() => ReadAsync(client, seen, e => e.Position == 2 ? throw new InvalidOperationException("a fault") : false));
        await ReadAsync(client, seen, e => e.Position == 3);
        await ReadAsync(client, seen, e => e.Position == 3);
        Assert.Equal([1, 2, 2, 3, 3], seen);
    }

    [Fact]
    public async Task A_loop_that_breaks_at_the_first_event_sees_it_again_though_it_started_from_now_on()
    {
        await using var loop = Loop.Over(Loop.Options(service.Url, _user, after: null), _ => throw new InvalidOperationException("a fault"));
        await Eventually.HoldsAsync("it is known where reading starts", () => loop.Client.Cursor is not null);
        await service.AppendAsync(_user, 2);
        await Assert.ThrowsAsync<InvalidOperationException>(() => loop.Ended);
        var seen = new List<long>();
        await ReadAsync(loop.Client, seen, e => e.Position == 2);
        Assert.Equal([1, 2], seen);
    }

    [Fact]
    public async Task There_is_one_enumeration_at_a_time()
    {
        await service.AppendAsync(_user, 1);
        await using var client = new AgentEventsClient(Loop.Options(service.Url, _user));
        var seen = new List<long>();
        await foreach (var item in client.ReadAsync(TestContext.Current.CancellationToken))
        {
            var error = await Assert.ThrowsAsync<InvalidOperationException>(() => ReadAsync(client, seen, _ => true));
            Assert.Contains("enumerated already", error.Message, StringComparison.Ordinal);
            break;
        }

        await ReadAsync(client, seen, _ => true);
        Assert.Equal([1], seen);
    }

    [Fact]
    public async Task Cancelling_and_disposing_end_the_loop_and_the_connection()
    {
        await using var network = service.Network();
        await using var loop = Loop.Over(Loop.Options(network.Url, _user));
        await loop.IsAsync(ClientStatus.Live);
        await loop.StopAsync();
        Assert.Equal((TaskStatus.Canceled, ClientStatus.Closed, null), (loop.Ended.Status, loop.Client.State.Status, loop.Client.State.Reason));
        await Eventually.HoldsAsync("its connection is gone", () => network.Connections == 0);

        await using var other = Loop.Over(Loop.Options(network.Url, _user));
        await other.IsAsync(ClientStatus.Live);
        await other.Client.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => other.Ended);
        await Eventually.HoldsAsync("its connection is gone", () => network.Connections == 0);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => ReadAsync(other.Client, [], _ => true));
    }

    [Fact]
    public async Task A_store_carries_the_cursor_to_the_next_process()
    {
        await service.AppendAsync(_user, 3);
        var file = Path.Combine(_folder.FullName, "cursor");
        await File.WriteAllTextAsync(file, "0", TestContext.Current.CancellationToken);
        await using (var client = new AgentEventsClient(Stored(new FileCursorStore(file))))
        {
            await ReadAsync(client, [], e => e.Position == 3);
        }

        var seen = new List<long>();
        await using var next = new AgentEventsClient(Stored(new FileCursorStore(file)));
        await ReadAsync(next, seen, e => e.Position == 3);
        Assert.Equal([3], seen);
    }

    [Fact]
    public async Task Where_reading_starts_from_now_on_is_stored_before_anything_happens()
    {
        var file = Path.Combine(_folder.FullName, "cursor");
        await service.AppendAsync(_user, 2);
        await service.KnowAsync(_user);
        await using (var loop = Loop.Over(Stored(new FileCursorStore(file))))
        {
            await Eventually.HoldsAsync("it is known where", () => loop.Client.Cursor is not null);
        }

        await service.AppendAsync(_user, 1, "r-2");
        await using var next = Loop.Over(Stored(new FileCursorStore(file)));
        await next.HasAsync(1);
        Assert.Equal([3], next.Positions);
    }

    [Fact]
    public async Task A_store_that_fails_ends_the_enumeration_and_the_event_comes_again()
    {
        await service.AppendAsync(_user, 2);
        var store = new BrokenStore();
        await using var client = new AgentEventsClient(Stored(store));
        var seen = new List<long>();
        await Assert.ThrowsAsync<IOException>(() => ReadAsync(client, seen, _ => false));
        store.IsBroken = false;
        await ReadAsync(client, seen, e => e.Position == 2);
        Assert.Equal([1, 1, 2], seen);
    }

    [Theory]
    [InlineData(Transports.WebSocket)]
    [InlineData(Transports.Sse)]
    [InlineData(Transports.Poll)]
    public async Task A_slow_consumer_is_not_read_ahead_of_without_bound_and_misses_nothing(Transports transport)
    {
        const int events = 112;
        const int eventBytes = 200_000;
        await AppendLargeAsync(events, eventBytes);
        long passed = 0;
        await using var network = service.Network(() => (flow, bytes) =>
        {
            Interlocked.Add(ref passed, flow == Flow.Down ? bytes.Length : 0);
            return true;
        });

        // Beyond the read-ahead, what is under way is in the buffers of five sockets, a few megabytes.
        var go = new TaskCompletionSource();
        await using var loop = Loop.Over(Slow(network.Url, transport), _ => go.Task);
        await loop.HasAsync(1);
        var (last, same) = (0L, 0);
        await Eventually.HoldsAsync("nothing more comes", () =>
        {
            var now = Interlocked.Read(ref passed);
            (last, same) = (now, now == last ? same + 1 : 0);
            return same == 30;
        });
        Assert.InRange(last, 1, events * eventBytes / 2);

        go.SetResult();
        await loop.HasAsync(events, TimeSpan.FromSeconds(60));
        Assert.Equal(Enumerable.Range(1, events).Select(n => (long)n), loop.Positions);
    }

    [Fact]
    public async Task Of_two_clients_of_one_name_the_newer_one_stays()
    {
        await using var first = Loop.Over(Named());
        await first.IsAsync(ClientStatus.Live);
        await using var second = Loop.Over(Named());
        await second.IsAsync(ClientStatus.Live);
        Assert.Equal(ClosedReasons.Replaced, (await Assert.ThrowsAsync<AgentEventsClosedException>(() => first.Ended)).Reason);
        await service.AppendAsync(_user, 1);
        await second.HasAsync(1);
        Assert.Equal((ClientStatus.Closed, ClosedReasons.Replaced), (first.Client.State.Status, first.Client.State.Reason));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task AppendLargeAsync(int events, int bytes)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", Service.Token("agent", scope: "events:append"));
        var text = new string('x', bytes);
        for (var sequence = 1; sequence <= events; sequence += 16)
        {
            var batch = Enumerable.Range(sequence, 16).Select(n => new
            {
                id = Guid.CreateVersion7(), type = "plan_revised", thread = "t-1", run = "r-1", sequence = n, data = new { text },
            });
            using var response = await System.Net.Http.Json.HttpClientJsonExtensions.PostAsJsonAsync(
                http, new Uri(service.Url, "/v1/events"), new { user = _user, events = batch }, TestContext.Current.CancellationToken);
            response.EnsureSuccessStatusCode();
        }
    }

    private AgentEventsOptions Slow(Uri url, Transports transport) => new()
    {
        Url = url, Token = Token, After = "0", Transports = transport, ReadAheadBytes = 1_000_000, Random = new FixedRandom(0.01),
    };

    private AgentEventsOptions Stored(ICursorStore store) => new() { Url = service.Url, Token = Token, Store = store };

    private AgentEventsOptions Named() => new() { Url = service.Url, Token = Token, Client = "c", After = "0" };

    private ValueTask<string> Token(CancellationToken cancellationToken) => ValueTask.FromResult(Service.Token(_user));

    private static async Task ReadAsync(AgentEventsClient client, List<long> seen, Func<AgentEvent, bool> breaks)
    {
        await foreach (var item in client.ReadAsync(TestContext.Current.CancellationToken))
        {
            seen.Add(item.Position);
            if (breaks(item))
            {
                break;
            }
        }
    }

    private sealed class BrokenStore : ICursorStore
    {
        private string _cursor = "0";

        public bool IsBroken { get; set; } = true;

        public ValueTask<string?> LoadAsync(CancellationToken cancellationToken) => ValueTask.FromResult<string?>(_cursor);

        public ValueTask SaveAsync(string cursor, CancellationToken cancellationToken)
        {
            if (IsBroken)
            {
                throw new IOException("the disk is full");
            }

            _cursor = cursor;
            return ValueTask.CompletedTask;
        }
    }
}
