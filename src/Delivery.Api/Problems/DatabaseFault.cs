using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace Pipeline.Delivery.Api;

/// <summary>Tells a database that is away, or not ready, from one that answered and found fault with a statement of ours.</summary>
internal static class DatabaseFault
{
    /// <summary>Whether the same request may succeed later.</summary>
    public static bool IsAway(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            switch (exception)
            {
                case TimeoutException:
                    return true;
                case SqliteException sqlite:
                    return !IsOurs(sqlite);
                case DbException database:
                    return database.IsTransient || database.SqlState is not { } state || !IsOurs(state);
            }
        }

        return false;
    }

    // Constraint, mismatch, misuse, range; a missing table says so by the generic error, and is waited for like any schema.
    private static bool IsOurs(SqliteException exception) => exception.SqliteErrorCode is 19 or 20 or 21 or 25;

    // Data, integrity, and syntax or access rules; a table that is not there yet (42P01) is no fault of the statement.
    private static bool IsOurs(string sqlState) =>
        sqlState != "42P01"
        && (sqlState.StartsWith("22", StringComparison.Ordinal)
            || sqlState.StartsWith("23", StringComparison.Ordinal)
            || sqlState.StartsWith("42", StringComparison.Ordinal));
}
