namespace Pipeline.Client;

/// <summary>A command was refused, or was not answered however often it was sent (PROTOCOL.md, section 13).</summary>
public sealed class CommandException : Exception
{
    internal CommandException(int status, ProblemBody? problem, Exception? cause = null)
        : base(problem?.Detail ?? problem?.Title ?? (status == 0 ? $"there was no answer: {cause?.Message}" : $"the service answered {status}"), cause)
    {
        Status = status;
        (Title, Reason, Field) = (problem?.Title, problem?.Reason, problem?.Field);
    }

    /// <summary>HTTP status; 0 for no answer, when it may have been done all the same: repeat it with the same key.</summary>
    public int Status { get; }

    /// <summary>What kind of problem it is; null where the answer does not say. <see cref="Exception.Message"/> is the detail.</summary>
    public string? Title { get; }

    /// <summary>Machine-readable cause; null where there is none.</summary>
    public string? Reason { get; }

    /// <summary>The parameter, header or JSON path that is wrong; null for none.</summary>
    public string? Field { get; }
}

/// <summary>An <c>application/problem+json</c> answer (RFC 9457).</summary>
internal sealed record ProblemBody
{
    public string? Title { get; init; }

    public string? Detail { get; init; }

    public string? Reason { get; init; }

    public string? Field { get; init; }
}
