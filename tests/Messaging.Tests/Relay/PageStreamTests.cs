namespace Pipeline.Messaging.Tests;

public sealed class PageStreamTests
{
    private const int PageBytes = 1_000;

    [Theory]
    [InlineData(0, 1, true)]
    [InlineData(0, 5_000, true)]
    [InlineData(1, 999, false)]
    [InlineData(1, 1_000, true)]
    [InlineData(3, 1_000, true)]
    [InlineData(4, 5_000, false)]
    public void A_small_page_goes_alone_and_full_ones_fill_the_window(int inFlight, long waitingBytes, bool starts) =>
        Assert.Equal(starts, PageStream.CanStart(inFlight, waitingBytes, window: 4, PageBytes));
}
