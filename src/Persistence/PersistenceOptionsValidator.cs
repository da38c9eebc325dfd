using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Pipeline.Persistence;

/// <summary>Checks section <c>Persistence</c> and names every mistake at once.</summary>
internal sealed class PersistenceOptionsValidator : IValidateOptions<PersistenceOptions>
{
    public ValidateOptionsResult Validate(string? name, PersistenceOptions options)
    {
        var errors = new List<string>();
        CheckProvider(options, errors);
        Between(nameof(options.CommandTimeout), options.CommandTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(300), errors);
        Between(nameof(options.LockTimeout), options.LockTimeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromSeconds(60), errors);
        Between(nameof(options.ProcessLease), options.ProcessLease, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60), errors);
        if (options.LockTimeout >= options.CommandTimeout && options.LockTimeout <= TimeSpan.FromSeconds(60))
        {
            errors.Add(Say(
                nameof(options.LockTimeout), options.LockTimeout,
                $"use less than CommandTimeout ('{options.CommandTimeout}'), which would end the wait first"));
        }

        if (options.MaxEventBytes is < 1024 or > 4 * 1024 * 1024)
        {
            errors.Add(Say(nameof(options.MaxEventBytes), options.MaxEventBytes, "use 1024 to 4194304 bytes"));
        }

        if (options.HandoverBytes < options.MaxEventBytes)
        {
            errors.Add(Say(nameof(options.HandoverBytes), options.HandoverBytes, "use at least MaxEventBytes, as a rule 67108864"));
        }

        if (options.Retention is { } retention && retention < TimeSpan.FromMinutes(1))
        {
            errors.Add(Say(nameof(options.Retention), retention, "use one minute or more, or leave it out to keep everything"));
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private static void CheckProvider(PersistenceOptions options, List<string> errors)
    {
        if (options.Provider is not ("postgres" or "sqlite"))
        {
            errors.Add(Say(nameof(options.Provider), options.Provider, "use postgres or sqlite"));
            return;
        }

        if (string.IsNullOrWhiteSpace(options.ConnectionString))
        {
            var example = options.IsSqlite ? "Data Source=pipeline.db" : "Host=localhost;Database=pipeline;Username=pipeline;Password=…";
            errors.Add(Say(nameof(options.ConnectionString), "", $"set it, for example to '{example}'"));
            return;
        }

        try
        {
            CheckConnectionString(options, errors);
        }
        catch (ArgumentException problem)
        {
            // The value is left out on purpose: it may hold a password.
            errors.Add($"{PersistenceOptions.Section}:ConnectionString is not understood by {options.Provider}: {problem.Message}");
        }
    }

    private static void CheckConnectionString(PersistenceOptions options, List<string> errors)
    {
        DbConnectionStringBuilder builder = options.IsSqlite
            ? new SqliteConnectionStringBuilder(options.ConnectionString)
            : new NpgsqlConnectionStringBuilder(options.ConnectionString);
        switch (builder)
        {
            case NpgsqlConnectionStringBuilder { Host: null or "" }:
                errors.Add($"{PersistenceOptions.Section}:ConnectionString names no Host; add Host=…");
                break;
            case NpgsqlConnectionStringBuilder { Multiplexing: true }:
                errors.Add($"{PersistenceOptions.Section}:ConnectionString has Multiplexing=true; leave it out, appends need transactions");
                break;
            case SqliteConnectionStringBuilder { DataSource: "" or ":memory:" } or SqliteConnectionStringBuilder { Mode: SqliteOpenMode.Memory }:
                errors.Add($"{PersistenceOptions.Section}:ConnectionString names no file; use Data Source=FILE, memory is not shared by connections");
                break;
        }
    }

    private static void Between(string setting, TimeSpan value, TimeSpan least, TimeSpan most, List<string> errors)
    {
        if (value < least || value > most)
        {
            errors.Add(Say(setting, value, $"use {least:c} to {most:c}"));
        }
    }

    private static string Say(string setting, object value, string remedy) =>
        $"{PersistenceOptions.Section}:{setting} is '{value}'; {remedy}";
}
