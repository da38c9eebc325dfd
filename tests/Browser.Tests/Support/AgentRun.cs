namespace Pipeline.Browser.Tests;

/// <summary>A run of an agent in another language, which appends its events itself (PROTOCOL.md, section 9).</summary>
internal sealed class AgentRun(string run)
{
    private static readonly string[] Words = ["queues ", "hold ", "what ", "cannot ", "be ", "done ", "yet, ", "largely "];

    /// <summary>A whole run of so many events: thoughts and answers that stream, tools that are called.</summary>
    /// <param name="fails">Whether its tools do, and it with them.</param>
    public IEnumerable<object> Events(int count, bool fails) => Enumerable.Range(1, count).Select(sequence => sequence switch
    {
        1 => Event("run_requested", sequence, new { input = $"Tell me all about {run}", agent = "foreign" }),
        2 => Event("agent_started", sequence, new { agent = "foreign" }),
        _ when sequence == count && fails => Event("agent_failed", sequence, new { reason = "agent_error", error = "The search is down." }),
        _ when sequence == count => Event("agent_completed", sequence, new { result = "That is all." }),
        _ => Step(sequence, fails),
    });

    public object Event(string type, int sequence, object data) =>
        new { id = Guid.CreateVersion7(), type, thread = "main", run, sequence, data };

    private object Step(int sequence, bool fails) => (sequence % 20) switch
    {
        4 => Event("tool_executing", sequence, new { toolCallId = $"c{sequence}", tool = "search", arguments = new { query = Words, limit = sequence } }),
        5 when fails => Event("tool_completed", sequence, new { toolCallId = $"c{sequence - 1}", tool = "search", succeeded = false, error = "No answer" }),
        5 => Event("tool_completed", sequence, new { toolCallId = $"c{sequence - 1}", tool = "search", succeeded = true, result = new { hits = Words } }),
        10 => Event("agent_thinking", sequence, new { text = string.Concat(Words), delta = false }),
        < 10 => Event("agent_thinking", sequence, new { text = Words[sequence % Words.Length], delta = true }),
        _ => Event("agent_message", sequence, new { text = Words[sequence % Words.Length], delta = true }),
    };
}
