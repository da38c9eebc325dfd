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
        Gen.Select(Gen.String[0, 8], Gen.Int[0, 250], Gen.Bool).List[0, 200].Sample(pieces =>
        {
            var time = new FakeTimeProvider();
            var coalescer = new TextCoalescer(time, Interval, 1_000);
            var events = new List<AgentEvent>();
            var start = time.GetTimestamp();
            foreach (var (text, pause, isThought) in pieces)
            {
                time.Advance(TimeSpan.FromMilliseconds(pause));
                if (coalescer.Add(isThought ? TextKind.Thinking : TextKind.Message, text) == TimeSpan.Zero)
                {
                    events.AddRange(coalescer.Drain(final: false));
                }
            }

            Assert.InRange(events.Count, 0, (time.GetElapsedTime(start) / Interval) + 2);
            events.AddRange(coalescer.Drain(final: true));
            foreach (var isThought in new[] { true, false })
            {
                Assert.Equal(
                    string.Concat(pieces.Where(p => p.Item3 == isThought).Select(p => p.Item1)),
                    string.Concat(events.Where(e => e is AgentThinking == isThought).Select(TextOf)));
            }
        });

    [Fact]
    public void Thoughts_and_messages_that_alternate_make_two_events_an_interval_of_two()
    {
        var coalescer = Drained();
        for (var i = 0; i < 20; i++)
        {
            coalescer.Add(TextKind.Thinking, "t");
            coalescer.Add(TextKind.Message, "m");
        }

        _time.Advance(Interval);
        Assert.Equal([new string('t', 20), new string('m', 20)], coalescer.Drain(final: false).Select(TextOf));
        Assert.Equal(2 * Interval, coalescer.Add(TextKind.Message, "m"));
    }

    [Fact]
    public void Text_that_is_longer_than_an_event_is_split_but_no_character_is()
    {
        var coalescer = NewCoalescer();
        var text = "a" + string.Concat(Enumerable.Repeat("😀", 700));
        coalescer.Add(TextKind.Message, text);
        var parts = coalescer.Drain(final: true).Select(TextOf).ToList();
        Assert.Equal([999, 402], parts.Select(part => part.Length));
        Assert.Equal(text, string.Concat(parts));
    }

    private static string TextOf(AgentEvent e) => e is AgentThinking thought ? thought.Text : ((AgentMessage)e).Text;

    private TextCoalescer NewCoalescer() => new(_time, Interval, 1_000);

    private TextCoalescer Drained()
    {
        var coalescer = NewCoalescer();
        coalescer.Add(TextKind.Message, "a");
        coalescer.Drain(final: false);
        return coalescer;
    }
}
