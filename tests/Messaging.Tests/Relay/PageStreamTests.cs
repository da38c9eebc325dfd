namespace Pipeline.Messaging.Tests;

public sealed class PageStreamTests
{
    private const int PageBytes = 1_000;

    [Theory]
    [InlineData(0, 1, 0, true)]
    [InlineData(0, 5_000, 0, true)]
    [InlineData(1, 999, 0, false)]
    [InlineData(1, 999, 4, false)]
    [InlineData(1, 1, 5, true)]
    [InlineData(1, 1_000, 0, true)]
    [InlineData(3, 1_000, 0, true)]
    [InlineData(4, 5_000, 9_999, false)]
    public void A_small_page_goes_alone_or_after_a_while_and_full_ones_fill_the_window(int inFlight, long waitingBytes, int waitedMs, bool starts) =>
        Assert.Equal(starts, PageStream.CanStart(inFlight, waitingBytes, TimeSpan.FromMilliseconds(waitedMs), window: 4, PageBytes));
}
