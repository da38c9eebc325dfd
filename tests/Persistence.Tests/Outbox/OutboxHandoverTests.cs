using Microsoft.Extensions.Options;
using Pipeline.Contracts;

namespace Pipeline.Persistence.Tests;

/// <summary>The way from a commit to the relay.</summary>
public sealed class OutboxHandoverTests
{
    private readonly OutboxHandover _handover = new(Options.Create(new PersistenceOptions { HandoverBytes = 10_000 }));

    public OutboxHandoverTests() => _handover.Offered += () => { };

    [Fact]
    public void What_is_offered_is_taken_in_order_and_held_until_it_is_released()
    {
        Assert.True(_handover.TryOffer(Batch(1, 10)));
        Assert.True(_handover.TryOffer(Batch(2, 10)));

        Assert.True(_handover.TryTake(out var first));
        Assert.Equal(1, first.OutboxId);
        Assert.True(_handover.Holds(1, 1) && _handover.Holds(1, 2));
        _handover.Release(first);
        Assert.False(_handover.Holds(1, 1));
        Assert.True(_handover.TryTake(out var second));
        Assert.Equal(2, second.OutboxId);
        Assert.False(_handover.TryTake(out _));
    }

    [Fact]
    public void Bytes_are_bounded_until_they_are_released()
    {
        Assert.True(_handover.TryOffer(Batch(1, 6_000)));
        Assert.False(_handover.TryOffer(Batch(2, 6_000)));
        Assert.False(_handover.Holds(1, 2));

        Assert.True(_handover.TryTake(out var first));
        Assert.False(_handover.TryOffer(Batch(2, 6_000)));
        _handover.Release(first);
        Assert.True(_handover.TryOffer(Batch(2, 6_000)));
    }

    [Fact]
    public void A_batch_larger_than_everything_goes_when_it_is_alone()
    {
        Assert.True(_handover.TryOffer(Batch(1, 20_000)));
        Assert.False(_handover.TryOffer(Batch(2, 1)));
    }

    [Fact]
    public void Commands_have_no_bodies_and_are_bounded_all_the_same()
    {
        var offered = Enumerable.Range(1, 1_000).TakeWhile(id => _handover.TryOffer(Batch(id, 0))).Count();

        Assert.InRange(offered, 1, 100);
    }

    [Fact]
    public void The_same_row_is_taken_once()
    {
        Assert.True(_handover.TryOffer(Batch(1, 10)));
        Assert.True(_handover.TryOffer(Batch(1, 10)));

        Assert.True(_handover.TryTake(out var batch));
        Assert.False(_handover.TryTake(out _));
        _handover.Release(batch);
        _handover.Release(batch);
        Assert.True(_handover.TryOffer(Batch(2, 9_000)));
    }

    [Fact]
    public void The_same_id_of_another_generation_is_another_row()
    {
        Assert.True(_handover.TryOffer(Batch(1, 10)));
        Assert.False(_handover.Holds(2, 1));
        Assert.True(_handover.TryOffer(Batch(1, 10, generation: 2)));

        Assert.True(_handover.TryTake(out var old));
        Assert.True(_handover.TryTake(out var young));
        Assert.Equal((1, 2), (old.Generation, young.Generation));
        _handover.Release(old);
        Assert.True(_handover.Holds(2, 1));
    }

    [Fact]
    public void Every_batch_that_is_let_in_is_told_of_and_every_refusal_is_counted()
    {
        var offered = 0;
        _handover.Offered += () => offered++;

        _handover.TryOffer(Batch(1, 6_000));
        _handover.TryOffer(Batch(2, 6_000));
        _handover.TryOffer(Batch(1, 6_000));

        Assert.Equal((1, 1), (offered, _handover.Refused));
    }

    [Fact]
    public void What_is_set_aside_takes_no_room_and_is_known_until_its_reason_is_gone()
    {
        Assert.True(_handover.TryOffer(Batch(1, 6_000)));
        Assert.True(_handover.TryTake(out var batch));

        _handover.SetAside(batch, "slow");
        Assert.True(_handover.Holds(1, 1));
        Assert.Equal(10_000, _handover.Room);
        _handover.TakeUp(reason => reason == "other");
        Assert.True(_handover.Holds(1, 1));
        _handover.TakeUp(reason => reason == "slow");
        Assert.False(_handover.Holds(1, 1));
    }

    private static CommittedBatch Batch(long id, int bytes, long generation = 1) => new(
        id, generation, [new CommittedRange(StreamKey.Of("default", "alice"), 1, 1, [new CommittedEvent("custom", new byte[bytes])])], null);
}
