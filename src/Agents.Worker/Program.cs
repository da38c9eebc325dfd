using Pipeline.Agents.Worker;
using Pipeline.Messaging;
using Pipeline.Persistence;

return await HostRunner.RunAsync(args, () =>
{
    var builder = WebApplication.CreateBuilder(new WebApplicationOptions
    {
        Args = args,

        // Settings lie beside the program, wherever it is started from.
        ContentRootPath = AppContext.BaseDirectory,
    });
    builder.UseDefaultHealthUrl();
    builder.AddWorkerTelemetry();
    builder.Services.AddPipelinePersistence("agents-worker");
    builder.Services.AddPipelineBus("agents-worker", bus => bus.HandleRunCommands<RunCommands>());
    builder.Services.AddAgentWorker();

    var app = builder.Build();
    app.MapWorkerHealth();
    return app;
});
