using Microsoft.Extensions.Options;

namespace Pipeline.Agents.Worker;

/// <summary>
/// The built-in agent: small real work with real tools, shown at a pace that people can follow. Its tools only read, so
/// a lost run may simply be begun again: the answer that was half written is replaced by the whole one.
/// </summary>
internal sealed class DemoAgent(TimeProvider time, IOptions<WorkerOptions> options) : IAgent
{
    public const string AgentName = "demo";
    private const int LongThoughts = 24;
    private const int Hits = 3;
    private const int MaxQuote = 80;

    private static readonly TimeSpan Thought = TimeSpan.FromMilliseconds(800);
    private static readonly TimeSpan LongThought = TimeSpan.FromMilliseconds(1_500);
    private static readonly TimeSpan ToolTime = TimeSpan.FromMilliseconds(600);
    private static readonly TimeSpan Word = TimeSpan.FromMilliseconds(50);

    private readonly DocumentSearch _documents = DocumentSearch.Bundled;

    /// <inheritdoc/>
    public string Name => AgentName;

    /// <inheritdoc/>
    public bool CanResume => true;

    /// <inheritdoc/>
    public async Task RunAsync(AgentRunContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.Attempt > 1)
        {
            await ThinkAsync(context, "Another worker began this and was stopped. I begin again.", cancellationToken);
        }

        var plan = DemoPlan.For(context.Input);
        await ThinkAsync(context, Describe(plan), cancellationToken);
        if (plan.ThinksLong)
        {
            await ThinkLongAsync(context, cancellationToken);
        }

        var answer = new List<string>();
        if (plan.Expression is { } expression)
        {
            answer.Add(await CalculateAsync(context, expression, cancellationToken));
        }

        if (plan.AsksForTime)
        {
            answer.Add(await ReadClockAsync(context, plan.Zone, cancellationToken));
        }

        if (plan.Question is { } question)
        {
            answer.Add(await SearchAsync(context, question, cancellationToken));
        }

        await ThinkAsync(context, "That is enough to answer.", cancellationToken);
        await SayAsync(context, string.Join("\n\n", answer), cancellationToken);
    }

    private static string Describe(DemoPlan plan)
    {
        var needs = new List<string>();
        if (plan.Expression is { } expression)
        {
            needs.Add($"there is arithmetic in it, “{Quote(expression)}”: a case for the calculator");
        }

        if (plan.AsksForTime)
        {
            needs.Add($"it asks for the time{(plan.Zone is null ? "" : $" in {plan.Zone}")}: a look at the clock");
        }

        if (plan.Question is not null)
        {
            needs.Add("my documents about this pipeline may have the answer: a search");
        }

        return $"Let me see what the request needs: {string.Join("; ", needs)}.";
    }

    /// <summary>Reads through all the documents, one section at a time.</summary>
    private async Task ThinkLongAsync(AgentRunContext context, CancellationToken cancellationToken)
    {
        var sections = _documents.Sections.ToList();
        for (var n = 1; n <= LongThoughts; n++)
        {
            var section = sections[(n - 1) % sections.Count];
            var common = DocumentSearch.CountCommon(context.Input, section.Text);
            await context.ThinkAsync(
                $"{n} of {LongThoughts}: I read “{section.Title}”; it shares {common} {(common == 1 ? "word" : "words")} with the request.",
                cancellationToken);
            await PauseAsync(LongThought, cancellationToken);
        }
    }

    private async Task<string> CalculateAsync(AgentRunContext context, string expression, CancellationToken cancellationToken)
    {
        try
        {
            var value = await UseAsync(
                context, "calculator", new { expression }, () => Calculator.Format(Calculator.Evaluate(expression)), cancellationToken);
            return $"{Quote(expression)} = {value}";
        }
        catch (ToolFailedException exception)
        {
            return $"I could not calculate {Quote(expression)}: {exception.Message}.";
        }
    }

    private async Task<string> ReadClockAsync(AgentRunContext context, string? zone, CancellationToken cancellationToken)
    {
        try
        {
            var clock = new Clock(time);
            var reading = await UseAsync(context, "clock", new { zone = zone ?? "UTC" }, () => clock.Read(zone), cancellationToken);
            return $"In {reading.Zone} it is {reading.Text}.";
        }
        catch (ToolFailedException exception)
        {
            return $"I could not read the clock: {exception.Message}.";
        }
    }

    private async Task<string> SearchAsync(AgentRunContext context, string question, CancellationToken cancellationToken)
    {
        var hits = await UseAsync(
            context, "search", new { query = question, limit = Hits }, () => _documents.Search(question, Hits), cancellationToken);
        if (hits.Count == 0)
        {
            return "My documents say nothing about that. They are about this event pipeline: ask me what a cursor is, how the "
                + "outbox works or what happens when a worker dies; or for a sum, or for the time in a city.";
        }

        var more = hits.Count == 1 ? "" : $" See also “{string.Join("” and “", hits.Skip(1).Select(h => h.Title))}”.";
        return $"From “{hits[0].Title}”: {hits[0].Snippet}{more}";
    }

    private Task<T> UseAsync<T>(
        AgentRunContext context, string tool, object arguments, Func<T> work, CancellationToken cancellationToken) =>
        context.CallToolAsync(tool, arguments, async ct =>
        {
            await PauseAsync(ToolTime, ct);
            return work();
        }, cancellationToken);

    private async Task ThinkAsync(AgentRunContext context, string text, CancellationToken cancellationToken)
    {
        await StreamAsync(text, context.ThinkDeltaAsync, cancellationToken);
        await context.ThinkAsync(text, cancellationToken);
        await PauseAsync(Thought, cancellationToken);
    }

    private async Task SayAsync(AgentRunContext context, string text, CancellationToken cancellationToken)
    {
        await StreamAsync(text, context.MessageDeltaAsync, cancellationToken);
        await context.MessageAsync(text, cancellationToken);
    }

    /// <summary>Word by word; the whole text comes after.</summary>
    private async Task StreamAsync(string text, Func<string, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        for (var start = 0; start < text.Length;)
        {
            var space = text.IndexOf(' ', start);
            var end = space < 0 ? text.Length : space + 1;
            await write(text[start..end], cancellationToken);
            await PauseAsync(Word, cancellationToken);
            start = end;
        }
    }

    private static string Quote(string text) => text.Length <= MaxQuote ? text : text[..MaxQuote] + "…";

    private Task PauseAsync(TimeSpan length, CancellationToken cancellationToken) =>
        options.Value.DemoPace == 0 ? Task.CompletedTask : Task.Delay(length * options.Value.DemoPace, time, cancellationToken);
}
