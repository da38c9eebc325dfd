using System.Globalization;
using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Pipeline.Contracts;

// A service of someone else's: it knows Contracts and MassTransit as they come, and nothing of the pipeline.
// One JSON line a message on stdout, {"type":"ready"} first. The broker is given by STOCK_HOST, STOCK_PORT, STOCK_VHOST,
// STOCK_USER and STOCK_PASSWORD.
var builder = Host.CreateApplicationBuilder(args);
builder.Logging.ClearProviders();
builder.Services.Configure<MassTransitHostOptions>(options => options.WaitUntilStarted = true);
builder.Services.AddMassTransit(bus =>
{
    bus.DisableUsageTelemetry();
    bus.AddConsumer<Pages>();
    bus.AddConsumer<Completions>();
    bus.UsingRabbitMq((context, rabbit) =>
    {
        rabbit.Host(
            Setting("HOST"), ushort.Parse(Setting("PORT"), CultureInfo.InvariantCulture), Setting("VHOST"),
            host =>
            {
                host.Username(Setting("USER"));
                host.Password(Setting("PASSWORD"));
            });
        rabbit.ConfigureEndpoints(context);
    });
});
using var app = builder.Build();
await app.StartAsync();
Line.Write(new { type = "ready" });
await app.WaitForShutdownAsync();

static string Setting(string name) =>
    Environment.GetEnvironmentVariable($"STOCK_{name}") is { Length: > 0 } value
        ? value
        : throw new InvalidOperationException($"STOCK_{name} is not set");

internal sealed class Pages : IConsumer<AgentEventPage>
{
    public Task Consume(ConsumeContext<AgentEventPage> context)
    {
        Line.Write(new { type = "page", page = context.Message });
        return Task.CompletedTask;
    }
}

internal sealed class Completions : IConsumer<AgentCompleted>
{
    public Task Consume(ConsumeContext<AgentCompleted> context)
    {
        Line.Write(new { type = "completed", @event = context.Message });
        return Task.CompletedTask;
    }
}

internal static class Line
{
    private static readonly Lock Writing = new();

    public static void Write(object line)
    {
        var text = JsonSerializer.Serialize(line, JsonSerializerOptions.Web);
        lock (Writing)
        {
            Console.Out.WriteLine(text);
            Console.Out.Flush();
        }
    }
}
