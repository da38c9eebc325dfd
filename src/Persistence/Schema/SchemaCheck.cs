using Microsoft.EntityFrameworkCore;

namespace Pipeline.Persistence;

/// <summary>
/// Compares the schema with what this build needs. N and N + 1 run together: migrations add, and a newer schema is
/// compatible unless one of its migrations is named <c>…Breaking</c>.
/// </summary>
public sealed class SchemaCheck(PipelineDatabase database)
{
    private const string Breaking = "Breaking";

    /// <summary>Reads the schema; throws <see cref="System.Data.Common.DbException"/> when it can't.</summary>
    public async Task<SchemaState> ReadAsync(CancellationToken cancellationToken)
    {
        await using var context = database.CreateContext();
        var known = context.Database.GetMigrations().ToHashSet();
        return Compare(known, [.. await context.Database.GetAppliedMigrationsAsync(cancellationToken)]);
    }

    internal static SchemaState Compare(HashSet<string> known, HashSet<string> applied) =>
        applied.Except(known).Any(id => id.EndsWith(Breaking, StringComparison.Ordinal)) ? SchemaState.Incompatible
        : known.IsSubsetOf(applied) ? SchemaState.Compatible
        : SchemaState.Absent;
}

/// <summary>What this build can do with the schema it found.</summary>
public enum SchemaState
{
    /// <summary>There is none, or one older than this build: <c>migrate</c> has not run yet.</summary>
    Absent,

    /// <summary>This build works with it.</summary>
    Compatible,

    /// <summary>It was changed in a way that this build does not know: the host must stop.</summary>
    Incompatible,
}
