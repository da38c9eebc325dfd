using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Pipeline.Testing.Tests;

/// <summary>The network with faults, between a client and a server that answers every message with the same bytes.</summary>
public sealed class FaultProxyTests : IAsyncLifetime
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private FaultProxy _proxy = null!;
    private Task _serving = Task.CompletedTask;

    public ValueTask InitializeAsync()
    {
        _server.Start();
        _serving = ServeAsync();
        _proxy = new FaultProxy("127.0.0.1", ((IPEndPoint)_server.LocalEndpoint).Port);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _stop.CancelAsync();
        _server.Stop();
        await _serving;
        _stop.Dispose();
    }

    [Fact]
    public async Task Bytes_pass_as_they_come()
    {
        using var client = await DialAsync();

        Assert.Equal("hello", await EchoAsync(client, "hello"));
        Assert.Equal(1, _proxy.Connections);
    }

    [Fact]
    public async Task What_is_held_passes_when_it_is_healed_and_nothing_is_closed()
    {
        using var client = await DialAsync();
        await EchoAsync(client, "a");
        _proxy.Hold();

        var echo = EchoAsync(client, "held");
        using var later = await DialAsync();
        var other = EchoAsync(later, "new");
        Assert.False(echo.IsCompleted || other.IsCompleted);
        _proxy.Heal();

        Assert.Equal(["held", "new"], await Task.WhenAll(echo, other));
    }

    [Theory]
    [InlineData(Flow.Up, 0)]
    [InlineData(Flow.Down, 4)]
    public async Task One_direction_can_be_held_alone(Flow flow, int received)
    {
        using var client = await DialAsync();
        await EchoAsync(client, "a");
        var before = _received;
        _proxy.Hold(flow);

        var echo = EchoAsync(client, "held");
        await Eventually.HoldsAsync("what passes has passed", () => _received == before + received);
        Assert.False(echo.IsCompleted);
        _proxy.Heal();

        Assert.Equal("held", await echo);
    }

    [Fact]
    public async Task A_forgotten_connection_stays_open_and_carries_nothing_and_a_new_one_passes()
    {
        using var client = await DialAsync();
        await EchoAsync(client, "a");
        _proxy.Forget();

        var echo = EchoAsync(client, "lost");
        using var later = await DialAsync();
        Assert.Equal("new", await EchoAsync(later, "new"));
        _proxy.Heal();
        Assert.Equal("again", await EchoAsync(later, "again"));

        Assert.False(echo.IsCompleted);
        await _proxy.DisposeAsync();
        Assert.NotEqual("lost", await echo);
    }

    [Fact]
    public async Task Cut_ends_connections_and_new_ones_until_it_is_healed()
    {
        using var client = await DialAsync();
        await EchoAsync(client, "a");

        _proxy.Cut();
        Assert.Equal("", await ReadAsync(client));
        using (var refused = await DialAsync())
        {
            Assert.Equal("", await ReadAsync(refused));
        }

        _proxy.Heal();
        using var later = await DialAsync();
        Assert.Equal("new", await EchoAsync(later, "new"));
    }

    [Fact]
    public async Task Reset_ends_connections_without_a_farewell()
    {
        using var client = await DialAsync();
        await EchoAsync(client, "a");

        _proxy.Reset();

        await Assert.ThrowsAsync<IOException>(async () => await client.GetStream().ReadExactlyAsync(new byte[1], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_truncated_connection_breaks_off_in_the_middle()
    {
        using var client = await DialAsync();
        await EchoAsync(client, "a");
        var before = _received;
        _proxy.Truncate(Flow.Up, 3);

        await client.GetStream().WriteAsync("truncated"u8.ToArray(), TestContext.Current.CancellationToken);

        await Eventually.HoldsAsync("three bytes arrived and the connection is gone", () => _received == before + 3 && _proxy.Connections == 0);
    }

    [Fact]
    public async Task The_end_of_one_side_reaches_the_other()
    {
        using var client = await DialAsync();
        await EchoAsync(client, "a");

        var stream = client.GetStream();
        client.Client.Shutdown(SocketShutdown.Send);

        Assert.Equal(0, await stream.ReadAsync(new byte[1], TestContext.Current.CancellationToken));
        await Eventually.HoldsAsync("the connection is gone", () => _proxy.Connections == 0);
    }

    [Fact]
    public async Task Bytes_that_an_inspection_holds_back_end_the_connection()
    {
        await using var proxy = new FaultProxy(
            "127.0.0.1", _proxy.TargetPort, () => (flow, bytes) => flow == Flow.Down || bytes.IndexOf("secret"u8) < 0);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, proxy.Port, TestContext.Current.CancellationToken);

        Assert.Equal("open", await EchoAsync(client, "open"));
        Assert.Equal("", await EchoAsync(client, "secret"));
    }

    private int _received;

    private async Task<TcpClient> DialAsync()
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _proxy.Port, TestContext.Current.CancellationToken);
        return client;
    }

    private static async Task<string> EchoAsync(TcpClient client, string text)
    {
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(text), TestContext.Current.CancellationToken);
        return await ReadAsync(client);
    }

    /// <summary>What comes next; empty at the end, in whatever way it comes.</summary>
    private static async Task<string> ReadAsync(TcpClient client)
    {
        var buffer = new byte[100];
        try
        {
            return Encoding.ASCII.GetString(buffer, 0, await client.GetStream().ReadAsync(buffer, TestContext.Current.CancellationToken));
        }
        catch (IOException)
        {
            return "";
        }
    }

    private async Task ServeAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                serving.Add(EchoAsync(await _server.AcceptTcpClientAsync(_stop.Token)));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task EchoAsync(TcpClient client)
    {
        using (client)
        {
            var buffer = new byte[1024];
            try
            {
                int read;
                while ((read = await client.GetStream().ReadAsync(buffer, _stop.Token)) > 0)
                {
                    Interlocked.Add(ref _received, read);
                    await client.GetStream().WriteAsync(buffer.AsMemory(0, read), _stop.Token);
                }
            }
            catch (Exception exception) when (exception is IOException or OperationCanceledException)
            {
                // The other end is gone.
            }
        }
    }
}
