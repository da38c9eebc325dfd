namespace Pipeline.Agents.Worker;

internal static class ErrorText
{
    private const int MaxLength = 4_000;

    /// <summary>An exception's message may be of any length, an event may not.</summary>
    public static string Shorten(string error) => error.Length <= MaxLength ? error : error[..MaxLength] + "…";
}
