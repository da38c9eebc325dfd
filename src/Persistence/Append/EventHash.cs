using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Pipeline.Contracts;

namespace Pipeline.Persistence;

/// <summary>Tells a retry of an event from another event with the same id.</summary>
internal static class EventHash
{
    private const int Length = 16;

    /// <summary>Over what the producer sent. Parts are length-prefixed, so that none can pretend to be two.</summary>
    public static byte[] Of(EventEnvelope envelope, ReadOnlySpan<byte> data)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(hash, Encoding.UTF8.GetBytes(envelope.Type));
        Add(hash, Encoding.UTF8.GetBytes(envelope.Thread));
        Add(hash, Encoding.UTF8.GetBytes(envelope.Run));
        Add(hash, envelope.Sequence);
        Add(hash, envelope.Time?.UtcTicks ?? -1);
        Add(hash, data);
        return hash.GetHashAndReset()[..Length];
    }

    private static void Add(IncrementalHash hash, ReadOnlySpan<byte> part)
    {
        Add(hash, part.Length);
        hash.AppendData(part);
    }

    private static void Add(IncrementalHash hash, long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        hash.AppendData(bytes);
    }
}
