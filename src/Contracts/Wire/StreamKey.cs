using System.Globalization;

namespace Pipeline.Contracts;

/// <summary>
/// A user's mailbox: tenant and user, length-prefixed so that no two pairs share a key. Compared by ordinal.
/// </summary>
public readonly record struct StreamKey : IComparable<StreamKey>
{
    private StreamKey(string value) => Value = value;

    /// <summary>
    /// The pipeline's own stream, in which delivery nodes see their own events come back. Its length has a leading zero,
    /// which <see cref="Of"/> never writes: no token, command or request can name it.
    /// </summary>
    public static StreamKey Canary { get; } = new("06:system:canary");

    /// <summary>The key as stored, for example <c>7:default:alice</c>: the tenant's length in characters, it, the user.</summary>
    public string Value { get; }

    /// <summary>Whether it is the pipeline's own stream and no user's.</summary>
    public bool IsReserved => Value is ['0', ..];

    /// <exception cref="ArgumentException">Tenant or user is no valid id (<see cref="Limits.DescribeInvalidId"/>).</exception>
    public static StreamKey Of(string tenant, string user)
    {
        Limits.ThrowIfInvalidId(tenant, nameof(tenant));
        Limits.ThrowIfInvalidId(user, nameof(user));
        return new StreamKey(string.Create(CultureInfo.InvariantCulture, $"{tenant.Length}:{tenant}:{user}"));
    }

    /// <summary>Reads a stored key.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static StreamKey Parse(string value)
    {
        var key = new StreamKey(value);
        _ = key.Split();
        return key;
    }

    /// <summary>Tenant and user that made the key.</summary>
    public (string Tenant, string User) Split()
    {
        var colon = Value.IndexOf(':', StringComparison.Ordinal);
        if (colon < 1
            || !int.TryParse(Value.AsSpan(0, colon), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            || length < 1
            || Value.Length < colon + length + 3
            || Value[colon + 1 + length] != ':')
        {
            throw new FormatException($"'{Value}' is no stream key; one looks like 7:default:alice");
        }

        return (Value.Substring(colon + 1, length), Value[(colon + length + 2)..]);
    }

    /// <inheritdoc/>
    public int CompareTo(StreamKey other) => string.CompareOrdinal(Value, other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
