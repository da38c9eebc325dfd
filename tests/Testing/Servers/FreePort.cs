using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Pipeline.Testing;

public static class FreePort
{
    private static readonly ConcurrentDictionary<int, bool> Given = new();

    /// <summary>
    /// Finds a port below the range that kernels give to outgoing connections: a client that keeps dialling a stopped server
    /// on loopback would sooner or later be given that very port and connect to itself.
    /// </summary>
    public static int Find()
    {
        for (var attempt = 0; attempt < 100; attempt++)
        {
            var port = Random.Shared.Next(10240, 30240);
            if (!Given.TryAdd(port, true))
            {
                // Whoever has it may not listen yet.
                continue;
            }

            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: try another.
            }
        }

        throw new InvalidOperationException("found no free port between 10240 and 30240");
    }
}
