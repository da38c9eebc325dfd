using Microsoft.Extensions.Time.Testing;

namespace Pipeline.Messaging.Tests;

public sealed class OwnRowsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly OwnRows _rows;

    public OwnRowsTests() => _rows = new OwnRows(_time, TimeSpan.FromSeconds(1));

    [Fact]
    public void A_row_is_forgotten_when_it_was_unheld_for_a_second()
    {
        Assert.Empty(_rows.Observe([1, 2], 0, long.MaxValue, _ => false));
        _time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.Empty(_rows.Observe([1, 2, 3], 0, long.MaxValue, _ => false));
        _time.Advance(TimeSpan.FromMilliseconds(1));

        Assert.Equal([1, 2], _rows.Observe([1, 2, 3], 0, long.MaxValue, _ => false));
    }

    [Fact]
    public void A_row_that_is_held_is_not()
    {
        _rows.Observe([1], 0, long.MaxValue, _ => false);
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Empty(_rows.Observe([1], 0, long.MaxValue, _ => true));
    }

    [Fact]
    public void A_row_that_was_held_or_gone_in_between_starts_over()
    {
        _rows.Observe([1, 2], 0, long.MaxValue, _ => false);
        _rows.Observe([2], 0, long.MaxValue, id => id == 2);
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Empty(_rows.Observe([1, 2], 0, long.MaxValue, _ => false));
    }

    [Fact]
    public void A_reading_says_nothing_of_rows_outside_its_span()
    {
        _rows.Observe([1, 2], 0, 2, _ => false);
        _rows.Observe([3, 4], 2, 4, _ => false);
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal([3], _rows.Observe([3], 2, 4, _ => false));
        Assert.Equal([1, 2], _rows.Observe([1, 2, 4], 0, 4, id => id == 4));
    }
}
