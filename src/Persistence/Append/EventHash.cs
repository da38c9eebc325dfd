using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Tells a retry of an event from another event with the same id.</summary>
internal static class EventHash
{
    private const int Length = 16;

    // Three texts and the data, each behind its length, and two numbers.
    private const int Numbers = 6 * sizeof(long);

    /// <summary>Over what the producer sent. Parts are length-prefixed, so that none can pretend to be two.</summary>
    public static byte[] Of(EventEnvelope envelope, ReadOnlySpan<byte> data)
    {
        var parts = ArrayPool<byte>.Shared.Rent(Numbers + (3 * Limits.IdBytes) + data.Length);
        var end = 0;
        Add(parts, ref end, envelope.Type);
        Add(parts, ref end, envelope.Thread);
        Add(parts, ref end, envelope.Run);
        Add(parts, ref end, envelope.Sequence);
        Add(parts, ref end, envelope.Time?.UtcTicks ?? -1);
        Add(parts, ref end, data.Length);
        data.CopyTo(parts.AsSpan(end));

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(parts.AsSpan(0, end + data.Length), hash);
        ArrayPool<byte>.Shared.Return(parts);
        return hash[..Length].ToArray();
    }

    private static void Add(byte[] parts, ref int end, string text)
    {
        var length = Encoding.UTF8.GetBytes(text, parts.AsSpan(end + sizeof(long)));
        Add(parts, ref end, length);
        end += length;
    }

    private static void Add(byte[] parts, ref int end, long number)
    {
        BinaryPrimitives.WriteInt64LittleEndian(parts.AsSpan(end), number);
        end += sizeof(long);
    }
}
