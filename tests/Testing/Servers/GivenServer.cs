namespace Pipeline.Testing;

/// <summary>A server named by an environment variable: it is used, never started or stopped.</summary>
internal sealed class GivenServer(string variable, string? controlCommand = null) : IServerHost
{
    public Task StartAsync() => throw NotOurs();

    public Task CrashAsync() => throw NotOurs();

    public Task PauseAsync() => throw NotOurs();

    public Task ResumeAsync() => throw NotOurs();

    public Task<string> ControlAsync(IReadOnlyList<string> arguments)
    {
        if (string.IsNullOrWhiteSpace(controlCommand))
        {
            throw new InvalidOperationException(
                $"{variable} names a server but {variable}_CONTROL is empty; set it to the command that runs rabbitmqctl there, such as 'docker exec NAME rabbitmqctl'");
        }

        var command = controlCommand.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return Command.RunAsync(command[0], [.. command[1..], .. arguments]);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private InvalidOperationException NotOurs() =>
        new($"the server of {variable} is not the test's to start or stop; a test that does starts a private one");
}
