namespace Pipeline.Testing;

/// <summary>
/// Real servers for tests. Each is, in this order: one given by environment variable, a container where a Docker engine
/// answers, local binaries started on free ports in a temporary folder. Shared by the test process and stopped at its end.
/// </summary>
public static class Servers
{
    /// <summary>The shared PostgreSQL (<c>PIPELINE_TEST_POSTGRES</c>: an administrator's connection string).</summary>
    public static Task<PostgresServer> PostgresAsync() => throw new NotImplementedException();

    /// <summary>The shared RabbitMQ (<c>PIPELINE_TEST_RABBITMQ</c>: an <c>amqp://user:password@host:port</c> URL of an administrator).</summary>
    public static Task<RabbitServer> RabbitAsync() => throw new NotImplementedException();
}

/// <summary>A PostgreSQL server. A test that stops it starts a private one.</summary>
public sealed class PostgresServer : IAsyncDisposable
{
    /// <summary>Starts a private server from local binaries.</summary>
    public static Task<PostgresServer> StartPrivateAsync() => throw new NotImplementedException();

    /// <summary>Creates an empty database and returns its connection string.</summary>
    public Task<string> CreateDatabaseAsync() => throw new NotImplementedException();

    /// <summary>Stops a private server at once, as a crash would (<c>pg_ctl stop -m immediate</c>).</summary>
    public Task StopAsync() => throw new NotImplementedException();

    /// <summary>Starts a stopped private server again on the same port and data.</summary>
    public Task StartAsync() => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}

/// <summary>A RabbitMQ node. A test that stops it starts a private one.</summary>
public sealed class RabbitServer : IAsyncDisposable
{
    public string Host => throw new NotImplementedException();
    public int Port => throw new NotImplementedException();
    public string Username => throw new NotImplementedException();
    public string Password => throw new NotImplementedException();

    /// <summary>Starts a private node from local binaries.</summary>
    public static Task<RabbitServer> StartPrivateAsync() => throw new NotImplementedException();

    /// <summary>Creates a virtual host of its own and returns its name.</summary>
    public Task<string> CreateVirtualHostAsync() => throw new NotImplementedException();

    /// <summary>Runs <c>rabbitmqctl</c> against the node and returns what it printed.</summary>
    public Task<string> ControlAsync(params string[] arguments) => throw new NotImplementedException();

    /// <summary>Kills a private node.</summary>
    public Task StopAsync() => throw new NotImplementedException();

    /// <summary>Starts a stopped private node again on the same port and data, and waits until it listens.</summary>
    public Task StartAsync() => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
