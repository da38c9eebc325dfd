using System.Runtime.InteropServices;
using System.Text.Json;
using Pipeline.Contracts;
using Pipeline.Persistence;

namespace Pipeline.Delivery.Api;

/// <summary>Reads the body of <c>POST /v1/events</c> and checks all of it before anything is stored.</summary>
internal sealed class AppendRequest(EventEncoder encoder)
{
    /// <exception cref="RejectedRequestException">Names the JSON path that is wrong or too large.</exception>
    public IReadOnlyList<NewEvent> Read(JsonDocument document, string tenant)
    {
        var root = JsonAt.Root(document).AsObject();
        var user = root.Get("user").AsId();
        var items = root.Get("events").AsArray(1, Limits.PageEvents);
        var events = new List<NewEvent>(items.Count);
        var ids = new HashSet<Guid>(items.Count);
        foreach (var item in items)
        {
            events.Add(ReadEvent(item, tenant, user));
            if (!ids.Add(events[^1].Id))
            {
                throw item.Get("id").Wrong("appears twice in this request; give every event its own");
            }
        }

        return events;
    }

    private NewEvent ReadEvent(JsonAt item, string tenant, string user)
    {
        item.AsObject();
        var data = item.Get("data").AsObject();
        var envelope = new EventEnvelope
        {
            Id = item.Get("id").AsUuid(),
            Type = item.Get("type").AsId(),
            Tenant = tenant,
            User = user,
            Thread = item.Get("thread").AsId(),
            Run = item.Get("run").AsId(),
            Sequence = item.Get("sequence").AsCount(),
            Time = item.Find("time")?.AsTime(),
            Position = 0,
        };
        try
        {
            return encoder.Encode(envelope, JsonMarshal.GetRawUtf8Value(data.Element).ToArray());
        }
        catch (InvalidEventException exception)
        {
            throw new RejectedRequestException(exception.TooLarge is var (size, limit)
                ? Problem.TooLarge(item.Path, size, limit)
                : Problem.BadRequest($"{item.Path}.{exception.Field}", $"{item.Path}.{exception.Message}"));
        }
    }
}
