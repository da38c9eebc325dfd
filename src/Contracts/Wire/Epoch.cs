using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Pipeline.Contracts;

/// <summary>
/// Names one history of one stream: a short hash of the database's generation, the stream and its incarnation, as ten
/// characters of <c>[0-9a-z]</c>. Another history of the same stream, or another user's stream, has another epoch.
/// </summary>
public static class Epoch
{
    private const string Alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
    private const int Length = 10;

    /// <summary>The epoch of a stream.</summary>
    public static string Of(long generation, StreamKey stream, long incarnation)
    {
        var key = Encoding.UTF8.GetBytes(stream.Value);
        var input = new byte[16 + key.Length];
        BinaryPrimitives.WriteInt64LittleEndian(input, generation);
        BinaryPrimitives.WriteInt64LittleEndian(input.AsSpan(8), incarnation);
        key.CopyTo(input.AsSpan(16));

        var value = BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(input));
        return string.Create(Length, value, static (span, rest) =>
        {
            foreach (ref var character in span)
            {
                character = Alphabet[(int)(rest % 36)];
                rest /= 36;
            }
        });
    }
}
