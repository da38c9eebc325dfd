using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Pipeline.Benchmarks;

/// <summary>
/// Saves each event in a transaction of its own, then publishes it as a message of its own and awaits the broker's confirm. A crash
/// in between loses the event. MassTransit's EF outbox, which is not to be had from the package source, would prevent that by
/// writing each message into the database and reading it back: going without it is faster, which favours the ordinary stack.
/// </summary>
internal sealed class OrdinaryProducer : IRole<OrdinaryProducer>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly IHost _host;
    private readonly Appender _appender;

    private OrdinaryProducer(IHost host) => (_host, _appender) = (host, new Appender(SaveAndPublishAsync));

    public static string Name => "ordinary-producer";

    public static async Task<OrdinaryProducer> StartAsync()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.KeepOffReplies();

        // 2,000 writers share the pool: the last of them waits for long on a slow machine.
        var connectionString = new NpgsqlConnectionStringBuilder(builder.Configuration["Persistence:ConnectionString"])
        {
            Timeout = (int)Patience.TotalSeconds,
        }.ConnectionString;
        builder.Services.AddDbContextPool<OrdinaryDatabase>(options => options.UseNpgsql(connectionString));
        builder.Services.AddOrdinaryBus(builder.Configuration);
        var host = builder.Build();
        await using (var scope = host.Services.CreateAsyncScope())
        {
            // Not EnsureCreated: it leaves a database alone that has tables, and this one has the pipeline's.
            await scope.ServiceProvider.GetRequiredService<OrdinaryDatabase>()
                .GetService<IRelationalDatabaseCreator>().CreateTablesAsync();
        }

        await host.StartAsync();
        return new OrdinaryProducer(host);
    }

    public async Task<object> HandleAsync(Request request) => await _appender.RunAsync((AppendLoad)request);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }

    private async Task SaveAndPublishAsync(AppendUnit unit)
    {
        using var patience = new CancellationTokenSource(Patience);
        for (var i = 0; i < unit.Events; i++)
        {
            var saved = new OrdinaryEvent(
                Guid.CreateVersion7(), unit.User, unit.FirstSequence + i, unit.Text, TimeProvider.System.GetUtcNow());

            // A scope for each, as a web request has one.
            await using var scope = _host.Services.CreateAsyncScope();
            var database = scope.ServiceProvider.GetRequiredService<OrdinaryDatabase>();
            database.Events.Add(saved);
            await database.SaveChangesAsync(patience.Token);
            await scope.ServiceProvider.GetRequiredService<IPublishEndpoint>().Publish(saved, patience.Token);
        }
    }
}
