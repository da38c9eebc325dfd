using System.Net.Sockets;
using System.Text;

namespace Pipeline.Delivery.Tests;

/// <summary>A client that reads only when it is told to, and answers nothing: what is left of one whose network is gone or slow.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly TcpClient _tcp = new() { ReceiveBufferSize = 4_096 };

    /// <summary>Connects and sends a request.</summary>
    public static async Task<RawClient> SendAsync(TestNode node, string pathAndQuery, string user, params string[] headers)
    {
        var client = new RawClient();
        await client._tcp.ConnectAsync(node.Http.BaseAddress!.Host, node.Http.BaseAddress.Port, TestContext.Current.CancellationToken);
        string[] lines =
            [$"GET {pathAndQuery} HTTP/1.1", "Host: localhost", $"Authorization: Bearer {Tokens.Of(user)}", .. headers, "", ""];
        await client._tcp.GetStream().WriteAsync(Encoding.ASCII.GetBytes(string.Join("\r\n", lines)), TestContext.Current.CancellationToken);
        return client;
    }

    public static Task<RawClient> UpgradeAsync(TestNode node, string query, string user) => SendAsync(
        node, $"/v1/events?{query}", user,
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");

    public ValueTask WriteAsync(byte[] bytes) => _tcp.GetStream().WriteAsync(bytes, TestContext.Current.CancellationToken);

    /// <summary>All that comes until the server ends the connection, in good order or not.</summary>
    public async Task<byte[]> ReadToEndAsync(TimeSpan within)
    {
        using var bound = new CancellationTokenSource(within);
        using var all = new MemoryStream();
        try
        {
            await _tcp.GetStream().CopyToAsync(all, bound.Token);
        }
        catch (IOException)
        {
            // Reset.
        }

        return all.ToArray();
    }

    /// <summary>Reads so many bytes at a given rate; fewer when the server ended the connection.</summary>
    public async Task<int> ReadSlowlyAsync(int bytes, int bytesPerSecond)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        var buffer = new byte[bytesPerSecond / 20];
        var read = 0;
        while (read < bytes && await pace.WaitForNextTickAsync(TestContext.Current.CancellationToken))
        {
            var room = buffer.AsMemory(0, Math.Min(buffer.Length, bytes - read));
            var count = await _tcp.GetStream().ReadAtLeastAsync(room, room.Length, throwOnEndOfStream: false, TestContext.Current.CancellationToken);
            read += count;
            if (count < room.Length)
            {
                break;
            }
        }

        return read;
    }

    public void Dispose() => _tcp.Dispose();
}
