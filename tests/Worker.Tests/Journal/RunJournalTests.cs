using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Agents.Worker;
using Pipeline.Contracts;
using Pipeline.Persistence;
using Pipeline.Testing;

namespace Pipeline.Worker.Tests;

public sealed class RunJournalTests : IAsyncDisposable
{
    private static readonly RunKey Key = new(StreamKey.Of("default", "alice"), "r-1");
    private readonly FakeTimeProvider _time = new();
    private readonly FakeLog _log = new();
    private readonly RunJournal _journal;

    public RunJournalTests()
    {
        var claim = new ClaimedRun(Key, "t-1", "demo", "hello", Attempt: 2, LastSequence: 5, CancelRequested: false, FirstPosition: 1);
        var encoder = new EventEncoder(Options.Create(new PersistenceOptions { ConnectionString = "-" }), _time);
        var text = new TextCoalescer(_time, TimeSpan.FromMilliseconds(100), encoder.MaxTextLength);
        _journal = new RunJournal(claim, encoder, _log.AppendAsync, text, _time, NullLogger.Instance);
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _journal.DisposeAsync();

    [Fact]
    public async Task The_envelope_is_filled_in_and_sequences_go_on_from_the_last()
    {
        await _journal.WriteAsync(new AgentThinking { Text = "a", User = "mallory", Run = "other", Attempt = 9 }, Stop);
        await _journal.WriteAsync(new AgentThinking { Text = "b" }, Stop);

        Assert.Equal([6L, 7L], _log.Events.Select(e => e.Sequence));
        Assert.All(_log.Events, e => Assert.Equal((Key.Stream, "t-1", "r-1", 2), (e.Stream, e.Thread, e.Run, e.Attempt)));
        Assert.Equal(7, _journal.LastSequence);
    }

    [Fact]
    public async Task Events_of_many_threads_get_sequences_without_a_gap()
    {
        await Task.WhenAll(Enumerable.Range(0, 50).Select(n => Task.Run(() => _journal.WriteAsync(new AgentThinking { Text = $"{n}" }, Stop))));
        Assert.Equal(Enumerable.Range(6, 50).Select(n => (long)n), _log.Events.Select(e => e.Sequence));
    }

    [Fact]
    public async Task An_append_of_unknown_outcome_is_repeated_with_the_same_ids()
    {
        _log.Fail(new TimeoutException(), new IOException("gone"), new TimeoutException());
        var writing = _journal.WriteAsync(new AgentThinking { Text = "a" }, Stop);
        await AdvanceUntilAsync(writing);

        Assert.Equal(4, _log.Calls.Count);
        Assert.Single(_log.Calls.Select(unit => Assert.Single(unit).Id).Distinct());
        Assert.Equal(6, _journal.LastSequence);
    }

    [Theory]
    [InlineData(AppendRejection.Fenced)]
    [InlineData(AppendRejection.RunEnded)]
    [InlineData(AppendRejection.SequenceMismatch)]
    public async Task A_refusal_for_good_means_that_the_run_is_lost(AppendRejection reason)
    {
        _log.Fail(new AppendRejectedException(reason, 0, "no"));
        await Assert.ThrowsAsync<RunLostException>(() => _journal.WriteAsync(new AgentThinking { Text = "a" }, Stop));
        Assert.True(_journal.Lost.IsCancellationRequested);
        await Assert.ThrowsAsync<RunLostException>(() => _journal.WriteAsync(new AgentThinking { Text = "b" }, Stop));
        await Assert.ThrowsAsync<RunLostException>(() => _journal.StreamAsync(TextKind.Message, "b", Stop));
        await Assert.ThrowsAsync<RunLostException>(() => _journal.EndAsync(new AgentCompleted()));
        Assert.Single(_log.Calls);
    }

    [Fact]
    public async Task A_run_that_is_lost_while_the_database_is_away_stops_waiting()
    {
        _log.Fail(new TimeoutException());
        var writing = _journal.WriteAsync(new AgentThinking { Text = "a" }, Stop);
        _journal.MarkLost();
        await Assert.ThrowsAsync<RunLostException>(() => writing);
    }

    [Fact]
    public async Task Who_waits_is_told_of_the_loss_though_the_loss_cancels_the_agent_too()
    {
        using var agent = CancellationTokenSource.CreateLinkedTokenSource(_journal.Lost);
        _log.Hold();
        var writing = _journal.WriteAsync(new AgentThinking { Text = "a" }, agent.Token);
        var next = _journal.WriteAsync(new AgentThinking { Text = "b" }, agent.Token);

        _journal.MarkLost();
        _log.Continue();

        await Assert.ThrowsAsync<RunLostException>(() => writing);
        await Assert.ThrowsAsync<RunLostException>(() => next);
        await Assert.ThrowsAsync<RunLostException>(() => _journal.StreamAsync(TextKind.Message, "c", agent.Token));
    }

    [Fact]
    public async Task A_cancelled_writer_stops_waiting_and_what_it_wrote_still_precedes_the_end()
    {
        _log.Hold();
        using var cancel = new CancellationTokenSource();
        var writing = _journal.WriteAsync(new AgentThinking { Text = "a" }, cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);

        var ending = _journal.EndAsync(new AgentCancelled());
        _log.Continue();
        await ending;
        Assert.Equal([(6, "agent_thinking"), (7, "agent_cancelled")], _log.Events.Select(e => (e.Sequence, e.Type)));
    }

    [Fact]
    public async Task Nothing_is_written_after_the_end()
    {
        await _journal.EndAsync(new AgentCompleted());
        await Assert.ThrowsAsync<RunLostException>(() => _journal.WriteAsync(new AgentThinking { Text = "a" }, Stop));
        await Assert.ThrowsAsync<RunLostException>(() => _journal.StreamAsync(TextKind.Message, "b", Stop));
        Assert.Equal("agent_completed", Assert.Single(_log.Events).Type);
    }

    [Fact]
    public async Task Streamed_text_waits_for_its_interval_and_is_written_by_itself()
    {
        await _journal.StreamAsync(TextKind.Message, "a", Stop);
        await _journal.StreamAsync(TextKind.Message, "b", Stop);
        await _journal.StreamAsync(TextKind.Message, "c", Stop);
        Assert.Equal(["a"], _log.Texts);

        _time.Advance(TimeSpan.FromMilliseconds(99));
        Assert.Equal(["a"], _log.Texts);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await Eventually.HoldsAsync("the rest is written when due", () => _log.Texts.SequenceEqual(["a", "bc"]));

        await _journal.StreamAsync(TextKind.Message, "d", Stop);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        await Eventually.HoldsAsync("and the next", () => _log.Texts.SequenceEqual(["a", "bc", "d"]));
    }

    [Fact]
    public async Task Streamed_text_is_written_before_any_other_event_and_with_the_end()
    {
        await _journal.StreamAsync(TextKind.Message, "a", Stop);
        await _journal.StreamAsync(TextKind.Message, "b", Stop);
        await _journal.WriteAsync(new AgentMessage { Text = "whole" }, Stop);
        await _journal.StreamAsync(TextKind.Message, "c", Stop);
        await _journal.EndAsync(new AgentCompleted());

        Assert.Equal(["a", "b", "whole", "c", null], _log.Texts);
        Assert.Equal([6L, 7L, 8L, 9L, 10L], _log.Events.Select(e => e.Sequence));
    }

    [Fact]
    public async Task An_event_that_is_too_large_is_refused_alone()
    {
        await _journal.StreamAsync(TextKind.Message, "a", Stop);
        await _journal.StreamAsync(TextKind.Message, "b", Stop);
        var large = new AgentMessage { Text = new string('x', 300_000) };
        await Assert.ThrowsAsync<InvalidEventException>(() => _journal.WriteAsync(large, Stop));
        await _journal.EndAsync(new AgentCompleted());
        Assert.Equal(["a", "b", null], _log.Texts);
    }

    [Fact]
    public async Task Much_text_waits_for_the_database()
    {
        _log.Hold();
        var first = _journal.StreamAsync(TextKind.Message, "a", Stop);
        var much = _journal.StreamAsync(TextKind.Message, new string('x', TextCoalescer.MaxPending), Stop);
        Assert.False(first.IsCompleted || much.IsCompleted);
        _log.Continue();
        await Task.WhenAll(first, much);
        Assert.Equal(TextCoalescer.MaxPending + 1, string.Concat(_log.Texts).Length);
    }

    [Fact]
    public async Task Text_of_any_length_is_written_in_events_that_fit()
    {
        var text = string.Concat(Enumerable.Repeat("\u0001😀é", 100_000));
        await _journal.StreamAsync(TextKind.Message, text, Stop);
        Assert.Equal(text, string.Concat(_log.Texts));
        Assert.All(_log.Events, e => Assert.InRange(e.Body.Length, 1, Limits.DefaultEventBytes));
    }

    [Fact]
    public async Task Text_of_many_events_is_written_in_several_units()
    {
        await _journal.StreamAsync(TextKind.Message, new string('x', 30_000_000), Stop);
        Assert.True(_log.Events.Count > 500);
        Assert.All(_log.Calls, unit => Assert.InRange(unit.Count, 1, 500));
        Assert.Equal(Enumerable.Range(6, _log.Events.Count).Select(n => (long)n), _log.Events.Select(e => e.Sequence));
    }

    [Fact]
    public async Task An_append_that_can_never_succeed_is_not_repeated()
    {
        _log.Fail(new InvalidEventException("data", "is wrong"));
        await Assert.ThrowsAsync<InvalidEventException>(() => _journal.WriteAsync(new AgentThinking { Text = "a" }, Stop));
        _log.Fail(new ObjectDisposedException("appender"));
        await Assert.ThrowsAsync<RunLostException>(() => _journal.WriteAsync(new AgentThinking { Text = "b" }, Stop));
        Assert.Equal(2, _log.Calls.Count);
    }

    [Fact]
    public async Task An_event_whose_id_was_used_for_another_is_refused_alone()
    {
        await _journal.StreamAsync(TextKind.Message, "a", Stop);
        await _journal.StreamAsync(TextKind.Message, "b", Stop);
        _log.Fail(new AppendRejectedException(AppendRejection.IdConflict, 1, "used"));
        await Assert.ThrowsAsync<AppendRejectedException>(() => _journal.WriteAsync(new AgentThinking { Text = "c" }, Stop));
        await _journal.EndAsync(new AgentCompleted());
        Assert.Equal(["a", "b", null], _log.Texts);
    }

    [Fact]
    public async Task What_the_worker_fills_in_does_not_make_another_event_of_it()
    {
        var again = new AgentThinking { Text = "a" };
        await _journal.WriteAsync(again, Stop);
        _time.Advance(TimeSpan.FromHours(1));
        await _journal.WriteAsync(again, Stop);
        Assert.NotEqual(_log.Events[0].Sequence, _log.Events[1].Sequence);
        Assert.NotEqual(_log.Events[0].OccurredAt, _log.Events[1].OccurredAt);
        Assert.Equal(_log.Events[0].Hash, _log.Events[1].Hash);
    }

    private async Task AdvanceUntilAsync(Task task)
    {
        await Eventually.HoldsAsync("the write is done", () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return task.IsCompleted;
        });
        await task;
    }

    /// <summary>Stands for the appender: keeps units, fails or holds them on request.</summary>
    private sealed class FakeLog
    {
        private readonly Queue<Exception> _failures = new();
        private TaskCompletionSource? _held;

        public List<IReadOnlyList<NewEvent>> Calls { get; } = [];

        public List<NewEvent> Events { get; } = [];

        public IEnumerable<string?> Texts => Events.ToArray().Select(e =>
            JsonDocument.Parse(e.Body).RootElement.GetProperty("data").TryGetProperty("text", out var text) ? text.GetString() : null);

        public void Fail(params Exception[] failures) => Array.ForEach(failures, _failures.Enqueue);

        public void Hold() => _held = new TaskCompletionSource();

        public void Continue() => _held!.SetResult();

        public async Task<AppendResult> AppendAsync(IReadOnlyList<NewEvent> unit, CancellationToken cancellationToken)
        {
            Calls.Add(unit);
            await (_held?.Task ?? Task.CompletedTask);
            if (_failures.TryDequeue(out var failure))
            {
                throw failure;
            }

            Events.AddRange(unit);
            return new AppendResult(1, [.. unit.Select(e => new AppendedEvent(e.Stream, 1, e.Id, e.Sequence, e.Sequence, false))]);
        }
    }
}
