using Testcontainers.RabbitMq;

namespace Pipeline.Testing;

/// <summary>A RabbitMQ node. A test that stops it starts a private one.</summary>
public sealed class RabbitServer : IAsyncDisposable
{
    private const string Variable = "PIPELINE_TEST_RABBITMQ";

    private readonly IServerHost server;

    private RabbitServer(IServerHost server, string host, int port, string username, string password)
    {
        this.server = server;
        Host = host;
        Port = port;
        Username = username;
        Password = password;
    }

    public string Host { get; }
    public int Port { get; }
    public string Username { get; }
    public string Password { get; }

    /// <summary>Starts a private node: a container where a Docker engine answers, else local binaries.</summary>
    public static async Task<RabbitServer> StartPrivateAsync() =>
        ContainerServer.EngineAnswers ? await StartContainerAsync() : await StartLocalAsync();

    /// <summary>Creates a virtual host of its own and returns its name.</summary>
    public async Task<string> CreateVirtualHostAsync()
    {
        var name = $"pipeline-{Guid.CreateVersion7():N}";
        await ControlAsync("add_vhost", name);
        await ControlAsync("set_permissions", "-p", name, Username, ".*", ".*", ".*");
        return name;
    }

    /// <summary>Runs <c>rabbitmqctl</c> against the node and returns what it printed.</summary>
    public Task<string> ControlAsync(params string[] arguments) => server.ControlAsync(arguments);

    /// <summary>Kills a private node.</summary>
    public Task StopAsync() => server.CrashAsync();

    /// <summary>Stops a private node in the middle of what it does; its connections stay open.</summary>
    public Task PauseAsync() => server.PauseAsync();

    /// <summary>Goes on after <see cref="PauseAsync"/>.</summary>
    public Task ResumeAsync() => server.ResumeAsync();

    /// <summary>Starts a private node from local binaries in a folder of the caller's.</summary>
    public static async Task<RabbitServer> StartInAsync(string folder) => Of(await LocalServer.StartNewAsync(folder, "rabbitmq", []));

    /// <summary>Starts a stopped private node again on the same port and data, and waits until it listens.</summary>
    public Task StartAsync() => server.StartAsync();

    public ValueTask DisposeAsync() => server.DisposeAsync();

    internal static async Task<RabbitServer> StartSharedAsync()
    {
        var given = Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(given))
        {
            return await StartPrivateAsync();
        }

        if (!Uri.TryCreate(given, UriKind.Absolute, out var url) || url.UserInfo.Split(':') is not [var username, var password])
        {
            throw new InvalidOperationException($"{Variable} is '{given}' but must be amqp://user:password@host:port");
        }

        var control = Environment.GetEnvironmentVariable($"{Variable}_CONTROL");
        return new RabbitServer(
            new GivenServer(Variable, control),
            url.Host,
            url.Port > 0 ? url.Port : 5672,
            Uri.UnescapeDataString(username),
            Uri.UnescapeDataString(password));
    }

    private static async Task<RabbitServer> StartLocalAsync() => Of(await LocalServer.StartNewAsync("rabbitmq"));

    private static RabbitServer Of(LocalServer node) => new(node, node.Host, node.Port, node.Username, node.Password);

    private static async Task<RabbitServer> StartContainerAsync()
    {
        const string Name = "pipeline";
        var port = FreePort.Find();
        var container = new RabbitMqBuilder("rabbitmq:4")
            .WithUsername(Name).WithPassword(Name)
            .WithPortBinding(port, RabbitMqBuilder.RabbitMqPort)
            .WithCreateParameterModifier(parameters => parameters.StopSignal = ContainerServer.CrashSignal)
            .Build();
        await container.StartAsync();
        return new RabbitServer(new ContainerServer(container), container.Hostname, port, Name, Name);
    }
}
