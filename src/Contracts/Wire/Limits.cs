using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Pipeline.Contracts;

/// <summary>Limits of the wire (PROTOCOL.md, "Limits").</summary>
public static class Limits
{
    /// <summary>Most UTF-8 bytes of an id: tenant, user, thread, run, event type, client, idempotency key.</summary>
    public const int IdBytes = 128;

    /// <summary>Default of the most UTF-8 bytes of one event's JSON.</summary>
    public const int DefaultEventBytes = 256 * 1024;

    /// <summary>Most events of one answer or one append.</summary>
    public const int PageEvents = 1_000;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Why the text is no id, as the end of a sentence that begins with its name; null when it is one.</summary>
    public static string? DescribeInvalidId([NotNullWhen(false)] string? value)
    {
        if (string.IsNullOrEmpty(value))
        {
            return "is empty; give 1 to 128 bytes of UTF-8 without control characters";
        }

        if (value.Length > IdBytes || !TryCountBytes(value, out var bytes) || bytes > IdBytes)
        {
            return $"is longer than {IdBytes} bytes or no valid Unicode";
        }

        return HoldsControl(value) ? "holds a control character" : null;
    }

    /// <exception cref="ArgumentException"><see cref="DescribeInvalidId"/> has something to say.</exception>
    public static void ThrowIfInvalidId(string? value, string name)
    {
        if (DescribeInvalidId(value) is { } problem)
        {
            throw new ArgumentException($"{name} {problem}", name);
        }
    }

    private static bool HoldsControl(ReadOnlySpan<char> value) =>
        value.ContainsAnyInRange('\u0000', '\u001f') || value.ContainsAnyInRange('\u007f', '\u009f');

    private static bool TryCountBytes(string value, out int bytes)
    {
        try
        {
            bytes = Strict.GetByteCount(value);
            return true;
        }
        catch (EncoderFallbackException)
        {
            bytes = 0;
            return false;
        }
    }
}
