using System.Text;
using Pipeline.Contracts;

namespace Pipeline.Agents.Worker;

/// <summary>What streamed text is part of.</summary>
internal enum TextKind
{
    Message = 0,
    Thinking = 1,
}

/// <summary>
/// Joins streamed pieces of text, thoughts and messages each for themselves, so that a run writes few events however small
/// the pieces come and however they alternate. Holds the text and says when it is due; writing is the journal's. Thread-safe.
/// </summary>
/// <param name="time">Its monotonic clock counts.</param>
/// <param name="interval">Time for each event of streamed text.</param>
/// <param name="maxLength">Most characters of one event.</param>
internal sealed class TextCoalescer(TimeProvider time, TimeSpan interval, int maxLength)
{
    /// <summary>Beyond this a writer waits, so that a run whose database is away stops growing.</summary>
    public const int MaxPending = 8_192;

    private readonly Lock _lock = new();
    private readonly TimeProvider _time = time;
    private readonly TimeSpan _interval = interval;
    private readonly int _maxLength = maxLength;
    private readonly List<(TextKind Kind, StringBuilder Text)> _pending = [];
    private int _length;
    private int _lastEvents;
    private long? _drained;

    /// <summary>Takes a piece in and says how long it may wait: zero for not at all.</summary>
    public TimeSpan Add(TextKind kind, string text)
    {
        lock (_lock)
        {
            var at = _pending.FindIndex(p => p.Kind == kind);
            if (at < 0)
            {
                at = _pending.Count;
                _pending.Add((kind, new StringBuilder()));
            }

            _pending[at].Text.Append(text);
            _length += text.Length;
            if (_length >= MaxPending || _drained is not { } drained)
            {
                return TimeSpan.Zero;
            }

            var wait = (_interval * _lastEvents) - _time.GetElapsedTime(drained);
            return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
        }
    }

    /// <summary>What waits, as delta events in order; it is the caller's to write now.</summary>
    /// <param name="final">Nothing follows. Else half a surrogate pair at the end stays for its other half.</param>
    public IReadOnlyList<AgentEvent> Drain(bool final)
    {
        lock (_lock)
        {
            var events = new List<AgentEvent>();
            var held = new List<(TextKind, StringBuilder)>();
            foreach (var (kind, text) in _pending)
            {
                if (!final && text.Length > 0 && char.IsHighSurrogate(text[^1]))
                {
                    held.Add((kind, new StringBuilder().Append(text[^1])));
                    text.Length--;
                }

                events.AddRange(Split(text.ToString()).Select(part => ToEvent(kind, part)));
            }

            _pending.Clear();
            _pending.AddRange(held);
            _length = held.Count;
            if (events.Count > 0)
            {
                (_drained, _lastEvents) = (_time.GetTimestamp(), events.Count);
            }

            return events;
        }
    }

    private IEnumerable<string> Split(string text)
    {
        for (int start = 0, length; start < text.Length; start += length)
        {
            length = Math.Min(_maxLength, text.Length - start);
            if (start + length < text.Length && length > 1 && char.IsHighSurrogate(text[start + length - 1]))
            {
                length--;
            }

            yield return text.Substring(start, length);
        }
    }

    private static AgentEvent ToEvent(TextKind kind, string text) => kind == TextKind.Thinking
        ? new AgentThinking { Text = text, Delta = true }
        : new AgentMessage { Text = text, Delta = true };
}
