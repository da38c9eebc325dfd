using Pipeline.Agents.Worker;
using Pipeline.Messaging;
using Pipeline.Persistence;

var builder = WebApplication.CreateBuilder(args);
builder.UseDefaultHealthUrl();
builder.AddWorkerTelemetry();
builder.Services.AddPipelinePersistence("agents-worker");
builder.Services.AddPipelineBus("agents-worker", bus => bus.HandleRunCommands<RunCommands>());
builder.Services.AddAgentWorker();

await using var app = builder.Build();
app.MapWorkerHealth();
await app.RunAsync();
