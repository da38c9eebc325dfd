using System.Text.Json.Serialization;

namespace Pipeline.Client;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Frame))]
[JsonSerializable(typeof(WireEvent))]
[JsonSerializable(typeof(ClientFrame))]
[JsonSerializable(typeof(StartRunBody))]
[JsonSerializable(typeof(RunAccepted))]
[JsonSerializable(typeof(RunState))]
[JsonSerializable(typeof(ProblemBody))]
internal sealed partial class ClientJson : JsonSerializerContext;
