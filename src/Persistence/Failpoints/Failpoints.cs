using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Pipeline.Persistence;

/// <summary>
/// Named places where tests make this process die or stop. Off unless the configuration names one:
/// <c>Failpoints:NAME = kill | stop | throw</c>, with <c>@N</c> behind it for the N-th time it is reached.
/// </summary>
public sealed partial class Failpoints
{
    /// <summary>An append has its locks and its places, its transaction is still open.</summary>
    public const string InTransaction = "in-transaction";

    /// <summary>The transaction is committed, nothing was handed over.</summary>
    public const string AfterCommitBeforePublish = "after-commit-before-publish";

    /// <summary>A page was published, the broker's confirm is not in.</summary>
    public const string BeforeConfirm = "before-confirm";

    /// <summary>The broker confirmed, the outbox rows are still there.</summary>
    public const string AfterConfirmBeforeDelete = "after-confirm-before-delete";

    /// <summary>A run was claimed, nothing of it was executed.</summary>
    public const string AfterClaim = "after-claim";

    /// <summary>A run's terminal event is about to be appended.</summary>
    public const string BeforeEnding = "before-ending";

    /// <summary>Every name.</summary>
    public static IReadOnlyList<string> All { get; } =
        [InTransaction, AfterCommitBeforePublish, BeforeConfirm, AfterConfirmBeforeDelete, AfterClaim, BeforeEnding];

    private const string Section = "Failpoints";

    private readonly Dictionary<string, Armed> _armed = new(StringComparer.Ordinal);
    private readonly ILogger<Failpoints> _logger;

    /// <exception cref="ArgumentException">The configuration names no failpoint or no action.</exception>
    public Failpoints(IConfiguration configuration, ILogger<Failpoints> logger)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        _logger = logger;
        if (Errors(configuration) is [var error, ..])
        {
            throw new ArgumentException(error);
        }

        foreach (var setting in configuration.GetSection(Section).GetChildren())
        {
            _armed[setting.Key] = Armed.Parse(setting.Value)!;
            LogArmed(setting.Key, setting.Value);
        }
    }

    /// <summary>What is wrong with the section and what to do, one entry a setting; empty when nothing is.</summary>
    public static IReadOnlyList<string> Errors(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return [.. configuration.GetSection(Section).GetChildren().Select(Wrong).OfType<string>()];
    }

    /// <summary>Does what the configuration says for this place; as a rule, nothing.</summary>
    public void Hit(string name)
    {
        if (_armed.Count == 0 || !_armed.TryGetValue(name, out var armed) || !armed.IsDue())
        {
            return;
        }

        LogHit(name, armed.Action);
        Console.Error.Flush();
        switch (armed.Action)
        {
            case "kill":
                Signal("KILL");
                break;
            case "stop":
                Signal("STOP");
                break;
            default:
                throw new FailpointException(name);
        }
    }

    private static string? Wrong(IConfigurationSection setting) =>
        !All.Contains(setting.Key) ? $"Failpoints:{setting.Key} is unknown; one of {string.Join(", ", All)}"
        : Armed.Parse(setting.Value) is null ? $"Failpoints:{setting.Key} is '{setting.Value}'; use kill, stop or throw, and @N for the N-th time"
        : null;

    private static void Signal(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{Environment.ProcessId}"]);
        kill.WaitForExit();
    }

    [LoggerMessage(1900, LogLevel.Warning, "Failpoint {Name} is armed: {Action}. This is for tests only.")]
    private partial void LogArmed(string name, string? action);

    [LoggerMessage(1901, LogLevel.Warning, "Failpoint {Name} hit: {Action}")]
    private partial void LogHit(string name, string action);

    private sealed record Armed(string Action, int On)
    {
        private int _hits;

        public static Armed? Parse(string? value)
        {
            var parts = (value ?? "").Split('@', 2);
            var on = 1;
            return parts[0] is "kill" or "stop" or "throw"
                && (parts.Length == 1 || (int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out on) && on > 0))
                ? new Armed(parts[0], on)
                : null;
        }

        public bool IsDue() => Interlocked.Increment(ref _hits) == On;
    }
}

/// <summary>Thrown by an armed failpoint.</summary>
public sealed class FailpointException(string name) : Exception($"Failpoint {name}");
