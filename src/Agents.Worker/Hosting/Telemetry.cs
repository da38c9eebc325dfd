using Npgsql;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Pipeline.Agents.Worker;

internal static class Telemetry
{
    /// <summary>Sends traces and metrics by OTLP where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set; else nothing.</summary>
    public static void AddWorkerTelemetry(this IHostApplicationBuilder builder)
    {
        if (string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            return;
        }

        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("agents-worker"))
            .WithTracing(tracing => tracing.AddSource("Pipeline.*", "MassTransit").AddNpgsql())
            .WithMetrics(metrics => metrics.AddMeter("Pipeline.*", "MassTransit", "Npgsql").AddRuntimeInstrumentation())
            .UseOtlpExporter();
    }
}
