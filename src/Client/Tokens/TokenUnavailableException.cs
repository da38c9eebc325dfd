namespace Pipeline.Client;

/// <summary>
/// Thrown by <see cref="AgentEventsOptions.Token"/> where there is no token without a person: reading ends with
/// <see cref="ClosedReasons.Token"/>, commands fail with this.
/// </summary>
public sealed class TokenUnavailableException(string message, Exception? cause = null) : Exception(message, cause);
