using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Pipeline.Persistence;

/// <summary>Parameters as the statements take them.</summary>
internal static class PostgresParameters
{
    public static NpgsqlParameter<T> Of<T>(T value) => new() { TypedValue = value };

    /// <summary>An array with one element a row.</summary>
    public static NpgsqlParameter<T[]> Column<TRow, T>(IReadOnlyCollection<TRow> rows, Func<TRow, T> value)
    {
        var column = new T[rows.Count];
        var index = 0;
        foreach (var row in rows)
        {
            column[index++] = value(row);
        }

        return Of(column);
    }

    /// <summary>An array of JSON texts in UTF-8.</summary>
    public static NpgsqlParameter Json<TRow>(IReadOnlyCollection<TRow> rows, Func<TRow, ReadOnlyMemory<byte>> value)
    {
        var column = Column(rows, value);
        column.NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Json;
        return column;
    }

    public static NpgsqlParameter Json(string text) => new() { Value = text, NpgsqlDbType = NpgsqlDbType.Json };

    public static NpgsqlParameter Owner(Guid? owner) =>
        new() { Value = owner is { } id ? id : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid };

    /// <summary>As PostgreSQL's timeout settings take it.</summary>
    public static string Milliseconds(TimeSpan time) => ((long)time.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);

    public static void AddAll(NpgsqlParameterCollection collection, params NpgsqlParameter[] parameters)
    {
        foreach (var parameter in parameters)
        {
            collection.Add(parameter);
        }
    }
}
