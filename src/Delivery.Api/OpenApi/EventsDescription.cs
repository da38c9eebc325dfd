using System.Globalization;
using Microsoft.OpenApi;

namespace Pipeline.Delivery.Api;

/// <summary>
/// Describes <c>GET /v1/events</c>: one resource with three transports is more than an endpoint can say of itself.
/// </summary>
internal static class EventsDescription
{
    private const string Transports =
        """
        One resource, one cursor, three transports; PROTOCOL.md is normative.

        - `Accept: application/json` (the default): one page; with `wait` a long-poll.
        - `Accept: text/event-stream`: server-sent events; each event is a message whose id is its cursor.
        - WebSocket upgrade (also at `/ws`), subprotocol `agent-events.v1`: JSON text frames. A browser gives its token
          as the second subprotocol `bearer.TOKEN`.
        """;

    public static void AddTo(OpenApiDocument document, OpenApiSecurityRequirement bearer)
    {
        Add(document, "/v1/events", new OpenApiOperation
        {
            OperationId = "readEvents",
            Summary = "The user's events: replay, live and long-poll",
            Description = Transports,
            Parameters = [Query("after", After), Query("client", Client), Number("limit", Limit, 1, 1_000), Number("wait", Wait, 0, 25), LastEventId()],
            Responses = Responses(stream: true),
            Security = [bearer],
        });
        Add(document, "/v1/threads/{thread}/events", new OpenApiOperation
        {
            OperationId = "readThreadEvents",
            Summary = "One thread's part of the user's events",
            Parameters = [Thread(), Query("after", ThreadAfter), Number("limit", Limit, 1, 1_000), LastEventId()],
            Responses = Responses(stream: false),
            Security = [bearer],
        });
    }

    private const string After = "Cursor (`EPOCH_POSITION`) to go on after; `0` from the oldest kept event; none: from now on.";
    private const string ThreadAfter = "Cursor (`EPOCH_POSITION`) to go on after; none, or `0`: from the oldest kept event.";
    private const string Client = "Id of a client: goes on after its last ack where `after` is not given.";
    private const string Limit = "Most events of the answer, 1 to 1,000; default 1,000.";
    private const string Wait = "Seconds to wait for an event, 0 to 25.";

    private static void Add(OpenApiDocument document, string path, OpenApiOperation operation)
    {
        operation.Tags = new HashSet<OpenApiTagReference> { new("events", document) };
        document.Tags ??= new HashSet<OpenApiTag>();
        document.Tags.Add(new OpenApiTag { Name = "events" });
        if (document.Paths.TryGetValue(path, out var item) && item is OpenApiPathItem existing)
        {
            existing.Operations ??= [];
            existing.Operations[HttpMethod.Get] = operation;
            return;
        }

        document.Paths.Add(path, new OpenApiPathItem { Operations = new() { [HttpMethod.Get] = operation } });
    }

    private static OpenApiResponses Responses(bool stream)
    {
        var content = new Dictionary<string, OpenApiMediaType>
        {
            ["application/json"] = new OpenApiMediaType { Schema = PageSchema() },
        };
        if (stream)
        {
            content["text/event-stream"] = new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.String } };
        }

        var responses = new OpenApiResponses
        {
            ["200"] = new OpenApiResponse { Description = "Events after the cursor, oldest first.", Content = content },
            ["400"] = ProblemOf("A parameter is wrong; the problem names it."),
            ["401"] = ProblemOf("No token, or a bad one."),
            ["503"] = ProblemOf("This node has as many connections as it takes, or cannot judge tokens yet; `Retry-After` says when to try again."),
        };
        if (stream)
        {
            responses["403"] = ProblemOf("A page of this Origin may not open WebSockets.");
            responses["426"] = ProblemOf("An upgrade that is no WebSocket handshake.");
            responses["101"] = new OpenApiResponse { Description = "WebSocket; the first frame is `ready`." };
        }

        return responses;
    }

    private static OpenApiResponse ProblemOf(string description) => new()
    {
        Description = description,
        Content = new Dictionary<string, OpenApiMediaType>
        {
            ["application/problem+json"] = new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.Object } },
        },
    };

    private static OpenApiSchema PageSchema() => new()
    {
        Type = JsonSchemaType.Object,
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["events"] = new OpenApiSchema { Type = JsonSchemaType.Array, Items = EventSchema() },
            ["after"] = Text("The cursor that was gone on from; null while that is not known.", nullable: true),
            ["cursor"] = Text("Give it as `after` next time.", nullable: true),
            ["head"] = Text("Cursor of the newest event; null while the log cannot be read.", nullable: true),
            ["resume"] = Text("`live`, `replaying` or `reset`."),
            ["reason"] = Text("Why `reset`: `expired`, `future` or `epoch`."),
            ["degraded"] = new OpenApiSchema { Type = JsonSchemaType.Array, Items = Text("`bus` or `log`.") },
        },
    };

    private static OpenApiSchema EventSchema() => new()
    {
        Type = JsonSchemaType.Object,
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["cursor"] = Text("Where the event stands in the user's stream."),
            ["id"] = new OpenApiSchema { Type = JsonSchemaType.String, Format = "uuid" },
            ["type"] = Text("For example `tool_completed`; unknown types pass through."),
            ["time"] = new OpenApiSchema { Type = JsonSchemaType.String, Format = "date-time" },
            ["thread"] = Text("The conversation."),
            ["run"] = Text("The run."),
            ["sequence"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int64", Description = "Place in the run, from 1." },
            ["data"] = new OpenApiSchema { Type = JsonSchemaType.Object, Description = "What the type holds." },
        },
    };

    private static OpenApiSchema Text(string description, bool nullable = false) => new()
    {
        Type = nullable ? JsonSchemaType.String | JsonSchemaType.Null : JsonSchemaType.String,
        Description = description,
    };

    private static OpenApiParameter Query(string name, string description) =>
        Parameter(name, ParameterLocation.Query, description);

    private static OpenApiParameter Number(string name, string description, int least, int most)
    {
        var parameter = Query(name, description);
        parameter.Schema = new OpenApiSchema
        {
            Type = JsonSchemaType.Integer,
            Format = "int32",
            Minimum = least.ToString(CultureInfo.InvariantCulture),
            Maximum = most.ToString(CultureInfo.InvariantCulture),
        };
        return parameter;
    }

    private static OpenApiParameter LastEventId() =>
        Parameter("Last-Event-ID", ParameterLocation.Header, "As `after`, and wins over it; EventSource sends it.");

    private static OpenApiParameter Thread()
    {
        var parameter = Parameter("thread", ParameterLocation.Path, "The conversation.");
        parameter.Required = true;
        return parameter;
    }

    private static OpenApiParameter Parameter(string name, ParameterLocation location, string description) => new()
    {
        Name = name,
        In = location,
        Description = description,
        Schema = new OpenApiSchema { Type = JsonSchemaType.String },
    };
}
