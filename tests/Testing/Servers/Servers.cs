namespace Pipeline.Testing;

/// <summary>
/// Real servers for tests. Each is, in this order: one given by environment variable, a container where a Docker engine
/// answers, local binaries started on free ports in a temporary folder. Shared by the test process and stopped at its end.
/// </summary>
public static class Servers
{
    private static readonly Lazy<Task<PostgresServer>> Postgres = new(PostgresServer.StartSharedAsync);
    private static readonly Lazy<Task<RabbitServer>> Rabbit = new(RabbitServer.StartSharedAsync);

    /// <summary>The shared PostgreSQL (<c>PIPELINE_TEST_POSTGRES</c>: an administrator's connection string).</summary>
    public static Task<PostgresServer> PostgresAsync() => Postgres.Value;

    /// <summary>
    /// The shared RabbitMQ (<c>PIPELINE_TEST_RABBITMQ</c>: an <c>amqp://user:password@host:port</c> URL of an administrator;
    /// <c>PIPELINE_TEST_RABBITMQ_CONTROL</c>: the command, split at spaces, that runs <c>rabbitmqctl</c> against it).
    /// </summary>
    public static Task<RabbitServer> RabbitAsync() => Rabbit.Value;
}
