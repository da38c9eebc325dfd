using System.Collections.Concurrent;
using System.Data.Common;

namespace Pipeline.Persistence;

/// <summary>
/// Whether a caller's transaction is in the log's own database: events in another one's tables would be published by nobody
/// here. Asked once for each place that connections lead to.
/// </summary>
internal sealed class SameDatabase(PipelineDatabase database)
{
    private const string Identify =
        "select c.system_identifier || '/' || d.oid from pg_control_system() c, pg_database d where d.datname = current_database()";

    private readonly ConcurrentDictionary<(string Server, string Database), bool> _known = new();

    /// <exception cref="ArgumentException">It is another database.</exception>
    public async ValueTask CheckAsync(DbTransaction transaction, CancellationToken cancellationToken)
    {
        var connection = transaction.Connection!;
        var place = (connection.DataSource, connection.Database);
        if (_known.ContainsKey(place))
        {
            return;
        }

        await using var own = await database.OpenAsync(cancellationToken);
        if (await NameAsync(own, null, cancellationToken) != await NameAsync(connection, transaction, cancellationToken))
        {
            throw new ArgumentException(
                $"The transaction is in database '{connection.Database}' of {connection.DataSource}, the log in '{own.Database}' of {own.DataSource}; changes and events are one only in the same database",
                nameof(transaction));
        }

        _known[place] = true;
    }

    private async Task<string?> NameAsync(DbConnection connection, DbTransaction? transaction, CancellationToken cancellationToken)
    {
        if (database.IsSqlite)
        {
            // Of an open connection: the file's full path.
            return connection.DataSource;
        }

        await using var command = connection.CreateCommand();
        command.CommandText = Identify;
        command.Transaction = transaction;
        return (string?)await command.ExecuteScalarAsync(cancellationToken);
    }
}
