using System.Net.Mime;

namespace Pipeline.Agents.Worker;

internal static class WorkerHealth
{
    /// <summary>
    /// Live: the process answers. Ready: started and not stopping. No dependency changes either: a worker whose
    /// database is away is not helped by a restart.
    /// </summary>
    public static void MapWorkerHealth(this IEndpointRouteBuilder endpoints)
    {
        var scheduler = endpoints.ServiceProvider.GetRequiredService<RunScheduler>();
        var slots = endpoints.ServiceProvider.GetRequiredService<RunSlots>();
        endpoints.MapGet("/health/live", () => Results.Text("live\n", MediaTypeNames.Text.Plain));
        endpoints.MapGet("/health/ready", () => scheduler.IsReady
            ? Results.Text($"ready, {slots.Held.Count} runs, room for {slots.Free}\n", MediaTypeNames.Text.Plain)
            : Results.Text("stopping\n", MediaTypeNames.Text.Plain, statusCode: StatusCodes.Status503ServiceUnavailable));
    }
}
