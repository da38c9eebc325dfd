using Microsoft.Playwright;
using Pipeline.Testing;

namespace Pipeline.Browser.Tests;

/// <summary>A browser that shares nothing with others, behind a network of its own.</summary>
public sealed class Device : IAsyncDisposable
{
    public Device(IBrowserContext context, Uri service)
    {
        Context = context;
        Traffic = new Traffic();
        Network = new FaultProxy(service.Host, service.Port, () => Traffic.MayPass);
    }

    public IBrowserContext Context { get; }

    public FaultProxy Network { get; }

    public Traffic Traffic { get; }

    /// <summary>A tab on a plain document of the service, which the library runs in without a page of ours.</summary>
    public Task<Tab> OpenTabAsync() => Tab.OpenAsync(Context, new Uri(Network.Url, "/client/index.js"));

    /// <summary>No network, and the browser knows.</summary>
    public async Task GoOfflineAsync()
    {
        Network.Cut();
        await Context.SetOfflineAsync(true);
    }

    public async Task ComeBackAsync()
    {
        Network.Heal();
        await Context.SetOfflineAsync(false);
    }

    public async ValueTask DisposeAsync()
    {
        await Context.DisposeAsync();
        await Network.DisposeAsync();
    }
}
