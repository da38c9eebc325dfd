namespace Pipeline.Persistence;

/// <summary>
/// Group append: the events of many runs in few transactions. One call is one unit: all of its events or none, whatever
/// becomes of the units it shares a transaction with. At most one unit a run may be in flight.
/// </summary>
public sealed class RunAppender
{
    /// <exception cref="AppendRejectedException">The log refused this unit.</exception>
    public Task<AppendResult> AppendAsync(IReadOnlyList<NewEvent> unit, CancellationToken cancellationToken) =>
        throw new NotImplementedException();
}
