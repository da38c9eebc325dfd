using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Pipeline.Messaging;

namespace Pipeline.Delivery.Api;

/// <summary>The delivery node as a part: the host of its own, and Standalone, are made of it.</summary>
public static class DeliveryHost
{
    // Covers the longest DrainDelay and the longest DrainTime, which follow each other.
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(60);

    // Everybody may come back at once: a connection that finds no place here tries again after a second, then three. The kernel has
    // a limit of its own (net.core.somaxconn).
    private const int Backlog = 4_096;

    /// <summary>
    /// Adds the HTTP, WebSocket and SSE edge. Persistence and the bus are the host's to add, before it: what is added
    /// first is stopped last.
    /// </summary>
    /// <param name="standalone">Allows conveniences of Development in any environment.</param>
    public static WebApplicationBuilder AddDelivery(this WebApplicationBuilder builder, bool standalone = false)
    {
        var development = builder.Environment.IsDevelopment();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.WebHost.UseSockets(sockets => sockets.Backlog = Backlog);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddDeliveryAuth(new DeveloperMode(development || standalone, development));
        builder.Services.AddOptions<DeliveryOptions>().BindConfiguration(DeliveryOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<DeliveryOptions>, DeliveryOptionsValidator>();
        builder.Services.AddSingleton<IConfigureOptions<CorsOptions>, CorsSetup>();
        builder.Services.AddCors();
        builder.Services.AddStaticPages();
        builder.Services.AddApiDescription();
        builder.Services.AddSingleton<AppendRequest>();
        builder.Services.AddNodeHealth();
        builder.Services.AddFeeds();
        builder.Services.AddCanary();
        builder.Services.PostConfigure<HostOptions>(host =>
        {
            host.ShutdownTimeout = TimeSpan.FromTicks(Math.Max(host.ShutdownTimeout.Ticks, ShutdownTimeout.Ticks));

            // A fault of one background service must not take the connections of all users with it.
            host.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.Ignore;
        });
        return builder;
    }

    /// <summary>What the node takes from the bus.</summary>
    public static void ConfigureBus(PipelineBusBuilder bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.SubscribePages<FeedHub>();
    }

    // HEAD is GET without the body, which the server leaves out; a stream of events would never end.
    private static Task AnswerHead(HttpContext context, RequestDelegate next)
    {
        if (HttpMethods.IsHead(context.Request.Method) && !EventsEndpoint.IsAt(context.Request.Path))
        {
            context.Request.Method = HttpMethods.Get;
        }

        return next(context);
    }

    /// <summary>Maps everything the node serves.</summary>
    public static WebApplication MapDelivery(this WebApplication app)
    {
        app.UseMiddleware<OpenedSockets>();
        app.UseMiddleware<ProblemMiddleware>();
        app.Use(AnswerHead);
        app.UseStaticPages();
        app.UseRouting();
        app.UseCors();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapOpenApi();
        app.MapHealth();
        app.MapDevToken();
        app.MapRuns();
        app.MapAppend();
        app.MapEvents();
        return app;
    }
}

/// <summary>Lets pages of the allowed origins use the API. Tokens travel in headers, so no cookies are involved.</summary>
internal sealed class CorsSetup(IOptions<DeliveryOptions> options) : IConfigureOptions<CorsOptions>
{
    public void Configure(CorsOptions cors) => cors.AddDefaultPolicy(policy =>
    {
        policy.AllowAnyHeader().WithMethods("GET", "POST").WithExposedHeaders("Location", "Retry-After", "WWW-Authenticate");
        policy.SetPreflightMaxAge(TimeSpan.FromHours(1));
        if (options.Value.AllowedOrigins.Contains("*"))
        {
            policy.AllowAnyOrigin();
        }
        else
        {
            policy.WithOrigins([.. options.Value.AllowedOrigins]);
        }
    });
}
