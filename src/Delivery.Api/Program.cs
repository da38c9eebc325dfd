using Pipeline.Delivery.Api;
using Pipeline.Messaging;
using Pipeline.Persistence;

return await HostRunner.RunAsync(args, () =>
{
    var builder = WebApplication.CreateBuilder(new WebApplicationOptions
    {
        Args = args,

        // Settings and pages lie beside the program, wherever it is started from.
        ContentRootPath = AppContext.BaseDirectory,
    });
    builder.AddPipelineTelemetry("delivery-api");
    builder.Services.AddPipelinePersistence("delivery-api");
    builder.Services.AddPipelineBus("delivery-api", DeliveryHost.ConfigureBus);
    builder.AddDelivery();

    var app = builder.Build();
    app.MapDelivery();
    return app;
});
