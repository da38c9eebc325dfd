using System.Buffers;
using System.Net.ServerSentEvents;
using System.Text;
using CsCheck;
using Pipeline.Contracts;
using Pipeline.Delivery.Api;

namespace Pipeline.Delivery.Tests;

public sealed class EventWriterTests
{
    [Fact]
    public void The_cursor_is_spliced_in_front_and_the_body_stays_as_it_is()
    {
        var step = new Step(StepKind.Events, new Cursor("abcdef", 8))
        {
            After = new Cursor("abcdef", 6),
            First = 7,
            Bodies = [Bytes("{\"id\":\"a\", \"x\":1.0}"), Bytes("{\"id\":\"ü\"}")],
        };

        Assert.Equal(
            "{\"type\":\"events\",\"after\":\"abcdef_6\",\"events\":[{\"cursor\":\"abcdef_7\",\"id\":\"a\", \"x\":1.0},"
                + "{\"cursor\":\"abcdef_8\",\"id\":\"ü\"}],\"cursor\":\"abcdef_8\"}",
            Written(output => EventWriter.WriteFrame(output, step)));
    }

    [Fact]
    public void A_frame_fits_the_room_that_is_rented_for_it()
    {
        var step = new Step(StepKind.Events, new Cursor("0123456789abcdef", long.MaxValue))
        {
            After = new Cursor("0123456789abcdef", long.MaxValue),
            First = long.MaxValue - 999,
            Bodies = [.. Enumerable.Repeat(Bytes("{\"i\":1}"), 1_000)],
        };
        Assert.InRange(Written(output => EventWriter.WriteFrame(output, step)).Length, 1, EventWriter.SizeOf(step));
    }

    [Fact]
    public void Line_breaks_in_a_body_are_data_lines_that_a_parser_joins_again() =>
        Gen.String[Gen.Char["\r\n x\u2028"], 0, 12].Sample(blanks =>
        {
            var body = $"{{\"id\":{blanks}1}}";
            var message = Written(output => EventWriter.WriteMessage(output, "abcdef", 1, Encoding.UTF8.GetBytes(body)));
            using var stream = new MemoryStream(Encoding.UTF8.GetBytes(message));
            var item = Assert.Single(SseParser.Create(stream).Enumerate());
            var joined = body.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
            return item.Data == "{\"cursor\":\"abcdef_1\"," + joined[1..] && item.EventId == "abcdef_1";
        });

    private static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Written(Action<IBufferWriter<byte>> write)
    {
        using var output = new PooledBuffer(16);
        write(output);
        return Encoding.UTF8.GetString(output.Written.Span);
    }
}
