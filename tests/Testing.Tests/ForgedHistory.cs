using System.Text.Json;
using Microsoft.Extensions.Time.Testing;

namespace Pipeline.Testing.Tests;

/// <summary>A history that never happened, written event by event, and what the checker says of it.</summary>
public abstract class ForgedHistory
{
    protected const string Epoch = "k3v9ab";
    protected const string Alice = "alice";
    protected const string Bob = "bob";

    protected ForgedHistory() => History = new History(Time);

    protected FakeTimeProvider Time { get; } = new();

    protected History History { get; }

    protected Dictionary<string, CommittedLog> Logs { get; } = new()
    {
        [Alice] = new(Epoch, 0, []),
        [Bob] = new(Epoch, 0, []),
    };

    protected Verdict Judge(bool resets = false, bool runsEnd = false) =>
        Checker.Judge(History, Logs, new JudgeTerms { Resets = resets, RunsEnd = runsEnd });

    protected void Commit(string user, params int[] positions) => Commit(user, acknowledged: true, positions);

    protected void Commit(string user, bool acknowledged, params int[] positions)
    {
        foreach (var position in positions)
        {
            var e = Event(position, run: "r-0", thread: "t-0", sequence: position);
            History.Attempt(user, e.Id);
            Store(user, e);
            if (acknowledged)
            {
                History.Acknowledge(user, e.Id, $"{Epoch}_{position}");
            }
        }
    }

    protected void Store(string user, CommittedEvent e) => Logs[user] = Logs[user] with { Events = [.. Logs[user].Events, e] };

    protected void Receive(string user, params int[] positions) => Receive(History.Client(user, $"{user}/1"), positions);

    protected void Receive(ClientHistory client, params int[] positions)
    {
        foreach (var position in positions)
        {
            client.Receive(Wire(Logs[client.User].Events.First(e => e.Position == position)));
        }
    }

    protected static string Wire(CommittedEvent e) => $"{{\"cursor\":\"{Epoch}_{e.Position}\",{e.Body[1..]}";

    protected CommittedEvent Event(int position, bool terminal = false, string run = "r-1", string thread = "t-1", int? sequence = null) => new(
        position,
        JsonSerializer.Serialize(new
        {
            id = Guid.CreateVersion7(),
            type = terminal ? "agent_completed" : "note",
            thread,
            run,
            sequence = sequence ?? position,
        }),
        Time.GetUtcNow());
}
