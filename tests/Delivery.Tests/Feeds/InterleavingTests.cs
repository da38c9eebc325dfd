using CsCheck;

namespace Pipeline.Delivery.Tests;

public sealed class InterleavingTests
{
    [Fact]
    public void Any_interleaving_of_faults_gives_previous_plus_one_or_an_explicit_reset_and_ends_complete() =>
        Gen.Select(Gen.Int[0, 24], Gen.Int[0, 1_000]).List[0, 120].Sample(
            plays =>
            {
                var world = new FeedWorld();
                foreach (var (what, choice) in plays)
                {
                    world.Play(what, choice);
                }

                world.Heal();
            },
            iter: 20_000);
}
