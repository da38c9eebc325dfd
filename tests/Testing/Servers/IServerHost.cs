namespace Pipeline.Testing;

/// <summary>What keeps a server running: local binaries, a container, or somebody else.</summary>
internal interface IServerHost : IAsyncDisposable
{
    /// <summary>Starts the server, for the first time or again, and waits until it answers.</summary>
    Task StartAsync();

    /// <summary>Ends the server as a crash would.</summary>
    Task CrashAsync();

    /// <summary>Stops every process of the server in the middle of what it does; connections stay open.</summary>
    Task PauseAsync();

    /// <summary>Goes on after <see cref="PauseAsync"/>.</summary>
    Task ResumeAsync();

    /// <summary>Runs <c>rabbitmqctl</c> against the server and returns what it printed.</summary>
    Task<string> ControlAsync(IReadOnlyList<string> arguments);
}
