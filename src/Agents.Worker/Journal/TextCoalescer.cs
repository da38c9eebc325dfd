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
/// Joins streamed pieces of text, so that a run writes few events however small the pieces come. Holds the text and says
/// when it is due; writing is the journal's. Thread-safe.
/// </summary>
internal sealed class TextCoalescer(TimeProvider time, TimeSpan interval)
{
    /// <summary>Beyond this a writer waits, so that a run whose database is away stops growing.</summary>
    public const int MaxPending = 8_192;

    private readonly Lock _lock = new();
    private readonly TimeProvider _time = time;
    private readonly TimeSpan _interval = interval;
    private readonly List<(TextKind Kind, StringBuilder Text)> _pending = [];
    private int _length;
    private long? _drained;

    /// <summary>Takes a piece in and says how long it may wait: zero for not at all.</summary>
    public TimeSpan Add(TextKind kind, string text)
    {
        lock (_lock)
        {
            if (_pending.Count == 0 || _pending[^1].Kind != kind)
            {
                _pending.Add((kind, new StringBuilder()));
            }

            _pending[^1].Text.Append(text);
            _length += text.Length;
            if (_length >= MaxPending || _drained is not { } drained)
            {
                return TimeSpan.Zero;
            }

            var wait = _interval - _time.GetElapsedTime(drained);
            return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
        }
    }

    /// <summary>What waits, as delta events in order; it is the caller's to write now.</summary>
    /// <param name="final">Nothing follows. Else half a surrogate pair at the end stays for its other half.</param>
    public IReadOnlyList<AgentEvent> Drain(bool final)
    {
        lock (_lock)
        {
            if (_length == 0)
            {
                return [];
            }

            var events = new List<AgentEvent>(_pending.Count);
            var held = final ? "" : HoldBack();
            events.AddRange(_pending.Where(p => p.Text.Length > 0).Select(p => ToEvent(p.Kind, p.Text.ToString())));
            var last = _pending[^1].Kind;
            _pending.Clear();
            _length = held.Length;
            if (held.Length > 0)
            {
                _pending.Add((last, new StringBuilder(held)));
            }

            _drained = events.Count > 0 ? _time.GetTimestamp() : _drained;
            return events;
        }
    }

    private string HoldBack()
    {
        var text = _pending[^1].Text;
        if (text.Length == 0 || !char.IsHighSurrogate(text[^1]))
        {
            return "";
        }

        var held = text[^1].ToString();
        text.Length--;
        return held;
    }

    private static AgentEvent ToEvent(TextKind kind, string text) => kind == TextKind.Thinking
        ? new AgentThinking { Text = text, Delta = true }
        : new AgentMessage { Text = text, Delta = true };
}
