using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Pipeline.Contracts;

/// <summary>
/// Where a reader stands: everything up to <see cref="Position"/> of the history <see cref="Epoch"/> is behind it.
/// On the wire <c>EPOCH_POSITION</c>, or <c>0</c> for "before the oldest kept event" (PROTOCOL.md, "Cursors").
/// </summary>
/// <param name="Epoch">The history; null for <see cref="Oldest"/>.</param>
/// <param name="Position">Last position behind the reader, from 0.</param>
public readonly record struct Cursor(string? Epoch, long Position)
{
    /// <summary>Before the oldest kept event, whatever the history: <c>0</c>.</summary>
    public static Cursor Oldest => default;

    /// <summary>Whether this is <see cref="Oldest"/>.</summary>
    public bool IsOldest => Epoch is null;

    /// <summary>Reads <c>0</c> or <c>[0-9a-z]{6,16}_[0-9]{1,19}</c>, unpadded. Anything else is no cursor.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Cursor cursor)
    {
        cursor = default;
        if (text is "0")
        {
            return true;
        }

        if (text is null || text.IndexOf('_', StringComparison.Ordinal) is not (>= 6 and <= 16 and var split))
        {
            return false;
        }

        var digits = text.AsSpan(split + 1);
        if (text.AsSpan(0, split).ContainsAnyExcept(EpochCharacters)
            || digits.Length is < 1 or > 19
            || (digits[0] == '0' && digits.Length > 1)
            || digits.ContainsAnyExceptInRange('0', '9')
            || !ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var position))
        {
            return false;
        }

        // Nineteen digits may exceed the largest position: still a cursor, and still from the future.
        cursor = new Cursor(text[..split], (long)Math.Min(position, long.MaxValue));
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() =>
        Epoch is null ? "0" : string.Create(CultureInfo.InvariantCulture, $"{Epoch}_{Position}");

    private static readonly System.Buffers.SearchValues<char> EpochCharacters =
        System.Buffers.SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyz");
}
