using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Pipeline.Agents.Worker;
using Pipeline.Contracts;

namespace Pipeline.Worker.Tests;

public sealed class TextCoalescerTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void The_first_piece_is_due_at_once() =>
        Assert.Equal(TimeSpan.Zero, NewCoalescer().Add(TextKind.Message, "a"));

    [Fact]
    public void After_a_write_the_next_is_due_an_interval_later()
    {
        var coalescer = Drained();
        _time.Advance(TimeSpan.FromMilliseconds(30));
        Assert.Equal(TimeSpan.FromMilliseconds(70), coalescer.Add(TextKind.Message, "b"));
        _time.Advance(TimeSpan.FromMilliseconds(80));
        Assert.Equal(TimeSpan.Zero, coalescer.Add(TextKind.Message, "c"));
        Assert.Equal("bc", Assert.IsType<AgentMessage>(Assert.Single(coalescer.Drain(final: true))).Text);
    }

    [Fact]
    public void Much_text_is_due_at_once() =>
        Assert.Equal(TimeSpan.Zero, Drained().Add(TextKind.Message, new string('x', TextCoalescer.MaxPending)));

    [Fact]
    public void Messages_and_thoughts_stay_apart_and_in_order()
    {
        var coalescer = NewCoalescer();
        coalescer.Add(TextKind.Thinking, "hm");
        coalescer.Add(TextKind.Thinking, "m");
        coalescer.Add(TextKind.Message, "yes");
        Assert.Collection(
            coalescer.Drain(final: false),
            first => Assert.Equal(("hmm", true), (Assert.IsType<AgentThinking>(first).Text, ((AgentThinking)first).Delta)),
            second => Assert.Equal(("yes", true), (Assert.IsType<AgentMessage>(second).Text, ((AgentMessage)second).Delta)));
        Assert.Empty(coalescer.Drain(final: true));
    }

    [Fact]
    public void A_character_that_came_in_halves_is_not_cut()
    {
        var coalescer = NewCoalescer();
        coalescer.Add(TextKind.Message, "a\ud83d");
        Assert.Equal("a", ((AgentMessage)coalescer.Drain(final: false)[0]).Text);
        coalescer.Add(TextKind.Message, "\ude00b");
        Assert.Equal("😀b", ((AgentMessage)coalescer.Drain(final: false)[0]).Text);
    }

    [Fact]
    public void Whatever_the_pieces_and_pauses_the_text_is_whole_and_the_events_are_few() =>
        Gen.Select(Gen.String[0, 8], Gen.Int[0, 250]).List[0, 200].Sample(pieces =>
        {
            var time = new FakeTimeProvider();
            var coalescer = new TextCoalescer(time, Interval);
            var events = new List<(AgentMessage Event, TimeSpan At)>();
            TimeSpan clock = TimeSpan.Zero, due = TimeSpan.MaxValue;
            foreach (var (text, pause) in pieces)
            {
                clock += TimeSpan.FromMilliseconds(pause);
                time.Advance(TimeSpan.FromMilliseconds(pause));
                due = coalescer.Add(TextKind.Message, text);
                if (due == TimeSpan.Zero)
                {
                    events.AddRange(coalescer.Drain(final: false).Select(e => ((AgentMessage)e, clock)));
                }
            }

            var rest = coalescer.Drain(final: true).Cast<AgentMessage>();
            Assert.Equal(string.Concat(pieces.Select(p => p.Item1)), string.Concat(events.Select(e => e.Event).Concat(rest).Select(e => e.Text)));
            Assert.All(events.Zip(events.Skip(1)), pair => Assert.True(pair.Second.At - pair.First.At >= Interval));
        });

    private TextCoalescer NewCoalescer() => new(_time, Interval);

    private TextCoalescer Drained()
    {
        var coalescer = NewCoalescer();
        coalescer.Add(TextKind.Message, "a");
        coalescer.Drain(final: false);
        return coalescer;
    }
}
