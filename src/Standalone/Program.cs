using Pipeline.Agents.Worker;
using Pipeline.Delivery.Api;
using Pipeline.Messaging;
using Pipeline.Persistence;
using Pipeline.Standalone;

return await HostRunner.RunAsync(args, () =>
{
    var builder = WebApplication.CreateBuilder(new WebApplicationOptions
    {
        Args = args,

        // Settings and pages lie beside the program, wherever it is started from; data goes to the current directory.
        ContentRootPath = AppContext.BaseDirectory,
    });
    builder.UseLocalDefaults();
    builder.AddPipelineTelemetry("standalone");
    builder.Services.AddPipelinePersistence("standalone");
    builder.Services.AddPipelineBus("standalone", bus => DeliveryHost.ConfigureBus(bus.HandleRunCommands<RunCommands>()));
    builder.Services.AddAgentWorker();
    builder.AddDelivery(standalone: true);

    var app = builder.Build();
    app.MapDelivery();
    app.AnnounceWhenStarted();
    return app;
});
