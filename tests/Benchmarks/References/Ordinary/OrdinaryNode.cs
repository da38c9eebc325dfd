using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;

namespace Pipeline.Benchmarks;

/// <summary>Asks a node of the ordinary stack for its address.</summary>
internal sealed record TellAddress : Request;

internal sealed record NodeAddress(string Url);

/// <summary>A web server with a SignalR hub, which consumes every event from a queue of its own.</summary>
internal sealed class OrdinaryNode(WebApplication app) : IRole<OrdinaryNode>
{
    public static string Name => "ordinary-node";

    public static async Task<OrdinaryNode> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.KeepOffReplies();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSignalR();
        builder.Services.AddOrdinaryBus(builder.Configuration, bus => bus.AddConsumer<OrdinaryConsumer>().Endpoint(queue =>
        {
            queue.InstanceId = $"-{Environment.ProcessId}";
            queue.Temporary = true;
        }));
        var app = builder.Build();
        app.MapHub<OrdinaryHub>("/events");
        await app.StartAsync();
        return new OrdinaryNode(app);
    }

    public Task<object> HandleAsync(Request request) => Task.FromResult<object>(new NodeAddress(app.Urls.Single()));

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }
}

/// <summary>Where browsers connect to.</summary>
internal sealed class OrdinaryHub : Hub
{
    /// <summary>From its return on, the connection gets the user's events.</summary>
    public Task Join(string user) => Groups.AddToGroupAsync(Context.ConnectionId, user);
}

/// <summary>Sends each event to the connections of its user.</summary>
internal sealed class OrdinaryConsumer(IHubContext<OrdinaryHub> hub) : IConsumer<OrdinaryEvent>
{
    public Task Consume(ConsumeContext<OrdinaryEvent> context) =>
        hub.Clients.Group(context.Message.User).SendAsync("event", context.Message, context.CancellationToken);
}
