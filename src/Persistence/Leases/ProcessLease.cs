using Microsoft.Extensions.Hosting;

namespace Pipeline.Persistence;

/// <summary>Keeps this process's lease by beating in the <c>process</c> table, and watches the leases of the others.</summary>
public sealed class ProcessLease : BackgroundService
{
    /// <summary>Processes whose lease has expired by this process's own observation.</summary>
    public IReadOnlyCollection<Guid> Expired => throw new NotImplementedException();

    /// <summary>Processes in the table, this one included, as last read.</summary>
    public IReadOnlyCollection<Guid> Known => throw new NotImplementedException();

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => throw new NotImplementedException();
}
