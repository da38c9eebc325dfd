using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Pipeline.Persistence;

/// <summary>Parameters as the append statements take them.</summary>
internal static class PostgresParameters
{
    /// <summary>One array a column, one element an event.</summary>
    public static NpgsqlParameter[] Columns(IReadOnlyList<IReadOnlyList<NewEvent>> units, List<NewEvent> events)
    {
        T[] Column<T>(Func<NewEvent, T> value) => [.. events.Select(value)];
        return
        [
            Of(units.SelectMany((unit, number) => Enumerable.Repeat(number, unit.Count)).ToArray()),
            Of(Column(e => e.Stream.Value)),
            Of(Column(e => e.Id)),
            Of(Column(e => e.Type)),
            Of(Column(e => e.Thread)),
            Of(Column(e => e.Run)),
            Of(Column(e => e.Sequence)),
            Of(Column(e => e.Attempt)),
            Of(Column(e => e.OccurredAt.UtcDateTime)),
            Of(Column(e => e.LeaseSeconds)),
            Of(Column(e => e.Hash)),
            new NpgsqlParameter { Value = Column(e => e.Body), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Json },
        ];
    }

    public static NpgsqlParameter<T> Of<T>(T value) => new() { TypedValue = value };

    public static NpgsqlParameter Text(string value) => Of(value);

    public static NpgsqlParameter Owner(Guid? owner) =>
        new() { Value = owner is { } id ? id : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid };

    /// <summary>As PostgreSQL's timeout settings take it.</summary>
    public static string Milliseconds(TimeSpan time) => ((long)time.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);

    public static void AddAll(NpgsqlParameterCollection collection, params NpgsqlParameter[] parameters) =>
        collection.AddRange(parameters);
}
