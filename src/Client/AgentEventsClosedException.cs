namespace Pipeline.Client;

/// <summary>Reading was given up, since trying again would not help.</summary>
public sealed class AgentEventsClosedException(string reason, string detail, Exception? cause = null)
    : Exception($"reading was given up ({reason}): {detail}", cause)
{
    /// <summary>One of <see cref="ClosedReasons"/>.</summary>
    public string Reason { get; } = reason;
}

/// <summary>Why reading was given up (PROTOCOL.md, section 8).</summary>
public static class ClosedReasons
{
    /// <summary>Two tokens in a row were refused, or there is none to be had.</summary>
    public const string Token = "token";

    /// <summary>The service does not allow it, or is not there at this URL.</summary>
    public const string Refused = "refused";

    /// <summary>A newer connection of the same client id took over.</summary>
    public const string Replaced = "replaced";

    /// <summary>The service found a fault in what this client sent.</summary>
    public const string Defect = "defect";
}
