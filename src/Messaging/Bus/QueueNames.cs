using MassTransit;
using Pipeline.Persistence;

namespace Pipeline.Messaging;

/// <summary>Names and shapes of queues as operators see them.</summary>
internal static class QueueNames
{
    public const string StartRun = "start-run";
    public const string StartRunDead = "start-run_error";

    /// <summary>For example <c>delivery.web-1.3fa9c1d2</c>; declared anew, <c>delivery.web-1.3fa9c1d2-2</c>.</summary>
    public static string OfProcess(string role, ProcessIdentity identity, int connect)
    {
        var host = string.Concat(identity.Host.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-'));
        var id = identity.Id.ToString("n")[^8..];
        return connect == 1 ? $"{role}.{host}.{id}" : $"{role}.{host}.{id}-{connect}";
    }

    /// <summary>
    /// A queue that lives and dies with its connection. Bounded: what a stopped process does not read is dropped from
    /// the old end, never held against the broker.
    /// </summary>
    public static void MakeOwn(IRabbitMqReceiveEndpointConfigurator queue, long maxBytes)
    {
        queue.Durable = false;
        queue.Exclusive = true;
        queue.AutoDelete = true;
        queue.SetQueueArgument("x-max-length-bytes", maxBytes);
        queue.SetQueueArgument("x-overflow", "drop-head");
    }
}
