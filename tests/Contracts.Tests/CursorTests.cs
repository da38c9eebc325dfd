using CsCheck;

namespace Pipeline.Contracts.Tests;

public sealed class CursorTests
{
    [Theory]
    [InlineData("0", null, 0)]
    [InlineData("k3v9ab_42", "k3v9ab", 42)]
    [InlineData("k3v9ab_0", "k3v9ab", 0)]
    [InlineData("0123456789abcdef_9223372036854775807", "0123456789abcdef", long.MaxValue)]
    [InlineData("k3v9ab_9999999999999999999", "k3v9ab", long.MaxValue)]
    public void A_cursor_is_zero_or_an_epoch_and_a_position(string text, string? epoch, long position)
    {
        Assert.True(Cursor.TryParse(text, out var cursor));
        Assert.Equal(new Cursor(epoch, position), cursor);
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("42")]
    [InlineData("00")]
    [InlineData("k3v9a_42")]
    [InlineData("K3V9AB_42")]
    [InlineData("k3v9ab_")]
    [InlineData("k3v9ab_042")]
    [InlineData("k3v9ab_-1")]
    [InlineData("k3v9ab_+1")]
    [InlineData("k3v9ab_1 ")]
    [InlineData("k3v9ab_1\0")]
    [InlineData("k3v9ab_1_2")]
    [InlineData("0123456789abcdef0_1")]
    [InlineData("k3v9ab_12345678901234567890")]
    public void Anything_else_is_no_cursor(string? text) => Assert.False(Cursor.TryParse(text, out _));

    [Fact]
    public void What_is_written_reads_back() =>
        Gen.Select(Gen.Long[0, long.MaxValue], Gen.Long[1, 9], Gen.Long[1, 9])
            .Sample((position, generation, incarnation) =>
            {
                var cursor = new Cursor(Epoch.Of(generation, StreamKey.Of("t", "u"), incarnation), position);
                return Cursor.TryParse(cursor.ToString(), out var read) && read == cursor;
            });

    [Fact]
    public void Each_history_of_each_stream_has_its_own_epoch()
    {
        var epochs = from generation in Enumerable.Range(1, 5)
                     from incarnation in Enumerable.Range(1, 5)
                     from user in new[] { "a", "b", "ab" }
                     select Epoch.Of(generation, StreamKey.Of("t", user), incarnation);
        Assert.Equal(75, epochs.Distinct().Count());
    }
}
